//! `carnet login`: how a command line logs somebody in, and keeps the login.
//!
//! Spec: RFC 8628 (device flow) · RFC 8252 (the browser of this machine) · RFC 9449 §5 (tokens bound to a key)

mod loopback;

use carnet_client::device;
use carnet_client::error::ClientError;
use carnet_client::token::Client;
use carnet_oauth::device::DeviceAuthorizationResponse;
use carnet_oauth::token_response::TokenResponse;
use clap::Args;
use fast_qr::{ECL, QRBuilder};
use serde_json::json;
use std::io::IsTerminal as _;

use super::operator::show;
use crate::failure::Failure;
use crate::login::kept::{Login, Logins};
use crate::login::key::{Applicant, LoginKey};
use crate::login::server::{connect, failure, whose};
use crate::moment;
use crate::output::Output;

/// Log in at an authorization server, from a machine that may have no browser
#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet login --issuer https://auth.example.com --client-id my-cli --scope 'openid email offline_access read:orders'
  carnet login --issuer https://auth.example.com --client-id my-cli --scope 'openid email offline_access read:orders' --browser")]
#[command(after_help = "\
The client is registered once, by an operator:
  carnet client add my-cli --public --grant-type device_code --grant-type refresh_token --scope 'openid email offline_access read:orders'
and for --browser with --grant-type authorization_code --redirect-uri http://127.0.0.1/callback as well.
With --dpop, or for a client that has to, tokens are bound to a key (DPoP) that is made for the login and kept with it.
With --browser, only --dpop binds the code on its way back as well (dpop_jkt, RFC 9449 §10): what a client has to do is known too late for that.
Tokens are kept in $XDG_STATE_HOME/carnet/logins (~/.local/state/carnet/logins), for this user alone.
JSON: {\"issuer\",\"client_id\",\"user\",\"scope\",\"expires_at\",\"token_type\"}; before that, on stderr, what somebody is to do: \
{\"verification_uri\",\"verification_uri_complete\",\"user_code\",\"expires_in\"}, with --browser {\"authorization_url\"}")]
pub(crate) struct LogIn {
    /// The authorization server
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The name under which this program is registered there
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// What the tokens are to be good for: openid and email to know who has logged in, offline_access to outlive the browser's login, what
    /// the API wants. When left out, a Carnet gives what the client may do at APIs, and nothing of these
    #[arg(long)]
    scope: Option<String>,
    /// The API that they are for (RFC 8707)
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Open the browser of this machine instead of asking for a code on another
    #[arg(long)]
    browser: bool,
    /// Bind the tokens to a key (DPoP), so that a copy of them is of no use elsewhere; always for a client that has to
    #[arg(long)]
    dpop: bool,
}

pub(crate) async fn run(login: LogIn, out: &Output) -> Result<(), Failure> {
    // A folder that cannot be used is found before anybody has logged in.
    drop(Logins::open()?);
    let key = login.dpop.then(LoginKey::generate).transpose()?;
    let mut applicant = Applicant::new(connect(&login.issuer, &login.client_id).await?, key);
    let fields: Vec<(&str, &str)> = [("scope", &login.scope), ("resource", &login.resource)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    let (tokens, nonce) = match login.browser {
        true => loopback::log_in(&mut applicant, &fields, out).await?,
        false => (on_another_device(&mut applicant, &fields, out).await?, None),
    };
    let Applicant { client, key } = applicant;
    let user = match whose(&client, &tokens, nonce.as_deref()).await {
        Ok(user) => user,
        Err(failure) => {
            // A login that is not kept is not left open either.
            let token = tokens.refresh_token.as_ref().unwrap_or(&tokens.access_token);
            let _told = client.revoke(token).await;
            return Err(failure);
        }
    };
    let token_type = tokens.token_type.clone();
    let kept = Login {
        dpop_key: key.map(|key| key.kept),
        ..Login::of(&login.issuer, &login.client_id, tokens)
    };
    replace(&client, &kept, out).await?;
    let until = moment::said(kept.expires_at, moment::now());
    let expires_at = moment::exact(kept.expires_at);
    let json = json!({ "issuer": kept.issuer, "client_id": kept.client_id, "user": user, "scope": kept.scope, "expires_at": expires_at, "token_type": token_type });
    show(out, &json, || {
        let who = user.map_or_else(|| "Logged in".to_owned(), |user| format!("Logged in as {user}"));
        match kept.refresh_token.is_some() {
            true => format!("{who} at {}. The login renews itself.", kept.issuer),
            false => format!("{who} at {}. Good until: {until}.", kept.issuer),
        }
    });
    if login.scope.is_none() && json["user"].is_null() {
        out.warn(
            "the server did not say who has logged in: name what you want, such as --scope 'openid email offline_access' and the scopes of the API",
        );
    }
    out.next(match kept.dpop_key.is_some() {
        true => "carnet token --dpop GET https://api.example.com/ | curl -H @- https://api.example.com/",
        false => "curl -H \"Authorization: Bearer $(carnet token)\" https://api.example.com/",
    });
    Ok(())
}

/// Keeps the login. One that it takes the place of is given back: nobody would know it any more.
async fn replace(client: &Client, kept: &Login, out: &Output) -> Result<(), Failure> {
    let logins = Logins::open()?;
    let before = logins
        .named(&kept.issuer, &kept.client_id)
        .unwrap_or_else(|failure| {
            let what = failure.what;
            out.warn(&format!(
                "{what}, so it could not be given back: it ends when it expires, and is forgotten here"
            ));
            None
        });
    logins.keep(kept)?;
    if let Some(token) = before.and_then(|before| before.refresh_token) {
        let _told = client.revoke(&token).await;
    }
    Ok(())
}

async fn on_another_device(
    applicant: &mut Applicant,
    fields: &[(&str, &str)],
    out: &Output,
) -> Result<TokenResponse, Failure> {
    let codes = device::begin(&applicant.client, fields).await;
    let codes = codes.map_err(not_offered)?;
    invite(&codes, out);
    applicant
        .tokens(async |client| device::wait(client, &codes).await)
        .await
}

/// What the person is to do, on stderr; a program gets the same as JSON there.
fn invite(codes: &DeviceAuthorizationResponse, out: &Output) {
    if out.is_json() {
        out.event(&json!({ "verification_uri": codes.verification_uri, "verification_uri_complete": codes.verification_uri_complete, "user_code": codes.user_code, "expires_in": codes.expires_in }));
        return;
    }
    let drawn = codes.verification_uri_complete.as_deref().and_then(drawn);
    if let Some(drawn) = drawn.filter(|_| std::io::stderr().is_terminal()) {
        out.picture(&drawn);
    }
    out.say(&format!(
        "Open {} on any device and enter the code:",
        codes.verification_uri
    ));
    out.say(&format!("    {}", codes.user_code));
    out.note(&format!(
        "Waiting for your decision, for {} at most. Ctrl-C stops it.",
        moment::span(codes.expires_in)
    ));
}

/// The address as a QR code, two modules a character; its light modules are drawn. Four light ones are around it (ISO/IEC 18004 §9.1).
fn drawn(url: &str) -> Option<String> {
    let code = QRBuilder::new(url).ecl(ECL::L).build().ok()?.to_str();
    // One comes with it; of its first line only the lower half.
    let lines = code.lines().skip(1).map(|line| format!("███{line}███"));
    let light = "█".repeat(code.lines().next()?.chars().count() + 6);
    let around = || std::iter::repeat_n(light.clone(), 2);
    let all: Vec<String> = around().chain(lines).chain(around()).collect();
    Some(all.join("\n"))
}

fn not_offered(error: ClientError) -> Failure {
    match error {
        ClientError::Invalid(what) if what.contains("device_authorization_endpoint") => {
            Failure::refused("device_flow_missing", what)
                .because("the server does not offer the device flow (RFC 8628)")
                .todo("log in with the browser of this machine: --browser")
        }
        other => failure(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_as_a_square_that_a_terminal_can_show() {
        let drawn = drawn("https://auth.example.com/device?user_code=WDJB-MJHT").unwrap();
        let widths: Vec<usize> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(widths.len() > 15 && widths.len() < 30, "{drawn}");
        assert!(widths.iter().all(|width| *width == widths[0]), "{drawn}");
        assert!(drawn.chars().all(|char| "█▀▄ \n".contains(char)), "{drawn}");
        let lines: Vec<&str> = drawn.lines().collect();
        let light = |line: &str| line.chars().all(|char| char == '█');
        assert!(
            [&lines[..2], &lines[lines.len() - 2..]]
                .concat()
                .into_iter()
                .all(light),
            "{drawn}"
        );
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("████") && line.ends_with("████")),
            "{drawn}"
        );
    }
}
