//! Secrets and personal data among claims: a payload is encoded, not encrypted.
//!
//! Spec: RFC 7519 §12 (privacy) · ISO/IEC 7812 (card numbers)

use serde_json::Value;

use super::finding::Finding;

/// Looks at a claim, and into it.
pub(crate) fn look(place: &str, name: &str, value: &Value, found: &mut Vec<Finding>) {
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
        look(&place, &child, value, found);
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

    fn codes(claims: Value) -> Vec<&'static str> {
        let mut found = Vec::new();
        for (name, value) in claims.as_object().unwrap() {
            look(&format!("claims.{name}"), name, value, &mut found);
        }
        found.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn secrets_and_people_are_not_for_all_to_read() {
        for secret in [
            json!({"password": "x"}),
            json!({"db": {"Api-Key": 7}}),
            json!({"x": "-----BEGIN PRIVATE KEY-----"}),
        ] {
            assert_eq!(codes(secret.clone()), ["secret_exposed"], "{secret}");
        }
        for personal in [
            json!({"email": 1}),
            json!({"who": "alice@example.com"}),
            json!({"x": ["4111 1111 1111 1111"]}),
            json!({"given_name": "A"}),
        ] {
            assert_eq!(codes(personal.clone()), ["personal_data"], "{personal}");
        }
        assert_eq!(
            codes(json!({"order": "4111111111111112", "url": "https://x@y.example/"})),
            Vec::<&str>::new()
        );
    }
}
