//! `POST /oauth/revoke`: a client gives a token back.
//!
//! Spec: RFC 7009

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::metadata::Metadata;
use carnet_store::{AuditAction, Reason};
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::client_auth::{self, authenticate_client};
use crate::http::failure::{Because as _, Failure};
use crate::http::form::Form;
use crate::http::origin::open_cors;
use crate::token::bearer;
use crate::token::refresh::RefreshToken;

const PATH: &str = "/oauth/revoke";

/// The route. No cookie is read here, so the page of any origin may call it.
pub(crate) fn routes() -> Router<App> {
    Router::new().route(PATH, post(revoke)).layer(open_cors())
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    metadata.revocation_endpoint = Some(app.config.issuer.join(PATH));
    metadata.revocation_endpoint_auth_methods_supported = client_auth::methods();
    metadata.revocation_endpoint_auth_signing_alg_values_supported = client_auth::algorithms();
}

/// §2.2: what is no token any more is as good as revoked. token_type_hint is only a hint: the two kinds cannot be mistaken.
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    form: Form,
) -> Result<StatusCode, Failure> {
    let client = authenticate_client(&app, &caller, &headers, &form).await?;
    let token = form.required("token")?;
    match RefreshToken::parse(token) {
        Some(refresh) => revoke_family(&app, &caller, &client, &refresh).await?,
        None => revoke_access_token(&app, &caller, &client, token).await?,
    }
    Ok(StatusCode::OK)
}

/// §2.1: with a refresh token, of whichever generation, its access tokens go too.
async fn revoke_family(
    app: &App,
    caller: &Caller,
    client: &Client,
    token: &RefreshToken<'_>,
) -> Result<(), Failure> {
    let record = app.store.family(token.fam).await?;
    let genuine = record.filter(|record| token.is_genuine(&app.master, &record.family));
    let Some(family) = genuine.map(|record| record.family) else {
        return Ok(());
    };
    require_own(client, &family.client_id)?;
    let audit = caller.did(&client.id, AuditAction::Revoke, &family.fam);
    app.store
        .revoke_family(&family.fam, &app.cut(Reason::Revoked, audit))
        .await?;
    Ok(())
}

async fn revoke_access_token(
    app: &App,
    caller: &Caller,
    client: &Client,
    token: &str,
) -> Result<(), Failure> {
    let Ok(claims) = bearer::inspect(app, token).await? else {
        return Ok(());
    };
    require_own(client, &claims.client_id)?;
    let audit = caller.did(&client.id, AuditAction::Revoke, &claims.jti);
    let cut = app.cut(Reason::Revoked, audit);
    app.store.revoke_token(&claims.jti, &cut).await?;
    Ok(())
}

/// §2.1: a client may give back what was given to it, and is told so.
fn require_own(client: &Client, owner: &str) -> Result<(), Failure> {
    if client.id == owner {
        return Ok(());
    }
    const REASON: &str = "the token was issued to another client";
    Err(ErrorCode::InvalidGrant.because(REASON).into())
}
