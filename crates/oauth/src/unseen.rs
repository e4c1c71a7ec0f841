//! Characters that people do not see, or that change how they see others: none of them belongs into a name.
//!
//! Spec: Unicode Standard §4.5 (Cc, Cf, Zl, Zp), §5.21 (default ignorable code points) · UAX #9 (bidirectional text) · ECMA-48 (control functions)

/// Whether a character is a control, a format character, a line or paragraph separator, or ignored when it is shown.
///
/// ```
/// use carnet_oauth::unseen::is_unseen;
///
/// assert!(is_unseen('\u{202e}') && is_unseen('\u{3164}') && is_unseen('\n'));
/// assert!(!is_unseen('é') && !is_unseen('世') && !is_unseen(' '));
/// ```
pub fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(char,
            // Soft hyphen, the joiner that joins nothing, Arabic and Syriac signs that enclose.
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            // Fillers of Hangul, vowels of Khmer that nobody writes, selectors of Mongolian.
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
            // Without width, turning the direction, separating lines, without a look of their own.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether people can read this as a name: nothing unseen, and a letter or a digit at least.
///
/// ```
/// use carnet_oauth::unseen::is_readable;
///
/// assert!(is_readable("Der Laden № 5") && is_readable("店"));
/// assert!(!is_readable("\u{2800}") && !is_readable("…") && !is_readable("Bank\u{202e}gpj"));
/// ```
pub fn is_readable(name: &str) -> bool {
    !name.chars().any(is_unseen) && name.chars().any(char::is_alphanumeric)
}
