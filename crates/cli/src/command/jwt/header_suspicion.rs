//! What is suspicious about a header: algorithms that prove nothing, and members that steer a careless verifier.
//!
//! Spec: RFC 8725 §2, §3 · RFC 7515 §4.1

use carnet_jose::primitive::{HashName, hmac, verify_equal};
use carnet_jose::{Algorithm, MAX_HEADER_BYTES};
use serde_json::{Map, Value};

use super::finding::Finding;
use super::reading::{Kind, Reading};

/// Everything to point at in the header, and in how it goes with the signature.
pub(crate) fn findings(reading: &Reading, token: &str) -> Vec<Finding> {
    let Some(header) = &reading.header else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if reading.kind == Kind::Jws {
        algorithm(header, reading, token, &mut found);
        token_type(header, &mut found);
    }
    member_types(header, &mut found);
    pointers(header, &mut found);
    key_name(header, &mut found);
    if reading
        .lengths
        .first()
        .is_some_and(|length| *length > MAX_HEADER_BYTES)
    {
        found.push(Finding::warning(
            "header_too_large",
            "header",
            "has more than 8 KiB: strict verifiers refuse it",
        ));
    }
    found
}

fn algorithm(header: &Map<String, Value>, reading: &Reading, token: &str, found: &mut Vec<Finding>) {
    const PLACE: &str = "header.alg";
    if header.get("alg").is_some_and(|alg| !alg.is_string()) {
        // What `member_types` says of it is all there is to say.
        return;
    }
    let Some(name) = header.get("alg").and_then(Value::as_str) else {
        found.push(Finding::error(
            "algorithm_missing",
            PLACE,
            "is missing: no verifier may accept the token (RFC 7515 §4.1.1)",
        ));
        return;
    };
    if name.eq_ignore_ascii_case("none") {
        found.push(Finding::error(
            "algorithm_none",
            PLACE,
            "is none: the token is not signed, anybody can have written it (RFC 8725 §3.2)",
        ));
        return;
    }
    let Some(algorithm) = Algorithm::from_name(name) else {
        let weak = matches!(name, "HS1" | "RS1" | "RSA1_5" | "HS256/64");
        found.push(if weak {
            let text = "is an algorithm that is broken or too short";
            Finding::warning("algorithm_weak", PLACE, text)
        } else {
            let text = "is an algorithm that Carnet does not know: it cannot check the token";
            Finding::warning("algorithm_unknown", PLACE, text)
        });
        return;
    };
    if algorithm.is_mac() {
        found.push(Finding::note(
            "algorithm_shared_secret",
            PLACE,
            "is HMAC: every service that can check the token can also forge it",
        ));
        if let Some(word) = guessed(algorithm, token, &reading.signature) {
            found.push(Finding::error(
                "secret_guessable",
                "signature",
                format!("is made with {word}: anybody can forge this token; change the secret"),
            ));
        }
    }
    signature_length(algorithm, reading, found);
}

fn signature_length(algorithm: Algorithm, reading: &Reading, found: &mut Vec<Finding>) {
    let length = reading.signature.len();
    if reading.lengths.len() != 3 || reading.damage.iter().any(|finding| finding.place == "signature") {
        return;
    }
    if length == 0 {
        found.push(Finding::error(
            "signature_missing",
            "signature",
            "is empty although the header names an algorithm: anybody can have written this",
        ));
        return;
    }
    let expected = match algorithm {
        Algorithm::Hs256 => 32,
        Algorithm::Hs384 => 48,
        Algorithm::Hs512 | Algorithm::Es256 | Algorithm::Es256k | Algorithm::Ed25519 => 64,
        Algorithm::Es384 => 96,
        Algorithm::Es512 => 132,
        Algorithm::MlDsa44 => 2420,
        Algorithm::MlDsa65 => 3309,
        Algorithm::MlDsa87 => 4627,
        _ if length < 256 => {
            let text = format!(
                "has {length} bytes: an RSA key of {} bits; less than 2048 can be broken (RFC 7518 §3.3)",
                length * 8
            );
            found.push(Finding::error("key_too_short", "signature", text));
            return;
        }
        _ => return,
    };
    if length != expected {
        let text = format!("has {length} bytes where {algorithm} has {expected}: it cannot verify");
        found.push(Finding::error("signature_length", "signature", text));
    }
}

fn token_type(header: &Map<String, Value>, found: &mut Vec<Finding>) {
    if !header.contains_key("typ") {
        found.push(Finding::note(
            "type_missing",
            "header.typ",
            "is missing: one kind of token can be taken for another (RFC 8725 §3.11)",
        ));
    }
}

/// What a strict verifier refuses for its type alone. Of `kid` there is more to say.
fn member_types(header: &Map<String, Value>, found: &mut Vec<Finding>) {
    let is_texts = |value: &Value| {
        value
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string))
    };
    for (name, value) in header {
        let (right, what) = match name.as_str() {
            "alg" | "typ" | "cty" | "jku" | "x5u" | "x5t" | "x5t#S256" => (value.is_string(), "text"),
            "x5c" => (is_texts(value), "a list of texts"),
            "jwk" => (value.is_object(), "an object"),
            _ => continue,
        };
        if !right {
            let text = format!("is not {what}: strict verifiers refuse the token (RFC 7515 §4.1)");
            found.push(Finding::error("header_invalid", format!("header.{name}"), text));
        }
    }
}

/// Members by which a sender tells a verifier which key to believe.
fn pointers(header: &Map<String, Value>, found: &mut Vec<Finding>) {
    for name in ["jku", "x5u"] {
        if header.contains_key(name) {
            let text =
                "lets the sender name the key: a verifier that fetches it believes anybody (RFC 8725 §3.10)";
            found.push(Finding::warning("key_pointer", format!("header.{name}"), text));
        }
    }
    for name in ["jwk", "x5c"] {
        // A DPoP proof carries its key by design.
        let proof = header.get("typ").and_then(Value::as_str) == Some("dpop+jwt") && name == "jwk";
        if header.contains_key(name) && !proof {
            let text = "carries the key: a verifier that uses it believes anybody (RFC 8725 §3.1)";
            found.push(Finding::warning("key_embedded", format!("header.{name}"), text));
        }
    }
    if header
        .get("jwk")
        .is_some_and(|jwk| ["d", "k", "p"].iter().any(|name| jwk.get(name).is_some()))
    {
        found.push(Finding::error(
            "key_private",
            "header.jwk",
            "holds a private key: it is everybody's now",
        ));
    }
    if header.contains_key("crit") {
        let text = "demands extensions: a verifier that does not know them must refuse (RFC 7515 §4.1.11)";
        found.push(Finding::warning("header_critical", "header.crit", text));
    }
    if header.get("b64") == Some(&Value::Bool(false)) {
        found.push(Finding::warning(
            "payload_unencoded",
            "header.b64",
            "is false: not allowed in a JWT (RFC 7797 §7)",
        ));
    }
    if header.contains_key("zip") {
        found.push(Finding::warning(
            "compressed",
            "header.zip",
            "compresses: a small token can become a huge one (RFC 8725 §3.6)",
        ));
    }
}

/// A `kid` is looked up somewhere: in a folder, a database, at an address. It should look like a name.
fn key_name(header: &Map<String, Value>, found: &mut Vec<Finding>) {
    const PLACE: &str = "header.kid";
    let Some(kid) = header.get("kid") else { return };
    let Some(kid) = kid.as_str() else {
        found.push(Finding::error(
            "key_id_odd",
            PLACE,
            "is no string (RFC 7515 §4.1.4)",
        ));
        return;
    };
    let reason = if kid.contains("../") || kid.contains("..\\") || kid.starts_with('/') {
        "looks like a path: an attack on verifiers that read keys from files"
    } else if kid.contains("://") {
        "looks like an address: an attack on verifiers that fetch keys"
    } else if kid.contains(['\'', '"', ';', '`']) || kid.contains("--") && kid.contains(' ') {
        "looks like a piece of a query: an attack on verifiers that look keys up in a database"
    } else if kid.contains(['|', '$', '&', '<', '>', '\n', '\0']) {
        "has characters that a shell would obey: an attack on careless verifiers"
    } else if kid.len() > 128 {
        "is longer than 128 bytes: strict verifiers refuse it"
    } else {
        return;
    };
    found.push(Finding::warning(
        "key_id_odd",
        PLACE,
        format!("{reason} (RFC 8725 §3.10)"),
    ));
}

/// Whether the token is signed with a word from the top of every guessing list; which one is not told.
fn guessed(algorithm: Algorithm, token: &str, signature: &[u8]) -> Option<&'static str> {
    let name = match algorithm {
        Algorithm::Hs256 => HashName::Sha256,
        Algorithm::Hs384 => HashName::Sha384,
        Algorithm::Hs512 => HashName::Sha512,
        _ => return None,
    };
    let (signed, _) = token.rsplit_once('.')?;
    let fits = |word: &str| verify_equal(&hmac(name, word.as_bytes(), signed.as_bytes()), signature);
    if fits("") {
        return Some("an empty secret");
    }
    GUESSES
        .iter()
        .any(|word| fits(word))
        .then_some("a secret from the top of every guessing list")
}

const GUESSES: [&str; 32] = [
    "secret",
    "Secret",
    "SECRET",
    "secretkey",
    "secret_key",
    "secret-key",
    "mysecret",
    "my-secret",
    "my_secret",
    "my_secret_key",
    "supersecret",
    "super-secret",
    "supersecretkey",
    "shhhhh",
    "shhhhhared-secret",
    "changeme",
    "change-me",
    "password",
    "password123",
    "123456",
    "12345678",
    "admin",
    "test",
    "test-secret",
    "key",
    "jwt",
    "jwt_secret",
    "jwt-secret",
    "JWT_SECRET",
    "token",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::jwt::reading::read;
    use carnet_jose::base64url::encode;

    fn codes(header: &str, signature: &[u8]) -> Vec<&'static str> {
        let token = format!(
            "{}.{}.{}",
            encode(header.as_bytes()),
            encode(b"{}"),
            encode(signature)
        );
        findings(&read(&token).unwrap(), &token)
            .iter()
            .map(|finding| finding.code)
            .collect()
    }

    #[test]
    fn jwt_01_algorithms_that_prove_nothing_are_named() {
        for none in ["none", "None", "nOnE"] {
            assert_eq!(
                codes(&format!(r#"{{"alg":"{none}","typ":"JWT"}}"#), b""),
                ["algorithm_none"]
            );
        }
        assert_eq!(codes(r#"{"typ":"JWT"}"#, b"x"), ["algorithm_missing"]);
        assert_eq!(codes(r#"{"alg":"HS1","typ":"JWT"}"#, b"x"), ["algorithm_weak"]);
        assert_eq!(
            codes(r#"{"alg":"RS256","typ":"JWT"}"#, &[1; 128]),
            ["key_too_short"]
        );
        assert_eq!(
            codes(r#"{"alg":"ES256","typ":"JWT"}"#, &[1; 70]),
            ["signature_length"]
        );
        assert_eq!(
            codes(r#"{"alg":"ES256","typ":"JWT"}"#, b""),
            ["signature_missing"]
        );
        assert_eq!(
            codes(r#"{"alg":"ES256","typ":"JWT","kid":"2026-11"}"#, &[1; 64]),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn pointers_and_odd_names_of_keys_are_named() {
        let with = |member: &str| codes(&format!(r#"{{"alg":"ES256","typ":"JWT",{member}}}"#), &[1; 64]);
        assert_eq!(with(r#""jku":"https://evil.example/keys""#), ["key_pointer"]);
        assert_eq!(
            with(r#""jwk":{"kty":"OKP","d":"x"}"#),
            ["key_embedded", "key_private"]
        );
        assert_eq!(with(r#""crit":["exp"]"#), ["header_critical"]);
        for kid in [
            "../../dev/null",
            "/etc/passwd",
            "https://evil.example",
            "x' UNION ALL",
            "a|id",
            &"k".repeat(129),
        ] {
            assert_eq!(with(&format!(r#""kid":"{kid}""#)), ["key_id_odd"], "{kid}");
        }
        assert_eq!(
            codes(r#"{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"EC"}}"#, &[1; 64]),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn a_secret_that_everybody_guesses_is_named() {
        let header = r#"{"alg":"HS256","typ":"JWT"}"#;
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(b"{}"));
        let mac = hmac(HashName::Sha256, b"your-256-bit-secret", signed.as_bytes());
        assert_eq!(
            codes(header, &mac),
            ["algorithm_shared_secret", "secret_guessable"]
        );
        assert_eq!(codes(header, &[1; 32]), ["algorithm_shared_secret"]);
    }
}
