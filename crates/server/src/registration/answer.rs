//! What a client is told of its registration: all that it was registered with, and what only it may know.
//!
//! Spec: RFC 7591 §3.2.1 · RFC 7592 §3 · OpenID Connect Dynamic Client Registration §3.2, §4.3

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use carnet_oauth::client_metadata::ClientMetadata;
use carnet_oauth::grant_type::GrantType;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::app::App;
use crate::config::{Client, DpopPolicy, Ttl};
use crate::token::id_token;

/// Where clients register themselves; a registration lies below.
pub(super) const PATH: &str = "/oauth/register";

/// A registration, as its client is told of it.
pub(super) struct Told<'a> {
    pub(super) app: &'a App,
    pub(super) client: &'a Client,
    pub(super) said: ClientMetadata,
    /// When it registered, in milliseconds.
    pub(super) since: i64,
    /// Its secret, when it was made or shown just now (of others the digest alone is known), and when it stops to count, if it will.
    pub(super) secret: Option<(&'a str, Option<i64>)>,
    /// The token that manages the registration.
    pub(super) token: &'a str,
}

impl Told<'_> {
    pub(super) fn with_status(self, status: StatusCode) -> Response {
        let (client, uri) = (self.client, self.app.config.issuer.join(PATH));
        let mut body = metadata(self.app, client, self.said).into_object();
        let mut tell = |name: &str, value: Value| body.insert(name.to_owned(), value);
        tell("client_id", json!(client.id));
        tell("client_id_issued_at", json!(self.since.div_euclid(1000)));
        if let Some((secret, _)) = self.secret {
            tell("client_secret", json!(secret));
        }
        if client.auth_method.has_secret() {
            let until = self.secret.and_then(|(_, until)| until);
            // RFC 7591 §3.2.1: 0 when it does not.
            let until = until.map_or(0, |until| until.div_euclid(1000));
            tell("client_secret_expires_at", json!(until));
        }
        tell("registration_access_token", json!(self.token));
        tell("registration_client_uri", json!(format!("{uri}/{}", client.id)));
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        response
    }
}

/// §3.2.1: what was registered, in the words of clients, what we have filled in included.
fn metadata(app: &App, client: &Client, said: ClientMetadata) -> ClientMetadata {
    let asks_for_codes = client.grant_types.contains(&GrantType::AuthorizationCode);
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let names = client.grant_types.iter().map(|grant_type| grant_type.name());
    let signing = id_token::algorithm(app, client);
    ClientMetadata {
        redirect_uris: some(&client.redirect_uris),
        token_endpoint_auth_method: Some(client.auth_method.name().to_owned()),
        token_endpoint_auth_signing_alg: client.assertion_signing.map(|one| one.name().to_owned()),
        grant_types: Some(names.map(str::to_owned).collect()),
        response_types: Some(if asks_for_codes {
            vec!["code".to_owned()]
        } else {
            Vec::new()
        }),
        client_name: client.name.clone(),
        client_names: client.names.clone(),
        client_uri: client.uri.clone(),
        logo_uri: client.logo_uri.clone(),
        scope: Some(client.scope.to_string()),
        tos_uri: client.tos_uri.clone(),
        policy_uri: client.policy_uri.clone(),
        jwks_uri: client.jwks_uri.clone(),
        jwks: client.jwks.clone(),
        subject_type: Some("public".to_owned()),
        id_token_signed_response_alg: signing.map(|one| one.name().to_owned()),
        default_max_age: client.default_max_age.map(Ttl::as_seconds),
        post_logout_redirect_uris: some(&client.post_logout_redirect_uris),
        backchannel_logout_uri: client.backchannel_logout_uri.clone(),
        backchannel_logout_session_required: client.backchannel_logout_session_required.then_some(true),
        frontchannel_logout_uri: client.frontchannel_logout_uri.clone(),
        frontchannel_logout_session_required: client.frontchannel_logout_session_required.then_some(true),
        require_pushed_authorization_requests: client.require_pushed_authorization_requests.then_some(true),
        dpop_bound_access_tokens: (client.dpop == DpopPolicy::Required).then_some(true),
        ..said
    }
}
