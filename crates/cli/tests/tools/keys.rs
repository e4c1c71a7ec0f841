//! `carnet jwk`.

use crate::{carnet, run};

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
