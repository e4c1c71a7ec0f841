//! `POST /oauth/token`: the token endpoint.
//!
//! Spec: RFC 6749 §3.2 (endpoint), §5.1 (answer), §5.2 (refusals) · RFC 9449 §5, §8 (DPoP)

mod allowed;
mod authorization_code;
mod client_credentials;
mod consented;
mod device_code;
mod jwt_bearer;
mod refresh_token;
mod request;
mod token_exchange;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::metadata::Metadata;
use carnet_oauth::token_response::TokenResponse;
use http::header;

use crate::app::App;
use crate::audit::Caller;
use crate::client::{Client, TOKEN_PATH};
use crate::client_auth::{self, authenticate_client};
use crate::http::failure::{Because as _, Failure, Refusal};
use crate::http::form::Posted;
use crate::http::origin::open_cors;
use crate::migration::{Before, PASSWORD};
use crate::sender::{self, Place};
use crate::throttle::Attempt;
use request::TokenRequest;

/// The route. No cookie is read here, so the page of any origin may call it.
pub(crate) fn routes() -> Router<App> {
    Router::new().route(TOKEN_PATH, post(token)).layer(open_cors())
}

/// What discovery says of it.
pub(crate) fn advertise(app: &App, metadata: &mut Metadata) {
    metadata.token_endpoint = Some(app.config.issuer.join(TOKEN_PATH));
    metadata.grant_types_supported = GrantType::ALL
        .map(|grant_type| grant_type.name().to_owned())
        .to_vec();
    metadata.token_endpoint_auth_methods_supported = client_auth::methods();
    metadata.dpop_signing_alg_values_supported = sender::algorithms();
    metadata.token_endpoint_auth_signing_alg_values_supported = client_auth::algorithms();
}

/// Know the client, let the grant type decide.
async fn token(State(app): State<App>, caller: Caller, posted: Posted) -> Result<Response, Failure> {
    let Posted { headers, form } = posted;
    let client = match jwt_bearer::is_alone(&headers, &form) {
        true => Box::pin(jwt_bearer::client(&app, &caller, &form)).await?,
        false => authenticate_client(&app, &caller, &headers, &form).await?,
    };
    let asked = form.required("grant_type")?;
    let grant_type = GrantType::named(asked).ok_or_else(|| unknown(&app, &client, asked))?;
    if !client.may(grant_type) {
        const REASON: &str = "the client is not registered for this grant_type";
        return Err(ErrorCode::UnauthorizedClient.because(REASON).into());
    }
    // Before anything is spent: a proof that has to be made again costs nobody a code or a refresh token.
    let uri = app.config.issuer.join(TOKEN_PATH);
    let jkt = sender::key_at_token_endpoint(&app, &headers, (&client, &uri)).await?;
    let request = TokenRequest {
        app: &app,
        caller: &caller,
        client: &client,
        form: &form,
        jkt: jkt.as_deref(),
    };
    let answer = match grant(grant_type, &request).await {
        Ok(answer) => answer,
        Err(failure) => {
            // Whoever knows its name can be a public client, and the proof is a row that only time takes away.
            if client.auth_method == AuthMethod::None && jkt.is_some() && !is_asked_again(&failure) {
                Attempt::refused_proof(&app, caller.address)?.count(&app).await?;
            }
            return Err(failure);
        }
    };
    let mut body = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut body, &answer).map_err(Failure::broken)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ];
    let mut response = (headers, body).into_response();
    if jkt.is_some() {
        sender::give(&app, Place::TokenEndpoint, &mut response)?;
    }
    Ok(response)
}

/// RFC 9700 §2.4: whoever still asks with a user's password is shown how to move on.
fn unknown(app: &App, client: &Client, grant_type: &str) -> Refusal {
    let refusal = ErrorCode::UnsupportedGrantType.because("the server does not know this grant_type");
    let before = Before {
        client_id: &client.id,
        redirect_uri: match client.redirect_uris.as_slice() {
            [one] => Some(one),
            _ => None,
        },
        grant_type: Some(PASSWORD),
        ..Before::default()
    };
    refusal.help((grant_type == PASSWORD).then(|| before.guide(app)))
}

/// Whether the client does what it is told to: it asks again later (RFC 8628 §3.5), or what is wrong is ours.
fn is_asked_again(failure: &Failure) -> bool {
    let waits = [ErrorCode::AuthorizationPending, ErrorCode::SlowDown];
    match failure {
        Failure::Refused(refusal) => {
            refusal.status().is_server_error() || waits.iter().any(|code| code.name() == refusal.code())
        }
        Failure::Broken(_) => true,
    }
}

/// In boxes: otherwise every request would carry the room that the largest of them needs through all layers.
async fn grant(grant_type: GrantType, request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    match grant_type {
        GrantType::AuthorizationCode => Box::pin(authorization_code::exchange(request)).await,
        GrantType::RefreshToken => Box::pin(refresh_token::rotate(request)).await,
        GrantType::ClientCredentials => client_credentials::grant(request),
        GrantType::DeviceCode => Box::pin(device_code::exchange(request)).await,
        GrantType::TokenExchange => Box::pin(token_exchange::exchange(request)).await,
        GrantType::JwtBearer => Box::pin(jwt_bearer::grant(request)).await,
    }
}

/// What an answer usually takes; more is no error.
const USUAL_BYTES: usize = 2 * 1024;
