//! Signs and verifies with everybody in turn, and prints who takes how long.
//!
//! `bench/jose/run` builds and runs it; the peers in other languages are measured by their own runtimes, in the same run.

mod bare;
mod carnet;
mod jsonwebtoken_peer;
mod jwt_simple_peer;
mod material;
mod peers;
mod report;
mod timing;

use std::path::PathBuf;

use material::Material;
use timing::Contender;

/// One figure: nanoseconds an operation, the median of all rounds.
#[derive(Clone, Debug, serde::Deserialize)]
struct Figure {
    name: String,
    algorithm: String,
    operation: String,
    nanoseconds: f64,
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder of the peers"));
    let materials = material::all();
    let mut figures = Vec::new();
    for material in &materials {
        eprintln!("{} …", material.name());
        let contenders = contenders(material);
        figures.extend(timing::measure(material.name(), contenders));
    }
    figures.extend(peers::measure(&folder, &materials));
    println!("{}", report::table(&figures));
    let chart = folder.join("chart.svg");
    std::fs::write(&chart, report::chart(&figures)).expect("the chart can be written");
    eprintln!("chart: {}", chart.display());
}

fn contenders(material: &Material) -> Vec<Contender> {
    let mut all = vec![
        bare::contender(material),
        carnet::owned(material),
        carnet::borrowed(material),
    ];
    all.extend(carnet::cached(material));
    all.extend(jsonwebtoken_peer::contender(material));
    all.extend(jwt_simple_peer::contender(material));
    all
}
