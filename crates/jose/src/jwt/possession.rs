//! Proof of possession: a JWT whose header carries the key that has signed it. The one door through which a token brings its own key.
//!
//! Spec: RFC 7515 §4.1.3 (jwk) · RFC 9449 §4.2, §4.3 (what such a token proves)

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::json::{MAX_DEPTH, check_object};
use crate::jwk::Jwk;
use crate::jws::{Header, Segments};
use crate::jwt::claims::Registered;
use crate::jwt::token_type::TokenType;
use crate::jwt::verify::{Scratch, check_with};
use crate::key::AnyVerifyingKey;

/// What a token says that carries its own key (RFC 7515 §4.1.3). It proves that its sender holds that key, and nothing about who that is:
/// whoever takes it compares [`Possession::thumbprint`] with one that it trusts (RFC 9449 §6). No [`Verifier`](crate::Verifier) reads
/// such a key.
///
/// ```
/// use carnet_jose::{Algorithm, AnySigningKey, Error, Possession, Signer, TokenType};
///
/// let typ = TokenType::Other("dpop+jwt");
/// let key = AnySigningKey::generate(Algorithm::Es256)?;
/// let thumbprint = key.thumbprint()?;
/// let proof = Signer::with_embedded_key(key, typ)?.sign(&serde_json::json!({ "jti": "1" }))?;
/// let proven = Possession::<serde_json::Value>::verify(&proof, typ, &[Algorithm::Es256])?;
/// assert_eq!(proven.thumbprint, thumbprint);
/// let other = Possession::<serde_json::Value>::verify(&proof, typ, &[Algorithm::Ed25519]);
/// assert_eq!(other.unwrap_err(), Error::AlgorithmNotAllowed);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Possession<C> {
    /// Everything it says, in the caller's type (RFC 7519 §4).
    pub claims: C,
    /// The registered claims (RFC 7519 §4.1). Nobody has compared them with anything: not even `exp` with the time.
    pub registered: Registered<'static>,
    /// The algorithm it is signed with (RFC 7515 §4.1.1).
    pub algorithm: Algorithm,
    /// The thumbprint of the key that has signed it (RFC 7638 §3), in base64url.
    pub thumbprint: String,
}

/// The one member of the header that [`Header`] does not read.
#[derive(Deserialize)]
struct WithKey {
    jwk: Jwk,
}

impl<C: DeserializeOwned> Possession<C> {
    /// Checks type, algorithm and the signature by the key in the header (RFC 9449 §4.3, 4 to 7). An algorithm with a shared secret is
    /// never allowed, whatever the list says.
    ///
    /// # Errors
    ///
    /// Those that [`Verifier::verify`](crate::Verifier::verify) has for size, shape, header and signature; [`Error::HeaderInvalid`] without
    /// a `jwk`; [`Error::PrivateKeyInHeader`]; [`Error::ClaimsInvalid`]; those of [`AnyVerifyingKey::from_jwk_as`].
    pub fn verify(token: &str, token_type: TokenType, algorithms: &[Algorithm]) -> Result<Self, Error> {
        let segments = Segments::split(token)?;
        let mut decoded = Vec::new();
        let header = Header::decode(segments.header, &mut decoded)?;
        token_type.check(header.token_type.as_deref())?;
        let algorithm = Algorithm::from_name(&header.algorithm)
            .filter(|algorithm| algorithms.contains(algorithm) && !algorithm.is_mac())
            .ok_or(Error::AlgorithmNotAllowed)?;
        let WithKey { jwk } = serde_json::from_slice(&decoded).map_err(|_| Error::HeaderInvalid)?;
        if jwk.is_private() {
            return Err(Error::PrivateKeyInHeader);
        }
        let key = AnyVerifyingKey::from_jwk_as(&jwk, algorithm)?;
        let mut scratch = Scratch::default();
        check_with(&key, &segments, &mut scratch)?;
        let payload = scratch.payload();
        check_object(payload, MAX_DEPTH)?;
        Ok(Self {
            registered: Registered::read(payload)?,
            claims: serde_json::from_slice(payload).map_err(|_| Error::ClaimsInvalid)?,
            algorithm,
            thumbprint: key.thumbprint()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url;
    use crate::jwt::sign::Signer;
    use crate::key::AnySigningKey;
    use serde_json::{Value, json};

    const TYPE: TokenType = TokenType::Other("dpop+jwt");
    const ALLOWED: &[Algorithm] = &[Algorithm::Es256, Algorithm::Hs256];

    /// Signed by this key, under a header of the caller's.
    fn signed(key: &AnySigningKey, header: &Value) -> String {
        let encode = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let message = format!("{}.{}", encode(header), encode(&json!({ "jti": "1" })));
        let signature = key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64url::encode(&signature))
    }

    fn refused(token: &str) -> Error {
        Possession::<Value>::verify(token, TYPE, ALLOWED).unwrap_err()
    }

    #[test]
    fn the_key_in_the_header_must_be_public_there_and_the_one_that_has_signed() {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let public = serde_json::to_value(key.verifying_key().to_jwk().unwrap()).unwrap();
        let private: Value = serde_json::from_str(&key.to_jwk_private().unwrap()).unwrap();
        let other = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let other = serde_json::to_value(other.verifying_key().to_jwk().unwrap()).unwrap();
        let header = |jwk: &Value| json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk });
        assert!(Possession::<Value>::verify(&signed(&key, &header(&public)), TYPE, ALLOWED).is_ok());
        for (jwk, error) in [
            (&private, Error::PrivateKeyInHeader),
            (&other, Error::SignatureInvalid),
            (&json!("x"), Error::HeaderInvalid),
            (&json!({ "kty": "EC", "crv": "P-384" }), Error::KeyMismatch),
        ] {
            assert_eq!(refused(&signed(&key, &header(jwk))), error, "{jwk}");
        }
        let without = json!({ "alg": "ES256", "typ": "dpop+jwt" });
        assert_eq!(refused(&signed(&key, &without)), Error::HeaderInvalid);
        let untyped = json!({ "alg": "ES256", "jwk": public });
        assert_eq!(refused(&signed(&key, &untyped)), Error::TokenTypeMismatch);
    }

    #[test]
    fn a_shared_secret_proves_nothing_even_where_the_list_allows_it() {
        let key = AnySigningKey::from_secret(&[7; 32], Algorithm::Hs256).unwrap();
        let jwk = json!({ "kty": "oct", "k": base64url::encode(&[7; 32]) });
        let header = json!({ "alg": "HS256", "typ": "dpop+jwt", "jwk": jwk });
        assert_eq!(refused(&signed(&key, &header)), Error::AlgorithmNotAllowed);
        let none = base64url::encode(br#"{"alg":"none","typ":"dpop+jwt"}"#);
        assert_eq!(refused(&format!("{none}.e30.")), Error::AlgorithmNotAllowed);
        assert!(Signer::with_embedded_key(key, TYPE).is_err());
    }
}
