//! `carnet token`: a fresh access token of a login that is kept.
//!
//! Spec: RFC 6749 §6

use carnet_client::error::ClientError;
use clap::Args;
use serde_json::json;

use super::operator::show;
use crate::failure::Failure;
use crate::login::kept::{Login, Logins};
use crate::login::server::{connect, failure};
use crate::moment;
use crate::output::Output;

/// Print a fresh access token of a login
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet token
  curl -H \"Authorization: Bearer $(carnet token)\" https://api.example.com/orders")]
#[command(after_help = "JSON: {\"access_token\",\"expires_at\",\"scope\",\"issuer\",\"client_id\"}")]
pub(crate) struct Token {
    /// The authorization server, when there are several logins
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The client, when there are several logins
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
}

pub(crate) async fn run(token: Token, out: &Output) -> Result<(), Failure> {
    // The lock is held until the renewed login is on disk: the refresh token is never spent twice.
    let logins = Logins::open()?;
    let kept = logins.one(token.issuer.as_deref(), token.client_id.as_deref())?;
    let login = match kept.is_fresh() {
        true => kept,
        false => renew(&logins, &kept).await?,
    };
    let expires_at = moment::exact(login.expires_at);
    let json = json!({ "access_token": login.access_token, "expires_at": expires_at, "scope": login.scope, "issuer": login.issuer, "client_id": login.client_id });
    show(out, &json, || login.access_token.clone());
    Ok(())
}

async fn renew(logins: &Logins, kept: &Login) -> Result<Login, Failure> {
    let Some(refresh_token) = &kept.refresh_token else {
        return Err(expired(
            kept,
            "there is no refresh token: the client may not have one",
        ));
    };
    let client = connect(&kept.issuer, &kept.client_id).await?;
    let tokens = client.refresh(refresh_token).await.map_err(|error| match error {
        ClientError::Refused(code, why) if code == "invalid_grant" => expired(kept, &why),
        other => failure(other),
    })?;
    let renewed = kept.renewed(tokens);
    logins.keep(&renewed)?;
    Ok(renewed)
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
