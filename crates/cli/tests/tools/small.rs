//! `carnet hash`, `carnet password`, and what all commands do alike.

use crate::{SAMPLE, carnet, run};

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

#[test]
fn a_proof_by_hand_is_one_that_servers_take() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "an.access.token\n").unwrap();
    let url = "https://api.example.com/orders?page=2";
    let ask = [
        "--json",
        "dpop",
        "get",
        url,
        "--key",
        "k.jwk",
        "--token-file",
        "token",
        "--nonce",
        "n-1",
    ];
    let made = carnet(folder.path(), &ask, "").done();
    assert_eq!(crate::mode(&folder.path().join("k.jwk")), 0o600);
    let (first, second) = (made.json(), carnet(folder.path(), &ask, "").done().json());
    assert_eq!(first["jkt"], second["jkt"], "the key is kept");
    let proof = first["proof"].as_str().unwrap();
    let request = carnet_oauth::dpop::Request {
        method: "GET",
        uri: "https://api.example.com/orders",
        access_token: Some("an.access.token"),
    };
    let iat = carnet_jose::dangerous::decode(proof).unwrap().payload["iat"]
        .as_u64()
        .unwrap();
    let proven = carnet_oauth::dpop::check(proof, &request, iat).unwrap();
    assert_eq!(
        (proven.thumbprint.as_str(), proven.nonce.as_deref()),
        (first["jkt"].as_str().unwrap(), Some("n-1"))
    );
    assert_ne!(first["proof"], second["proof"]);
    // For `curl -H "$(…)"`: nothing but the header.
    let plain = carnet(folder.path(), &["dpop", "POST", url, "--key", "k.jwk"], "").done();
    assert!(
        plain.out.starts_with("DPoP: ey") && plain.out.lines().count() == 1,
        "{}",
        plain.out
    );
}

#[test]
fn a_proof_of_what_no_request_is_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = "https://api.example.com/orders";
    for words in [
        &["", url][..],
        &["GET /", url],
        &["G\u{e9}T", url],
        &["GET", "https://alice@api.example.com/orders"],
        &["GET", "https://alice:secret@api.example.com/orders"],
        &["GET", url, "--nonce", ""],
        &["GET", url, "--nonce", "a\nb"],
        &["GET", url, "--nonce", "a b"],
        &["GET", url, "--nonce", "a\"b"],
    ] {
        let made = carnet(
            folder.path(),
            &[&["dpop"], words, &["--key", "k.jwk"]].concat(),
            "",
        );
        assert!(
            made.exit == 2 && made.err.contains("proof_impossible"),
            "{words:?}: {}",
            made.err
        );
        assert!(
            made.out.is_empty() && !made.err.contains("secret"),
            "{}",
            made.err
        );
        assert!(!folder.path().join("k.jwk").exists(), "{words:?}");
    }
}

#[test]
fn a_proof_that_no_server_takes_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = "https://api.example.com/orders";
    let wrong = carnet(
        folder.path(),
        &["dpop", "GET", "api.example.com/orders", "--key", "k.jwk"],
        "",
    );
    assert!(
        wrong.exit == 2 && wrong.err.contains("proof_impossible"),
        "{}",
        wrong.err
    );
    std::fs::write(
        folder.path().join("mac"),
        r#"{"kty":"oct","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
    )
    .unwrap();
    let mac = carnet(folder.path(), &["dpop", "GET", url, "--key", "mac"], "");
    assert!(
        mac.exit == 1 && mac.err.contains("algorithm_not_allowed"),
        "{}",
        mac.err
    );
}

#[test]
fn a_services_token_by_hand_may_be_for_one_request() {
    let folder = tempfile::tempdir().unwrap();
    let make = ["jwk", "generate", "--algorithm", "ES256", "--out", "orders.jwk"];
    carnet(folder.path(), &make, "").done();
    let asked = |request: [&str; 3]| {
        let who = [
            "--service",
            "orders",
            "--key",
            "orders.jwk",
            "--issuer",
            "https://auth.example.com",
        ];
        carnet(
            folder.path(),
            &[&["service-token", "billing"], &who[..], &request].concat(),
            "",
        )
    };
    let url = "https://billing.example.com/close";
    let bound = asked(["--bound", "POST", url]).done();
    let token = bound.out.trim().strip_prefix("Authorization: Bearer ").unwrap();
    let said = carnet_jose::dangerous::decode(token).unwrap().payload;
    assert_eq!(
        (said["htm"].as_str(), said["htu"].as_str()),
        (Some("POST"), Some(url))
    );
    for wrong in [["--bound", "POST", "/close"], ["--bound", "a b", url]] {
        let refused = asked(wrong);
        assert!(
            refused.exit == 2 && refused.err.contains("request_invalid"),
            "{}",
            refused.err
        );
    }
}

#[test]
fn a_services_token_by_hand_is_one_header_and_its_key_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let make = ["jwk", "generate", "--algorithm", "Ed25519", "--out", "orders.jwk"];
    carnet(folder.path(), &make, "").done();
    let ask = [
        "service-token",
        "billing",
        "--service",
        "orders",
        "--key",
        "orders.jwk",
    ];
    let ask = [&ask[..], &["--issuer", "https://auth.example.com"]].concat();
    let plain = carnet(folder.path(), &ask, "").done();
    let token = plain.out.trim().strip_prefix("Authorization: Bearer ").unwrap();
    let decoded = carnet_jose::dangerous::decode(token).unwrap();
    assert_eq!(
        (decoded.header["typ"].as_str(), plain.out.lines().count()),
        (Some("svc+jwt"), 1)
    );
    let json = carnet(folder.path(), &[&["--json"], &ask[..]].concat(), "")
        .done()
        .json();
    assert_eq!(json["iss"], decoded.payload["iss"]);
    assert_eq!(json["aud"], "https://auth.example.com/services/billing");

    let wrong = carnet(
        folder.path(),
        &[
            "service-token",
            "bil/ling",
            "--service",
            "orders",
            "--key",
            "orders.jwk",
            "--issuer",
            "https://a.test",
        ],
        "",
    );
    assert!(
        wrong.exit == 2 && wrong.err.contains("invalid_name"),
        "{}",
        wrong.err
    );
    std::fs::set_permissions(
        folder.path().join("orders.jwk"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let open = carnet(folder.path(), &ask, "");
    assert!(
        open.exit == 2 && open.err.contains("key_invalid") && open.err.contains("chmod 600"),
        "{}",
        open.err
    );
}
