//! An authorization request, checked: first what decides where an answer may go, then everything that may be answered there.
//!
//! Spec: RFC 6749 §4.1.1, §4.1.2.1 · RFC 7636 §4.3 · RFC 8707 §2.1 · RFC 9126 §2.1, §5 · RFC 9449 §10 ·
//! OpenID Connect Core §3.1.2.1, §3.1.2.2, §5.5

use std::sync::Arc;

use carnet_oauth::claims_request::ClaimsRequest;
use carnet_oauth::dpop;
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::extent::Extent;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::pkce::{Challenge, S256};
use http::StatusCode;

use super::claims::Claims;
use super::parameters::Parameters;
use super::prompt::Prompt;
use super::return_address::{ResponseMode, ReturnAddress};
use crate::app::App;
use crate::client::Client;
use crate::config::Ttl;
use crate::http::failure::{Failure, Refusal};
use crate::interaction::unknown_client;
use crate::wanted::{self, Refuse};

/// A request that may be answered.
pub(super) struct AuthorizationRequest {
    pub(super) client: Arc<Client>,
    pub(super) to: ReturnAddress,
    /// What is asked for, and has to be allowed.
    pub(super) extent: Extent,
    /// What is told by name, and where.
    pub(super) claims: ClaimsRequest,
    pub(super) audience: String,
    pub(super) challenge: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) prompt: Prompt,
    /// In seconds.
    pub(super) max_age: Option<u64>,
    /// Who is expected, by an ID token of ours or by name; anybody when there is no such list.
    pub(super) expected_subs: Option<Vec<String>>,
    /// The name under which it was pushed.
    pub(super) pushed: Option<String>,
    /// The key that the client will prove at the token endpoint, by its thumbprint.
    pub(super) jkt: Option<String>,
}

/// Why there is no answer, and who is told.
pub(super) enum Objection {
    /// The person at the browser: nobody knows where else to go.
    ToPerson(Failure),
    /// The client, at its registered address.
    ToClient(Box<ReturnAddress>, ErrorCode, &'static str),
}

impl From<Failure> for Objection {
    fn from(failure: Failure) -> Self {
        Self::ToPerson(failure)
    }
}

impl AuthorizationRequest {
    pub(super) async fn read(app: &App, parameters: &Parameters) -> Result<Self, Objection> {
        let client = client(app, parameters).await?;
        // AZ-01: of two addresses, neither.
        let asked = parameters.once("redirect_uri").map_err(|()| repeated_address())?;
        let to = ReturnAddress::of(app, &client, asked)?
            .with_state(parameters.once("state").unwrap_or(None))
            .in_language(parameters.language);
        let refuse = |code, reason| Objection::ToClient(Box::new(to.clone()), code, reason);
        if parameters.repeats_any() {
            return Err(refuse(ErrorCode::InvalidRequest, "a parameter is repeated"));
        }
        let mode = response_mode(parameters);
        let to = to.clone().by(mode.unwrap_or(ResponseMode::Query));
        let refuse = |(code, reason)| Objection::ToClient(Box::new(to.clone()), code, reason);
        // First of all: whoever moves away from the implicit flow is told so, and not what else would be wrong.
        check_response_type(parameters).map_err(refuse)?;
        if mode.is_none() {
            const REASON: &str = "response_mode is none that is offered: query, form_post";
            return Err(refuse((ErrorCode::InvalidRequest, REASON)));
        }
        check_way(app, &client, parameters).map_err(refuse)?;
        check_kind(&client, parameters).map_err(refuse)?;
        let challenge = challenge(&client, parameters).map_err(refuse)?;
        let scope = wanted::scope_of_login(&client, parameters.get("scope")).map_err(refuse)?;
        let resource = parameters.resource().map_err(|()| refuse(wanted::SEVERAL))?;
        let audience = wanted::audience(resource, &client.audiences).map_err(refuse)?;
        let prompt = Prompt::parse(parameters.get("prompt")).ok_or_else(|| {
            refuse((
                ErrorCode::InvalidRequest,
                "prompt is unknown, or none stands beside others",
            ))
        })?;
        let max_age = max_age(&client, parameters).map_err(refuse)?;
        let jkt = jkt(parameters).map_err(refuse)?;
        let claims = Claims::read(&client, parameters, &scope).map_err(refuse)?;
        let expected_subs = expected(app, &client, parameters, claims.subs.clone()).map_err(refuse)?;
        Ok(Self {
            extent: Extent {
                claims: claims.beyond(&scope),
                scope,
            },
            claims: claims.told,
            audience: audience.to_owned(),
            challenge,
            prompt,
            max_age,
            expected_subs,
            jkt,
            nonce: parameters.get("nonce").map(str::to_owned),
            pushed: parameters.pushed().map(str::to_owned),
            client,
            to,
        })
    }
}

async fn client(app: &App, parameters: &Parameters) -> Result<Arc<Client>, Failure> {
    let id = parameters.once("client_id").map_err(|()| unknown_client())?;
    let client = match id {
        Some(id) => app.client(id).await?,
        None => None,
    };
    Ok(client.ok_or_else(unknown_client)?)
}

fn response_mode(parameters: &Parameters) -> Option<ResponseMode> {
    match parameters.get("response_mode") {
        None => Some(ResponseMode::Query),
        Some(name) => ResponseMode::ALL.into_iter().find(|mode| mode.name() == name),
    }
}

/// RFC 9126 §5: whether the request may come by the browser.
fn check_way(app: &App, client: &Client, parameters: &Parameters) -> Result<(), Refuse> {
    let must_push = client.require_pushed_authorization_requests
        || app.config.authorization.require_pushed_authorization_requests;
    if must_push && parameters.pushed().is_none() {
        const REASON: &str = "the client has to push its requests (RFC 9126)";
        return Err((ErrorCode::InvalidRequest, REASON));
    }
    Ok(())
}

fn check_response_type(parameters: &Parameters) -> Result<(), Refuse> {
    match parameters.get("response_type") {
        Some("code") => Ok(()),
        None => Err((ErrorCode::InvalidRequest, "response_type is missing")),
        // AZ-03: the implicit and the hybrid flow are not there.
        Some(_) => Err((
            ErrorCode::UnsupportedResponseType,
            "the one response_type is code",
        )),
    }
}

/// What kind of request it is, and whether the client may make one.
fn check_kind(client: &Client, parameters: &Parameters) -> Result<(), Refuse> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if parameters.get(name).is_some() {
            return Err((code, "the request is read from its parameters alone"));
        }
    }
    if client.may(GrantType::AuthorizationCode) {
        Ok(())
    } else {
        Err((
            ErrorCode::UnauthorizedClient,
            "the client is not registered for authorization_code",
        ))
    }
}

/// PK-01, PK-02: S256, for everybody who may not do without.
fn challenge(client: &Client, parameters: &Parameters) -> Result<Option<String>, Refuse> {
    let Some(challenge) = parameters.get("code_challenge") else {
        let may_do_without = !client.require_pkce && parameters.get("nonce").is_some();
        return if may_do_without {
            Ok(None)
        } else {
            Err((
                ErrorCode::InvalidRequest,
                "code_challenge is missing (PKCE, RFC 7636)",
            ))
        };
    };
    if parameters.get("code_challenge_method") != Some(S256) {
        return Err((ErrorCode::InvalidRequest, "the one code_challenge_method is S256"));
    }
    match Challenge::parse(challenge) {
        Some(_) => Ok(Some(challenge.to_owned())),
        None => Err((
            ErrorCode::InvalidRequest,
            "code_challenge is not the base64url of a SHA-256",
        )),
    }
}

fn max_age(client: &Client, parameters: &Parameters) -> Result<Option<u64>, Refuse> {
    match parameters.get("max_age").map(str::parse) {
        None => Ok(client.default_max_age.map(Ttl::as_seconds)),
        Some(Ok(seconds)) => Ok(Some(seconds)),
        Some(Err(_)) => Err((ErrorCode::InvalidRequest, "max_age is no number of seconds")),
    }
}

/// Whom the request is about, when it says so by `id_token_hint` or by the claim `sub`.
fn expected(
    app: &App,
    client: &Client,
    parameters: &Parameters,
    named: Vec<String>,
) -> Result<Option<Vec<String>>, Refuse> {
    let Some(hint) = parameters.get("id_token_hint") else {
        return Ok((!named.is_empty()).then_some(named));
    };
    const REASON: &str = "id_token_hint is no ID token for this client";
    let hinted = hinted(app, client, hint).ok_or((ErrorCode::InvalidRequest, REASON))?;
    if named.is_empty() || named.contains(&hinted) {
        return Ok(Some(vec![hinted]));
    }
    const TWO: &str = "id_token_hint and claims name different users";
    Err((ErrorCode::InvalidRequest, TWO))
}

/// RFC 9449 §10: the key that the code is to be bound to.
fn jkt(parameters: &Parameters) -> Result<Option<String>, Refuse> {
    match parameters.get("dpop_jkt") {
        Some(text) if !dpop::is_thumbprint(text) => Err((
            ErrorCode::InvalidRequest,
            "dpop_jkt is not the SHA-256 thumbprint of a key (RFC 7638)",
        )),
        other => Ok(other.map(str::to_owned)),
    }
}

/// Whom a hint names. It is ours, and was made for the client that shows it.
fn hinted(app: &App, client: &Client, hint: &str) -> Option<String> {
    let verified = app
        .id_token_verifier
        .verify_owned::<carnet_oauth::id_token::IdTokenClaims>(hint, app.now_seconds());
    let claims = verified.ok()?.claims;
    (claims.aud == client.id).then_some(claims.sub)
}

fn repeated_address() -> Failure {
    const REASON: &str = "redirect_uri is repeated";
    Refusal::new(StatusCode::BAD_REQUEST, "redirect_uri_mismatch", REASON).into()
}
