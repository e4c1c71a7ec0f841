//! The run: every measurement beside what it is compared with, and a table of medians.

use std::process::Command;
use std::time::Duration;

use crate::client::Connection;
use crate::drive::{self, Rate};
use crate::process::Process;
use crate::subject::{self, Subject};
use crate::{Outcome, ROUNDS, bare, raw_argon};

const CONNECTIONS: usize = 128;
const LOGIN_CONNECTIONS: usize = 16;
const STARTS: usize = 10;

/// Measures `binary` and prints Markdown.
pub(crate) async fn run(binary: &str) -> Outcome<()> {
    println!("| what | measured | compared with | ratio | aim |\n|---|---|---|---|---|");
    start_up(binary).await?;
    let folder = tempfile::tempdir()?;
    let subject = Subject::start(binary, folder.path()).await?;
    subject.add_user(binary, folder.path())?;
    println!(
        "| resident memory, idle | {:.1} MiB | | | ≤ 30 MiB |",
        mib(subject.process.resident_kib()?)
    );
    refreshes(&subject).await?;
    logins(&subject).await?;
    guard().await
}

async fn start_up(binary: &str) -> Outcome<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let folder = tempfile::tempdir()?;
        times.push(Subject::start(binary, folder.path()).await?.start_millis);
    }
    println!(
        "| first start until ready, new folder | {:.0} ms | | | ≤ 1,000 ms |",
        median(&mut times)
    );
    Ok(())
}

async fn refreshes(subject: &Subject) -> Outcome<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve-bare-refresh");
    let without = Process::start(command)?;
    let (mut durable, mut memoryless) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut jobs = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = Connection::open(&subject.address).await?;
            let (_, token) = subject::log_in(&mut connection).await?;
            jobs.push(subject::refresh_on(connection, token));
        }
        durable.push(drive::closed_loop(&subject.process, jobs).await?);
        let mut jobs = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = Connection::open(&without.said).await?;
            jobs.push(subject::refresh_on(connection, bare::FIRST.to_owned()));
        }
        memoryless.push(drive::closed_loop(&without, jobs).await?);
    }
    row(
        "POST /auth/refresh, durable SQLite, against the same without storage",
        (&durable, &memoryless),
        "≥ 60 %",
    );
    Ok(())
}

async fn logins(subject: &Subject) -> Outcome<()> {
    let mut connection = Connection::open(&subject.address).await?;
    let (access, _) = subject::log_in(&mut connection).await?;
    let (mut rates, mut raw) = (Vec::new(), Vec::new());
    let (mut idle, mut storm) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        idle.extend(drive::latencies(&subject.address, &access).await?);
        let mut jobs = Vec::new();
        for _ in 0..LOGIN_CONNECTIONS {
            jobs.push(subject::log_in_on(Connection::open(&subject.address).await?));
        }
        rates.push(drive::closed_loop(&subject.process, jobs).await?);
        let mut jobs = Vec::new();
        for _ in 0..LOGIN_CONNECTIONS {
            jobs.push(subject::log_in_on(Connection::open(&subject.address).await?));
        }
        let storming = drive::closed_loop(&subject.process, jobs);
        let (stormed, during) = tokio::join!(storming, drive::latencies(&subject.address, &access));
        stormed?;
        storm.extend(during?);
        let per_second = tokio::task::spawn_blocking(raw_argon::per_second).await??;
        raw.push(Rate {
            per_second,
            cpu_micros: 0.0,
        });
    }
    row(
        "POST /auth/login, against raw argon2id on all cores",
        (&rates, &raw),
        "≥ 90 %",
    );
    let (p50, p99) = (quantile(&mut idle, 50), quantile(&mut idle, 99));
    let (storm_p50, storm_p99) = (quantile(&mut storm, 50), quantile(&mut storm, 99));
    println!(
        "| GET /auth/me p50 under that login storm | {storm_p50:.2} ms | {p50:.2} ms idle | {:.1}x | |",
        storm_p50 / p50
    );
    println!(
        "| GET /auth/me p99 under that login storm | {storm_p99:.2} ms | {p99:.2} ms idle | {:.1}x | ≤ 3x |",
        storm_p99 / p99
    );
    Ok(())
}

async fn guard() -> Outcome<()> {
    let start = |kind: &str| {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve-api", kind]);
        Process::start(command)
    };
    let (guarded, open) = (start("guarded")?, start("open")?);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(orders(&guarded).await?);
        without.push(orders(&open).await?);
    }
    row(
        "GET behind carnet-guard (ES256), against the same route open",
        (&with, &without),
        "",
    );
    let overhead = median_of(&with, |rate| rate.cpu_micros) - median_of(&without, |rate| rate.cpu_micros);
    println!("| what the guard adds to a request | {overhead:.0} µs CPU | | | |");
    Ok(())
}

async fn orders(process: &Process) -> Outcome<Rate> {
    let (address, token) = process
        .said
        .split_once(' ')
        .ok_or("the API did not say where it listens")?;
    let mut jobs = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut connection, token) = (Connection::open(address).await?, token.to_owned());
        jobs.push(async move {
            let (started, mut done) = (std::time::Instant::now(), 0);
            while drive::goes_on(started) {
                if !connection.get("/orders", &token).await?.status.is_success() {
                    return Err("a good token was refused".into());
                }
                done += 1;
            }
            Ok(done)
        });
    }
    drive::closed_loop(process, jobs).await
}

fn row(what: &str, (measured, compared): (&[Rate], &[Rate]), aim: &str) {
    let said = |rates: &[Rate]| {
        let (rate, cpu) = (
            median_of(rates, |rate| rate.per_second),
            median_of(rates, |rate| rate.cpu_micros),
        );
        let cpu = if cpu > 0.0 {
            format!(", {cpu:.0} µs CPU")
        } else {
            String::new()
        };
        (format!("{rate:.0}/s{cpu}"), rate)
    };
    let ((ours, rate), (theirs, limit)) = (said(measured), said(compared));
    println!(
        "| {what} | {ours} | {theirs} | {:.0} % | {aim} |",
        100.0 * rate / limit
    );
}

fn median_of(rates: &[Rate], of: impl Fn(&Rate) -> f64) -> f64 {
    median(&mut rates.iter().map(of).collect::<Vec<_>>())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// In milliseconds.
fn quantile(latencies: &mut [Duration], percent: usize) -> f64 {
    latencies.sort();
    latencies
        .get(latencies.len() * percent / 100)
        .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
}

fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::NAN, |kib| f64::from(kib) / 1024.0)
}
