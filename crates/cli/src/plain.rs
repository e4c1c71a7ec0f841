//! Text of strangers, made safe for a terminal: nothing in a token may move the cursor or turn the writing around.
//!
//! Spec: ECMA-48 (control functions) · Unicode UAX #9 (bidirectional text)

/// The text with every character that steers a terminal, or hides, written as `\u{…}`.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if steers(char) {
            plain.extend(char.escape_unicode())
        } else {
            plain.push(char)
        }
    }
    plain
}

fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[test]
fn nothing_that_steers_gets_through() {
    assert_eq!(plain("Grüße, 世界 \u{fffd}"), "Grüße, 世界 \u{fffd}");
    assert_eq!(
        plain("\u{1b}[2Jx\u{9b}\u{202e}\n"),
        "\\u{1b}[2Jx\\u{9b}\\u{202e}\\u{a}"
    );
}
