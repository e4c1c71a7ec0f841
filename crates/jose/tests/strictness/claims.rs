//! What a token says: JSON, claims and time.

use carnet_jose::Error;
use serde::Deserialize;
use serde_json::Value;

use crate::fixture::{Fixture, HEADER, NOW, claims};

#[test]
fn jwt_09_duplicate_members_are_refused() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.with_payload(br#"{"sub":"alice","sub":"bob"}"#),
        Err(Error::DuplicateMember)
    );
    assert_eq!(
        fixture.with_header(r#"{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"k1"}"#),
        Err(Error::DuplicateMember)
    );
}

#[test]
fn jwt_10_duplicates_hidden_by_escapes_or_nesting_are_refused() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.with_payload(br#"{"sub":"alice","\u0073ub":"bob"}"#),
        Err(Error::DuplicateMember)
    );
    for nested in ["cnf", "act", "other"] {
        let payload = format!(r#"{{"{nested}":{{"jkt":"A","jkt":"B"}}}}"#);
        assert_eq!(
            fixture.with_payload(payload.as_bytes()),
            Err(Error::DuplicateMember)
        );
    }
    assert_eq!(fixture.with_payload(b"\xef\xbb\xbf{}"), Err(Error::JsonInvalid));
}

#[test]
fn jwt_12_only_the_compact_form_is_a_token() {
    let fixture = Fixture::new();
    let good = fixture.raw(HEADER, claims().to_string().as_bytes());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (protected, payload) = head.split_once('.').unwrap();
    let flattened =
        format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#);
    for token in [
        flattened.as_str(),
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "ä.b.c",
        &format!(" {good}"),
        &format!("{good}\n"),
        &format!("{good}="),
        &good.replacen('.', "..", 1),
    ] {
        assert!(fixture.check(token).is_err(), "{token}");
    }
    assert_eq!(fixture.check("a.b.c.d.e"), Err(Error::EncryptedToken));
    // A last character whose unused bits are not zero is another spelling of the same signature.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let other = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let respelled = format!("{}{other}", &good[..good.len() - 1]);
    assert_eq!(fixture.check(&respelled), Err(Error::Base64Invalid));
}

#[test]
fn jwt_13_a_claim_of_the_wrong_type_is_wrong_and_not_absent() {
    let fixture = Fixture::new();
    for value in [r#""9999999999""#, "-1", "null", "[]", "true", "{}", "1e300"] {
        for name in ["exp", "nbf", "iat"] {
            assert_eq!(
                fixture.with_claim(name, value),
                Err(Error::ClaimWrongType),
                "{name} {value}"
            );
        }
    }
    assert_eq!(fixture.with_claim("exp", "1e400"), Err(Error::JsonInvalid));
    for (name, value) in [
        ("aud", "123"),
        ("aud", "[]"),
        ("aud", "[1]"),
        ("aud", "null"),
        ("iss", r#"["https://as.test"]"#),
        ("iss", "null"),
        ("sub", "7"),
        ("jti", "{}"),
    ] {
        assert_eq!(
            fixture.with_claim(name, value),
            Err(Error::ClaimWrongType),
            "{name} {value}"
        );
    }
    for name in ["iss", "aud", "exp", "sub", "client_id"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(
            fixture.with_payload(claims.to_string().as_bytes()),
            Err(Error::ClaimMissing),
            "{name}"
        );
    }
    assert_eq!(
        fixture.with_claim("exp", &format!("{}.5", NOW + 10)),
        Ok(()),
        "a NumericDate may have a fraction"
    );
}

#[test]
fn jwt_15_issuer_and_audience_are_compared_byte_for_byte() {
    let fixture = Fixture::new();
    for issuer in [
        "https://as.test/",
        "https://AS.test",
        "https://as.test:443",
        "https://as.test@evil",
        "https://as.test.evil",
        "http://as.test",
        "",
    ] {
        assert_eq!(
            fixture.with_claim("iss", &format!("\"{issuer}\"")),
            Err(Error::IssuerMismatch),
            "{issuer}"
        );
    }
    for audience in [
        r#""https://api.test/""#,
        r#"["https://other.test"]"#,
        r#""https://api.tes""#,
    ] {
        assert_eq!(
            fixture.with_claim("aud", audience),
            Err(Error::AudienceMismatch),
            "{audience}"
        );
    }
    assert_eq!(
        fixture.with_claim("aud", r#"["https://other.test","https://api.test"]"#),
        Ok(())
    );
}

#[test]
fn jwt_22_monster_tokens_are_refused_before_anything_is_decoded() {
    let fixture = Fixture::new();
    assert_eq!(fixture.check(&".".repeat(10_000_000)), Err(Error::TokenTooLarge));
    assert_eq!(
        fixture.check(&format!("{}.a.b", "A".repeat(9_000))),
        Err(Error::TokenTooLarge)
    );
    assert_eq!(fixture.check(&".".repeat(200)), Err(Error::Malformed));
    // Both limits to the byte: one more is too large, the limit itself is looked at.
    let header = |length: usize| format!("{}.a.b", "A".repeat(length));
    assert_eq!(fixture.check(&header(8 * 1024 + 1)), Err(Error::TokenTooLarge));
    assert_eq!(fixture.check(&header(8 * 1024)), Err(Error::HeaderInvalid));
    let token = |length: usize| format!("e30.{}.b", "A".repeat(length - 6));
    assert_eq!(fixture.check(&token(16 * 1024 + 1)), Err(Error::TokenTooLarge));
    assert_eq!(fixture.check(&token(16 * 1024)), Err(Error::HeaderInvalid));
    // A million brackets, and as many as fit into a token.
    assert_eq!(
        fixture.with_payload(&b"[".repeat(1_000_000)),
        Err(Error::TokenTooLarge)
    );
    assert_eq!(
        fixture.with_payload(&b"{\"a\":".repeat(2_000)),
        Err(Error::JsonInvalid)
    );
}

#[test]
fn jwt_23_a_payload_is_one_json_object_in_utf8() {
    let fixture = Fixture::new();
    let deep = [b"{\"a\":".repeat(40), b"1".to_vec(), b"}".repeat(40)].concat();
    for payload in [
        &b"[]"[..],
        b"\"x\"",
        b"null",
        b"1",
        b"",
        b"{\"sub\":\"\xc0\xae\"}",
        br#"{"sub":"\uD800"}"#,
        b"{\0\"\0a\0",
        &deep,
    ] {
        assert_eq!(
            fixture.with_payload(payload),
            Err(Error::JsonInvalid),
            "{payload:?}"
        );
    }
}

#[test]
fn time_has_leeway_that_cannot_overflow() {
    let fixture = Fixture::new();
    assert_eq!(fixture.with_claim("exp", &(NOW - 29).to_string()), Ok(()));
    assert_eq!(
        fixture.with_claim("exp", &(NOW - 30).to_string()),
        Err(Error::Expired)
    );
    assert_eq!(fixture.with_claim("nbf", &(NOW + 30).to_string()), Ok(()));
    assert_eq!(
        fixture.with_claim("nbf", &(NOW + 31).to_string()),
        Err(Error::NotYetValid)
    );
    // The last second of the year 9999; what lies behind it is no time.
    let last = 253_402_300_799_u64;
    assert_eq!(fixture.with_claim("exp", &last.to_string()), Ok(()));
    assert_eq!(
        fixture.with_claim("nbf", &last.to_string()),
        Err(Error::NotYetValid)
    );
    for beyond in [
        (last + 1).to_string(),
        u64::MAX.to_string(),
        "253402300800.0".to_owned(),
    ] {
        assert_eq!(
            fixture.with_claim("exp", &beyond),
            Err(Error::ClaimWrongType),
            "{beyond}"
        );
    }
    let token = fixture.raw(
        HEADER,
        claims()
            .to_string()
            .replace(&format!("\"iat\":{NOW}"), &format!("\"iat\":{}", NOW + 60))
            .as_bytes(),
    );
    assert!(
        fixture
            .verifier
            .verify_owned::<Value>(&token, NOW)
            .unwrap()
            .issued_in_future
    );
}

/// Takes what it can get, and does not mind errors.
struct Lenient;

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> serde::de::Visitor<'de> for Any {
            type Value = Lenient;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Lenient, A::Error> {
                while let Ok(Some(_)) = map.next_key::<String>() {
                    let _ = map.next_value::<Value>();
                }
                Ok(Lenient)
            }
        }
        deserializer.deserialize_map(Any)
    }
}

#[test]
fn jwt_13_a_type_that_swallows_errors_hides_none() {
    let fixture = Fixture::new();
    for (name, value) in [
        ("nbf", "\"4102444800\""),
        ("nbf", "-5"),
        ("nbf", "null"),
        ("iat", "true"),
        ("sub", "7"),
        ("aud", "[7]"),
        ("exp", "{\"$serde_json::private::Number\":\"4102444800\"}"),
        ("x", "{\"a\":1,\"a\":2}"),
        ("x", "1e400"),
        (
            "x",
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        ),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let rest = claims.to_string();
        let token = fixture.raw(HEADER, format!("{{\"{name}\":{value},{}", &rest[1..]).as_bytes());
        let strict = fixture.verifier.verify_owned::<Value>(&token, NOW).map(|_| ());
        let lenient = fixture.verifier.verify_owned::<Lenient>(&token, NOW).map(|_| ());
        assert!(strict.is_err(), "{name} {value}");
        assert_eq!(lenient, strict, "{name} {value}");
    }
}
