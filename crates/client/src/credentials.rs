//! How a client proves to an authorization server who it is.
//!
//! Spec: RFC 6749 §2.3.1 (client_secret_basic) · RFC 7523 §2.2, §3 (private_key_jwt)

use std::sync::Arc;

use carnet_jose::{AnySigningKey, Signer, TokenType, base64url, primitive};
use carnet_oauth::access_token::Audience;
use carnet_oauth::client_auth::{AssertionClaims, JWT_BEARER};
use http::{HeaderMap, HeaderValue, header};

use crate::clock::Clock;
use crate::error::ClientError;

/// What a client shows beside its name.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    None,
    Basic(HeaderValue),
    Key(Arc<Key>),
}

/// The headers and the fields of a form.
pub(crate) type Shown = (HeaderMap, Vec<(&'static str, String)>);

struct Key {
    signer: Signer,
    clock: Arc<dyn Clock>,
}

impl Credentials {
    /// Of a public client: none (RFC 6749 §2.1).
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// A secret in the `Authorization` header: `client_secret_basic`.
    pub fn secret(id: &str, secret: &str) -> Result<Self, ClientError> {
        basic(id, secret).map(|header| Self(Kind::Basic(header)))
    }

    /// A key of the client's own, which signs a new assertion for every request: `private_key_jwt`. `kid` is the key's name in the set that
    /// the server knows.
    pub fn key(key: AnySigningKey, kid: Option<String>, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let signer = Signer::new(key, TokenType::Jwt, kid).map_err(unusable)?;
        Ok(Self(Kind::Key(Arc::new(Key { signer, clock }))))
    }

    /// The header and the fields of the form that prove the client `id` to `issuer`.
    pub(crate) fn prove(&self, id: &str, issuer: &str) -> Result<Shown, ClientError> {
        let mut headers = HeaderMap::new();
        let fields = match &self.0 {
            Kind::None => vec![("client_id", id.to_owned())],
            Kind::Basic(header) => {
                headers.insert(header::AUTHORIZATION, header.clone());
                Vec::new()
            }
            Kind::Key(key) => vec![
                ("client_id", id.to_owned()),
                ("client_assertion_type", JWT_BEARER.to_owned()),
                ("client_assertion", key.assertion(id, issuer)?),
            ],
        };
        Ok((headers, fields))
    }
}

impl Key {
    /// RFC 7523 §3, and for the issuer alone: an audience that another server shares could be replayed there.
    fn assertion(&self, id: &str, issuer: &str) -> Result<String, ClientError> {
        let mut jti = [0; 16];
        primitive::fill_random(&mut jti).map_err(unusable)?;
        let now = self.clock.since_epoch().as_secs();
        let claims = AssertionClaims {
            iss: id.to_owned(),
            sub: id.to_owned(),
            aud: Audience::One(issuer.to_owned()),
            jti: base64url::encode(&jti),
            exp: now.saturating_add(ASSERTION_SECONDS),
            iat: Some(now),
            client_id: None,
            scope: None,
        };
        self.signer.sign(&claims).map_err(unusable)
    }
}

/// The value of `Authorization` for a name and a secret (§2.3.1: both form-encoded first).
pub(crate) fn basic(id: &str, secret: &str) -> Result<HeaderValue, ClientError> {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = data_encoding::BASE64.encode(format!("{}:{}", encode(id), encode(secret)).as_bytes());
    let mut value = HeaderValue::from_str(&format!("Basic {credentials}"))
        .map_err(|_| ClientError::Invalid("the credentials are no header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(error: carnet_jose::Error) -> ClientError {
    ClientError::Invalid(format!("the client's key cannot be used: {error}"))
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

/// As long as an assertion counts.
const ASSERTION_SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use carnet_jose::Algorithm;

    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_secret_is_form_encoded_and_leaves_the_body_alone() {
        let secret = Credentials::secret("a b", "s:%").unwrap();
        let (headers, fields) = secret.prove("a b", "https://a.test").unwrap();
        let expected = format!("Basic {}", data_encoding::BASE64.encode(b"a+b:s%3A%25"));
        assert_eq!(headers[header::AUTHORIZATION], expected.as_str());
        assert!(headers[header::AUTHORIZATION].is_sensitive());
        assert!(fields.is_empty());
    }

    #[test]
    fn an_assertion_is_for_the_issuer_alone_and_never_the_same_twice() {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let key = Credentials::key(key, Some("k".to_owned()), Arc::new(SystemClock)).unwrap();
        let assertion = || {
            let (_, fields) = key.prove("app", "https://a.test").unwrap();
            fields
                .into_iter()
                .find(|(name, _)| *name == "client_assertion")
                .unwrap()
                .1
        };
        let (one, other) = (assertion(), assertion());
        let payload = carnet_jose::dangerous::decode(&one).unwrap().payload;
        assert_eq!(payload["aud"], "https://a.test");
        assert_eq!(
            (&payload["iss"], &payload["sub"]),
            (&payload["sub"], &"app".into())
        );
        let jti = carnet_jose::dangerous::decode(&other).unwrap().payload["jti"].clone();
        assert_ne!(payload["jti"], jti);
    }
}
