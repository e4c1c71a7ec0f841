//! Libraries of other languages, measured by their own runtimes with the same keys and claims.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::Figure;
use crate::material::{AUDIENCE, ISSUER, Material};

/// Runs every peer whose runtime is there. They get the material as a file and print a figure a line.
pub fn measure(folder: &Path, materials: &[Material]) -> Vec<Figure> {
    let file = folder.join("material.json");
    let all: Vec<_> = materials.iter().map(describe).collect();
    std::fs::write(&file, json!(all).to_string()).expect("the material can be written");
    let mut figures = Vec::new();
    for (program, script) in [
        ("node", "peers/bench.mjs"),
        ("venv/bin/python", "peers/bench.py"),
        ("peers/go-bench", ""),
    ] {
        let mut command = match program.contains('/') {
            true => Command::new(folder.join(program)),
            false => Command::new(program),
        };
        if !script.is_empty() {
            command.arg(folder.join(script));
        }
        eprintln!("{program} {script} …");
        match command.arg(&file).stderr(Stdio::inherit()).output() {
            Ok(output) => figures.extend(
                String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .filter_map(|line| serde_json::from_str(line).ok()),
            ),
            Err(error) => eprintln!("{program}: {error}; left out"),
        }
    }
    let _ = std::fs::remove_file(&file);
    figures
}

fn describe(material: &Material) -> serde_json::Value {
    json!({
        "algorithm": material.name(),
        "secret": material.secret.as_deref().map(|secret| data_encoding::BASE64.encode(secret)),
        "private_pem": material.private_pem,
        "public_pem": material.public_pem,
        "token": material.token,
        "claims": material.claims,
        "issuer": ISSUER,
        "audience": AUDIENCE,
    })
}
