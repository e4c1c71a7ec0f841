//! JSON that is cut off or damaged: as many of its members as can be read.
//!
//! Spec: RFC 8259

use serde_json::{Map, Value};

/// The members that can be read, and whether those are all that was there.
pub(crate) fn object(bytes: &[u8]) -> (Option<Map<String, Value>>, bool) {
    if let Ok(Value::Object(members)) = serde_json::from_slice(bytes) {
        return (Some(members), true);
    }
    // Control characters cannot stand in JSON: here they are what damage left behind.
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .map(|char| {
            if char.is_control() && char != '\n' {
                char::REPLACEMENT_CHARACTER
            } else {
                char
            }
        })
        .collect();
    let endings = endings(&text);
    let mended = endings.iter().rev().take(MOST_TRIES).find_map(|(end, closing)| {
        let whole = format!("{}{closing}", text.get(..*end)?);
        match serde_json::from_str(&whole) {
            Ok(Value::Object(members)) => Some(members),
            _ => None,
        }
    });
    (mended.filter(|members| !members.is_empty()), false)
}

/// The members behind a break, when the end of the object is whole: whatever follows a comma and a name, and reads as the rest of it.
pub(crate) fn tail(bytes: &[u8]) -> Option<Map<String, Value>> {
    if bytes.len() > MOST_BYTES {
        return None;
    }
    let starts = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b",\"");
    starts.take(MOST_TRIES).find_map(|(at, _)| {
        let rest = [b"{", bytes.get(at + 1..)?].concat();
        serde_json::from_slice(&rest).ok()
    })
}

/// What is longer is no token.
const MOST_BYTES: usize = 64 * 1024;

/// A text that nothing can be made of is not tried at each of its commas.
const MOST_TRIES: usize = 200;

/// The places where the text could end, and what closes everything that is open there.
fn endings(text: &str) -> Vec<(usize, String)> {
    let mut endings = Vec::new();
    let mut open: Vec<char> = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for (at, char) in text.char_indices() {
        let after = at + char.len_utf8();
        match char {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => {
                in_string = !in_string;
                if !in_string {
                    endings.push((after, closing(&open)));
                }
            }
            _ if in_string => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            ',' => endings.push((at, closing(&open))),
            '}' | ']' if open.last() == Some(&char) => {
                open.pop();
                endings.push((after, closing(&open)));
            }
            _ => {}
        }
    }
    if in_string {
        // A value that was cut in the middle is shown with an ellipsis; half an escape is left out.
        let end = text
            .rfind('\\')
            .filter(|at| text.len() - at < 6)
            .unwrap_or(text.len());
        endings.push((end, format!("…\"{}", closing(&open))));
    } else {
        endings.push((text.len(), closing(&open)));
    }
    endings
}

fn closing(open: &[char]) -> String {
    open.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &[u8]) -> Value {
        object(text).0.map_or(Value::Null, Value::Object)
    }

    #[test]
    fn what_stands_before_the_cut_is_read() {
        let whole = r#"{"iss":"auth","n":{"a":[1,2]},"exp":1716239022,"email":"alice@example.com"}"#;
        assert!(object(whole.as_bytes()).1);
        let cut = |at: usize| read(&whole.as_bytes()[..at]);
        assert_eq!(cut(whole.len() - 1)["email"], "alice@example.com");
        assert_eq!(cut(whole.len() - 8)["email"], "alice@examp…");
        assert_eq!(
            cut(whole.find("exp").unwrap()),
            json!({"iss": "auth", "n": {"a": [1, 2]}})
        );
        assert_eq!(
            cut(whole.find("2]").unwrap()),
            json!({"iss": "auth", "n": {"a": [1]}})
        );
        assert_eq!(cut(5), Value::Null);
        for at in 0..whole.len() {
            assert!(!object(&whole.as_bytes()[..at]).1);
        }
    }

    #[test]
    fn damage_in_the_middle_hides_one_member_only() {
        assert_eq!(
            read(b"{\"a\":\"x\x00\xff\",\"b\":2}"),
            json!({"a": "x\u{fffd}\u{fffd}", "b": 2})
        );
        assert_eq!(read(b"not json"), Value::Null);
        assert_eq!(read(b"[1,2"), Value::Null);
        assert_eq!(read(b"{\"a\":\"x\\u00"), json!({"a": "x…"}));
    }

    #[test]
    fn a_long_hopeless_text_ends_soon() {
        assert_eq!(read("\"a\",".repeat(200_000).as_bytes()), Value::Null);
    }
}
