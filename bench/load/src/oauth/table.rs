//! The table: medians of what both servers did, and how many times less the one needed.

use std::time::Duration;

use super::server::Which;
use crate::drive::Rate;

/// One of each.
pub(super) struct Pair<T> {
    pub(super) carnet: T,
    pub(super) peer: T,
}

/// What was measured of each.
pub(super) struct Both<T> {
    carnet: Vec<T>,
    peer: Vec<T>,
}

impl<T> Default for Both<T> {
    fn default() -> Self {
        Self {
            carnet: Vec::new(),
            peer: Vec::new(),
        }
    }
}

impl<T> Both<T> {
    pub(super) fn of(&mut self, which: Which) -> &mut Vec<T> {
        match which {
            Which::Carnet => &mut self.carnet,
            Which::Peer => &mut self.peer,
        }
    }

    fn medians(&self, of: impl Fn(&T) -> f64) -> (f64, f64) {
        let median = |all: &[T]| {
            let mut values: Vec<f64> = all.iter().map(&of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        (median(&self.carnet), median(&self.peer))
    }
}

pub(super) fn head() {
    println!(
        "| | {} | {} | times less | aim |\n|---|--:|--:|--:|--:|",
        Which::Carnet.name(),
        Which::Peer.name()
    );
}

/// CPU for each answer, lowest to highest of the rounds in brackets, and answers a second.
pub(super) fn rates(what: &str, rates: &Both<Rate>, aim: Option<u32>) {
    let (ours, theirs) = rates.medians(|rate| rate.cpu_micros);
    let (our_rate, their_rate) = rates.medians(|rate| rate.per_second);
    let range = |all: &[Rate]| {
        let cpu = all.iter().map(|rate| rate.cpu_micros);
        let low = cpu.clone().fold(f64::INFINITY, f64::min);
        format!("{low:.0}–{:.0}", cpu.fold(0.0, f64::max))
    };
    let aim = aim.map_or(String::new(), |aim| format!("≥ {aim}"));
    println!(
        "| {what} | {ours:.1} µs ({}), {our_rate:.0}/s | {theirs:.0} µs ({}), {their_rate:.0}/s | {:.1} | {aim} |",
        range(&rates.carnet),
        range(&rates.peer),
        theirs / ours
    );
}

pub(super) fn values(what: &str, unit: &str, values: Both<f64>) {
    let (ours, theirs) = values.medians(|value| *value);
    println!(
        "| {what} | {ours:.0} {unit} | {theirs:.0} {unit} | {:.1} | |",
        theirs / ours
    );
}

pub(super) fn latencies(what: &str, mut latencies: Both<Duration>) {
    for percent in [50, 99] {
        let ours = quantile(latencies.of(Which::Carnet), percent);
        let theirs = quantile(latencies.of(Which::Peer), percent);
        println!(
            "| p{percent} {what} | {ours:.2} ms | {theirs:.2} ms | {:.1} | |",
            theirs / ours
        );
    }
}

/// Answers a second, in the median.
pub(super) fn per_second(rates: &Both<Rate>, which: Which) -> f64 {
    let (ours, theirs) = rates.medians(|rate| rate.per_second);
    match which {
        Which::Carnet => ours,
        Which::Peer => theirs,
    }
}

/// In milliseconds.
fn quantile(latencies: &mut [Duration], percent: usize) -> f64 {
    latencies.sort();
    latencies
        .get(latencies.len() * percent / 100)
        .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
}
