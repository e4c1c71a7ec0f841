//! What an assertion is held against: whose it is, for whom, of which type, and signed with which keys.
//!
//! Spec: RFC 7523 §3 · RFC 8725 §3.11 (explicit typing) · draft-ietf-oauth-rfc7523bis §4

use std::sync::Arc;
use std::time::Duration;

use carnet_client::jwks::RemoteKeys;
use carnet_jose::{Algorithm, Error, KeySet, KeySource, TokenType, Verifier, dangerous};
use carnet_oauth::client_auth::AssertionClaims;

/// The type of an assertion that proves who a client is.
pub const AUTHENTICATION: TokenType = TokenType::Other("client-authentication+jwt");
/// The type of an assertion that a token is granted for.
pub const GRANT: TokenType = TokenType::Other("authorization-grant+jwt");

/// Both types that an assertion may have: none in particular (RFC 7523), or its own. One that says it is something else is nothing here.
pub struct AssertionVerifier {
    plain: Option<Verifier>,
    typed: Verifier,
    remote: Option<Arc<RemoteKeys>>,
}

/// The keys of whoever signs.
#[derive(Clone)]
pub enum Keys {
    /// They never change.
    Fixed(Arc<KeySet>),
    /// They lie elsewhere, and are fetched when they are needed.
    Remote(Arc<RemoteKeys>),
}

/// What an assertion must be.
pub struct Expected<'a> {
    /// Its `iss`, byte for byte.
    pub issuer: &'a str,
    /// What its `aud` may be.
    pub audiences: Vec<String>,
    /// What it may be signed with.
    pub algorithms: &'a [Algorithm],
    /// Its own type.
    pub typed: TokenType,
    /// Whether it has to say so.
    pub require_type: bool,
    /// How far the clocks may be apart.
    pub leeway: Duration,
}

impl AssertionVerifier {
    /// Checks with these keys.
    pub fn new(keys: Keys, expected: &Expected<'_>) -> Result<Self, Error> {
        let (keys, remote): (Arc<dyn KeySource>, _) = match keys {
            Keys::Fixed(set) => (Arc::new(set), None),
            Keys::Remote(remote) => (remote.clone(), Some(remote)),
        };
        let verifier = |token_type| {
            let builder = Verifier::builder(keys.clone())
                .algorithms(expected.algorithms)
                .token_type(token_type)
                .issuer(expected.issuer)
                .require(&["sub", "jti"])
                .leeway(expected.leeway);
            let audiences = expected.audiences.iter();
            audiences
                .fold(builder, |builder, ours| builder.audience(ours))
                .build()
        };
        let plain = (!expected.require_type).then(|| verifier(TokenType::Jwt));
        Ok(Self {
            plain: plain.transpose()?,
            typed: verifier(expected.typed)?,
            remote,
        })
    }

    /// What the assertion says, if it is signed for us. [`Error::KeysUnavailable`]: its keys could not be fetched, and nobody can say.
    pub async fn verify(&self, assertion: &str, now: u64) -> Result<AssertionClaims, Error> {
        let Some(remote) = &self.remote else {
            return self.verify_at_once(assertion, now);
        };
        remote.prepare().await;
        let verified = self.verify_at_once(assertion, now);
        if !matches!(verified, Err(Error::UnknownKeyId)) {
            return verified;
        }
        // Perhaps its issuer has just begun to sign with it.
        let decoded = dangerous::decode(assertion)?;
        if let Some(kid) = decoded.header.get("kid").and_then(|kid| kid.as_str()) {
            remote.refresh_for(kid).await;
        }
        self.verify_at_once(assertion, now)
    }

    fn verify_at_once(&self, assertion: &str, now: u64) -> Result<AssertionClaims, Error> {
        let plain = self.plain.as_ref();
        let plain = plain.map(|plain| plain.verify_owned(assertion, now));
        let verified = match plain {
            None | Some(Err(Error::TokenTypeMismatch)) => self.typed.verify_owned(assertion, now),
            Some(other) => other,
        };
        verified.map(|verified| verified.claims)
    }
}
