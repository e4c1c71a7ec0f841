//! Measures Carnet beside its own limits, or beside another authorization server, in one run, and prints a table. `bench/run` builds and starts it.

mod bare;
mod client;
mod drive;
mod gateway;
mod guarded;
mod oauth;
mod pace;
mod process;
mod raw_argon;
mod report;
mod revocation;
mod subject;

use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long each piece of load lasts.
const PIECE: Duration = Duration::from_secs(4);
/// How often each is repeated, in turn with what it is compared with.
const ROUNDS: usize = 5;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        // The other processes of a run, so that the CPU of each is counted apart.
        ["serve-bare-refresh"] => runtime.block_on(bare::serve()),
        ["serve-api", kind] => runtime.block_on(guarded::serve(kind)),
        ["oauth", binary, peer] => runtime.block_on(oauth::run(binary, peer, oauth::Effort::full(""))),
        ["oauth", "--only", what, binary, peer] => {
            runtime.block_on(oauth::run(binary, peer, oauth::Effort::full(what)))
        }
        ["oauth", "--smoke", binary, peer] => {
            runtime.block_on(oauth::run(binary, peer, oauth::Effort::smoke()))
        }
        ["gateway", binary, peers] => runtime.block_on(gateway::run(binary, peers, gateway::Effort::full(""))),
        ["gateway", "--only", what, binary, peers] => {
            runtime.block_on(gateway::run(binary, peers, gateway::Effort::full(what)))
        }
        ["gateway", "--smoke", binary, peers] => {
            runtime.block_on(gateway::run(binary, peers, gateway::Effort::smoke()))
        }
        ["revocation", binary] => runtime.block_on(revocation::run(binary)),
        [binary] => runtime.block_on(report::run(binary)),
        _ => Err(
            "usage: carnet-bench [revocation | (oauth | gateway) [--smoke | --only WHAT]] PATH-OF-CARNET [FOLDER-OF-PEERS]".into(),
        ),
    }
}
