//! A token as people paste it: with `Bearer`, cookie names, quotes, JSON and line breaks around it.
//!
//! Spec: RFC 6750 §2.1 (Bearer) · RFC 9449 §7.1 (DPoP) · RFC 6265 §4.2.1 (Cookie)

use serde_json::Value;

/// The token alone, and what was around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pasted {
    /// The token.
    pub(crate) token: String,
    /// What was taken away, outermost first.
    pub(crate) stripped: Vec<&'static str>,
}

/// Takes everything away that is around a token.
pub(crate) fn strip(pasted: &str) -> Pasted {
    let mut rest = pasted.trim().to_owned();
    let mut stripped = Vec::new();
    // Nobody wraps a token more often than this.
    for _ in 0..32 {
        let Some((what, inner)) = step(&rest) else { break };
        if stripped.last() != Some(&what) {
            stripped.push(what);
        }
        rest = inner;
    }
    if rest.contains(char::is_whitespace) {
        rest.retain(|char| !char.is_whitespace());
        stripped.push("line breaks");
    }
    Pasted {
        token: rest,
        stripped,
    }
}

fn step(text: &str) -> Option<(&'static str, String)> {
    // Byte order marks, escapes, marks of direction, and what stands for bytes that are no text.
    let seen = text.trim_matches(|char: char| char.is_control() || INVISIBLE.contains(&char));
    if seen.len() < text.len() {
        return Some(("invisible characters", seen.trim().to_owned()));
    }
    let quoted = |mark: char| {
        text.strip_prefix(mark)
            .map(|rest| rest.strip_suffix(mark).unwrap_or(rest))
    };
    if let Some(inner) = ['"', '\'', '`', '“', '‘'].into_iter().find_map(quoted) {
        return Some((
            "quotes",
            inner
                .trim_end_matches(['"', '\'', '`', '”', '’'])
                .trim()
                .to_owned(),
        ));
    }
    if let Some(token) = text.starts_with('{').then(|| in_json(text)).flatten() {
        return Some(("JSON", token));
    }
    for (prefix, what) in HEADERS {
        if let Some(rest) = without_prefix(text, prefix) {
            return Some((what, rest.trim().to_owned()));
        }
    }
    if let Some(inner) = text.strip_suffix(['"', '\'', '`', '”', '’', ',', ';', '\\']) {
        return Some(("punctuation", inner.trim().to_owned()));
    }
    in_cookies(text)
}

const INVISIBLE: [char; 14] = [
    '\u{feff}', '\u{fffd}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}',
    '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2060}', '\u{ad}',
];

const HEADERS: [(&str, &str); 7] = [
    ("authorization:", "header name"),
    ("dpop:", "header name"),
    ("set-cookie:", "cookie header"),
    ("cookie:", "cookie header"),
    ("bearer ", "Bearer"),
    ("bearer\n", "Bearer"),
    ("dpop ", "DPoP"),
];

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text
        .get(..prefix.len())
        .filter(|start| start.eq_ignore_ascii_case(prefix))?;
    text.get(start.len()..)
}

/// The longest value of `name=value; other=value` that has dots; one that begins as tokens do goes first.
fn in_cookies(text: &str) -> Option<(&'static str, String)> {
    let values = text
        .split([';', '&', '\n'])
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, value)| !name.contains('.') && !is_padded(name.trim(), value));
    let values = values.map(|(_, value)| value.trim());
    let best = values
        .filter(|value| !value.is_empty())
        .max_by_key(|value| (begins_as_token(value), value.contains('.'), value.len()))?;
    Some(("name in front of =", best.to_owned()))
}

/// Whether this = is padding behind a header, and what stands in front of it no name.
fn is_padded(name: &str, value: &str) -> bool {
    begins_as_token(name) || value.trim_start_matches('=').starts_with('.')
}

fn begins_as_token(text: &str) -> bool {
    text.starts_with("eyJ") || text.starts_with("carnet_rt.")
}

/// The first member of a token response, at any depth, that begins as tokens do.
fn in_json(text: &str) -> Option<String> {
    fn find(value: &Value) -> Option<&str> {
        const NAMES: [&str; 5] = ["access_token", "id_token", "token", "jwt", "refresh_token"];
        match value {
            Value::String(text) if begins_as_token(text) => Some(text),
            Value::Object(members) => {
                let named = NAMES.iter().filter_map(|name| members.get(*name));
                named.chain(members.values()).find_map(find)
            }
            Value::Array(items) => items.iter().find_map(find),
            _ => None,
        }
    }
    find(&serde_json::from_str(text).ok()?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_around_a_token_goes() {
        for pasted in [
            "eyJh.eyJz.c2ln",
            "  eyJh.eyJz.c2ln\r\n",
            "\u{feff}eyJh.eyJz.c2ln",
            "\u{1b}\u{202e}eyJh.eyJz.c2ln\u{fffd}",
            "Bearer eyJh.eyJz.c2ln",
            "authorization: bearer   eyJh.eyJz.c2ln",
            "Authorization: DPoP eyJh.eyJz.c2ln",
            "\"eyJh.eyJz.c2ln\",",
            "'Bearer eyJh.eyJz.c2ln'",
            "“eyJh.eyJz.c2ln”",
            "Cookie: theme=dark; access_token=eyJh.eyJz.c2ln; x=1",
            "Set-Cookie: __Host-session=eyJh.eyJz.c2ln; Path=/; HttpOnly",
            "access_token=eyJh.eyJz.c2ln&token_type=Bearer",
            "eyJh.\n  eyJz.\n  c2ln",
            "{\"token_type\":\"Bearer\",\"access_token\":\"eyJh.eyJz.c2ln\"}",
            "{\"data\":{\"session\":\"eyJh.eyJz.c2ln\"}}",
        ] {
            assert_eq!(strip(pasted).token, "eyJh.eyJz.c2ln", "{pasted}");
        }
    }

    #[test]
    fn what_was_stripped_is_told() {
        assert_eq!(strip("eyJh.eyJz.c2ln").stripped, Vec::<&str>::new());
        assert_eq!(
            strip("Authorization: Bearer \"a.b.c\"").stripped,
            ["header name", "Bearer", "quotes"]
        );
    }

    #[test]
    fn a_text_of_nothing_but_wrappers_ends_soon() {
        let text = "Bearer ".repeat(1_000_000);
        assert!(strip(&text).token.len() < text.len());
    }

    #[test]
    fn padding_is_no_cookie() {
        for padded in [
            "eyJh.eyJz.c2lu==",
            "eyJhfQ==.eyJz.c2ln",
            "eyJhIn0=.eyJz.c2ln",
            "eyJhfQ==.eyJzfQ==.c2ln",
            "ewogImFsZyI=.eyJz.c2ln",
            "eyJhfQ==",
        ] {
            assert_eq!(strip(padded).token, padded);
        }
        let cookie = "theme=dark; eyes=eyJhfQ==.eyJz.c2ln";
        assert_eq!(strip(cookie).token, "eyJhfQ==.eyJz.c2ln");
    }
}
