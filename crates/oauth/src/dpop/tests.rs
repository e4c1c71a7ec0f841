//! Proofs: those that the RFC prints, and one variation of a good one at a time.

use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_800_000_000;
const TOKEN: Request<'static> = Request {
    method: "POST",
    uri: "https://auth.example.com/oauth/token",
    access_token: None,
};
const AT: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const RESOURCE: Request<'static> = Request {
    method: "GET",
    uri: "https://resource.example.org/protectedresource",
    access_token: Some(AT),
};

/// The proof that RFC 9449 §4.1 prints.
const FOR_TOKENS: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
/// The one of §7.1, with its `ath`.
const FOR_A_RESOURCE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
/// The thumbprint of their key, as §6.1 has it.
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

#[test]
fn the_examples_of_the_rfc_hold() {
    let token = Request {
        uri: "https://server.example.com/token",
        ..TOKEN
    };
    let proof = check(FOR_TOKENS, &token, 1_562_262_616).unwrap();
    assert_eq!(
        (proof.thumbprint.as_str(), proof.jti.as_str()),
        (JKT, "-BwC3ESc6acc2lTc")
    );
    let proof = check(FOR_A_RESOURCE, &RESOURCE, 1_562_262_618).unwrap();
    assert_eq!((proof.thumbprint.as_str(), proof.iat), (JKT, 1_562_262_618));
    let other = Request {
        access_token: Some("another"),
        ..RESOURCE
    };
    assert_eq!(
        check(FOR_A_RESOURCE, &other, 1_562_262_618),
        Err(ProofError::TokenMismatch)
    );
}

fn key() -> AnySigningKey {
    AnySigningKey::generate(Algorithm::Es256).unwrap()
}

/// Signed with a good key and the right type, whatever it says.
fn saying(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({ "jti": "j", "htm": "POST", "htu": TOKEN.uri, "iat": NOW });
    change(&mut claims);
    Signer::with_embedded_key(key(), TYPE)
        .unwrap()
        .sign(&claims)
        .unwrap()
}

fn without(name: &'static str) -> String {
    saying(|claims| {
        claims.as_object_mut().unwrap().remove(name);
    })
}

#[test]
fn pp_01_every_claim_is_there_and_right() {
    assert!(check(&saying(|_| {}), &TOKEN, NOW).is_ok());
    for (proof, error) in [
        (without("jti"), ProofError::JtiMissing),
        (saying(|claims| claims["jti"] = json!("")), ProofError::JtiMissing),
        (without("htm"), ProofError::MethodMismatch),
        (
            saying(|claims| claims["htm"] = json!("post")),
            ProofError::MethodMismatch,
        ),
        (
            saying(|claims| claims["htm"] = json!("GET")),
            ProofError::MethodMismatch,
        ),
        (without("htu"), ProofError::UriMismatch),
        (
            saying(|claims| claims["htu"] = json!("https://auth.example.com/userinfo")),
            ProofError::UriMismatch,
        ),
        (without("iat"), ProofError::IatMissing),
        (saying(|claims| claims["exp"] = json!(NOW)), ProofError::TooOld),
        (
            saying(|claims| claims["jti"] = json!(1)),
            ProofError::Unsound(Error::ClaimWrongType),
        ),
        (
            saying(|claims| claims["htm"] = json!(1)),
            ProofError::Unsound(Error::ClaimsInvalid),
        ),
    ] {
        assert_eq!(check(&proof, &TOKEN, NOW), Err(error));
    }
}

#[test]
fn pp_01_a_proof_is_made_ten_seconds_ago_at_most_or_by_a_clock_that_is_ten_ahead() {
    let proof = saying(|_| {});
    for now in [NOW - 10, NOW, NOW + 10] {
        assert!(check(&proof, &TOKEN, now).is_ok(), "{now}");
    }
    assert_eq!(check(&proof, &TOKEN, NOW + 11), Err(ProofError::TooOld));
    assert_eq!(check(&proof, &TOKEN, NOW - 11), Err(ProofError::InFuture));
    let far = saying(|claims| claims["iat"] = json!(u64::MAX >> 12));
    assert!(check(&far, &TOKEN, NOW).is_err());
}

#[test]
fn pp_01_type_and_algorithm_are_those_of_proofs() {
    let claims = json!({ "jti": "j", "htm": "POST", "htu": TOKEN.uri, "iat": NOW });
    for typ in [TokenType::Jwt, TokenType::AccessToken, TokenType::Other("dpop")] {
        let proof = Signer::with_embedded_key(key(), typ)
            .unwrap()
            .sign(&claims)
            .unwrap();
        let expected = ProofError::Unsound(Error::TokenTypeMismatch);
        assert_eq!(check(&proof, &TOKEN, NOW), Err(expected));
    }
    // No jwk: the key is somewhere else.
    let elsewhere = Signer::new(key(), TYPE, Some("k1".to_owned())).unwrap();
    let proof = elsewhere.sign(&claims).unwrap();
    assert_eq!(
        check(&proof, &TOKEN, NOW),
        Err(ProofError::Unsound(Error::HeaderInvalid))
    );
    let unlisted = AnySigningKey::generate(Algorithm::MlDsa44).unwrap();
    assert_eq!(Prover::new(unlisted).unwrap_err(), Error::AlgorithmNotAllowed);
    for algorithm in ALGORITHMS.iter().filter(|algorithm| !algorithm.is_rsa()) {
        let prover = Prover::new(AnySigningKey::generate(*algorithm).unwrap()).unwrap();
        let proof = prover.prove(&TOKEN, Some("n"), NOW).unwrap();
        assert_eq!(check(&proof, &TOKEN, NOW).unwrap().nonce.as_deref(), Some("n"));
    }
}

#[test]
fn a_proof_for_a_token_names_it_and_one_that_is_made_leaves_the_query_out() {
    let prover = Prover::new(key()).unwrap();
    let request = Request {
        uri: "https://resource.example.org/protectedresource?secret=1#x",
        ..RESOURCE
    };
    let proof = prover.prove(&request, None, NOW).unwrap();
    assert!(check(&proof, &RESOURCE, NOW).is_ok());
    let said = carnet_jose::dangerous::decode(&proof).unwrap().payload;
    assert_eq!(said["htu"], RESOURCE.uri);
    let bare = Request {
        access_token: None,
        ..RESOURCE
    };
    let proof = prover.prove(&bare, None, NOW).unwrap();
    assert_eq!(check(&proof, &RESOURCE, NOW), Err(ProofError::TokenMismatch));
}

#[test]
fn one_header_is_one_proof() {
    assert_eq!(single([]), Ok(None));
    assert_eq!(single([b"x".as_slice()]), Ok(Some("x")));
    assert_eq!(single([b"x".as_slice(), b"x"]), Err(ProofError::NotOne));
    assert_eq!(single([b"\xff".as_slice()]), Err(ProofError::NotOne));
}

#[test]
fn a_thumbprint_has_one_form() {
    assert!(is_thumbprint(JKT));
    for text in ["", "x", &JKT[1..], &format!("{JKT}="), &JKT.replace('-', "+")] {
        assert!(!is_thumbprint(text), "{text}");
    }
}
