//! Open loop: plain requests come at a fixed rate whatever happens, and latency counts from the moment each was due.

use std::time::{Duration, Instant};

use super::proxy::{Program, Proxy};
use super::table::median;
use super::wire::Wire;
use super::{CONNECTIONS, Effort};
use crate::Outcome;
use crate::pace::Pace;

/// At the same rate for all: half of what the slower of Carnet and nginx can do. Who cannot do that much twice is left out.
pub(super) async fn compare(service: &str, running: &[(Program, Proxy)], effort: Effort<'_>) -> Outcome<()> {
    let mut all = Vec::new();
    for (program, proxy) in running {
        all.push((
            *program,
            proxy.address.as_str(),
            most(&proxy.address, effort.piece).await?,
        ));
    }
    let fast = |program: &Program| matches!(program, Program::Carnet | Program::Nginx);
    let slower = all
        .iter()
        .filter(|(program, ..)| fast(program))
        .map(|(.., most)| *most);
    let rate = slower.fold(f64::INFINITY, f64::min) / 2.0;
    all.retain(|(program, _, most)| fast(program) || *most >= 1.5 * rate);
    let mut direct = Vec::new();
    let mut through = vec![Vec::new(); all.len()];
    for _ in 0..effort.rounds {
        direct.push(at_rate(service, rate, effort.piece).await?);
        for ((_, address, _), found) in all.iter().zip(&mut through) {
            found.push(at_rate(address, rate, effort.piece).await?);
        }
    }
    println!("\n| at {rate:.0} requests a second | p50 | p99 | p99 that it adds |\n|---|--:|--:|--:|");
    let of = |found: &[(f64, f64)], which: fn(&(f64, f64)) -> f64| {
        median(&mut found.iter().map(which).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    };
    let bare = of(&direct, |found| found.1);
    println!(
        "| the service itself | {:.0} µs | {bare:.0} µs | |",
        of(&direct, |found| found.0)
    );
    for ((program, ..), found) in all.iter().zip(&through) {
        let (p50, p99) = (of(found, |found| found.0), of(found, |found| found.1));
        println!(
            "| {} | {p50:.0} µs | {p99:.0} µs | {:.0} µs |",
            program.name(),
            p99 - bare
        );
    }
    Ok(())
}

/// Answers a second in a closed loop.
async fn most(address: &str, piece: Duration) -> Outcome<f64> {
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut wire = ready(address).await?;
        tasks.push(tokio::spawn(async move {
            let (started, mut done) = (Instant::now(), 0_u32);
            while started.elapsed() < piece {
                wire.ask().await?;
                done += 1;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(done)
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(f64::from(done) / piece.as_secs_f64())
}

async fn ready(address: &str) -> Outcome<Wire> {
    let mut wire = Wire::open(address).await?;
    wire.prepare("/plain/orders", "");
    wire.ask().await?;
    Ok(wire)
}

/// The median and the 99th percentile, in microseconds.
async fn at_rate(address: &str, rate: f64, piece: Duration) -> Outcome<(f64, f64)> {
    let pace = Pace::new();
    let mut tasks = Vec::new();
    for _ in 0..2 * CONNECTIONS {
        let (mut wire, line) = (ready(address).await?, pace.line());
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let Some(moment) = line.next().await else {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(latencies);
                };
                wire.ask().await?;
                latencies.push(moment.elapsed().as_secs_f64() * 1e6);
            }
        }));
    }
    pace.keep(rate, piece).await?;
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    all.sort_by(f64::total_cmp);
    let at = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or(f64::NAN);
    Ok((at(50), at(99)))
}
