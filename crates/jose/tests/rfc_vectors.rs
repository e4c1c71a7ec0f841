//! The examples that the RFCs print, byte for byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;

use carnet_jose::{
    Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk, KeySet, TokenType, Verifier, base64url,
};
use serde_json::Value;

const PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn verifier(key: AnyVerifyingKey, algorithm: Algorithm) -> Verifier {
    let keys = KeySet::new(vec![(None, key)]).unwrap();
    let builder = Verifier::builder(Arc::new(keys))
        .algorithms(&[algorithm])
        .token_type(TokenType::Jwt);
    builder.issuer("joe").without_audience_check().build().unwrap()
}

/// RFC 7515 A.1: HS256.
#[test]
fn rfc7515_a1_hs256() {
    let jwk = r#"{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let key = AnySigningKey::from_jwk(jwk).unwrap();
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let verified = verifier(key.verifying_key(), Algorithm::Hs256)
        .verify_owned::<Value>(&token, 1_300_819_000)
        .unwrap();
    assert_eq!(verified.claims["http://example.com/is_root"], true);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(
        base64url::encode(&key.sign(signed.as_bytes()).unwrap()),
        signature
    );
    assert_eq!(
        verifier(key.verifying_key(), Algorithm::Hs256)
            .verify_owned::<Value>(&token, 1_300_819_410)
            .unwrap_err(),
        Error::Expired
    );
}

/// RFC 7515 A.2: RS256.
#[test]
fn rfc7515_a2_rs256() {
    let jwk = Jwk::parse(concat!(
        r#"{"kty":"RSA","alg":"RS256","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs"#,
        r#"D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#
    ))
    .unwrap();
    let signature = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTy",
        "WzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{signature}");
    let key = AnyVerifyingKey::from_jwk(&jwk).unwrap();
    assert!(
        verifier(key, Algorithm::Rs256)
            .verify_owned::<Value>(&token, 1_300_819_000)
            .is_ok()
    );
}

/// RFC 7515 A.3: ES256.
#[test]
fn rfc7515_a3_es256() {
    let private = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    let key = AnySigningKey::from_jwk(private).unwrap();
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    assert!(
        verifier(key.verifying_key(), Algorithm::Es256)
            .verify_owned::<Value>(&token, 1_300_819_000)
            .is_ok()
    );
}

/// RFC 7515 A.4: ES512 over a payload that is no JSON: the signature is good, the token is none.
#[test]
fn rfc7515_a4_es512() {
    let jwk = Jwk::parse(concat!(
        r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","#,
        r#""y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#
    ))
    .unwrap();
    let signature = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let key = AnyVerifyingKey::from_jwk(&jwk).unwrap();
    let signed = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";
    assert_eq!(
        key.verify(signed.as_bytes(), &base64url::decode(signature).unwrap()),
        Ok(())
    );
    let refused = verifier(key, Algorithm::Es512)
        .verify_owned::<Value>(&format!("{signed}.{signature}"), 1_300_819_000);
    assert_eq!(refused.unwrap_err(), Error::JsonInvalid);
}

/// RFC 7515 A.5: `none` is refused.
#[test]
fn rfc7515_a5_none() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
    let token = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
    let refused = verifier(key, Algorithm::Es256).verify_owned::<Value>(&token, 1_300_819_000);
    assert_eq!(refused.unwrap_err(), Error::AlgorithmNotAllowed);
}

/// RFC 7515 A.6, A.7: the JSON serializations are no tokens.
#[test]
fn rfc7515_a6_a7_json_serializations() {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
    let flattened = format!(
        r#"{{"payload":"{PAYLOAD}","protected":"eyJhbGciOiJFUzI1NiJ9","header":{{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},"signature":"AA"}}"#
    );
    let general = format!(
        r#"{{"payload":"{PAYLOAD}","signatures":[{{"protected":"eyJhbGciOiJFUzI1NiJ9","signature":"AA"}}]}}"#
    );
    for token in [flattened, general] {
        let refused = verifier(key.clone(), Algorithm::Es256).verify_owned::<Value>(&token, 1_300_819_000);
        assert_eq!(refused.unwrap_err(), Error::Malformed);
    }
}

/// RFC 7515 appendix C: base64url without padding.
#[test]
fn rfc7515_c_base64url() {
    assert_eq!(base64url::encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
    assert_eq!(base64url::decode("A-z_4ME").unwrap(), [3, 236, 255, 224, 193]);
}

/// RFC 7638 §3.1: the thumbprint of an RSA key.
#[test]
fn rfc7638_3_1_thumbprint() {
    let jwk = Jwk::parse(concat!(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbI"#,
        r#"SD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#
    ))
    .unwrap();
    assert_eq!(
        AnyVerifyingKey::from_jwk(&jwk).unwrap().thumbprint().unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// RFC 8037 A.1, A.2: the key and its public half.
#[test]
fn rfc8037_a1_a2_key() {
    let key = AnySigningKey::from_jwk(ED25519).unwrap();
    let public = serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap();
    assert_eq!(public["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
}

/// RFC 8037 A.3: the thumbprint.
#[test]
fn rfc8037_a3_thumbprint() {
    assert_eq!(
        AnySigningKey::from_jwk(ED25519).unwrap().thumbprint().unwrap(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

/// RFC 8037 A.4, A.5: signing and checking.
#[test]
fn rfc8037_a4_a5_signature() {
    let key = AnySigningKey::from_jwk(ED25519).unwrap();
    let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(
        base64url::encode(&key.sign(signed.as_bytes()).unwrap()),
        signature
    );
    assert_eq!(
        key.verifying_key()
            .verify(signed.as_bytes(), &base64url::decode(signature).unwrap()),
        Ok(())
    );
    assert_eq!(Algorithm::from_name("EdDSA"), Some(Algorithm::Ed25519));
}
