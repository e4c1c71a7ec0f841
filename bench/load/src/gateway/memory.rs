//! Resident memory: of a program that was just started, what a connection adds that waits, and what a token adds that is remembered.

use std::time::Duration;

use carnet_jose::Algorithm;

use super::Effort;
use super::case::Supply;
use super::proxy::{Program, Programs, Proxy};
use super::wire::Wire;
use crate::Outcome;

/// Fewer than the 4,096 that Envoy is told to remember; Carnet remembers 10,000.
const REMEMBERED: usize = 4_000;

pub(super) async fn compare(programs: &Programs<'_>, supply: &Supply, effort: Effort<'_>) -> Outcome<()> {
    println!(
        "\n| resident memory | {} | aim |",
        Program::ALL.map(Program::name).join(" | ")
    );
    println!("|---|{}--:|", "--:|".repeat(Program::ALL.len()));
    let (mut idle, mut connection, mut token) = (Vec::new(), Vec::new(), Vec::new());
    for program in Program::ALL {
        let proxy = programs.start(program).await?;
        let (before, added) = connections(&proxy, effort.idle_connections).await?;
        idle.push(format!("{:.1} MB", before / 1e6));
        connection.push(format!("{:.1} KB", added / 1e3));
        token.push(match program {
            Program::Carnet | Program::Envoy => {
                let proxy = programs.start(program).await?;
                format!("{:.0} B", tokens(&proxy, program, supply).await?)
            }
            _ => String::new(),
        });
    }
    println!("| just started | {} | ≤ 20 MB |", idle.join(" | "));
    println!(
        "| for each idle connection | {} | ≤ 12 KB |",
        connection.join(" | ")
    );
    println!(
        "| for each token that is remembered | {} | ≤ 600 B |",
        token.join(" | ")
    );
    Ok(())
}

/// In bytes: when it was just started, and for each connection that has asked once and waits.
async fn connections(proxy: &Proxy, count: usize) -> Outcome<(f64, f64)> {
    let before = resident(proxy).await?;
    let mut wires = Vec::new();
    for _ in 0..count {
        let mut wire = Wire::open(&proxy.address).await?;
        wire.prepare("/plain/orders", "");
        wire.ask().await?;
        wires.push(wire);
    }
    let added = resident(proxy).await? - before;
    Ok((before, added / f64::from(u32::try_from(count.max(1))?)))
}

async fn tokens(proxy: &Proxy, program: Program, supply: &Supply) -> Outcome<f64> {
    let path = super::Case::Hit.path(program);
    let mut tokens = supply.distinct(Algorithm::Es256).iter().take(REMEMBERED);
    let mut wire = Wire::open(&proxy.address).await?;
    // What the first ones of all need is not theirs.
    for token in tokens.by_ref().take(50) {
        wire.prepare(path, token);
        wire.ask().await?;
    }
    let before = resident(proxy).await?;
    let mut count = 0_u32;
    for token in tokens {
        wire.prepare(path, token);
        wire.ask().await?;
        count += 1;
    }
    Ok((resident(proxy).await? - before) / f64::from(count.max(1)))
}

async fn resident(proxy: &Proxy) -> Outcome<f64> {
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(f64::from(u32::try_from(proxy.process.resident_kib()?)?) * 1024.0)
}
