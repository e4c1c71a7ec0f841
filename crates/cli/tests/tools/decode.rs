//! `carnet jwt decode`.

use serde_json::Value;

use crate::{SAMPLE, carnet, run};

#[test]
fn the_sample_of_the_articles_is_explained() {
    let text = run(&["jwt", "decode", SAMPLE], "").done();
    for part in [
        "RS256",
        "auth.example.com",
        "1234567890",
        "role",
        "2024-05-20T21:03:42Z",
        "lives 1 h",
        "cannot have",
    ] {
        assert!(text.out.contains(part), "{part}: {}", text.out);
    }
    assert!(
        text.err
            .contains("Next: carnet jwt verify TOKEN --key public.pem --issuer auth.example.com"),
        "{}",
        text.err
    );

    let json = run(&["--json", "jwt", "decode", SAMPLE], "").done();
    assert_eq!(
        json.codes(),
        [
            "signature base64_invalid",
            "claims.exp expired",
            "claims.email personal_data"
        ]
    );
    assert_eq!(json.json()["claims"]["jti"], "a1b2c3d4");
    assert_eq!(json.json()["times"]["exp"]["at"], "2024-05-20T21:03:42Z");
    let then = run(&["jwt", "decode", "--at", "2024-05-20T20:49:42Z", SAMPLE], "").done();
    assert!(
        then.out.contains("in 14 min, 2024-05-20T21:03:42Z"),
        "{}",
        then.out
    );
}

#[test]
fn a_pasted_token_is_found_in_what_is_around_it() {
    let wrapped = format!(
        "Authorization: Bearer \"{}\n{}\"\n",
        &SAMPLE[..100],
        &SAMPLE[100..]
    );
    let answer = run(&["--json", "jwt", "decode"], &wrapped).done().json();
    assert_eq!(answer["claims"]["sub"], "1234567890");
    assert_eq!(
        answer["stripped"],
        serde_json::json!(["header name", "Bearer", "quotes", "line breaks"])
    );
}

#[test]
fn every_beginning_of_a_token_gets_an_answer() {
    let cut = run(&["jwt", "decode"], &SAMPLE[..150]);
    assert_eq!(cut.exit, 1);
    assert!(
        cut.out.contains("1234567890") && cut.out.contains("cut off"),
        "{}",
        cut.out
    );
    assert!(cut.err.contains("(token_damaged; exit code 1)"), "{}", cut.err);
    for end in [0, 1, 10, 36, 37, 38, 60, 200, 255] {
        let answer = run(&["jwt", "decode"], &SAMPLE[..end]);
        assert!(matches!(answer.exit, 0 | 1), "{end}: {}", answer.err);
    }
    let nothing = run(&["jwt", "decode", "--json"], "hello");
    let error: Value = serde_json::from_str(&nothing.err).unwrap();
    assert_eq!(
        (nothing.exit, &error["error"]["code"]),
        (1, &"token_unreadable".into())
    );
}

#[test]
fn a_token_cannot_steer_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s"), [b'x'; 32]).unwrap();
    let claims = "{\"iss\":\"\\u001b[2J\\u202e\",\"aud\":\"$(touch owned)\"}";
    let token = carnet(
        folder.path(),
        &["jwt", "sign", "--secret-file", "s", "--claims", "-"],
        claims,
    )
    .done()
    .out;
    let answer = run(&["jwt", "decode", "--color", "never"], &token).done();
    assert!(
        !answer.out.contains(['\u{1b}', '\u{202e}']) && answer.out.contains("\\u{1b}[2J"),
        "{}",
        answer.out
    );
    assert!(!answer.err.contains("$("), "{}", answer.err);
}

#[test]
fn a_refresh_token_of_ours_is_recognised() {
    let token = format!("carnet_rt.fam.4.{}", "A".repeat(43));
    let answer = run(&["jwt", "decode"], &token).done();
    assert!(
        answer.out.contains("only the server can check it") && answer.out.contains("refreshed 4 times"),
        "{}",
        answer.out
    );
    let json = run(&["jwt", "decode", "--json"], &token).done().json();
    assert_eq!(
        json["refresh_token"],
        serde_json::json!({"family": "fam", "generation": 4, "whole": true})
    );
    assert_eq!(run(&["jwt", "decode"], &token[..20]).exit, 1);
}

#[test]
fn a_padded_header_is_read_and_its_padding_is_told() {
    let token = "eyJhbGciOiJIUzI1NiJ9IA==.eyJzdWIiOiJhIn0.c2ln";
    let answer = run(&["--json", "jwt", "decode"], token);
    let json = answer.json();
    assert_eq!(json["header"]["alg"], "HS256");
    assert_eq!(json["stripped"], serde_json::json!([]));
    let findings = json["findings"].to_string();
    assert!(findings.contains("ends in = signs"), "{findings}");
}

#[test]
fn what_an_encrypted_token_says_of_its_key_is_explained() {
    let encode = |text: &str| carnet_jose::base64url::encode(text.as_bytes());
    for (alg, words) in [
        ("RSA-OAEP", "RSA key"),
        ("A256KW", "shared secret"),
        ("dir", "shared secret"),
        ("ECDH-ES+A128KW", "elliptic curve"),
        ("PBES2-HS256+A128KW", "password"),
        ("new", "how the key of the content is wrapped"),
    ] {
        let header = format!(r#"{{"alg":"{alg}","enc":"A256GCM"}}"#);
        let answer = run(&["jwt", "decode"], &format!("{}.a.b.c.d", encode(&header)));
        assert!(!answer.out.contains("how it is signed"), "{}", answer.out);
        assert!(answer.out.contains(words), "{alg}: {}", answer.out);
    }
}

#[test]
fn the_family_behind_a_token_of_ours_is_explained() {
    let encode = |text: &str| carnet_jose::base64url::encode(text.as_bytes());
    let token = format!(
        "{}.{}.c2ln",
        encode(r#"{"alg":"ES256"}"#),
        encode(r#"{"fam":"f"}"#)
    );
    let answer = run(&["jwt", "decode"], &token).done();
    assert!(answer.out.contains("refresh family"), "{}", answer.out);
}
