//! `POST /oauth/par`: a client hands in its request itself, and the browser carries only a reference to it.
//!
//! Spec: RFC 9126 · RFC 9449 §10.1 (DPoP)

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use carnet_jose::{base64url, primitive};
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::metadata::Metadata;
use carnet_store::{Redeemed, TicketKind};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::implicit;
use super::parameters::{MAX_BYTES, Parameters};
use super::request::{AuthorizationRequest, Objection};
use crate::app::App;
use crate::audit::Caller;
use crate::client::PAR_PATH;
use crate::client_auth::authenticate_client;
use crate::config::Ttl;
use crate::http::failure::{Because as _, Failure, Refusal};
use crate::http::form::Form;
use crate::http::origin::open_cors;
use crate::interaction::LIFE as INTERACTION_LIFE;
use crate::sender::{self, Place};
use crate::throttle::Attempt;
use crate::token::code::random_secret;

/// §2.2 leaves the rest of the URN to us.
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// How long a reference leads to a login page (D3).
const LIFE: Ttl = Ttl::seconds(90);
/// What proves who the client is, and is no part of its request.
const PROOF: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// What is kept of a pushed request.
#[derive(Serialize, Deserialize)]
struct Pushed {
    parameters: Vec<(String, String)>,
    /// Until when its reference is followed, in milliseconds. The ticket stays for those who are logging in by then, or the request could
    /// be answered twice.
    until: i64,
}

/// The route. No cookie is read here, so the page of any origin may call it.
pub(super) fn routes() -> Router<App> {
    Router::new().route(PAR_PATH, post(push)).layer(open_cors())
}

/// What discovery says of it. Clients prove who they are as at the token endpoint (§2).
pub(super) fn advertise(app: &App, metadata: &mut Metadata) {
    metadata.pushed_authorization_request_endpoint = Some(app.config.issuer.join(PAR_PATH));
    metadata.require_pushed_authorization_requests =
        app.config.authorization.require_pushed_authorization_requests;
}

async fn push(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Failure> {
    let client = authenticate_client(&app, &caller, &headers, &form).await?;
    if form.optional("request_uri").is_some() {
        return Err(invalid("a request that is pushed has no request_uri of its own"));
    }
    if client.auth_method == AuthMethod::None {
        // Whoever knows its name can be a public client.
        Attempt::authorization(&app, caller.address)?.count(&app).await?;
    }
    let reference = random_secret()?;
    let name = name(&client.id, &reference);
    // RFC 9449 §10.1: a proof here stands for dpop_jkt, and may not contradict it.
    let jkt = sender::key_if_proven(&app, &headers, &app.config.issuer.join(PAR_PATH)).await?;
    let pairs = bound(own(form, &client.id), jkt.as_deref())?;
    let bytes: usize = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    if bytes > MAX_BYTES {
        return Err(invalid("an authorization request has 8 KiB at most"));
    }
    let parameters = Parameters::of(pairs, Some(name.clone()));
    AuthorizationRequest::read(&app, &parameters)
        .await
        .map_err(|objection| to_client(&app, &parameters, objection))?;
    let until = app.now().saturating_add(LIFE.millis());
    let pushed = Pushed {
        parameters: parameters.into_request().parameters,
        until,
    };
    let payload = serde_json::to_string(&pushed).map_err(Failure::broken)?;
    let expires_at = until.saturating_add(INTERACTION_LIFE.millis());
    app.store
        .keep_ticket(TicketKind::PushedRequest, &name, &payload, expires_at)
        .await?;
    let body = json!({ "request_uri": format!("{PREFIX}{reference}"), "expires_in": LIFE.as_seconds() });
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let no_store = HeaderValue::from_static("no-cache, no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    if jkt.is_some() {
        sender::give(&app, Place::TokenEndpoint, &mut response)?;
    }
    Ok(response)
}

/// The request itself. Who authenticates need not say once more who it is.
fn own(form: Form, client_id: &str) -> Vec<(String, String)> {
    let mut pairs = form.into_pairs();
    pairs.retain(|(name, _)| !PROOF.contains(&name.as_str()) && name != "client_id");
    pairs.push(("client_id".to_owned(), client_id.to_owned()));
    pairs
}

/// The request with the key that was proven for it.
fn bound(mut pairs: Vec<(String, String)>, jkt: Option<&str>) -> Result<Vec<(String, String)>, Failure> {
    const NAME: &str = "dpop_jkt";
    match (jkt, pairs.iter().find(|(name, _)| name == NAME)) {
        (Some(jkt), Some((_, named))) if named != jkt => {
            Err(invalid("dpop_jkt names another key than the DPoP proof has"))
        }
        (Some(jkt), None) => {
            pairs.push((NAME.to_owned(), jkt.to_owned()));
            Ok(pairs)
        }
        _ => Ok(pairs),
    }
}

/// §2.3: there is nobody here but the client, so it is told whatever is wrong.
fn to_client(app: &App, parameters: &Parameters, objection: Objection) -> Failure {
    match objection {
        Objection::ToClient(to, code, reason) => {
            let help = implicit::help(app, parameters, (&to, code));
            code.because(reason).help(help).into()
        }
        Objection::ToPerson(Failure::Refused(refusal)) if refusal.code() == "redirect_uri_mismatch" => {
            invalid(refusal.reason())
        }
        Objection::ToPerson(failure) => failure,
    }
}

/// What a browser asks for: its own parameters, or what it carries a reference to. Of the rest of its request nothing counts (§4).
pub(super) async fn follow(app: &App, brought: Parameters) -> Result<Parameters, Failure> {
    let reference = match brought.once("request_uri") {
        Ok(Some(uri)) => uri.strip_prefix(PREFIX),
        Ok(None) => None,
        Err(()) => return Err(unusable().into()),
    };
    let Some(reference) = reference else {
        return Ok(brought);
    };
    let client_id = brought.once("client_id").ok().flatten().ok_or_else(unusable)?;
    let name = name(client_id, reference);
    let payload = app
        .store
        .ticket(TicketKind::PushedRequest, &name, app.now())
        .await?;
    let pushed: Option<Pushed> = payload.and_then(|payload| serde_json::from_str(&payload).ok());
    let pushed = pushed.filter(|pushed| app.now() < pushed.until);
    let pushed = pushed.ok_or_else(unusable)?;
    Ok(Parameters::of(pushed.parameters, Some(name)))
}

/// The request is answered. Of two tabs, one gets the answer.
pub(super) async fn spend(app: &App, name: &str) -> Result<(), Failure> {
    let redeemed = app
        .store
        .redeem_ticket(TicketKind::PushedRequest, name, app.now())
        .await?;
    match redeemed {
        Redeemed::Fresh(_) => Ok(()),
        Redeemed::Again(_) | Redeemed::Unknown => Err(unusable().into()),
    }
}

/// The name under which a request is kept: nothing to another client, and nothing that a reader of the store could use.
fn name(client_id: &str, reference: &str) -> String {
    base64url::encode(&primitive::sha256(format!("{client_id}\0{reference}").as_bytes()))
}

fn invalid(reason: &'static str) -> Failure {
    ErrorCode::InvalidRequest.because(reason).into()
}

/// One answer for all, and to the person: whose request it was is not known.
fn unusable() -> Refusal {
    const REASON: &str =
        "there is no such pushed request for this client: it was answered, or is older than 90 seconds";
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_request_uri", REASON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_01_what_proves_who_the_client_is_is_not_kept_with_its_request() {
        let form = b"client_id=web&client_secret=s&client_assertion=a&client_assertion_type=t&scope=openid";
        let kept = own(Form::parse(form).unwrap(), "web");
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["scope", "client_id"]);
    }

    #[test]
    fn st_01_a_request_is_kept_under_a_name_that_is_not_its_reference() {
        assert_ne!(name("web", "reference"), name("web2", "reference"));
        assert!(!name("web", "reference").contains("reference"));
    }
}
