//! Keys in files as other programs write them, and truthful words about those that cannot be used.

use crate::{Answer, carnet};

/// A key that is odd by design, from the vectors of the library.
fn odd_key(name: &str) -> String {
    let vectors = include_str!("../../../jose/tests/vectors/odd_keys.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    vectors[name].as_str().unwrap().to_owned()
}

fn public_of(text: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k"), text).unwrap();
    carnet(folder.path(), &["jwk", "public", "k"], "")
}

#[test]
fn what_stands_in_front_of_a_pem_key_is_passed_over() {
    let text = odd_key("ec_parameters");
    let plain = public_of(&text).done().out;
    for around in [format!("\u{feff}{text}"), format!("a key of mine:\n\n{text}")] {
        assert_eq!(public_of(&around).done().out, plain, "{around}");
    }
    let two = public_of(&format!("{text}{text}"));
    assert!(two.exit == 1 && two.err.contains("key_invalid"), "{}", two.err);
}

#[test]
fn why_a_key_cannot_be_used_is_told_truly() {
    let flat = odd_key("rsa_spki").replace('\n', "");
    for (text, code, words) in [
        (odd_key("ed448_private"), "key_unsupported", "Ed448"),
        (odd_key("rsa_pss_private"), "key_unsupported", "RSA-PSS"),
        (odd_key("openssh_private"), "key_unsupported", "OpenSSH"),
        (flat, "key_invalid", "one line"),
    ] {
        let refused = public_of(&text);
        assert_eq!(refused.exit, 1);
        assert!(refused.err.contains(code), "{}", refused.err);
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
}
