//! Tokens for a client: a program on a user's own machine, which has no secret to keep, or a server that has one.
//!
//! Spec: RFC 6749 §2.3, §4.1.3, §5, §6 · RFC 7009 · RFC 8252 §8.4 · RFC 9449 §5

use std::sync::Arc;

use bytes::Bytes;
use carnet_oauth::dpop::{Request, SCHEME};
use carnet_oauth::metadata::Metadata;
use carnet_oauth::token_response::TokenResponse;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::credentials::Credentials;
use crate::dpop::{DpopKey, Sending};
use crate::error::ClientError;
use crate::http::{Answer, HttpClient, address};

/// The endpoints of an authorization server at which one client asks.
///
/// ```no_run
/// # async fn run() -> Result<(), carnet_client::error::ClientError> {
/// use carnet_client::discovery::discover;
/// use carnet_client::http::HttpClient;
/// use carnet_client::token::Client;
///
/// let http = HttpClient::new()?;
/// let metadata = discover(&http, "https://auth.example.com").await?;
/// let client = Client::public(http, metadata, "my-cli");
/// let tokens = client.refresh("carnet_rt.…").await?;
/// println!("{} seconds", tokens.expires_in);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    http: HttpClient,
    metadata: Metadata,
    id: String,
    key: Option<Arc<DpopKey>>,
    credentials: Credentials,
}

impl Client {
    /// Asks as `id`, which has no secret, what `metadata` describes.
    pub fn public(http: HttpClient, metadata: Metadata, id: &str) -> Self {
        Self::confidential(http, metadata, id, Credentials::none())
    }

    /// Asks as `id` with what proves it.
    pub fn confidential(http: HttpClient, metadata: Metadata, id: &str, credentials: Credentials) -> Self {
        let id = id.to_owned();
        Self {
            http,
            metadata,
            id,
            credentials,
            key: None,
        }
    }

    /// Its tokens are bound to this key from now on, and any other is refused (RFC 9449 §5).
    pub fn with_key(self, key: Arc<DpopKey>) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// Its `client_id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the server says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// A code that came back to `redirect_uri`, for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5).
    pub async fn redeem(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<TokenResponse, ClientError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        self.tokens(&fields).await
    }

    /// A refresh token for the next one and a fresh access token (RFC 6749 §6). An answer without a refresh token means that the old one
    /// goes on.
    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ClientError> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.tokens(&fields).await
    }

    /// Gives a token back (RFC 7009 §2.1).
    pub async fn revoke(&self, token: &str) -> Result<(), ClientError> {
        let url = self.endpoint(self.metadata.revocation_endpoint.as_ref(), "revocation_endpoint")?;
        self.ask(url, &[("token", token)]).await.map(|_| ())
    }

    /// Asks the token endpoint.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when the server says no, with the code of RFC 6749 §5.2.
    pub(crate) async fn tokens(&self, fields: &[(&str, &str)]) -> Result<TokenResponse, ClientError> {
        let url = self.endpoint(self.metadata.token_endpoint.as_ref(), "token_endpoint")?;
        let Some(key) = &self.key else {
            let answer = self.post(url, fields, HeaderMap::new()).await?;
            return self.issued(answer, url, ("Bearer", "bearer token")).await;
        };
        let request = Request {
            method: "POST",
            uri: url,
            access_token: None,
        };
        let post = |headers| -> Sending<'_> { Box::pin(self.post(url, fields, headers)) };
        let answer = key.send(&request, post).await?;
        // RFC 9449 §5: another type would say that it is not bound.
        self.issued(answer, url, (SCHEME, "token that is bound to the key"))
            .await
    }

    /// RFC 6749 §7.1: a token of another type is not for us; A.12: one that is no visible ASCII is none.
    async fn issued(
        &self,
        answer: Answer,
        url: &str,
        (token_type, what): (&str, &str),
    ) -> Result<TokenResponse, ClientError> {
        let tokens: TokenResponse = read(&said(answer, url)?, url)?;
        let visible = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let refresh_token = tokens.refresh_token.as_deref();
        if visible(&tokens.access_token) && refresh_token.is_none_or(visible) {
            if tokens.token_type.eq_ignore_ascii_case(token_type) {
                return Ok(tokens);
            }
            // Nobody will use them: they are not left open either.
            let _told = self.revoke(refresh_token.unwrap_or(&tokens.access_token)).await;
        }
        Err(ClientError::Invalid(format!("{url} answered with no {what}")))
    }

    /// Asks a resource with an access token of this client, and a proof when it is bound.
    pub async fn get(&self, url: &str, access_token: &str) -> Result<Answer, ClientError> {
        let Some(key) = &self.key else {
            let invalid = |_| ClientError::Invalid("the access token cannot stand in a header".to_owned());
            let mut value = HeaderValue::from_str(&format!("Bearer {access_token}")).map_err(invalid)?;
            value.set_sensitive(true);
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            return self.http.get(url, headers).await;
        };
        let request = Request {
            method: "GET",
            uri: url,
            access_token: Some(access_token),
        };
        let get = |headers| -> Sending<'_> { Box::pin(self.http.get(url, headers)) };
        key.send(&request, get).await
    }

    /// Asks an endpoint by name.
    pub(crate) async fn ask(&self, url: &str, fields: &[(&str, &str)]) -> Result<Bytes, ClientError> {
        said(self.post(url, fields, HeaderMap::new()).await?, url)
    }

    async fn post(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        mut headers: HeaderMap,
    ) -> Result<Answer, ClientError> {
        let (proof, shown) = self.credentials.prove(&self.id, &self.metadata.issuer)?;
        headers.extend(proof);
        // What the proof says, such as `client_id`, is not said twice.
        let further: Vec<_> = fields
            .iter()
            .filter(|(name, _)| shown.iter().all(|(said, _)| said != name))
            .collect();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&shown)
            .extend_pairs(further)
            .finish();
        self.http.post_form(url, headers, form).await
    }

    pub(crate) fn endpoint<'a>(&self, url: Option<&'a String>, name: &str) -> Result<&'a str, ClientError> {
        let issuer = &self.metadata.issuer;
        let url = url.ok_or_else(|| ClientError::Invalid(format!("{issuer} has no {name}")))?;
        address(url)?;
        // What is sent there opens an account: never in the clear when the issuer is not.
        if issuer.starts_with("https:") && !url.starts_with("https:") {
            return Err(ClientError::Invalid(format!(
                "the {name} of {issuer} is no https URL"
            )));
        }
        Ok(url)
    }
}

fn said(answer: Answer, url: &str) -> Result<Bytes, ClientError> {
    match answer.status {
        // RFC 9126 §2.2: a request that was pushed is a 201.
        StatusCode::OK | StatusCode::CREATED => Ok(answer.body),
        _ => Err(refused(&answer, url)),
    }
}

/// A JSON body of the shape that the specification gives it.
pub(crate) fn read<T: serde::de::DeserializeOwned>(body: &[u8], url: &str) -> Result<T, ClientError> {
    carnet_jose::json::check_object(body, 32)
        .map_err(|error| ClientError::Invalid(format!("{url}: {error}")))?;
    // Its text may hold a token: the error does not quote it.
    serde_json::from_slice(body).map_err(|_| ClientError::Invalid(format!("{url} answered something else")))
}

/// RFC 6749 §5.2 in the answer, or the bare status.
pub(crate) fn refused(answer: &Answer, url: &str) -> ClientError {
    let status = ClientError::Status(url.to_owned(), answer.status.as_u16());
    // Overloaded, or broken: that is no word on the request, whatever the body says.
    let passing = answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS;
    let Some(body) = serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .filter(|_| !passing)
    else {
        return status;
    };
    let member = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).unwrap_or_default();
        let known = text.chars().filter(|char| matches!(char, ' '..='~'));
        known.take(MOST_CHARACTERS).collect::<String>()
    };
    match member("error") {
        error if error.is_empty() => status,
        error => ClientError::Refused(error, member("error_description")),
    }
}

/// As much of what a server says of its refusal is passed on.
const MOST_CHARACTERS: usize = 300;
