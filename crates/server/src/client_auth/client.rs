//! Who is the client that asks for a token? Exactly the method that it is registered with counts.
//!
//! Spec: RFC 6749 §2.3, §5.2 · RFC 7523 §3 · OpenID Connect Core §9

use std::sync::Arc;
use std::sync::atomic::Ordering;

use carnet_jose::primitive;
use carnet_oauth::client_auth::{AssertionClaims, AuthMethod};
use carnet_oauth::error_code::ErrorCode;
use carnet_store::{AuditAction, TicketKind};
use http::HeaderMap;

use super::proof::{self, Evidence, Presented};
use super::refused::refused;
use crate::app::App;
use crate::audit::Caller;
use crate::client::{Client, Proof, SecretDigest};
use crate::http::failure::Failure;
use crate::http::form::Form;
use crate::throttle::Attempt;

/// The client behind a request.
pub(crate) async fn authenticate_client(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Arc<Client>, Failure> {
    let presented = proof::read(headers, form)?;
    let client = app.client(&presented.client_id).await?;
    let right = match &client {
        Some(client) if client.auth_method == presented.method => proves(app, client, &presented).await?,
        // As much work as for a wrong secret.
        _ => holds_secret(&[NOBODY], &presented, app.now()),
    };
    match client.filter(|_| right) {
        Some(client) => {
            note_use(app, &client).await?;
            Ok(client)
        }
        None => Box::pin(refuse(app, caller, &presented)).await,
    }
}

/// A client that registered itself is forgotten when nobody uses it. Noted once an hour, so that asking for a token costs no write.
async fn note_use(app: &App, client: &Client) -> Result<(), Failure> {
    let (Some(noted), now) = (&client.self_registered, app.now()) else {
        return Ok(());
    };
    let before = noted.load(Ordering::Relaxed);
    let due = now.saturating_sub(before) >= NOTED_EVERY_MS;
    // Of those who come at once, one notes it.
    if due
        && noted
            .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    {
        Box::pin(app.store.note_client_use(&client.id, now)).await?;
    }
    Ok(())
}

async fn proves(app: &App, client: &Client, presented: &Presented<'_>) -> Result<bool, Failure> {
    match (&client.proof, &presented.evidence) {
        // §2.1: a public client has nothing to prove with.
        (Proof::None, Evidence::None) => Ok(true),
        (Proof::Secrets(digests), Evidence::Secret(_)) => Ok(holds_secret(digests, presented, app.now())),
        (Proof::Keys(verifiers), Evidence::Assertion(assertion)) => {
            let now = app.now_seconds();
            let claims = match Box::pin(verifiers.authentication.verify(assertion, now)).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::info!(client_id = %client.id, code = error.code(), "a client's assertion was refused");
                    return Ok(false);
                }
            };
            if let Some(why) = unfit(client, &claims, now) {
                tracing::info!(client_id = %client.id, why, "a client's assertion was refused");
                return Ok(false);
            }
            Box::pin(spend(app, client, &claims)).await
        }
        _ => Ok(false),
    }
}

/// What is wrong with what an assertion of the client says that its key has signed.
pub(crate) fn unfit(client: &Client, claims: &AssertionClaims, now: u64) -> Option<&'static str> {
    if claims.sub != client.id {
        return Some("sub is not the client");
    }
    claims.unfit(now, MAX_SECONDS)
}

/// RFC 7523 §3, item 7: a jti counts once, for as long as its assertion could come back. Whether this is the first time.
pub(crate) async fn spend(app: &App, client: &Client, claims: &AssertionClaims) -> Result<bool, Failure> {
    let until = i64::try_from(claims.remembered_until().saturating_mul(1000)).unwrap_or(i64::MAX);
    let name = format!("{}\0{}", client.id, claims.jti);
    Ok(app
        .store
        .keep_ticket(TicketKind::Assertion, &name, "", until)
        .await?)
}

/// Whether the secret is one that counts now. All are compared, so that the time does not tell which.
fn holds_secret(digests: &[SecretDigest], presented: &Presented<'_>, now: i64) -> bool {
    let Evidence::Secret(secret) = &presented.evidence else {
        return false;
    };
    let presented = primitive::sha256(secret.as_bytes());
    let mut found = false;
    for known in digests {
        let lives = known.expires_at.is_none_or(|end| now < end);
        found |= primitive::verify_equal(&known.digest, &presented) && lives;
    }
    found
}

/// One answer for all; the operator reads the rest in the log.
async fn refuse(app: &App, caller: &Caller, presented: &Presented<'_>) -> Result<Arc<Client>, Failure> {
    let id = &presented.client_id;
    // What `carnet explain` is asked about.
    let code = ErrorCode::InvalidClient.name();
    let registered = app.directory.client(id).map(|client| client.auth_method);
    match registered {
        None => tracing::info!(
            code,
            client_id = id,
            "client authentication failed: there is no such client"
        ),
        Some(registered) if registered != presented.method => tracing::info!(
            code,
            client_id = id,
            came_with = presented.method.name(),
            registered_with = registered.name(),
            "client authentication failed: this is not the method that the client is registered with"
        ),
        Some(method) => tracing::info!(
            code,
            client_id = id,
            method = method.name(),
            "client authentication failed: the proof is wrong, expired or was used before"
        ),
    }
    note(app, caller, id, registered).await?;
    Err(refused().into())
}

/// Counts a failure, and puts it on record.
pub(crate) async fn note(
    app: &App,
    caller: &Caller,
    id: &str,
    registered: Option<AuthMethod>,
) -> Result<(), Failure> {
    // CA-11: after so many failures nobody reads on. A right proof is never refused for the wrong ones of others.
    let counted = registered.map_or("", |_| id);
    Attempt::client_authentication(app, counted, caller.address)?
        .count(app)
        .await?;
    // Names that nobody has are not worth a row each.
    if registered.is_some_and(|method| method != AuthMethod::None) {
        let audit = caller.was_refused(
            id,
            AuditAction::ClientAuthentication,
            id,
            ErrorCode::InvalidClient.name(),
        );
        app.store.record_audit(&audit, app.now()).await?;
    }
    Ok(())
}

const NOTED_EVERY_MS: i64 = 3_600_000;

/// No secret has this digest.
const NOBODY: SecretDigest = SecretDigest {
    digest: [0; 32],
    expires_at: None,
};

/// An assertion is made for the moment: so far its `exp` may lie ahead.
const MAX_SECONDS: u64 = 300;
