//! `carnet pkce`, `explain`, `completions`, `man`, `jwk convert`, and keys from URLs.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::{carnet, run};

/// RFC 7636 appendix B.
#[test]
fn pkce_is_what_the_rfc_prints() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let answer = run(&["--json", "pkce", "--of-stdin"], &format!("{verifier}\n"))
        .done()
        .json();
    assert_eq!(
        answer["code_challenge"],
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let made = run(&["--json", "pkce"], "").done().json();
    assert_eq!(made["code_verifier"].as_str().unwrap().len(), 43);
    assert_ne!(made, run(&["--json", "pkce"], "").done().json());
    let refused = run(&["pkce", "--of-stdin"], "too short");
    assert!(refused.exit == 1 && refused.err.contains("code_verifier_invalid"));
}

#[test]
fn a_code_is_explained_with_its_brackets_too() {
    let answer = run(&["explain", "(token_expired;"], "").done();
    assert!(
        answer.out.contains("RFC 7519 §4.1.4") && answer.out.contains("To do:"),
        "{}",
        answer.out
    );
    let unknown = run(&["explain", "token_expird"], "");
    assert!(
        unknown.exit == 2 && unknown.err.contains("carnet explain token_expired"),
        "{}",
        unknown.err
    );
    assert!(
        run(&["--json", "explain"], "").done().json()["codes"]
            .as_array()
            .unwrap()
            .len()
            > 100
    );
    let told = run(&["explain", "invalid_client"], "").done().out;
    assert!(told.contains("client authentication failed"), "{told}");
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            run(&["completions", shell], "").done().out.contains("thumbprint"),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    carnet(folder.path(), &["man", "--out", "."], "").done();
    assert!(folder.path().join("carnet-jwt-verify.1").exists());
    carnet(folder.path(), &["man", "--out", "new/man1"], "").done();
    assert!(folder.path().join("new/man1/carnet.1").exists());
    let file = ["man", "--out", "carnet.1"];
    assert_eq!(carnet(folder.path(), &file, "").exit, 1);
}

#[test]
fn a_passphrase_is_words_and_its_entropy_is_told() {
    let made = run(&["--json", "password", "--words", "6", "--separator", " "], "")
        .done()
        .json();
    let phrase = made["passwords"][0].as_str().unwrap();
    assert_eq!(phrase.split(' ').count(), 6);
    assert_eq!(
        (made["alphabet_size"].as_u64(), made["entropy_bits"].as_f64()),
        (Some(2048), Some(66.0))
    );
    assert_eq!(run(&["password", "--words", "6", "--length", "9"], "").exit, 2);
}

/// FIPS 202: the examples for "abc".
#[test]
fn sha_3_is_that_of_the_standard() {
    for (name, start) in [
        ("sha3-256", "3a985da7"),
        ("sha3-384", "ec014982"),
        ("sha3-512", "b751850b"),
    ] {
        assert!(
            run(&["hash", "-a", name, "abc"], "")
                .done()
                .out
                .starts_with(start),
            "{name}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "0123456789").unwrap();
    let keyed = carnet(
        folder.path(),
        &["--json", "hash", "-a", "all", "--key-file", "key", "x"],
        "",
    );
    assert_eq!(keyed.done().json()["digests"].as_array().unwrap().len(), 8);
    // NIST, HMAC-SHA3 examples: keys of the bytes 00, 01, 02, … This one ends in no line break, so the file holds it as it is.
    std::fs::write(folder.path().join("nist"), (0..32).collect::<Vec<u8>>()).unwrap();
    let text = "Sample message for keylen<blocklen";
    let mac = "4fe8e202c4f058e8dddc23d8c34e467343e23555e24fc2f025d598f558f67205";
    let hash = [
        "hash",
        "-a",
        "sha3-256",
        "--key-file",
        "nist",
        text,
        "--verify",
        mac,
    ];
    carnet(folder.path(), &hash, "").done();
}

#[test]
fn a_key_is_the_same_in_every_form() {
    for algorithm in ["RS256", "ES256", "ES512", "ES256K", "Ed25519", "ML-DSA-44"] {
        let folder = tempfile::tempdir().unwrap();
        let go = |arguments: &[&str]| carnet(folder.path(), arguments, "");
        go(&[
            "jwk",
            "generate",
            "-a",
            algorithm,
            "-o",
            "0",
            "--public-out",
            "p0",
        ])
        .done();
        let mut forms = vec!["pem", "der", "jwk"];
        if ["RS256", "ES256", "ES512", "ES256K"].contains(&algorithm) {
            forms.extend(["traditional", "der"]);
        }
        let mut last = "0".to_owned();
        for (n, form) in forms.iter().enumerate() {
            let next = (n + 1).to_string();
            go(&[
                "jwk", "convert", &last, "-a", algorithm, "--to", form, "-o", &next,
            ])
            .done();
            last = next;
        }
        let name =
            |file: &str| go(&["--json", "jwk", "thumbprint", file]).done().json()["thumbprint"].clone();
        assert_eq!(name(&last), name("0"), "{algorithm}");
        for form in ["pem", "der", "jwk"] {
            let file = format!("public-{form}");
            go(&["jwk", "convert", "p0", "--to", form, "-o", &file]).done();
            assert_eq!(name(&file), name("0"), "{algorithm} {form}");
        }
    }
    let secret = run(&["jwk", "generate", "-a", "HS256"], "").done().out;
    let refused = run(&["jwk", "convert", "--to", "pem"], &secret);
    assert!(
        refused.exit == 1 && refused.err.contains("form_unsupported"),
        "{}",
        refused.err
    );
}

/// A server that answers each path with a text, as many times as it is asked.
fn serve(answer: impl Fn(&str, &str) -> Option<String> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let own = origin.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or_default();
            let head = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match answer(&own, path) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", String::new()),
            };
            let _gone = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    origin
}

#[test]
fn keys_come_from_a_url_or_from_the_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let go = |arguments: &[&str]| carnet(folder.path(), arguments, "");
    go(&["jwk", "generate", "-o", "key", "--public-out", "public"]).done();
    let public = std::fs::read_to_string(folder.path().join("public")).unwrap();
    let origin = serve(move |origin, path| match path {
        "/.well-known/oauth-authorization-server" => {
            Some(format!(r#"{{"issuer":"{origin}","jwks_uri":"{origin}/keys"}}"#))
        }
        "/keys" => Some(format!(r#"{{"keys":[{public}]}}"#)),
        _ => None,
    });
    let token = go(&[
        "jwt", "sign", "-k", "key", "-i", &origin, "-s", "alice", "-e", "5m",
    ])
    .done()
    .out;
    let token = token.trim();
    go(&["jwt", "verify", token, "-i", &origin]).done();
    go(&[
        "jwt",
        "verify",
        token,
        "--jwks",
        &format!("{origin}/keys"),
        "--max-age",
        "1m",
    ])
    .done();
    let gone = go(&["jwt", "verify", token, "--jwks", &format!("{origin}/nothing")]);
    assert!(gone.exit == 3 && gone.err.contains("unreachable"), "{}", gone.err);
    let later = go(&[
        "jwt",
        "verify",
        token,
        "-i",
        &origin,
        "--max-age",
        "1s",
        "--at",
        "2100-01-01T00:00:00Z",
    ]);
    assert!(
        later.exit == 1 && later.err.contains("token_expired"),
        "{}",
        later.err
    );
    assert_eq!(
        go(&["jwt", "verify", token]).exit,
        2,
        "without a key or an issuer there is nothing to check with"
    );
}

/// A disk that is full must not swallow a key.
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    for command in [
        &["jwk", "generate"][..],
        &["password"],
        &["--json", "pkce"],
        &["explain", "token_expired"],
        &["completions", "bash"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_carnet"))
            .args(command)
            .stdout(full)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("output_unwritable"), "{command:?}: {said}");
    }
}

#[test]
fn exact_claims_are_signed_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s"), "a secret of thirty-two bytes, or more").unwrap();
    let claims = r#"{"n":123456789012345678901234567890, "a":1.50}"#;
    let token = carnet(
        folder.path(),
        &["jwt", "sign", "--secret-file", "s", "--exact"],
        claims,
    )
    .done()
    .out;
    let payload = token.trim().split('.').nth(1).unwrap();
    assert_eq!(
        carnet_jose::base64url::decode(payload).unwrap(),
        claims.as_bytes()
    );
}

#[test]
fn a_token_with_a_byte_that_is_no_text_is_read_all_the_same() {
    let header = carnet_jose::base64url::encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = carnet_jose::base64url::encode(br#"{"sub":"alice","exp":1716239022,"scope":"a b"}"#);
    let mut bytes = format!("{header}.{payload}.c2ln").into_bytes();
    bytes[header.len() + 10] = 0xff;
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_carnet"))
        .args(["--json", "jwt", "decode"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let ended = child.wait_with_output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (ended.status.code(), &answer["header"]["alg"]),
        (Some(1), &"HS256".into())
    );
    assert_eq!(answer["claims"]["scope"], "a b");
    let codes = answer["findings"].to_string();
    assert!(
        codes.contains("base64_invalid") && !codes.contains("_missing"),
        "{codes}"
    );
}

#[test]
fn a_token_of_every_algorithm_is_decoded_and_verified_whatever_the_case_of_its_type() {
    for algorithm in ["ES256", "ES256K", "Ed25519", "ML-DSA-44", "ML-DSA-87"] {
        let folder = tempfile::tempdir().unwrap();
        let go = |arguments: &[&str], input: &str| carnet(folder.path(), arguments, input);
        go(
            &[
                "jwk",
                "generate",
                "-a",
                algorithm,
                "-o",
                "key",
                "--public-out",
                "public",
            ],
            "",
        )
        .done();
        let claims = r#"{"sub":"a","exp":9999999999}"#;
        let sign = ["jwt", "sign", "--key", "key", "-a", algorithm, "--type", "at+jwt"];
        let token = go(&sign, claims).done().out;
        let found = go(&["--json", "jwt", "decode"], &token).done().codes();
        assert!(
            !found.iter().any(|code| code.starts_with("signature ")),
            "{algorithm}: {found:?}"
        );
        let verify = ["jwt", "verify", "--key", "public", "-a", algorithm];
        for typ in ["at+jwt", "APPLICATION/at+JWT"] {
            go(&[&verify[..], &["--type", typ]].concat(), &token).done();
        }
    }
}
