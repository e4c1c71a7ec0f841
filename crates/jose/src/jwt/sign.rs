//! Signing: the header is written once, claims go straight into the token.
//!
//! Spec: RFC 7515 §5.1 · RFC 7519 §7.1

use serde::Serialize;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::Error;
use crate::jwk_set::MAX_KEY_ID_BYTES;
use crate::jwt::token_type::TokenType;
use crate::key::AnySigningKey;

/// What claims usually take; more is no error.
const USUAL_CLAIMS_BYTES: usize = 512;

/// A key and the header of everything that it signs: `alg`, `typ` and, when it is given, `kid` (RFC 7515 §4.1.1, §4.1.9, §4.1.4).
///
/// ```
/// use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
///
/// let signer = Signer::new(AnySigningKey::generate(Algorithm::Ed25519)?, TokenType::Jwt, None)?;
/// let token = signer.sign(&serde_json::json!({ "sub": "alice" }))?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), carnet_jose::Error>(())
/// ```
pub struct Signer {
    key: AnySigningKey,
    kid: Option<String>,
    /// The encoded header and its dot.
    prefix: String,
}

impl Signer {
    /// Signs with this key; `kid` (RFC 7515 §4.1.4) names it to whoever checks: 1 to 128 bytes, as a verifier demands.
    ///
    /// # Errors
    ///
    /// [`Error::KeyInvalid`] for a `kid` of another length.
    pub fn new(key: AnySigningKey, token_type: TokenType, kid: Option<String>) -> Result<Self, Error> {
        let right_length = |kid: &String| (1..=MAX_KEY_ID_BYTES).contains(&kid.len());
        if !kid.as_ref().is_none_or(right_length) {
            return Err(Error::KeyInvalid);
        }
        let named = kid.as_ref().map(|kid| ("kid", kid.as_str().into()));
        let prefix = prefix(&key, token_type, named)?;
        Ok(Self { key, kid, prefix })
    }

    /// Signs with this key and writes its public half into the header (`jwk`, RFC 7515 §4.1.3), as a proof of possession has it
    /// (RFC 9449 §4.2). [`Possession`](crate::Possession) reads such tokens, and no [`Verifier`](crate::Verifier) does.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnsupported`] for a shared secret, which has no public half.
    pub fn with_embedded_key(key: AnySigningKey, token_type: TokenType) -> Result<Self, Error> {
        let jwk = serde_json::to_value(key.verifying_key().to_jwk()?).map_err(|_| Error::KeyInvalid)?;
        let prefix = prefix(&key, token_type, Some(("jwk", jwk)))?;
        Ok(Self {
            key,
            kid: None,
            prefix,
        })
    }

    /// A token (RFC 7515 §5.1, RFC 7519 §7.1) with these claims, which must be a JSON object. No claim is added.
    ///
    /// # Errors
    ///
    /// [`Error::ClaimsUnserializable`] when they are none; [`Error::CryptoFailed`].
    pub fn sign<C: Serialize>(&self, claims: &C) -> Result<String, Error> {
        let mut token = String::new();
        self.sign_into(claims, &mut token)?;
        Ok(token)
    }

    /// As [`Signer::sign`] (RFC 7519 §7.1), behind what `token` already holds. After an error a piece without signature may stand there.
    ///
    /// # Errors
    ///
    /// As [`Signer::sign`].
    pub fn sign_into<C: Serialize>(&self, claims: &C, token: &mut String) -> Result<(), Error> {
        let mut json = Vec::with_capacity(USUAL_CLAIMS_BYTES);
        serde_json::to_writer(&mut json, claims).map_err(|_| Error::ClaimsUnserializable)?;
        if json.first() != Some(&b'{') {
            return Err(Error::ClaimsUnserializable);
        }
        let start = token.len();
        // Enough for all of it at once, RSA with 3,072 bits included.
        token.reserve(self.prefix.len() + json.len().div_ceil(3) * 4 + 1 + 512);
        token.push_str(&self.prefix);
        base64url::encode_onto(&json, token);
        let mut signature = Vec::with_capacity(self.key.algorithm().signature_len().unwrap_or_default());
        let message = token.get(start..).unwrap_or_default();
        self.key.sign_into(message.as_bytes(), &mut signature)?;
        token.push('.');
        base64url::encode_onto(&signature, token);
        Ok(())
    }

    /// The algorithm it signs with (RFC 7515 §4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The `kid` that names its key (RFC 7515 §4.1.4), when it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

/// The encoded header and its dot; `further` is what it has beside `alg` and `typ`.
fn prefix(
    key: &AnySigningKey,
    token_type: TokenType,
    further: Option<(&str, Value)>,
) -> Result<String, Error> {
    let mut header = serde_json::Map::new();
    header.insert("alg".to_owned(), key.algorithm().name().into());
    header.insert("typ".to_owned(), token_type.name().into());
    if let Some((name, value)) = further {
        header.insert(name.to_owned(), value);
    }
    let json = serde_json::to_vec(&header).map_err(|_| Error::ClaimsUnserializable)?;
    Ok(format!("{}.", base64url::encode(&json)))
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("key", &self.key)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
