//! The table and the chart.

use std::fmt::Write as _;

use crate::Figure;

const OURS: &str = "carnet-jose";
const RIVAL: &str = "jsonwebtoken";
const BARE: &str = "the bare primitive";

fn find<'f>(figures: &'f [Figure], name: &str, algorithm: &str, operation: &str) -> Option<&'f Figure> {
    figures
        .iter()
        .find(|figure| figure.name == name && figure.algorithm == algorithm && figure.operation == operation)
}

/// The names in the order in which they came, each once.
fn each<'f>(figures: &'f [Figure], of: impl Fn(&'f Figure) -> &'f str) -> Vec<&'f str> {
    let mut all = Vec::new();
    for figure in figures {
        if !all.contains(&of(figure)) {
            all.push(of(figure));
        }
    }
    all
}

/// Microseconds of everybody, and how many times longer than carnet-jose they take.
pub fn table(figures: &[Figure]) -> String {
    let algorithms = each(figures, |figure| &figure.algorithm);
    let names = each(figures, |figure| &figure.name);
    let mut text = String::new();
    for operation in ["verify", "sign"] {
        let _ = writeln!(text, "\n### {operation}: µs (times carnet-jose)\n");
        let _ = writeln!(text, "| | {} |", algorithms.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(algorithms.len()));
        for name in &names {
            let cells: Vec<_> = algorithms
                .iter()
                .map(|algorithm| cell(figures, name, algorithm, operation))
                .collect();
            if cells.iter().any(|cell| cell != "–") {
                let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
            }
        }
    }
    let _ = writeln!(text, "\n### aims\n\n{}", aims(figures));
    text
}

fn cell(figures: &[Figure], name: &str, algorithm: &str, operation: &str) -> String {
    let Some(figure) = find(figures, name, algorithm, operation) else {
        return "–".to_owned();
    };
    let micros = figure.nanoseconds / 1e3;
    match find(figures, OURS, algorithm, operation) {
        Some(ours) if name != OURS => format!("{micros:.2} ({:.2})", figure.nanoseconds / ours.nanoseconds),
        _ => format!("**{micros:.2}**"),
    }
}

/// The ratios that the design asks for, and what came of them.
fn aims(figures: &[Figure]) -> String {
    let mut text = String::from("| aim | measured |\n|---|--:|\n");
    for (operation, algorithm, aim) in [
        ("verify", "HS256", 3.0),
        ("verify", "RS256", 1.2),
        ("verify", "ES256", 1.0),
        ("verify", "Ed25519", 1.0),
        ("sign", "RS256", 2.0),
        ("sign", "Ed25519", 1.6),
        ("sign", "ES256", 1.5),
        ("sign", "HS256", 1.5),
    ] {
        let ratio = ratio(figures, (RIVAL, algorithm), operation);
        let _ = writeln!(
            text,
            "| {operation} {algorithm} ≥ {aim:.1} × {RIVAL} | {ratio:.2} |"
        );
    }
    for algorithm in ["ES256", "Ed25519"] {
        let over = 1.0 / ratio(figures, (BARE, algorithm), "verify");
        let _ = writeln!(text, "| verify {algorithm} ≤ 1.05 × {BARE} | {over:.3} |");
    }
    if let Some(hit) = find(figures, "carnet-jose, remembered", "ES256", "verify") {
        let _ = writeln!(
            text,
            "| a remembered token ≤ 0.6 µs | {:.2} µs |",
            hit.nanoseconds / 1e3
        );
    }
    text
}

fn ratio(figures: &[Figure], (name, algorithm): (&str, &str), operation: &str) -> f64 {
    let nanoseconds = |name| find(figures, name, algorithm, operation).map(|figure| figure.nanoseconds);
    match (nanoseconds(name), nanoseconds(OURS)) {
        (Some(theirs), Some(ours)) => theirs / ours,
        _ => f64::NAN,
    }
}

/// Bars of how many times longer than carnet-jose everybody takes, on a logarithmic scale.
pub fn chart(figures: &[Figure]) -> String {
    let names: Vec<_> = each(figures, |figure| &figure.name)
        .into_iter()
        .filter(|name| !name.starts_with("carnet-jose,"))
        .collect();
    let mut bars = String::new();
    let mut y = 40.0;
    for operation in ["verify", "sign"] {
        for algorithm in ["HS256", "RS256", "ES256", "Ed25519"] {
            let _ = writeln!(
                bars,
                r#"<text x="20" y="{y:.0}" class="head">{operation} {algorithm}</text>"#
            );
            y += 8.0;
            for name in &names {
                let ratio = ratio(figures, (name, algorithm), operation);
                if !ratio.is_finite() {
                    continue;
                }
                let width = (60.0 * (1.0 + ratio.max(0.1).log2() * 0.9)).max(4.0);
                let class = if *name == OURS { "ours" } else { "theirs" };
                let _ = writeln!(
                    bars,
                    r#"<text x="160" y="{:.0}" class="name">{name}</text><rect x="170" y="{y:.0}" width="{width:.0}" height="12" class="{class}"/><text x="{:.0}" y="{:.0}" class="value">{ratio:.2}</text>"#,
                    y + 10.0,
                    176.0 + width,
                    y + 10.0
                );
                y += 16.0;
            }
            y += 20.0;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {y:.0}\" role=\"img\" aria-label=\"How many times longer than carnet-jose\">\n\
         <style>text{{font:12px system-ui,sans-serif;fill:#333}}.head{{font-weight:600}}.name{{text-anchor:end}}.ours{{fill:#2f6f4f}}.theirs{{fill:#b9b4a7}}</style>\n\
         <rect width=\"720\" height=\"{y:.0}\" fill=\"#fff\"/>\n<text x=\"20\" y=\"20\">Times as long as carnet-jose (1.00); shorter is faster, logarithmic</text>\n{bars}</svg>\n"
    )
}
