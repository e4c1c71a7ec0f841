//! What is asked of the token endpoint of either server, and what its answers must hold.

use bytes::Bytes;
use carnet_jose::base64url;
use http::{Request, StatusCode, header};
use serde_json::Value;

use super::server::Server;
use crate::Outcome;
use crate::client::{Answer, Connection};

pub(super) const ES256_API: &str = "https://api.example.com";
pub(super) const RS256_API: &str = "https://legacy.example.com";
pub(super) const REDIRECT_URI: &str = "https://web.example.com/cb";
/// Of every confidential party.
pub(super) const SECRET: &str = "a-secret-of-more-than-32-characters-for-all";

/// An authorization request, with the PKCE example of RFC 7636, appendix B.
pub(super) const AUTHORIZATION: &[(&str, &str)] = &[
    ("response_type", "code"),
    ("client_id", "web"),
    ("redirect_uri", REDIRECT_URI),
    ("scope", "openid profile email read:orders"),
    ("state", "s-1"),
    ("nonce", "n-1"),
    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method", "S256"),
];
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Pairs, form-encoded.
#[derive(Default)]
pub(super) struct Encoded {
    pub(super) text: String,
}

impl Encoded {
    pub(super) fn pair(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.text.push(char::from(byte));
                }
                other => self.text.push_str(&format!("%{other:02X}")),
            }
        }
        self
    }

    pub(super) fn all(self, pairs: &[(&str, &str)]) -> Self {
        pairs
            .iter()
            .fold(self, |encoded, (name, value)| encoded.pair(name, value))
    }
}

/// A connection of a client, or of a resource server, that authenticates with Basic.
pub(super) struct Caller {
    connection: Connection,
    authorization: String,
}

/// The tokens of an answer.
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) id: Option<String>,
    pub(super) refresh: Option<String>,
}

impl Caller {
    pub(super) async fn open(server: &Server, id: &str) -> Outcome<Self> {
        let credentials = base64(format!("{id}:{SECRET}").as_bytes());
        Ok(Self {
            connection: Connection::open(&server.address).await?,
            authorization: format!("Basic {credentials}"),
        })
    }

    pub(super) async fn post(&mut self, path: &str, form: &Encoded) -> Outcome<Answer> {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self
            .connection
            .send(request, Bytes::copy_from_slice(form.text.as_bytes()))
            .await?;
        if answer.status == StatusCode::OK {
            return Ok(answer);
        }
        let said = String::from_utf8_lossy(&answer.body);
        Err(format!("{path}: {} {said}", answer.status).into())
    }

    /// Redeems a code.
    pub(super) async fn redeem(
        &mut self,
        path: &str,
        (code, resource): (&str, Option<&str>),
    ) -> Outcome<Tokens> {
        let form = Encoded::default().all(&[
            ("grant_type", "authorization_code"),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ]);
        // It came in a query, encoded already.
        let form = Encoded {
            text: format!("{}&code={code}", form.text),
        };
        let form = match resource {
            Some(resource) => form.pair("resource", resource),
            None => form,
        };
        tokens(&self.post(path, &form).await?)
    }
}

/// The form of a client that asks for itself.
pub(super) fn for_itself(resource: Option<&str>) -> Encoded {
    let form = Encoded::default().all(&[("grant_type", "client_credentials"), ("scope", "read:orders")]);
    match resource {
        Some(resource) => form.pair("resource", resource),
        None => form,
    }
}

pub(super) fn tokens(answer: &Answer) -> Outcome<Tokens> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Tokens {
        access: text("access_token").ok_or("no access token")?,
        id: text("id_token"),
        refresh: text("refresh_token"),
    })
}

/// Both sides must do the same work: the algorithm of a JWT, `None` when it is none.
pub(super) fn algorithm(token: &str) -> Option<String> {
    let header = base64url::decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header.get("alg")?.as_str().map(str::to_owned)
}

fn base64(bytes: &[u8]) -> String {
    let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
