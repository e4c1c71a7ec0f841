//! What is suspicious about claims: what is missing, what has the wrong type, and what lives too long.
//!
//! Spec: RFC 7519 §4.1 · RFC 8725 §3.8, §3.9 · RFC 9068 §2.2

use serde_json::{Map, Value};

use super::exposure;
use super::finding::Finding;
use crate::moment;

/// Everything to point at in the claims.
pub(crate) fn findings(claims: &Map<String, Value>, token_type: Option<&str>, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    missing(claims, token_type, &mut found);
    types(claims, &mut found);
    times(claims, now, &mut found);
    for (name, value) in claims {
        exposure::look(&format!("claims.{name}"), name, value, &mut found);
    }
    found
}

/// A NumericDate: seconds, whole or not.
pub(crate) fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let number = claims.get(name)?.as_number()?;
    number
        .as_i64()
        .or_else(|| number.as_f64().map(|number| number as i64))
}

fn missing(claims: &Map<String, Value>, token_type: Option<&str>, found: &mut Vec<Finding>) {
    let is_access_token = token_type.is_some_and(|name| name.to_ascii_lowercase().ends_with("at+jwt"));
    let is_proof = token_type == Some("dpop+jwt");
    if !claims.contains_key("exp") && !is_proof {
        found.push(Finding::warning(
            "expiry_missing",
            "claims.exp",
            "is missing: the token is valid for ever, whoever finds it",
        ));
    }
    if !claims.contains_key("aud") && !is_proof {
        let text = "is missing: a token for one service is accepted by every other (RFC 8725 §3.9)";
        found.push(Finding::warning("audience_missing", "claims.aud", text));
    }
    if !claims.contains_key("iss") && !is_proof {
        found.push(Finding::note(
            "issuer_missing",
            "claims.iss",
            "is missing: nothing says whose keys to check with (RFC 8725 §3.8)",
        ));
    }
    for name in ["sub", "client_id", "iat", "jti"] {
        if is_access_token && !claims.contains_key(name) {
            found.push(Finding::warning(
                "claim_missing",
                format!("claims.{name}"),
                "is missing: RFC 9068 §2.2 demands it of an access token",
            ));
        }
    }
}

fn types(claims: &Map<String, Value>, found: &mut Vec<Finding>) {
    for name in ["iss", "sub", "jti"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            found.push(Finding::error(
                "claim_wrong_type",
                format!("claims.{name}"),
                "must be a string (RFC 7519 §4.1)",
            ));
        }
    }
    for name in ["exp", "nbf", "iat"] {
        if claims.get(name).is_some_and(|value| !value.is_number()) {
            found.push(Finding::error(
                "claim_wrong_type",
                format!("claims.{name}"),
                "must be a number of seconds (RFC 7519 §2)",
            ));
        }
    }
    let is_audience = |value: &Value| {
        value.is_string()
            || value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string))
    };
    if claims.get("aud").is_some_and(|value| !is_audience(value)) {
        found.push(Finding::error(
            "claim_wrong_type",
            "claims.aud",
            "must be a string or a list of strings (RFC 7519 §4.1.3)",
        ));
    }
    if claims.get("aud").is_some_and(|value| {
        value == "*"
            || value
                .as_array()
                .is_some_and(|list| list.iter().any(|one| one == "*"))
    }) {
        found.push(Finding::warning(
            "audience_any",
            "claims.aud",
            "is *: it limits nothing",
        ));
    }
}

fn times(claims: &Map<String, Value>, now: i64, found: &mut Vec<Finding>) {
    let at = |name: &str| seconds(claims, name);
    for name in ["exp", "nbf", "iat"] {
        if at(name).is_some_and(|seconds| seconds < 0) {
            let text = "lies before 1970: NumericDate counts the seconds from there (RFC 7519 §2)";
            found.push(Finding::error("claim_wrong_type", format!("claims.{name}"), text));
        }
    }
    for name in ["exp", "nbf", "iat"]
        .into_iter()
        .filter(|name| at(name).is_some_and(|seconds| seconds > FARTHEST))
    {
        let text = "is in milliseconds, it seems: NumericDate counts seconds (RFC 7519 §2), so this is thousands of years away";
        found.push(Finding::error(
            "time_in_milliseconds",
            format!("claims.{name}"),
            text,
        ));
    }
    if let Some(expiry) = at("exp").filter(|expiry| *expiry <= now) {
        found.push(Finding::warning(
            "expired",
            "claims.exp",
            format!(
                "has passed, {}: the token is refused everywhere",
                moment::words(expiry, now)
            ),
        ));
    }
    if let Some(start) = at("nbf").filter(|start| *start > now) {
        found.push(Finding::warning(
            "not_yet_valid",
            "claims.nbf",
            format!(
                "comes {}: until then the token is refused",
                moment::words(start, now)
            ),
        ));
    }
    if let Some(issued) = at("iat").filter(|issued| *issued > now.saturating_add(60)) {
        found.push(Finding::warning(
            "issued_in_future",
            "claims.iat",
            format!("is {}: one of two clocks is wrong", moment::words(issued, now)),
        ));
    }
    life(claims, now, found);
}

/// The year 5138 in seconds; today in milliseconds is far beyond.
const FARTHEST: i64 = 100_000_000_000;

const YEAR: i64 = 365 * 86_400;

fn life(claims: &Map<String, Value>, now: i64, found: &mut Vec<Finding>) {
    let at = |name: &str| seconds(claims, name);
    let Some(expiry) = at("exp") else { return };
    let begun = at("iat").or(at("nbf"));
    let life = expiry.saturating_sub(begun.unwrap_or(now));
    // Counted from now, less says little: the token may be old.
    if begun.is_none() && life <= YEAR {
        return;
    }
    if life <= 0 {
        found.push(Finding::error(
            "life_negative",
            "claims.exp",
            "does not come after iat: the token was never valid",
        ));
    } else if life > 86_400 {
        let text = format!(
            "gives the token {}: whoever steals it has it that long; minutes are usual for access tokens",
            moment::span(life.unsigned_abs())
        );
        found.push(Finding::warning("life_long", "claims.exp", text));
    } else if life > 3_600 {
        let text = format!(
            "gives the token {}: longer than most access tokens",
            moment::span(life.unsigned_abs())
        );
        found.push(Finding::note("life_long", "claims.exp", text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_795_255_200;

    fn codes(claims: Value, token_type: Option<&str>) -> Vec<&'static str> {
        findings(claims.as_object().unwrap(), token_type, NOW)
            .iter()
            .map(|finding| finding.code)
            .collect()
    }

    fn with(further: Value) -> Vec<&'static str> {
        let mut claims =
            json!({"iss": "https://i.example", "aud": "a", "sub": "s", "iat": NOW, "exp": NOW + 900});
        claims
            .as_object_mut()
            .unwrap()
            .extend(further.as_object().unwrap().clone());
        codes(claims, None)
    }

    #[test]
    fn a_sound_token_is_left_alone() {
        assert_eq!(
            with(json!({"scope": "read", "email_verified": true, "cnf": {"jkt": "x"}})),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            codes(json!({}), None),
            ["expiry_missing", "audience_missing", "issuer_missing"]
        );
        assert_eq!(
            codes(
                json!({"iss": "i", "aud": "a", "exp": NOW + 1, "iat": NOW}),
                Some("at+jwt")
            ),
            ["claim_missing"; 3]
        );
        assert_eq!(codes(json!({"jti": "x"}), Some("dpop+jwt")), Vec::<&str>::new());
    }

    #[test]
    fn times_that_cannot_be_right_are_named() {
        assert_eq!(with(json!({"exp": NOW - 1})), ["expired", "life_negative"]);
        assert_eq!(
            with(json!({"exp": NOW * 1000})),
            ["time_in_milliseconds", "life_long"]
        );
        assert_eq!(with(json!({"exp": NOW + 2 * 86_400})), ["life_long"]);
        assert_eq!(with(json!({"exp": 9_999_999_999_i64})), ["life_long"]);
        assert_eq!(with(json!({"nbf": NOW + 60})), ["not_yet_valid"]);
        assert_eq!(with(json!({"iat": NOW + 120})), ["issued_in_future"]);
        assert_eq!(with(json!({"exp": "soon"})), ["claim_wrong_type"]);
        assert_eq!(
            with(json!({"exp": 1e300, "iat": -1e300, "nbf": i64::MIN})),
            [
                "claim_wrong_type",
                "claim_wrong_type",
                "time_in_milliseconds",
                "life_long"
            ]
        );
        assert_eq!(with(json!({"iat": -1})), ["claim_wrong_type", "life_long"]);
        assert_eq!(with(json!({"nbf": -1})), ["claim_wrong_type"]);
    }

    #[test]
    fn without_a_beginning_a_life_is_counted_from_now() {
        let only = |exp: i64| codes(json!({"iss": "i", "aud": "a", "exp": exp}), None);
        assert_eq!(only(9_999_999_999), ["life_long"]);
        assert_eq!(only(NOW + 367 * 86_400), ["life_long"]);
        assert_eq!(only(NOW + 300 * 86_400), Vec::<&str>::new());
    }
}
