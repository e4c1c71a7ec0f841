//! Every stable code that our sources can answer with has its entry in `docs/codes.md`.

use std::collections::BTreeSet;

use crate::source::Source;

/// What a code stands behind, up to the code's own quote.
const MAKERS: [&str; 11] = [
    "Failure::refused(",
    "Failure::usage(",
    "Failure::conflict(",
    "Failure::unreachable(",
    "Refusal::new(",
    "Refusal::oauth(",
    "refused(",
    "refuse(",
    "Finding::error(",
    "Finding::warning(",
    "Finding::note(",
];

/// Where the words of the specs and of the store stand, which clients and logs show as they are.
const WORDS: [&str; 3] = [
    "crates/oauth/src/error_code.rs",
    "crates/oauth/src/dpop.rs",
    "crates/store/src/error.rs",
];

/// The codes that these sources name, and the page does not.
pub(crate) fn unexplained(sources: &[Source], page: &str) -> Vec<String> {
    let explained: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut missing = BTreeSet::new();
    for source in sources {
        let ours = [
            "crates/cli/src/",
            "crates/gateway/src/",
            "crates/guard/src/",
            "crates/server/src/",
        ];
        if WORDS.contains(&source.path.as_str()) {
            let words = words(&source.text);
            missing.extend(words.filter(|code| !explained.contains(code.as_str())));
        }
        if ours.iter().any(|folder| source.path.starts_with(folder)) && !source.path.contains("/tests") {
            missing.extend(
                named(&source.text)
                    .into_iter()
                    .filter(|code| !explained.contains(code.as_str())),
            );
        }
    }
    missing.into_iter().collect()
}

/// What the arms of a `match` give.
fn words(text: &str) -> impl Iterator<Item = String> {
    let arms = text.split("=> \"").skip(1);
    let words = arms.filter_map(|rest| rest.split('"').next());
    words.filter(|word| is_code(word)).map(str::to_owned)
}

fn named(text: &str) -> Vec<String> {
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut codes = Vec::new();
    for maker in MAKERS {
        for (at, _) in shipped.match_indices(maker) {
            let arguments = shipped[at + maker.len()..].trim_start();
            // A status may stand before the code, under whatever name.
            let arguments = match arguments.split_once(',') {
                Some((status, rest)) if is_path(status) => rest.trim_start(),
                _ => arguments,
            };
            let code = arguments
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            codes.extend(code.filter(|code| is_code(code)).map(str::to_owned));
        }
    }
    codes
}

fn is_path(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}

#[test]
fn codes_are_found_behind_what_makes_them() {
    let text = r#"
        Refusal::new(StatusCode::BAD_REQUEST, "a_code", REASON);
        Failure::usage(
            "another_code", "text");
        Refusal::new(
            UNSUPPORTED, "yet_another", "text");
        refused("no code", "x");
        Finding::note("word", PLACE, "text");
        #[cfg(test)]
        Failure::usage("only_a_test", "x");"#;
    assert_eq!(named(text), ["another_code", "a_code", "yet_another", "word"]);
}

#[test]
fn words_of_the_specs_are_found_in_what_gives_them() {
    let text = r#"match self { Self::A => "a_word", Self::B => "no word", _ => 400, Self::C => "other" }"#;
    assert_eq!(words(text).collect::<Vec<_>>(), ["a_word", "other"]);
}
