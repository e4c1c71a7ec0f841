//! The word that somebody meant.

/// The nearest of these words, if any is near.
pub(crate) fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = (typed.chars().count() / 2).clamp(1, 3);
    let measured = words.map(|word| (distance(typed, word), word));
    let (_, word) = measured.filter(|(steps, _)| *steps <= near).min()?;
    Some(word)
}

/// How many letters must be put in, taken out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, pair), left) in b.iter().zip(row.windows(2)).zip(1..) {
            let replaced = pair[0] + usize::from(from != *to);
            let here = next.get(left - 1).copied().unwrap_or_default();
            next.push(replaced.min(pair[1] + 1).min(here + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[test]
fn a_typo_is_near_and_another_word_is_not() {
    let words = ["redirect_uris", "scope", "grant_types"];
    assert_eq!(nearest("redirect_uri", words.into_iter()), Some("redirect_uris"));
    assert_eq!(nearest("scpoe", words.into_iter()), Some("scope"));
    assert_eq!(nearest("scopes", words.into_iter()), Some("scope"));
    assert_eq!(nearest("password", words.into_iter()), None);
    assert_eq!(distance("kitten", "sitting"), 3);
}
