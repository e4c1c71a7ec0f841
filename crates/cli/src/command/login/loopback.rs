//! Logging in with the browser of this machine: the code comes back to a port that only this machine can reach.
//!
//! Spec: RFC 8252 §7.3, §8.3 · RFC 7636

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use carnet_client::authorize::Authorization;
use carnet_client::error::ClientError;
use carnet_client::token::Client;
use carnet_oauth::token_response::TokenResponse;
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::login::key::Applicant;
use crate::login::server::failure;
use crate::output::Output;

/// The tokens, and the nonce that their ID token must have.
pub(super) async fn log_in(
    applicant: &mut Applicant,
    fields: &[(&str, &str)],
    out: &Output,
) -> Result<(TokenResponse, Option<String>), Failure> {
    let broken = |error: std::io::Error| {
        Failure::refused("cannot_listen", "no port of this machine can be listened at")
            .because(error.to_string())
            .todo("log in without --browser")
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(broken)?;
    let port = listener.local_addr().map_err(broken)?.port();
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    // RFC 9449 §10: a code that somebody takes on its way is of no use without the key.
    let jkt = applicant
        .key
        .as_ref()
        .map(|key| ("dpop_jkt", key.dpop.thumbprint()));
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain(jkt).collect();
    let begun = Authorization::begin(&applicant.client, &redirect_uri, &fields).map_err(failure)?;
    let begun = Arc::new(begun);
    let (found, mut codes) = mpsc::channel(1);
    let routes = Router::new()
        .route("/callback", get(callback))
        .with_state((begun.clone(), found));
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    invite(&begun.url, out);
    let code = tokio::time::timeout(PATIENCE, codes.recv()).await;
    let code = code.ok().flatten().ok_or_else(|| {
        Failure::refused("login_expired", "nobody logged in within ten minutes")
            .because("the browser never came back here")
            .todo("try again; or without --browser, on any device")
    })?;
    let code = code.map_err(failure)?;
    let redeem = async |client: &Client| client.redeem(&code, &redirect_uri, &begun.verifier).await;
    let tokens = applicant.tokens(redeem).await?;
    server.abort();
    Ok((tokens, Some(begun.nonce.clone())))
}

const PATIENCE: Duration = Duration::from_secs(600);

type Waiting = (Arc<Authorization>, mpsc::Sender<Result<String, ClientError>>);

/// Whatever else comes to the port is told nothing, and ends nothing.
async fn callback(State((begun, found)): State<Waiting>, RawQuery(query): RawQuery) -> Response {
    let said = match begun.code(&query.unwrap_or_default()) {
        None => return StatusCode::BAD_REQUEST.into_response(),
        Some(Ok(code)) => {
            let _heard = found.try_send(Ok(code));
            "You may close this window and go back to the terminal."
        }
        Some(Err(error)) => {
            let _heard = found.try_send(Err(error));
            "You are not logged in. The terminal says why."
        }
    };
    let page = format!("<!doctype html><html lang=\"en\"><title>carnet login</title><p>{said}</p></html>");
    let policy = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (policy, Html(page)).into_response()
}

fn invite(url: &str, out: &Output) {
    if out.is_json() {
        out.event(&serde_json::json!({ "authorization_url": url }));
    } else {
        out.say("If no browser opens, open this address on this machine:");
        out.say(url);
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(opener);
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null());
    // No browser is no fault: the address stands above.
    let _opened = quiet.stderr(Stdio::null()).spawn();
}
