//! `carnet export`: the registry as the file that `carnet apply` reads.

use std::path::PathBuf;

use super::operator::{ConfigFile, broken};
use super::registry;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;

/// Write roles, clients and users as a file that `carnet apply` reads
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet export > registry.toml\n  carnet export --with-hashes --out backup.toml\n\n\
With --json: {\"roles\":[…],\"clients\":[…],\"users\":[…]}, with the members of the file. No secret and no password is ever written."
)]
pub(crate) struct Export {
    #[command(flatten)]
    config: ConfigFile,
    /// Write password hashes and SHA-256 digests of client secrets too, so that another server takes them over
    #[arg(long)]
    with_hashes: bool,
    /// Write this new file; with hashes it has mode 0600
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(command: Export, out: &Output) -> Result<(), Failure> {
    let operator = command.config.open().await?;
    let known = operator.store.registry().await.map_err(broken)?;
    let exported = registry::exported(&known, command.with_hashes)?;
    if command.with_hashes && command.out.is_none() {
        out.warn(
            "hashes of weak passwords can be guessed: keep this where only you can read it, or use --out",
        );
    }
    let text = match out.is_json() {
        true => format!("{}\n", serde_json::Value::Object(exported)),
        false => registry::text(&exported)?,
    };
    match &command.out {
        Some(file) => {
            input::create(file, &text, command.with_hashes)?;
            out.next(&format!("carnet apply {} --dry-run", file.display()));
        }
        None => out.bytes(text.as_bytes()),
    }
    Ok(())
}
