//! Refusals that say why: the section of the RFC, or that the limit is our own; and usage errors for programs.

use serde_json::{Value, json};

use crate::{Answer, carnet, run};

fn verify(option: &str, key: &Value, token: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    std::fs::write(folder.path().join("k"), text).unwrap();
    carnet(folder.path(), &["jwt", "verify", option, "k"], token)
}

fn generated(algorithm: &str, half: &str) -> Value {
    let made = run(&["--json", "jwk", "generate", "-a", algorithm, "--kid", "k1"], "");
    made.done().json()[half].clone()
}

const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.AA";

#[test]
fn a_refusal_over_the_keys_names_its_section() {
    let (secret, private) = (generated("HS256", "private"), generated("ES256", "private"));
    let public = generated("ES256", "public");
    let short = json!({"kty": "oct", "alg": "HS256", "k": "AAAA"});
    let named = |alg: &str| json!({"kty": "EC", "crv": "P-256", "alg": alg, "x": "AA", "y": "AA"});
    for (option, key, code, section) in [
        (
            "--jwks",
            json!({"keys": [secret]}),
            "key_set_symmetric",
            "RFC 7517 §9.2",
        ),
        (
            "--jwks",
            json!({"keys": [private]}),
            "key_set_private",
            "RFC 7517 §9.2",
        ),
        (
            "--jwks",
            json!({"keys": [public, public]}),
            "key_id_duplicate",
            "RFC 7517 §4.5",
        ),
        ("--jwks", json!({"keys": {}}), "key_invalid", "RFC 7517 §4"),
        ("--key", short, "key_too_short", "RFC 7518 §3.2"),
        ("--key", named("ES384"), "key_mismatch", "RFC 8725 §3.1"),
        ("--key", named("ES256"), "key_invalid", "RFC 7518 §6"),
        ("--secret-file", json!("short"), "key_too_short", "RFC 7518 §3.2"),
    ] {
        let refused = verify(option, &key, TOKEN);
        assert_eq!(refused.exit, 1, "{code}: {}", refused.err);
        assert!(refused.err.contains(code), "{code}: {}", refused.err);
        assert!(refused.err.contains(section), "{code}: {}", refused.err);
    }
    let advice = verify("--jwks", &json!({"keys": [secret]}), TOKEN).err;
    assert!(advice.contains("must not publish shared secrets"), "{advice}");
}

#[test]
fn the_size_of_a_token_is_our_own_limit() {
    let token = format!("{TOKEN}{}", "A".repeat(17_000));
    let refused = verify("--key", &generated("ES256", "public"), &token);
    assert!(refused.err.contains("Carnet's own limit"), "{}", refused.err);
    assert!(!refused.err.contains("RFC"), "{}", refused.err);
}

#[test]
fn no_leeway_and_no_age_are_asked_for_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    let go = |arguments: &[&str], input: &str| carnet(folder.path(), arguments, input);
    std::fs::write(folder.path().join("s"), [b'x'; 32]).unwrap();
    let at = "2026-11-21T10:00:00Z";
    let token = go(&["jwt", "sign", "--secret-file", "s", "-s", "a", "--at", at], "")
        .done()
        .out;
    for zero in ["0s", "0"] {
        let verify = [
            "jwt",
            "verify",
            "--secret-file",
            "s",
            "--leeway",
            zero,
            "--max-age",
            zero,
            "--at",
        ];
        go(&[&verify[..], &[at]].concat(), &token).done();
        let late = go(&[&verify[..], &["2026-11-21T10:00:01Z"]].concat(), &token);
        assert!(
            late.exit == 1 && late.err.contains("token_too_old"),
            "{}",
            late.err
        );
    }
    assert_eq!(
        go(&["jwt", "sign", "--secret-file", "s", "-s", "a", "-e", "0s"], "").exit,
        2
    );
}

#[test]
fn a_usage_error_is_json_for_whoever_reads_json() {
    for arguments in [
        &["--json", "jwt", "decod", "x"][..],
        &["jwt", "verify", "x", "--json"],
        &["password", "--length", "many", "--json"],
        &["--json", "jwt"],
        &["--json"],
        &["--json", "--nonsense"],
    ] {
        let answer = run(arguments, "");
        assert_eq!((answer.exit, answer.out.as_str()), (2, ""), "{arguments:?}");
        let error: Value = serde_json::from_str(&answer.err).unwrap();
        assert_eq!(error["error"]["code"], "usage", "{arguments:?}");
        assert_eq!(error["error"]["exit"], 2, "{arguments:?}");
        for part in ["what", "why", "todo"] {
            let text = error["error"][part].as_str().unwrap();
            assert!(
                !text.is_empty() && !text.contains(['\n', '\u{1b}']),
                "{part}: {}",
                answer.err
            );
        }
    }
    let typo = run(&["--json", "jwt", "decod", "x"], "");
    assert!(typo.err.contains("'decode'"), "{}", typo.err);
    assert!(run(&["--json", "--help"], "").done().out.starts_with("Examples:"));
    assert!(
        run(&["--json", "--version"], "")
            .done()
            .out
            .starts_with("carnet ")
    );
    assert!(run(&["jwt", "decod", "x"], "").err.starts_with("error: "));
    // Behind `--` it is a word like any other.
    assert!(
        run(&["jwt", "decode", "--", "--json", "x"], "")
            .err
            .starts_with("error: ")
    );
}

#[test]
fn claims_in_flags_are_as_strict_as_claims_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s"), [b'x'; 32]).unwrap();
    let sign = |further: &[&str]| {
        let sign = ["jwt", "sign", "--secret-file", "s"];
        carnet(folder.path(), &[&sign[..], further].concat(), "")
    };
    for (claim, words) in [
        (r#"role={"a":1,"a":2}"#, "twice"),
        (r#"role=[{"a":1,"\u0061":2}]"#, "twice"),
        ("x=1e400", "number"),
        ("x=[-1e400]", "number"),
    ] {
        let refused = sign(&["-c", claim]);
        assert!(
            refused.exit == 1 && refused.err.contains("claims_invalid"),
            "{claim}: {}",
            refused.err
        );
        assert!(refused.err.contains(words), "{claim}: {}", refused.err);
    }
    for text in ["x=1.2.3", "x=2026-11-21", "x=alice", "x={alice", "x="] {
        sign(&["-c", text]).done();
    }
    for twice in [
        &["-c", "exp=5", "-e", "5m"][..],
        &["-c", "x=1", "-c", "x=1"],
        &["-c", "iss=a", "-i", "a"],
        &["-c", "sub=a", "-s", "a"],
        &["-c", "aud=a", "--audience", "a"],
    ] {
        let refused = sign(twice);
        assert!(
            refused.exit == 2 && refused.err.contains("claim_twice"),
            "{twice:?}: {}",
            refused.err
        );
    }
}

#[test]
fn no_token_is_made_that_nobody_here_would_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s"), [b'x'; 32]).unwrap();
    let long = "x".repeat(13_000);
    let typ = "x".repeat(7_000);
    for further in [&["-s", &long][..], &["-s", "a", "-t", &typ]] {
        let sign = ["jwt", "sign", "--secret-file", "s"];
        let refused = carnet(folder.path(), &[&sign[..], further].concat(), "");
        assert!(refused.exit == 1 && refused.out.is_empty(), "{}", refused.err);
        assert!(refused.err.contains("token_too_large"), "{}", refused.err);
    }
}

#[test]
fn what_verify_refuses_for_its_type_decode_points_at() {
    use carnet_jose::base64url;
    for (name, value) in [
        ("typ", "5"),
        ("cty", "[1]"),
        ("x5t", "{}"),
        ("alg", "5"),
        ("jku", "1"),
        ("x5c", "\"a\""),
        ("jwk", "\"a\""),
    ] {
        let alg = if name == "alg" { "" } else { "\"alg\":\"ES256\"," };
        let header = format!("{{{alg}\"{name}\":{value}}}");
        let token = format!(
            "{}.{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(br#"{"sub":"a"}"#),
            base64url::encode(&[1; 64])
        );
        let found = run(&["--json", "jwt", "decode"], &token).done().codes();
        let expected = format!("header.{name} header_invalid");
        assert!(found.contains(&expected), "{header}: {found:?}");
    }
}
