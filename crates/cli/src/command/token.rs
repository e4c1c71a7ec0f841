//! `carnet token`: a fresh access token of a login that is kept.
//!
//! Spec: RFC 6749 §6 · RFC 9449 §5, §7.1

use std::pin::pin;

use carnet_client::error::ClientError;
use carnet_oauth::dpop::{self, Request};
use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::operator::show;
use crate::failure::Failure;
use crate::login::kept::{Login, Logins};
use crate::login::key::{Applicant, sound};
use crate::login::server::{connect, failure};
use crate::moment;
use crate::output::Output;

/// Print a fresh access token of a login
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet token
  curl -H \"Authorization: Bearer $(carnet token)\" https://api.example.com/orders
  carnet token --dpop GET https://api.example.com/orders | curl -H @- https://api.example.com/orders")]
#[command(after_help = "\
With --dpop: the two headers of one request, for a login whose tokens are bound to a key. A server that answers with DPoP-Nonce wants it \
in the next: --nonce.
JSON: {\"access_token\",\"expires_at\",\"scope\",\"issuer\",\"client_id\",\"token_type\"}, with --dpop also \"headers\"")]
pub(crate) struct Token {
    /// The authorization server, when there are several logins
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The client, when there are several logins
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Print the headers of this request instead, with a proof of the login's key
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    dpop: Option<Vec<String>>,
    /// The nonce that the server of the URL gave in DPoP-Nonce
    #[arg(long, requires = "dpop", allow_hyphen_values = true)]
    nonce: Option<String>,
}

pub(crate) async fn run(token: Token, out: &Output) -> Result<(), Failure> {
    // The lock is held until the renewed login is on disk: the refresh token is never spent twice.
    let logins = Logins::open()?;
    let kept = logins.one(token.issuer.as_deref(), token.client_id.as_deref())?;
    if let Some(odd) = logins.exposed(&kept) {
        out.warn(&odd);
    }
    let login = match kept.is_fresh() {
        true => kept,
        false => renew(&logins, &kept, out).await?,
    };
    let expires_at = moment::exact(login.expires_at);
    let token_type = login.dpop_key.as_ref().map_or("Bearer", |_| dpop::SCHEME);
    let mut json = json!({ "access_token": login.access_token, "expires_at": expires_at, "scope": login.scope, "issuer": login.issuer, "client_id": login.client_id, "token_type": token_type });
    let Some(request) = &token.dpop else {
        show(out, &json, || login.access_token.clone());
        return Ok(());
    };
    let headers = headers(&login, request, token.nonce.as_deref())?;
    let members = headers.iter();
    json["headers"] = members
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
        .collect();
    show(out, &json, || {
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(())
}

/// What a request carries: the token, and the proof that whoever sends it has the key.
fn headers(
    login: &Login,
    request: &[String],
    nonce: Option<&str>,
) -> Result<[(&'static str, String); 2], Failure> {
    let key = login.key()?.ok_or_else(|| {
        Failure::usage("login_not_bound", "the tokens of this login are bound to no key")
            .because("it was made without --dpop, and the client need not have one")
            .todo("send the token alone, as Authorization: Bearer; or log in again: carnet login --dpop")
    })?;
    let [method, url] = request else {
        return Err(Failure::broken("--dpop has two values"));
    };
    let method = method.to_ascii_uppercase();
    sound((&method, url), nonce)?;
    let request = Request {
        method: &method,
        uri: url,
        access_token: Some(&login.access_token),
    };
    let made = key.dpop.headers(&request, nonce).map_err(failure)?;
    let proof = made
        .get(dpop::HEADER)
        .and_then(|proof| proof.to_str().ok())
        .unwrap_or_default();
    // What we would not take ourselves is not given out.
    let now = u64::try_from(moment::now()).unwrap_or_default();
    dpop::check(proof, &request, now).map_err(|error| {
        Failure::usage("proof_impossible", error.reason())
            .because("a proof names the method and the whole URL of one request (RFC 9449 §4.2)")
            .todo("write it as: carnet token --dpop GET https://api.example.com/orders")
    })?;
    Ok([
        (
            "Authorization",
            format!("{} {}", dpop::SCHEME, login.access_token),
        ),
        ("DPoP", proof.to_owned()),
    ])
}

async fn renew(logins: &Logins, kept: &Login, out: &Output) -> Result<Login, Failure> {
    let Some(refresh_token) = &kept.refresh_token else {
        return Err(expired(
            kept,
            "there is no refresh token: the client may not have one",
        ));
    };
    let client = connect(&kept.issuer, &kept.client_id).await?;
    let Applicant { client, .. } = Applicant::new(client, kept.key()?);
    let renewal = async {
        let tokens = client.refresh(refresh_token).await.map_err(|error| match error {
            ClientError::Refused(code, why) if code == "invalid_grant" => expired(kept, &why),
            other => failure(other),
        })?;
        let renewed = kept.renewed(tokens);
        logins.keep(&renewed)?;
        Ok(renewed)
    };
    // The server spends the old refresh token before we know the new one: whoever stops the program in between would stop the login.
    to_its_end(renewal, out).await?
}

/// Does all of it before a signal ends the program.
async fn to_its_end<T>(work: impl Future<Output = T>, out: &Output) -> Result<T, Failure> {
    let broken = |error: std::io::Error| Failure::broken(error.to_string());
    let mut interrupted = signal(SignalKind::interrupt()).map_err(broken)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(broken)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(broken)?;
    let (mut work, mut stopped) = (pin!(work), None);
    let done = loop {
        stopped = tokio::select! {
            biased;
            _ = interrupted.recv() => Some(SignalKind::interrupt()),
            _ = terminated.recv() => Some(SignalKind::terminate()),
            _ = hung_up.recv() => Some(SignalKind::hangup()),
            done = &mut work => break done,
        };
        out.warn("the login is being renewed, and would be lost: this ends when the server has answered");
    };
    if let Some(signal) = stopped {
        // Whoever waits for us is to see that it was the signal.
        signal_hook::low_level::emulate_default_handler(signal.as_raw_value()).map_err(broken)?;
    }
    Ok(done)
}

fn expired(login: &Login, why: &str) -> Failure {
    let Login {
        issuer, client_id, ..
    } = login;
    Failure::refused("login_expired", "the login has ended")
        .because(why)
        .todo(format!(
            "log in again: carnet login --issuer {issuer} --client-id {client_id}"
        ))
}
