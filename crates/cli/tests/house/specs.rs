//! `docs/specs.md`: which spec is followed where, and tested where. Made from the `Spec:` lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// The page, from the files of the tree.
pub(crate) fn page(sources: &[Source]) -> String {
    let mut documents: BTreeMap<(u8, u32, String), Vec<Row>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_shipped()) {
        for entry in spec_line(&source.text)
            .split(" · ")
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            let (document, part) = split(entry);
            let tests = tests_of(source, &document, sources);
            let row = Row {
                part,
                module: source.path.clone(),
                tests,
            };
            documents.entry(rank(&document)).or_default().push(row);
        }
    }
    let mut page = String::from(
        "# Specs\n\nWhich document is followed where. Made from the `Spec:` lines of the modules by `just specs`; \
         `tests/house` fails when it is out of date.\n",
    );
    for ((_, _, document), mut rows) in documents {
        rows.sort_by(|one, other| (&one.module, &one.part).cmp(&(&other.module, &other.part)));
        page.push_str(&format!(
            "\n## {}\n\n| part | module | test |\n|---|---|---|\n",
            linked(&document)
        ));
        for row in rows {
            page.push_str(&format!("| {} | `{}` | {} |\n", row.part, row.module, row.tests));
        }
    }
    page
}

struct Row {
    part: String,
    module: String,
    tests: String,
}

/// What follows `//! Spec:`, on its line and those that go on from it.
fn spec_line(text: &str) -> String {
    let opening = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| line[3..].trim());
    let from_spec = opening
        .skip_while(|line| !line.starts_with("Spec:"))
        .take_while(|line| !line.is_empty());
    from_spec
        .collect::<Vec<_>>()
        .join(" ")
        .trim_start_matches("Spec:")
        .trim()
        .replace('|', "\\|")
}

/// `RFC 6750 §2.1 (header), §3` is the document `RFC 6750` and the part `§2.1 (header), §3`.
fn split(entry: &str) -> (String, String) {
    let end = [" §", " (", ", "]
        .iter()
        .filter_map(|mark| entry.find(mark))
        .min()
        .unwrap_or(entry.len());
    let rfc = entry.strip_prefix("RFC ").map(|rest| {
        rest.find(|char: char| !char.is_ascii_alphanumeric())
            .unwrap_or(rest.len())
            + 4
    });
    let end = rfc.unwrap_or(end).min(end);
    (
        entry[..end].to_owned(),
        entry[end..].trim_start_matches(',').trim().to_owned(),
    )
}

/// RFCs by number, then the others by name.
fn rank(document: &str) -> (u8, u32, String) {
    let number = document
        .strip_prefix("RFC ")
        .and_then(|number| number.parse().ok());
    (
        u8::from(number.is_none()),
        number.unwrap_or_default(),
        document.to_owned(),
    )
}

fn linked(document: &str) -> String {
    match document
        .strip_prefix("RFC ")
        .filter(|number| number.parse::<u32>().is_ok())
    {
        Some(number) => format!("[{document}](https://www.rfc-editor.org/rfc/rfc{number})"),
        None => document.to_owned(),
    }
}

/// Where the tests of a module are: in it, beside it, and those of its crate that bear its name or cite the document.
fn tests_of(source: &Source, document: &str, sources: &[Source]) -> String {
    let mut found = BTreeSet::new();
    let folder = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    let beside = format!("{folder}/tests.rs");
    if sources.iter().any(|other| other.path == beside) {
        found.insert(format!("`{beside}`"));
    } else if source.code.contains("#[cfg(test)]") {
        found.insert("in the module".to_owned());
    }
    let (place, rest) = source.place().unwrap_or_default();
    let steps: Vec<&str> = rest
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .collect();
    let tests = format!("crates/{place}/tests/");
    for other in sources.iter().filter(|other| other.path.starts_with(&tests)) {
        let name = other
            .path
            .trim_start_matches(&tests)
            .trim_end_matches(".rs")
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let cites = other.text.match_indices(document).any(|(at, _)| {
            // `RFC 75` is not cited by `RFC 7515`.
            !other.text[at + document.len()..].starts_with(|next: char| next.is_ascii_alphanumeric())
        });
        if cites && !other.path.contains("/house/") || steps.contains(&name) && name != "mod" {
            found.insert(format!("`{}`", other.path));
        }
    }
    if found.is_empty() {
        "through its users".to_owned()
    } else {
        Vec::from_iter(found).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_line_becomes_rows() {
        let files = [
            (
                "crates/oauth/src/bearer.rs",
                "//! Bearer.\n//!\n//! Spec: RFC 6750 §2.1 (header), §3 · WHATWG Fetch (CORS)\n#[cfg(test)]\nmod tests {}",
            ),
            (
                "crates/server/src/auth/login.rs",
                "//! Login.\n//!\n//! Spec: RFC 6749 §5.1 ·\n//! RFC 6750\n",
            ),
            ("crates/server/tests/spec/login.rs", "//! Login.\n// RFC 67500"),
            ("crates/server/src/app.rs", "//! App.\n\nlet spec = 1;"),
        ];
        let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let page = page(&sources);
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("## ") || line.contains("`crates"))
            .collect();
        assert_eq!(
            rows,
            [
                "## [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749)",
                "| §5.1 | `crates/server/src/auth/login.rs` | `crates/server/tests/spec/login.rs` |",
                "## [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)",
                "| §2.1 (header), §3 | `crates/oauth/src/bearer.rs` | in the module |",
                "|  | `crates/server/src/auth/login.rs` | `crates/server/tests/spec/login.rs` |",
                "## WHATWG Fetch",
                "| (CORS) | `crates/oauth/src/bearer.rs` | in the module |",
            ]
        );
    }

    #[test]
    fn a_document_is_told_from_its_part() {
        assert_eq!(split("RFC 7591"), ("RFC 7591".to_owned(), String::new()));
        assert_eq!(split("RFC 6265bis §4.1").0, "RFC 6265bis");
        assert_eq!(split("NIST SP 800-63B §3.1").0, "NIST SP 800-63B");
        assert_eq!(
            split("RFC 6749 appendix B"),
            ("RFC 6749".to_owned(), "appendix B".to_owned())
        );
    }
}
