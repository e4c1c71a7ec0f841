//! Rounds in which everybody has a turn, so that a machine that slows down slows everybody down.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::Figure;

/// One library, ready to work.
pub struct Contender {
    /// As the table calls it.
    pub name: &'static str,
    /// Verifies the token; panics when it is refused.
    pub verify: Option<Box<dyn FnMut()>>,
    /// Signs the claims.
    pub sign: Option<Box<dyn FnMut()>>,
}

const ROUNDS: usize = 15;
const TURN: Duration = Duration::from_millis(40);

/// The medians of every contender.
pub fn measure(algorithm: &str, contenders: Vec<Contender>) -> Vec<Figure> {
    let mut work: Vec<(Figure, Box<dyn FnMut()>, Vec<f64>)> = Vec::new();
    for contender in contenders {
        for (operation, action) in [("verify", contender.verify), ("sign", contender.sign)] {
            let Some(action) = action else { continue };
            let figure = Figure {
                name: contender.name.to_owned(),
                algorithm: algorithm.to_owned(),
                operation: operation.to_owned(),
                nanoseconds: 0.0,
            };
            work.push((figure, action, Vec::new()));
        }
    }
    for _ in 0..ROUNDS {
        for (_, action, times) in &mut work {
            times.push(turn(action.as_mut()));
        }
    }
    let figures = work.into_iter().map(|(mut figure, _, mut times)| {
        times.sort_by(f64::total_cmp);
        figure.nanoseconds = times[times.len() / 2];
        figure
    });
    figures.collect()
}

/// Nanoseconds an operation.
fn turn(action: &mut dyn FnMut()) -> f64 {
    let mut batch = 1;
    loop {
        let start = Instant::now();
        for _ in 0..batch {
            action();
        }
        let taken = black_box(start.elapsed());
        if taken >= TURN {
            return taken.as_secs_f64() * 1e9 / f64::from(batch);
        }
        batch *= 2;
    }
}
