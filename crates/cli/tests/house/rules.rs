//! Rules that one file keeps or breaks by itself. Each is a function from a file to what is wrong with it.

use crate::source::Source;

/// Lines a file may have.
pub(crate) const MOST_LINES: usize = 400;

/// Files that a rule does not hold for, and why.
pub(crate) const EXCUSED: &[(&str, &str, &str)] = &[
    (
        "sql",
        "crates/cli/tests/end_to_end/support.rs",
        "makes and drops the database that a test runs on",
    ),
    (
        "sql",
        "crates/cli/tests/house/rules.rs",
        "knows what SQL looks like",
    ),
];

/// A rule: its name and what it finds in a file.
pub(crate) type Rule = (&'static str, fn(&Source) -> Vec<String>);

/// Every rule of one file.
pub(crate) const RULES: &[Rule] = &[
    ("sql", sql_outside_store),
    ("crypto", crypto_outside_jose),
    ("http", http_calls_outside_client),
    ("opening", opening_without_a_line),
    ("spec", spec_line_missing_or_misplaced),
    ("length", too_many_lines),
    ("marks", allowances_and_promises),
    ("names", names_that_say_nothing),
];

/// What a rule finds in a file, unless the file is excused from it.
pub(crate) fn findings(rule: &Rule, source: &Source) -> Vec<String> {
    let excused = EXCUSED
        .iter()
        .any(|(name, path, _)| *name == rule.0 && *path == source.path);
    if excused {
        Vec::new()
    } else {
        rule.1(source)
            .into_iter()
            .map(|found| format!("{}{found}", source.path))
            .collect()
    }
}

fn sql_outside_store(source: &Source) -> Vec<String> {
    if source.path.starts_with("crates/store/") {
        return Vec::new();
    }
    let sql = source.literals.iter().filter(|(_, text)| is_sql(text));
    sql.map(|(line, _)| format!(":{line}: SQL text outside crates/store"))
        .collect()
}

/// A statement in one case; a sentence that begins with a capital letter is a sentence.
fn is_sql(text: &str) -> bool {
    const STATEMENTS: &[(&str, &str)] = &[
        ("SELECT", "FROM"),
        ("INSERT", "INTO"),
        ("UPDATE", "SET"),
        ("DELETE", "FROM"),
        ("CREATE", "TABLE"),
        ("CREATE", "INDEX"),
        ("CREATE", "DATABASE"),
        ("ALTER", "TABLE"),
        ("DROP", "TABLE"),
        ("DROP", "DATABASE"),
        ("BEGIN", "IMMEDIATE"),
        ("PRAGMA", ""),
    ];
    let words: Vec<&str> = text
        .split(|char: char| !char.is_alphanumeric() && char != '_')
        .collect();
    let follows = |words: &[&str], second: &str| second.is_empty() || words.contains(&second);
    let shouted = |(first, second): &(&str, &str)| {
        words
            .iter()
            .position(|word| word == first)
            .is_some_and(|at| follows(&words[at + 1..], second))
    };
    let whispered = |(first, second): &(&str, &str)| {
        let begins = words.first() == Some(&first.to_lowercase().as_str());
        begins && !second.is_empty() && follows(&words[1..], &second.to_lowercase())
    };
    STATEMENTS
        .iter()
        .any(|statement| shouted(statement) || whispered(statement))
}

fn crypto_outside_jose(source: &Source) -> Vec<String> {
    // And the bench that measures what the library alone could do.
    let allowed = ["crates/jose/src/crypto/", "bench/jose/"];
    if allowed.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let named = |line: &str| {
        line.match_indices("aws_lc_rs").any(|(at, _)| {
            let before = line[..at].trim_end();
            // rustls calls its provider by the same name.
            !before.ends_with("crypto::") && !line[at..].starts_with("aws_lc_rs::default_provider")
        })
    };
    let lines = source.code.lines().enumerate().filter(|(_, line)| named(line));
    lines
        .map(|(at, _)| format!(":{}: the crypto library outside crates/jose/src/crypto", at + 1))
        .collect()
}

fn http_calls_outside_client(source: &Source) -> Vec<String> {
    const CLIENTS: &[&str] = &["hyper_util::client", "hyper::client", "hyper_rustls", "reqwest"];
    if !source.is_shipped()
        || matches!(
            source.place(),
            Some(("client", _))
                | Some((
                    "gateway",
                    "src/upstream.rs"
                        | "src/lines.rs"
                        | "src/negotiated.rs"
                        | "src/cables.rs"
                        | "src/trunks.rs"
                ))
        )
    {
        return Vec::new();
    }
    let code = source.shipped_code();
    let lines = code
        .lines()
        .enumerate()
        .filter(|(_, line)| CLIENTS.iter().any(|client| line.contains(client)));
    lines
        .map(|(at, _)| format!(":{}: an HTTP client outside crates/client", at + 1))
        .collect()
}

fn opening_without_a_line(source: &Source) -> Vec<String> {
    let mut lines = source.text.lines();
    let opens = lines
        .next()
        .and_then(|line| line.strip_prefix("//! "))
        .is_some_and(|words| !words.trim().is_empty());
    let alone = matches!(lines.next(), None | Some("" | "//!"));
    if opens && alone {
        Vec::new()
    } else {
        vec![":1: a module opens with one line `//! what it is`".to_owned()]
    }
}

fn spec_line_missing_or_misplaced(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let spec = lines.iter().position(|line| line.starts_with("//! Spec:"));
    if let Some(at) = spec {
        let opening = lines[..at].iter().all(|line| line.starts_with("//!"));
        let set_apart = at >= 2 && lines[at - 1] == "//!";
        let filled = lines[at].len() > "//! Spec: ".len();
        return if opening && set_apart && filled {
            Vec::new()
        } else {
            vec![format!(
                ":{}: `//! Spec: …` stands in the opening, after an empty `//!`",
                at + 1
            )]
        };
    }
    let obeys = |text: &str| {
        let words = text.trim_start_matches('/').trim_start();
        words.starts_with('§') && words.contains(':')
    };
    let cited = source
        .comments
        .iter()
        .find(|(_, text)| source.is_shipped() && obeys(text));
    cited
        .map(|(line, _)| format!(":{line}: follows a spec, but has no `//! Spec:` line"))
        .into_iter()
        .collect()
}

fn too_many_lines(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines > MOST_LINES {
        vec![format!(": {lines} lines, at most {MOST_LINES}")]
    } else {
        Vec::new()
    }
}

fn allowances_and_promises(source: &Source) -> Vec<String> {
    let code = source
        .code
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("#[allow") || line.contains("#![allow"));
    let code = code.map(|(at, _)| format!(":{}: `expect` with a reason, never `allow`", at + 1));
    let promises = source
        .comments
        .iter()
        .filter(|(_, text)| text.contains("TODO") || text.contains("FIXME"));
    code.chain(promises.map(|(line, _)| format!(":{line}: a promise: do it or leave it")))
        .collect()
}

fn names_that_say_nothing(source: &Source) -> Vec<String> {
    const EMPTY: &[&str] = &[
        "util", "utils", "helper", "helpers", "common", "manager", "service", "services", "misc",
    ];
    let steps = source.path.split('/').map(|step| step.trim_end_matches(".rs"));
    let files = steps
        .filter(|step| EMPTY.contains(step))
        .map(|step| format!(": `{step}` says nothing: name the idea"));
    let inline = source.code.lines().enumerate().filter_map(|(at, line)| {
        let (_, name) = line.split_once("mod ")?;
        let name = name.trim_end().trim_end_matches(['{', ';', ' ']);
        EMPTY
            .contains(&name)
            .then(|| format!(":{}: `mod {name}` says nothing: name the idea", at + 1))
    });
    files.chain(inline).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
        rule(&Source::new(path, text)).len()
    }

    #[test]
    fn sql_is_found_in_literals_outside_the_store() {
        let found = |text: &str| breaks(sql_outside_store, "crates/server/src/x.rs", text);
        assert_eq!(found("f(\"SELECT sub FROM users WHERE sub = $1\")"), 1);
        assert_eq!(
            found("f(\"delete from users\"); g(r#\"  INSERT INTO \"a\" VALUES (1)\"#)"),
            2
        );
        assert_eq!(found("f(\"WITH x AS (SELECT 1) UPDATE a SET b = 1\")"), 1);
        assert_eq!(
            found("f(\"Select a key from the set\"); f(\"pragma\"); // SELECT a FROM b"),
            0
        );
        assert_eq!(
            breaks(
                sql_outside_store,
                "crates/store/src/user.rs",
                "f(\"SELECT a FROM b\")"
            ),
            0
        );
    }

    #[test]
    fn the_crypto_library_is_named_in_one_folder() {
        let found = |path: &str, text: &str| breaks(crypto_outside_jose, path, text);
        assert_eq!(found("crates/server/src/x.rs", "use aws_lc_rs::hmac;"), 1);
        assert_eq!(
            found("crates/jose/src/key/rsa.rs", "fn f(k: &aws_lc_rs::hmac::Key)"),
            1
        );
        assert_eq!(found("crates/jose/src/crypto/mac.rs", "use aws_lc_rs::hmac;"), 0);
        assert_eq!(
            found(
                "crates/cli/src/main.rs",
                "use rustls::crypto::aws_lc_rs; aws_lc_rs::default_provider() // aws_lc_rs"
            ),
            0
        );
    }

    #[test]
    fn http_is_called_from_one_crate() {
        let found = |path: &str, text: &str| breaks(http_calls_outside_client, path, text);
        assert_eq!(
            found(
                "crates/server/src/x.rs",
                "use hyper_util::client::legacy::Client;"
            ),
            1
        );
        assert_eq!(found("crates/guard/src/x.rs", "reqwest::get(url)"), 1);
        assert_eq!(
            found(
                "crates/guard/src/x.rs",
                "#[cfg(test)]\nmod tests { use reqwest::get; }"
            ),
            0
        );
        assert_eq!(
            found(
                "crates/client/src/http.rs",
                "use hyper_util::client::legacy::Client;"
            ),
            0
        );
        assert_eq!(found("crates/server/tests/spec/main.rs", "reqwest::get(url)"), 0);
    }

    #[test]
    fn a_module_opens_with_one_line() {
        let found = |text: &str| breaks(opening_without_a_line, "crates/jose/src/x.rs", text);
        assert_eq!(found("//! Keys.\n//!\n//! Spec: RFC 7517\n\nuse a;"), 0);
        assert_eq!(found("//! Keys.\n\nuse a;"), 0);
        assert_eq!(found("//! Keys.\n//! And more.\n"), 1);
        assert_eq!(found("use a;"), 1);
        assert_eq!(found("//! \nuse a;"), 1);
    }

    #[test]
    fn who_follows_a_spec_says_which() {
        let found = |text: &str| breaks(spec_line_missing_or_misplaced, "crates/jose/src/x.rs", text);
        assert_eq!(
            found("//! Keys.\n//!\n//! Spec: RFC 7517 §4\n\n// §4.1: kty is required\n"),
            0
        );
        assert_eq!(found("//! Keys.\n\n// §4.1: kty is required\n"), 1);
        assert_eq!(found("//! Keys.\n//! Spec: RFC 7517\n"), 1);
        assert_eq!(found("//! Keys.\n\n//! Spec: RFC 7517\n"), 1);
        assert_eq!(found("//! Keys.\n\n// See § 4 of the article.\n"), 0);
    }

    #[test]
    fn a_file_has_its_measure() {
        assert_eq!(
            breaks(too_many_lines, "crates/jose/src/x.rs", &"a\n".repeat(400)),
            0
        );
        assert_eq!(
            breaks(too_many_lines, "crates/jose/tests/x.rs", &"a\n".repeat(401)),
            1
        );
    }

    #[test]
    fn allowances_promises_and_empty_names_are_found() {
        let marks = |text: &str| breaks(allowances_and_promises, "crates/jose/src/x.rs", text);
        assert_eq!(
            marks("#[allow(dead_code)]\nfn f() {} // TODO more\n/* FIXME */"),
            3
        );
        assert_eq!(
            marks("#[expect(dead_code, reason = \"TODO is a word here\")]\nfn f() {}"),
            0
        );
        let names = |path: &str, text: &str| breaks(names_that_say_nothing, path, text);
        assert_eq!(names("crates/jose/src/utils.rs", ""), 1);
        assert_eq!(
            names("crates/jose/src/common/x.rs", "mod helpers {\n}\nmod service;"),
            3
        );
        assert_eq!(
            names("crates/jose/src/key/mod.rs", "mod commoner; // mod utils;"),
            0
        );
    }
}
