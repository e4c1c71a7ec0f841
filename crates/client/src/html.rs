//! Text in a page: what stands in it means nothing to the browser.
//!
//! Spec: WHATWG HTML §13.1.2.3 (attributes), §13.1.4 (character references)

/// The text, for an element or an attribute in quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_ends_its_element_or_its_attribute() {
        let said = escape("<a href='x' title=\"y\">&amp;ü</a>");
        assert_eq!(
            said,
            "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;ü&lt;/a&gt;"
        );
        assert_eq!(escape("plain"), "plain");
    }
}
