//! The developer's tools, as the built binary answers them: `jwt`, `jwk`, `hash`, `password`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test must fail it")]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The token that the articles show; what stands for its signature is no base64url.
const SAMPLE: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhdXRoLmV4YW1wbGUuY29tIiwic3ViIjoiMTIzNDU2Nzg5MCIsImF1ZCI6\
    ImFwaS5leGFtcGxlLmNvbSIsImV4cCI6MTcxNjIzOTAyMiwiaWF0IjoxNzE2MjM1NDIyLCJqdGkiOiJhMWIyYzNkNCIsInJvbGUiOiJhZG1pbiIsImVtYWlsIjoi\
    YWxpY2VAZXhhbXBsZS5jb20ifQ.signature_placeholder";

struct Answer {
    exit: i32,
    out: String,
    err: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    fn codes(&self) -> Vec<String> {
        let findings = self.json()["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| {
                format!(
                    "{} {}",
                    finding["place"].as_str().unwrap(),
                    finding["code"].as_str().unwrap()
                )
            })
            .collect()
    }

    fn done(self) -> Self {
        assert_eq!(self.exit, 0, "{}", self.err);
        self
    }
}

fn carnet(folder: &Path, arguments: &[&str], stdin: &str) -> Answer {
    let mut child = Command::new(env!("CARGO_BIN_EXE_carnet"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("COLUMNS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its stdin may be gone by now.
    let _gone = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer {
        exit: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// In no folder in particular.
fn run(arguments: &[&str], stdin: &str) -> Answer {
    carnet(Path::new("."), arguments, stdin)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

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

#[test]
fn a_key_set_verifies_by_kid_and_its_odd_keys_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str], stdin: &str| carnet(folder.path(), arguments, stdin);
    let made = here(&["--json", "jwk", "generate", "--out", "k", "--kid", "now"], "")
        .done()
        .json();
    assert!(made["private"].is_null() && made["public"].get("d").is_none());
    let set = serde_json::json!({"keys": [{"kty": "AKP", "kid": "odd"}, made["public"]]});
    std::fs::write(folder.path().join("set"), set.to_string()).unwrap();
    let token = here(&["jwt", "sign", "--key", "k", "--subject", "a"], "")
        .done()
        .out;
    let valid = here(&["jwt", "verify", "--jwks", "set"], &token).done();
    assert!(
        valid.err.contains("Key odd of the set is not used"),
        "{}",
        valid.err
    );
    let other = here(
        &["jwt", "sign", "--key", "k", "--subject", "a", "--kid", "then"],
        "",
    )
    .done()
    .out;
    assert!(
        here(&["jwt", "verify", "--jwks", "set"], &other)
            .err
            .contains("key_id_unknown")
    );
}

#[test]
fn a_thumbprint_is_the_same_in_every_spelling_of_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str], stdin: &str| carnet(folder.path(), arguments, stdin);
    here(
        &[
            "jwk",
            "generate",
            "-a",
            "ES384",
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
    let jwk = here(&["jwk", "public", "k.pem"], "").done().out;
    let pem = here(&["jwk", "public", "--format", "pem"], &jwk).done().out;
    assert_eq!(
        pem.trim(),
        std::fs::read_to_string(folder.path().join("p.pem"))
            .unwrap()
            .trim()
    );
    let prints = ["k.pem", "p.pem"].map(|file| here(&["jwk", "thumbprint", file], "").done().out);
    assert_eq!(here(&["jwk", "thumbprint"], &jwk).done().out, prints[0]);
    assert_eq!(prints[0], prints[1]);
    // RFC 8037 §A.3
    let okp = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(
        run(&["jwk", "thumbprint"], okp).done().out,
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\n"
    );
    let again = here(&["jwk", "generate", "--out", "k.pem"], "");
    assert!(
        again.exit == 4 && again.err.contains("file_exists"),
        "{}",
        again.err
    );
}

#[test]
fn digests_are_those_of_the_standard() {
    // FIPS 180-4 examples; HMAC: RFC 4231 §4.3.
    assert_eq!(
        run(&["hash", "abc"], "").done().out,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
    );
    let all = run(&["--json", "hash", "-a", "all"], "abc").done().json();
    let starts: Vec<String> = (0..5)
        .map(|at| all["digests"][at]["hex"].as_str().unwrap()[..8].to_owned())
        .collect();
    assert_eq!(
        starts,
        ["23097d22", "ba7816bf", "cb00753f", "ddaf35a1", "53048e26"]
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "Jefe\n").unwrap();
    let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let hmac = [
        "hash",
        "--key-file",
        "key",
        "what do ya want for nothing?",
        "--verify",
        mac,
    ];
    let checked = carnet(folder.path(), &hmac, "").done();
    assert!(
        checked.out.contains("the same") && checked.err.contains("chmod 600 key"),
        "{}",
        checked.err
    );
    let wrong = carnet(folder.path(), &["hash", "--file", "key", "--verify", mac], "");
    assert!(
        wrong.exit == 1 && wrong.err.contains("digest_mismatch") && wrong.out.contains("another"),
        "{}",
        wrong.err
    );
    assert_eq!(run(&["hash", "x", "--verify", "not a digest"], "").exit, 2);
}

#[test]
fn passwords_are_long_fresh_and_of_the_asked_alphabet() {
    let one = run(&["password"], "").done();
    assert_eq!(one.out.trim_end().chars().count(), 64);
    assert!(one.err.contains("bits"), "{}", one.err);
    assert_ne!(one.out, run(&["password"], "").done().out);
    let many = run(
        &[
            "password",
            "--json",
            "--length",
            "20",
            "--count",
            "3",
            "--no-symbols",
            "--no-lookalikes",
        ],
        "",
    )
    .done()
    .json();
    assert_eq!(
        (
            many["passwords"].as_array().unwrap().len(),
            &many["alphabet_size"]
        ),
        (3, &56.into())
    );
    let digits = run(&["password", "--alphabet", "0123456789", "--length", "6"], "")
        .done()
        .out;
    assert!(digits.trim_end().len() == 6 && digits.trim_end().bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(run(&["password", "--alphabet", "aaa"], "").exit, 2);
}

#[test]
fn help_leads_with_examples_and_typos_get_the_nearest_word() {
    for command in [
        vec![],
        vec!["jwt", "decode"],
        vec!["jwt", "verify"],
        vec!["jwt", "sign"],
        vec!["jwk", "generate"],
        vec!["hash"],
        vec!["password"],
    ] {
        let help = run(&[command.as_slice(), &["--help"]].concat(), "").done().out;
        assert!(help.starts_with("Examples:\n  carnet "), "{help}");
    }
    let typo = run(&["jwt", "decod", "x"], "");
    assert!(typo.exit == 2 && typo.err.contains("decode"), "{}", typo.err);
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    assert!(!run(&["jwt", "decode", SAMPLE], "").out.contains('\u{1b}'));
    assert!(
        run(&["jwt", "decode", SAMPLE, "--color", "always"], "")
            .out
            .contains("\u{1b}[1m")
    );
}
