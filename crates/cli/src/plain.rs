//! Text of strangers, made safe for a terminal: nothing in a token may move the cursor or turn the writing around.
//!
//! Spec: ECMA-48 (control functions) · Unicode UAX #9 (bidirectional text)

use carnet_oauth::unseen::is_unseen;

/// The text with every character that steers a terminal, or hides, written as `\u{…}`.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unseen(char) {
            plain.extend(char.escape_unicode())
        } else {
            plain.push(char)
        }
    }
    plain
}

#[test]
fn nothing_that_steers_gets_through() {
    assert_eq!(plain("Grüße, 世界 \u{fffd}"), "Grüße, 世界 \u{fffd}");
    assert_eq!(
        plain("\u{1b}[2Jx\u{9b}\u{202e}\n"),
        "\\u{1b}[2Jx\\u{9b}\\u{202e}\\u{a}"
    );
}
