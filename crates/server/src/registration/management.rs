//! `/oauth/register/{client_id}`: what a client does with its own registration, by the token that it was given with it.
//!
//! Spec: RFC 7592 §2 · OpenID Connect Dynamic Client Registration §4

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use carnet_jose::primitive;
use carnet_oauth::client_metadata::ClientMetadata;
use carnet_store::{AuditAction, ClientRegistration, ClientState, Reason, RegistrationChange, StoreError};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::answer::Told;
use super::endpoint::{bearer, closed, object, unauthorized};
use super::flaw::Flaw;
use super::request::{self, Body, Wanted};
use crate::app::App;
use crate::audit::Caller;
use crate::config::{self, ClientRegistrationPolicy};
use crate::http::failure::{Failure, Refusal};
use crate::throttle::Attempt;
use crate::token::code::random_secret;

/// The client that the address names.
type Named = Result<Path<String>, PathRejection>;

/// A registration, and who has proven to be its client.
struct Managed {
    client: config::Client,
    row: ClientRegistration,
    token: Zeroizing<String>,
    digest: [u8; 32],
}

/// §2.1: what it is registered with.
pub(super) async fn read(
    State(app): State<App>,
    path: Named,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let managed = Managed::of(&app, &headers, path).await?;
    let told = Told {
        app: &app,
        client: &managed.client,
        said: said(&managed.row)?,
        since: managed.row.created_at,
        secret: None,
        token: &managed.token,
    };
    Ok(told.with_status(StatusCode::OK))
}

/// §2.2: all of it anew. What is left out has its default again.
pub(super) async fn change(
    State(app): State<App>,
    path: Named,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let managed = Managed::of(&app, &headers, path).await?;
    if app.config.client_registration.policy == ClientRegistrationPolicy::Closed {
        return Err(closed().into());
    }
    // Each change is read anew by every node.
    Attempt::client_registration(&app, caller.address)?
        .count(&app)
        .await?;
    let object = match object(body)? {
        Ok(object) => object,
        Err(flaw) => return Ok(flaw.into_response()),
    };
    let shown = match check_identity(&managed.client.id, &object) {
        Ok(shown) => shown,
        Err(flaw) => return Ok(flaw.into_response()),
    };
    let wanted = match request::read(&app, &managed.client.id, object) {
        Ok(wanted) => wanted,
        Err(flaw) => return Ok(flaw.into_response()),
    };
    managed
        .become_what(&app, (&caller, &headers), (wanted, shown))
        .await
}

/// §2.3: the client leaves, with its tokens and what people have let it do.
pub(super) async fn delete(
    State(app): State<App>,
    path: Named,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let client_id = Managed::of(&app, &headers, path).await?.client.id;
    let audit = caller.did(&client_id, AuditAction::ClientDelete, &client_id);
    let cut = app.cut(Reason::Revoked, audit);
    let gone = app
        .store
        .set_client_state(&client_id, ClientState::Deleted, &cut)
        .await?;
    match gone {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(stranger(&headers).into()),
    }
}

impl Managed {
    /// The registration of this name, if the request brings its token. AD-10: one of another client, or of one that is disabled, is as
    /// good as none.
    async fn of(app: &App, headers: &HeaderMap, path: Named) -> Result<Self, Failure> {
        let Path(client_id) = path.map_err(|_| stranger(headers))?;
        let token = bearer(headers).ok_or_else(|| stranger(headers))?;
        let digest = primitive::sha256(token.as_bytes());
        // What is no name is not looked for.
        let row = match client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => app.store.client_registration(&client_id).await?,
            false => None,
        };
        let known = row.as_ref().map_or(&[0; 32][..], |row| row.digest.as_slice());
        let right = primitive::verify_equal(known, &digest);
        let row = row.filter(|_| right).ok_or_else(|| stranger(headers))?;
        Ok(Self {
            client: serde_json::from_str(&row.settings).map_err(Failure::broken)?,
            row,
            token: Zeroizing::new(token.to_owned()),
            digest,
        })
    }

    async fn become_what(
        self,
        app: &App,
        (caller, headers): (&Caller, &HeaderMap),
        (wanted, shown): (Wanted, Option<Zeroizing<String>>),
    ) -> Result<Response, Failure> {
        let Wanted { client, said } = wanted;
        let has_secret = client.auth_method.has_secret();
        // Whether it is needed is known when nobody else can change the client.
        let fresh = has_secret.then(random_secret).transpose()?.map(Zeroizing::new);
        let digest = |secret: &Zeroizing<String>| primitive::sha256(secret.as_bytes());
        let change = RegistrationChange {
            client_id: client.id.clone(),
            registration_digest: self.digest,
            settings: serde_json::to_string(&client).map_err(Failure::broken)?,
            metadata: serde_json::to_string(&said).map_err(Failure::broken)?,
            secret: fresh.as_ref().map(digest),
            shown: shown.as_ref().map(digest),
        };
        let audit = caller.did(&client.id, AuditAction::ClientChange, &client.id);
        let store = &app.store;
        let changed = store.change_client_registration(&change, (app.now(), &audit));
        let left = match changed.await {
            Ok(left) => left.ok_or_else(|| stranger(headers))?,
            Err(StoreError::Conflict("secret_unknown")) => return Ok(wrong_secret().into_response()),
            Err(other) => return Err(other.into()),
        };
        // §2.2: nobody chooses a secret; the one that there is stays.
        let secret = match left.is_new {
            true => fresh.map(|secret| (secret, None)),
            false => shown
                .filter(|_| has_secret)
                .map(|secret| (secret, left.shown_until)),
        };
        let told = Told {
            app,
            client: &client,
            said,
            since: self.row.created_at,
            secret: secret.as_ref().map(|(secret, until)| (secret.as_str(), *until)),
            token: &self.token,
        };
        Ok(told.with_status(StatusCode::OK))
    }
}

/// §2.2: who it is, the client repeats; what the server has given it, it does not say anew. The secret that it shows, if it does.
fn check_identity(client_id: &str, object: &Map<String, Value>) -> Result<Option<Zeroizing<String>>, Flaw> {
    const OURS: [&str; 4] = [
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    ];
    if object.get("client_id").and_then(Value::as_str) != Some(client_id) {
        return Err(Flaw::of("client_id", "is not that of this registration"));
    }
    if let Some(ours) = OURS.into_iter().find(|member| object.contains_key(*member)) {
        return Err(Flaw::of(ours, "is not the client's to say (RFC 7592 §2.2)"));
    }
    match object.get("client_secret") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(secret)) => Ok(Some(Zeroizing::new(secret.clone()))),
        Some(_) => Err(wrong_secret()),
    }
}

fn wrong_secret() -> Flaw {
    Flaw::of("client_secret", "is not the one that was issued")
}

fn said(row: &ClientRegistration) -> Result<ClientMetadata, Failure> {
    serde_json::from_str(&row.metadata).map_err(Failure::broken)
}

/// The same whether there is such a client or not.
fn stranger(headers: &HeaderMap) -> Refusal {
    unauthorized(
        headers,
        "the registration access token is not that of this client",
    )
}
