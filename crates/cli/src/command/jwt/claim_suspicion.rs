//! What is suspicious about claims: what is missing, what lives too long, and what should not be there for all to read.
//!
//! Spec: RFC 7519 §4.1 · RFC 8725 §3.8, §3.9 · RFC 9068 §2.2 · RFC 7519 §12 (privacy)

use serde_json::{Map, Value};

use super::finding::Finding;
use crate::moment;

/// Everything to point at in the claims.
pub(crate) fn findings(claims: &Map<String, Value>, token_type: Option<&str>, now: i64) -> Vec<Finding> {
    let mut found = Vec::new();
    missing(claims, token_type, &mut found);
    types(claims, &mut found);
    times(claims, now, &mut found);
    for (name, value) in claims {
        exposed(&format!("claims.{name}"), name, value, &mut found);
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
    // The year 5138 in seconds; today in milliseconds is far beyond.
    for name in ["exp", "nbf", "iat"]
        .into_iter()
        .filter(|name| at(name).is_some_and(|seconds| seconds > 100_000_000_000))
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
    life(claims, found);
}

fn life(claims: &Map<String, Value>, found: &mut Vec<Finding>) {
    let at = |name: &str| seconds(claims, name);
    let (Some(expiry), Some(issued)) = (at("exp"), at("iat").or(at("nbf"))) else {
        return;
    };
    let life = expiry.saturating_sub(issued);
    if life <= 0 {
        found.push(Finding::error(
            "life_negative",
            "claims.exp",
            "does not come after iat: the token was never valid",
        ));
    } else if (86_400..3_000_000_000).contains(&life) {
        let text = format!(
            "gives the token {}: whoever steals it has it that long; minutes are usual for access tokens",
            moment::span(life.unsigned_abs())
        );
        found.push(Finding::warning("life_long", "claims.exp", text));
    } else if (3_601..86_400).contains(&life) {
        let text = format!(
            "gives the token {}: longer than most access tokens",
            moment::span(life.unsigned_abs())
        );
        found.push(Finding::note("life_long", "claims.exp", text));
    }
}

/// Secrets and personal data: a payload is encoded, not encrypted.
fn exposed(place: &str, name: &str, value: &Value, found: &mut Vec<Finding>) {
    let plain_name: String = name
        .to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let text = value.as_str().unwrap_or_default();
    if SECRET_NAMES.iter().any(|secret| plain_name.contains(secret))
        && !plain_name.ends_with("verified")
        && !value.is_boolean()
    {
        found.push(Finding::error(
            "secret_exposed",
            place,
            "sounds like a secret: everybody who sees the token can read it",
        ));
    } else if looks_secret(text) {
        found.push(Finding::error(
            "secret_exposed",
            place,
            "looks like a key or a token: everybody who sees this token can read it",
        ));
    } else if is_card_number(text) {
        found.push(Finding::error(
            "personal_data",
            place,
            "looks like a card number: everybody who sees the token can read it",
        ));
    } else if PERSONAL_NAMES.contains(&plain_name.as_str()) || looks_like_email(text) {
        let text = "is personal data: everybody who sees the token can read it, logs keep it; leave it out where nobody needs it";
        found.push(Finding::warning("personal_data", place, text));
    }
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items.iter().take(32).map(|item| (String::new(), item)).collect(),
        _ => Vec::new(),
    };
    for (child, value) in children {
        let place = if child.is_empty() {
            place.to_owned()
        } else {
            format!("{place}.{child}")
        };
        exposed(&place, &child, value, found);
    }
}

const SECRET_NAMES: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "accesstoken",
    "refreshtoken",
    "creditcard",
    "pincode",
];

const PERSONAL_NAMES: [&str; 26] = [
    "email",
    "mail",
    "name",
    "givenname",
    "familyname",
    "middlename",
    "firstname",
    "lastname",
    "fullname",
    "nickname",
    "phone",
    "phonenumber",
    "mobile",
    "address",
    "street",
    "streetaddress",
    "birthdate",
    "birthday",
    "dateofbirth",
    "dob",
    "gender",
    "ssn",
    "socialsecuritynumber",
    "nationalid",
    "passport",
    "iban",
];

fn looks_secret(text: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "-----BEGIN",
        "eyJ",
        "sk_live_",
        "sk_test_",
        "ghp_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AKIA",
        "carnet_rt.",
        "$2b$",
    ];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) && text.len() >= 20
}

fn looks_like_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    !local.is_empty() && !text.contains([' ', '/', ':']) && domain.contains('.') && !domain.contains('@')
}

/// 13 to 19 digits, perhaps in groups, with the check digit of ISO/IEC 7812.
fn is_card_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|char| char.to_digit(10)).collect();
    if !(13..=19).contains(&digits.len())
        || !text
            .chars()
            .all(|char| char.is_ascii_digit() || matches!(char, ' ' | '-'))
    {
        return false;
    }
    let weighted = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, twice) => twice / 10 + twice % 10,
        });
    weighted.sum::<u32>() % 10 == 0
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
        assert_eq!(with(json!({"exp": NOW * 1000})), ["time_in_milliseconds"]);
        assert_eq!(with(json!({"exp": NOW + 2 * 86_400})), ["life_long"]);
        assert_eq!(with(json!({"nbf": NOW + 60})), ["not_yet_valid"]);
        assert_eq!(with(json!({"iat": NOW + 120})), ["issued_in_future"]);
        assert_eq!(with(json!({"exp": "soon"})), ["claim_wrong_type"]);
        assert_eq!(
            with(json!({"exp": 1e300, "iat": -1e300, "nbf": i64::MIN})).len(),
            1
        );
    }

    #[test]
    fn secrets_and_people_are_not_for_all_to_read() {
        for secret in [
            json!({"password": "x"}),
            json!({"db": {"Api-Key": 7}}),
            json!({"x": "-----BEGIN PRIVATE KEY-----"}),
        ] {
            assert_eq!(with(secret.clone()), ["secret_exposed"], "{secret}");
        }
        for personal in [
            json!({"email": 1}),
            json!({"who": "alice@example.com"}),
            json!({"x": ["4111 1111 1111 1111"]}),
            json!({"given_name": "A"}),
        ] {
            assert_eq!(with(personal.clone()), ["personal_data"], "{personal}");
        }
        assert_eq!(
            with(json!({"order": "4111111111111112", "url": "https://x@y.example/"})),
            Vec::<&str>::new()
        );
    }
}
