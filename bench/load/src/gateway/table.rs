//! The tables, in Markdown.

use carnet_jose::Algorithm;

use super::case::Case;
use super::proxy::Program;
use crate::drive::Rate;

/// Everything that was measured under load.
#[derive(Default)]
pub(super) struct Rates(Vec<(Case, Program, Rate)>);

impl Rates {
    pub(super) fn add(&mut self, case: Case, program: Program, rate: Rate) {
        self.0.push((case, program, rate));
    }

    pub(super) fn print(&self) {
        println!(
            "| CPU for each request, and answers a second | {} |",
            Program::ALL.map(Program::name).join(" | ")
        );
        println!("|---|{}", "--:|".repeat(Program::ALL.len()));
        for case in Case::ALL {
            if self.median(case, Program::Carnet).is_some() {
                let cells = Program::ALL.map(|program| self.cell(case, program));
                println!("| {} | {} |", case.name(), cells.join(" | "));
            }
        }
        println!("\n| ratio of the medians | measured | aim |\n|---|--:|--:|");
        let (plain, hit) = (Case::Plain, Case::Hit);
        let (es256, rs256) = (Case::Cold(Algorithm::Es256), Case::Cold(Algorithm::Rs256));
        self.ratio(
            "G1: plain route, against nginx",
            (plain, Program::Nginx),
            (plain, 1.6),
        );
        self.ratio(
            "G1: plain route, against Envoy",
            (plain, Program::Envoy),
            (plain, 0.6),
        );
        if let (Some(with), Some(without)) = (
            self.median(hit, Program::Carnet),
            self.median(plain, Program::Carnet),
        ) {
            println!(
                "| G2: what a token seen before adds | {:.1} µs | ≤ 5 µs |",
                with - without
            );
        }
        self.ratio(
            "G2: token seen before, against our plain route",
            (plain, Program::Carnet),
            (hit, 1.15),
        );
        self.ratio(
            "G2: token seen before, against Envoy with its cache",
            (hit, Program::Envoy),
            (hit, 0.5),
        );
        self.ratio(
            "G3: new ES256 token, against Envoy",
            (es256, Program::Envoy),
            (es256, 0.6),
        );
        self.ratio(
            "G3: new ES256 token, against HAProxy",
            (es256, Program::Haproxy),
            (es256, 1.0),
        );
        self.ratio(
            "G3: new RS256 token, against HAProxy",
            (rs256, Program::Haproxy),
            (rs256, 1.0),
        );
    }

    fn ratio(&self, what: &str, (case, other): (Case, Program), (ours, aim): (Case, f64)) {
        if let (Some(ours), Some(theirs)) = (self.median(ours, Program::Carnet), self.median(case, other)) {
            println!("| {what} | {:.2} | ≤ {aim} |", ours / theirs);
        }
    }

    fn cell(&self, case: Case, program: Program) -> String {
        let (mut cpu, mut rate) = (
            self.of(case, program, |rate| rate.cpu_micros),
            self.of(case, program, |rate| rate.per_second),
        );
        match (median(&mut cpu), median(&mut rate)) {
            (Some(middle), Some(rate)) => {
                let (least, most) = (
                    cpu.first().copied().unwrap_or(middle),
                    cpu.last().copied().unwrap_or(middle),
                );
                format!("{middle:.1} µs ({least:.1}–{most:.1}), {rate:.0}/s")
            }
            _ => String::new(),
        }
    }

    fn median(&self, case: Case, program: Program) -> Option<f64> {
        median(&mut self.of(case, program, |rate| rate.cpu_micros))
    }

    fn of(&self, case: Case, program: Program, what: fn(&Rate) -> f64) -> Vec<f64> {
        let fits = self
            .0
            .iter()
            .filter(|(known, by, _)| *known == case && *by == program);
        fits.map(|(_, _, rate)| what(rate)).collect()
    }
}

/// Leaves them in order.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
