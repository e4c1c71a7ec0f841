//! The decision pages: `0001-some-words.md`, numbered from one without gaps.

/// What is wrong with these file names.
pub(crate) fn breaks(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    let mut broken = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let expected = format!("{:04}-", at + 1);
        let words = name
            .strip_prefix(&expected)
            .and_then(|rest| rest.strip_suffix(".md"));
        let plain = |words: &str| {
            !words.is_empty()
                && words
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if !words.is_some_and(plain) {
            broken.push(format!("docs/decisions/{name}: expected {expected}some-words.md"));
        }
    }
    broken
}

#[test]
fn gaps_twins_and_odd_names_are_found() {
    let found =
        |names: &[&str]| breaks(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).len();
    assert_eq!(found(&["0002-b.md", "0001-one-sql-text.md"]), 0);
    assert_eq!(found(&["0001-a.md", "0003-c.md"]), 1);
    assert_eq!(found(&["0001-a.md", "0001-b.md"]), 1);
    assert_eq!(found(&["0001-A page.md"]), 1);
    assert_eq!(found(&["notes.txt"]), 1);
}
