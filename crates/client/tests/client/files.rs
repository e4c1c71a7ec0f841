//! Keys from files.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use carnet_client::key_file;
use carnet_jose::{Algorithm, AnySigningKey};

use crate::pretended::jwks;

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{}\r\n", "s".repeat(32))).unwrap();
    for (mode, used) in [
        (0o600, true),
        (0o400, true),
        (0o640, true),
        (0o644, false),
        (0o602, false),
        (0o660, false),
        (0o666, false),
    ] {
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let read = key_file::shared_secret(&file, Algorithm::Hs256);
        assert_eq!(read.is_ok(), used, "{mode:o}");
        if let Err(error) = read {
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
}

#[test]
fn jwt_20_a_secret_must_be_long_enough_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let public = AnySigningKey::generate(Algorithm::Es256)
        .unwrap()
        .verifying_key()
        .to_spki_pem()
        .unwrap();
    for wrong in [
        String::new(),
        "hunter2".to_owned(),
        "s".repeat(31),
        public,
        "s".repeat(100_000),
    ] {
        std::fs::write(&file, &wrong).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let error = key_file::shared_secret(&file, Algorithm::Hs256).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&file.display().to_string()), "{text}");
        assert!(
            wrong.is_empty() || !text.contains(&wrong),
            "the secret is not quoted: {text}"
        );
    }
}

#[test]
fn keys_are_read_from_pem_and_jwks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    std::fs::write(&file, key.verifying_key().to_spki_pem().unwrap()).unwrap();
    assert!(key_file::pem(&file, Algorithm::Es256).is_ok());
    assert!(key_file::pem(&file, Algorithm::Rs256).is_err());
    std::fs::write(&file, jwks("a")).unwrap();
    let set = key_file::jwks(&file, &[Algorithm::Es256]).unwrap();
    assert_eq!(set.kids().collect::<Vec<_>>(), ["a"]);
    assert!(
        key_file::jwks(&file, &[Algorithm::Rs256]).is_err(),
        "none that can be used"
    );
    assert!(key_file::pem(&folder.path().join("none"), Algorithm::Es256).is_err());
    assert!(key_file::pem(folder.path(), Algorithm::Es256).is_err());
}
