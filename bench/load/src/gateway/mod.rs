//! Carnet's gateway beside nginx, HAProxy, Caddy and Envoy: the same requests to all in turn, and a table of medians.

mod backend;
mod case;
mod latency;
mod memory;
mod proxy;
mod table;
mod tokens;
mod wire;

use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use case::{Case, Supply};
use proxy::{Program, Programs, Proxy};
use table::Rates;

/// How long, how often, and what.
#[derive(Clone, Copy)]
pub(crate) struct Effort<'a> {
    piece: Duration,
    /// Pieces that count; one more before them does not.
    rounds: usize,
    /// Tokens that are all different.
    tokens: usize,
    idle_connections: usize,
    /// A part of the name of a case, `latency` or `memory`; all when empty.
    only: &'a str,
}

impl<'a> Effort<'a> {
    /// What the figures of the README were measured with.
    pub(crate) fn full(only: &'a str) -> Self {
        Self {
            piece: Duration::from_secs(2),
            rounds: 7,
            tokens: 20_000,
            idle_connections: 2_000,
            only,
        }
    }

    /// Only to see that everything works.
    pub(crate) fn smoke() -> Self {
        Self {
            piece: Duration::from_millis(200),
            rounds: 1,
            tokens: 500,
            idle_connections: 50,
            only: "",
        }
    }

    fn wants(&self, what: &str) -> bool {
        what.contains(self.only)
    }
}

/// Connections that ask at the same time.
const CONNECTIONS: usize = 32;

/// Measures the `binary` of Carnet beside the others, whose configurations are in this folder, and prints Markdown.
pub(crate) async fn run(binary: &str, peers: &str, effort: Effort<'_>) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let service = backend::start().await?;
    let issuer = tokens::Issuer::create(folder.path())?;
    let supply = Supply::create(&issuer, effort.tokens)?;
    let programs = Programs {
        carnet: binary,
        peers: Path::new(peers),
        folder: folder.path(),
        service: &service,
    };
    let mut running = Vec::new();
    for program in Program::ALL {
        running.push((program, programs.start(program).await?));
    }
    let mut rates = Rates::default();
    for round in 0..=effort.rounds {
        for case in Case::ALL.into_iter().filter(|case| effort.wants(case.name())) {
            for (program, proxy) in &running {
                if !case.is_for(*program) {
                    continue;
                }
                let rate = piece(&programs, &supply, (case, *program, proxy), effort.piece).await?;
                // The first time makes pages, connections and code warm.
                if round > 0 {
                    rates.add(case, *program, rate);
                }
            }
        }
    }
    rates.print();
    if effort.wants("latency") {
        latency::compare(&service, &running, effort).await?;
    }
    drop(running);
    if effort.wants("memory") {
        memory::compare(&programs, &supply, effort).await?;
    }
    Ok(())
}

/// Who remembers tokens starts anew before a piece with new ones: what it knows from the piece before would not be new to it.
async fn piece(
    programs: &Programs<'_>,
    supply: &Supply,
    (case, program, proxy): (Case, Program, &Proxy),
    length: Duration,
) -> Outcome<crate::drive::Rate> {
    match (case, program) {
        (Case::Cold(_), Program::Carnet) => {
            let forgetful = programs.start(program).await?;
            supply.piece(case, (program, &forgetful), length).await
        }
        _ => supply.piece(case, (program, proxy), length).await,
    }
}
