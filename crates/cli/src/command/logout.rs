//! `carnet logout`: a login that is kept is given back, and forgotten.
//!
//! Spec: RFC 7009

use clap::Args;
use serde_json::json;

use super::operator::show;
use crate::failure::Failure;
use crate::login::kept::Logins;
use crate::login::server::{connect, failure};
use crate::output::Output;

/// Give a login back to its server, and forget it
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet logout
  carnet logout --issuer https://auth.example.com --client-id my-cli")]
#[command(after_help = "JSON: {\"issuer\",\"client_id\"}")]
pub(crate) struct LogOut {
    /// The authorization server, when there are several logins
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The client, when there are several logins
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
}

pub(crate) async fn run(logout: LogOut, out: &Output) -> Result<(), Failure> {
    let logins = Logins::open()?;
    let login = logins.one(logout.issuer.as_deref(), logout.client_id.as_deref())?;
    // Forgotten first: a server that does not answer keeps nobody logged in here.
    logins.forget(&login)?;
    let client = connect(&login.issuer, &login.client_id).await;
    let token = login.refresh_token.as_ref().unwrap_or(&login.access_token);
    let revoked = match client {
        Ok(client) => client.revoke(token).await.map_err(failure),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = revoked {
        out.warn(&format!(
            "the tokens are forgotten here, but the server could not be told ({}): they end when they expire",
            failure.what
        ));
    }
    let json = json!({ "issuer": login.issuer, "client_id": login.client_id });
    show(out, &json, || format!("Logged out at {}.", login.issuer));
    Ok(())
}
