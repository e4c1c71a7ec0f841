//! Carnet beside node-oidc-provider: the same requests to both, in turn, and a table of medians.

mod browser;
mod carnet;
mod latency;
mod server;
mod table;
mod token;
mod work;

use std::time::Duration;

use crate::Outcome;
use server::{Programs, Server, Which};
use table::{Both, Pair};
use work::Work;

/// How long, how often, and what.
#[derive(Clone, Copy)]
pub(crate) struct Effort<'a> {
    piece: Duration,
    rounds: usize,
    /// Codes that each connection fetches and redeems in a round.
    codes: usize,
    /// A part of the name of what is measured; all when empty.
    only: &'a str,
}

impl<'a> Effort<'a> {
    /// What the figures of the README were measured with.
    pub(crate) fn full(only: &'a str) -> Self {
        Self {
            piece: Duration::from_secs(4),
            rounds: 5,
            codes: 60,
            only,
        }
    }

    /// Only to see that everything works.
    pub(crate) fn smoke() -> Self {
        Self {
            piece: Duration::from_millis(300),
            rounds: 1,
            codes: 3,
            only: "",
        }
    }

    fn wants(&self, what: &str) -> bool {
        what.contains(self.only)
    }
}

/// Connections that ask at the same time.
const CONNECTIONS: usize = 64;

/// Whose latency is measured.
const LATENCY_OF: Work = Work::ALL[0];
const CODE: &str = "authorization request of a logged-in browser, for a code";
const REDEMPTION: &str = "code for access, ID (ES256) and refresh token";

/// Measures the `binary` of Carnet beside the peer in this folder and prints Markdown.
pub(crate) async fn run(binary: &str, peer: &str, effort: Effort<'_>) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    carnet::make_peer_keys(binary, folder.path())?;
    let programs = Programs {
        carnet: binary,
        peer,
        folder: folder.path(),
    };
    // Carnet's first start makes its database and its keys; it is not among those that are counted.
    drop(programs.start(Which::Carnet).await?);
    carnet::add_user(binary, folder.path())?;
    table::head();
    starts(&programs, effort).await?;
    let both = Pair {
        carnet: programs.start(Which::Carnet).await?,
        peer: programs.start(Which::Peer).await?,
    };
    memory("resident memory, idle", &both)?;
    let mut saturated = None;
    for work in Work::ALL.into_iter().filter(|work| effort.wants(work.name())) {
        let rates = side_by_side(work, &both, effort).await?;
        table::rates(work.name(), &rates, work.aim());
        if work == LATENCY_OF {
            saturated = Some(rates);
        }
    }
    if effort.wants(CODE) || effort.wants(REDEMPTION) {
        redemption(&both, effort).await?;
    }
    if let Some(rates) = saturated {
        latencies(&both, &rates, effort).await?;
    }
    memory("resident memory, after all this", &both)
}

async fn starts(programs: &Programs<'_>, effort: Effort<'_>) -> Outcome<()> {
    let mut times = Both::default();
    for _ in 0..2 * effort.rounds {
        for which in [Which::Carnet, Which::Peer] {
            times.of(which).push(programs.start(which).await?.start_millis);
        }
    }
    table::values("start until discovery is answered, keys made before", "ms", times);
    Ok(())
}

fn memory(what: &str, both: &Pair<Server>) -> Outcome<()> {
    let mut sizes = Both::default();
    for server in [&both.carnet, &both.peer] {
        let mib = f64::from(u32::try_from(server.process.resident_kib()?)?) / 1024.0;
        sizes.of(server.which).push(mib);
    }
    table::values(what, "MiB", sizes);
    Ok(())
}

async fn side_by_side(
    work: Work,
    both: &Pair<Server>,
    effort: Effort<'_>,
) -> Outcome<Both<crate::drive::Rate>> {
    let mut rates = Both::default();
    // Both run warm: a first piece is thrown away.
    for round in 0..=effort.rounds {
        for server in [&both.carnet, &both.peer] {
            let rate = work::load(work, server, (CONNECTIONS, effort.piece)).await?;
            if round > 0 {
                rates.of(server.which).push(rate);
            }
        }
    }
    Ok(rates)
}

async fn redemption(both: &Pair<Server>, effort: Effort<'_>) -> Outcome<()> {
    let (mut fetched, mut redeemed) = (Both::default(), Both::default());
    for _ in 0..effort.rounds {
        for server in [&both.carnet, &both.peer] {
            let (code, tokens) = work::codes(server, (CONNECTIONS, effort.codes)).await?;
            fetched.of(server.which).push(code);
            redeemed.of(server.which).push(tokens);
        }
    }
    table::rates(CODE, &fetched, None);
    table::rates(REDEMPTION, &redeemed, None);
    Ok(())
}

/// Each at half of what it can do, and Carnet at half of what the peer can do.
async fn latencies(both: &Pair<Server>, rates: &Both<crate::drive::Rate>, effort: Effort<'_>) -> Outcome<()> {
    let half = |which| table::per_second(rates, which) / 2.0;
    let (own, theirs) = (half(Which::Carnet), half(Which::Peer));
    let (mut at_half, mut at_theirs) = (Both::default(), Both::default());
    for _ in 0..effort.rounds {
        let ask = |server, rate| latency::at_rate(LATENCY_OF, server, (rate, effort.piece));
        at_half.of(Which::Carnet).extend(ask(&both.carnet, own).await?);
        let peer = ask(&both.peer, theirs).await?;
        at_theirs
            .of(Which::Carnet)
            .extend(ask(&both.carnet, theirs).await?);
        at_half.of(Which::Peer).extend(peer.iter().copied());
        at_theirs.of(Which::Peer).extend(peer);
    }
    table::latencies(
        &format!("at {theirs:.0}/s, half of what the peer can do"),
        at_theirs,
    );
    table::latencies(
        &format!("at {own:.0}/s and {theirs:.0}/s, half of what each can do"),
        at_half,
    );
    Ok(())
}
