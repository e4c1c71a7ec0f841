//! `carnet jwt sign` and `carnet jwt verify`.

use crate::{carnet, mode};

#[test]
fn every_algorithm_signs_what_it_verifies_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str], stdin: &str| carnet(folder.path(), arguments, stdin);
    for name in [
        "HS256", "HS512", "RS256", "PS384", "ES256", "ES384", "ES512", "Ed25519",
    ] {
        let file = format!("{name}.jwk");
        here(&["jwk", "generate", "-a", name, "--out", &file], "").done();
        assert_eq!(mode(&folder.path().join(&file)), 0o600);
        let policy = ["--issuer", "https://id.example", "--audience", "api"];
        let sign = [
            &[
                "jwt",
                "sign",
                "--key",
                &file,
                "--subject",
                "alice",
                "--type",
                "at+jwt",
            ],
            &policy[..],
        ]
        .concat();
        let token = here(&sign, "").done().out;
        let verify = [
            &["--json", "jwt", "verify", "--key", &file, "--type", "at+jwt"],
            &policy[..],
        ]
        .concat();
        let valid = here(&verify, &token).done().json();
        assert_eq!(
            (&valid["valid"], &valid["claims"]["sub"]),
            (&true.into(), &"alice".into())
        );
        assert_eq!(valid["checked"]["audience"], serde_json::json!(["api"]));

        let dot = token.rfind('.').unwrap();
        let last = if token.as_bytes()[dot + 5] == b'A' {
            "B"
        } else {
            "A"
        };
        let forged = format!("{}{last}{}", &token[..dot + 5], &token[dot + 6..]);
        let refused = here(&verify, &forged);
        assert_eq!(
            (refused.exit, &refused.json()["error"]["code"]),
            (1, &"signature_invalid".into())
        );
        let another = here(
            &["jwt", "verify", "--key", "HS256.jwk", "--algorithm", "HS256"],
            &token,
        );
        assert_eq!(another.exit, i32::from(name != "HS256"), "{}", another.err);
    }
}

#[test]
fn a_refusal_says_code_reason_and_section() {
    let folder = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str], stdin: &str| carnet(folder.path(), arguments, stdin);
    here(&["jwk", "generate", "--out", "k"], "").done();
    let at = "2026-11-21T10:00:00Z";
    let sign = [
        "jwt",
        "sign",
        "--key",
        "k",
        "--audience",
        "api",
        "--issuer",
        "i",
        "--expires-in",
        "15m",
        "--at",
        at,
    ];
    let token = here(&sign, "").done().out;
    let verify = |further: &[&str]| here(&[&["jwt", "verify", "--key", "k"], further].concat(), &token);
    assert_eq!(verify(&["--at", "2026-11-21T10:15:29Z"]).exit, 0);
    for (further, code, section, reason) in [
        (
            vec!["--at", "2026-11-21T12:15:00Z"],
            "token_expired",
            "RFC 7519 §4.1.4",
            "2 h ago, 2026-11-21T10:15:00Z",
        ),
        (
            vec!["--at", at, "--audience", "other"],
            "audience_mismatch",
            "RFC 7519 §4.1.3",
            "aud is \"api\", expected other",
        ),
        (
            vec!["--at", at, "--issuer", "i/"],
            "issuer_mismatch",
            "RFC 7519 §4.1.1",
            "iss is \"i\"",
        ),
        (
            vec!["--at", at, "--type", "at+jwt"],
            "token_type_mismatch",
            "RFC 8725 §3.11",
            "typ is \"JWT\"",
        ),
    ] {
        let refused = verify(&further);
        assert_eq!(refused.exit, 1);
        assert!(
            refused.err.contains(&format!("({code}; exit code 1)")),
            "{}",
            refused.err
        );
        assert!(
            refused.err.contains(section) && refused.err.contains(reason),
            "{}",
            refused.err
        );
    }
}

#[test]
fn jwt_02_public_key_as_hmac_secret() {
    let folder = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str], stdin: &str| carnet(folder.path(), arguments, stdin);
    here(
        &[
            "jwk",
            "generate",
            "-a",
            "RS256",
            "--format",
            "pem",
            "--out",
            "k.pem",
            "--public-out",
            "p.pem",
        ],
        "",
    )
    .done();
    assert_eq!(
        (
            mode(&folder.path().join("k.pem")),
            mode(&folder.path().join("p.pem")) & 0o600
        ),
        (0o600, 0o600)
    );
    let forged = here(
        &["jwt", "sign", "--secret-file", "p.pem", "--subject", "admin"],
        "",
    );
    assert!(
        forged.exit == 1 && forged.err.contains("key_looks_public"),
        "{}",
        forged.err
    );
    let secret = "-".repeat(32);
    let token = here(&["jwt", "sign", "--secret", &secret, "--subject", "admin"], "").done();
    assert!(
        token.err.contains("Warning: a secret in an argument"),
        "{}",
        token.err
    );
    let refused = here(&["jwt", "verify", "--key", "p.pem"], &token.out);
    assert!(
        refused.exit == 1 && refused.err.contains("algorithm_not_allowed"),
        "{}",
        refused.err
    );
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
    let refused = here(&["jwt", "verify", "--key", "p.pem", unsigned], "");
    assert!(
        refused.exit == 1 && refused.err.contains("algorithm_not_allowed"),
        "{}",
        refused.err
    );
}
