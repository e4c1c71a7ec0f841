//! `carnet client token`: what the operator hands to those who may register a client.
//!
//! Spec: RFC 7591 §1.2, §3

use carnet_server::config::{ClientRegistrationPolicy, Ttl};
use carnet_store::{AuditAction, InitialAccessToken, StoreError};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::command::operator::{Operator, broken, made_password};
use crate::command::operator::{list as listing, show as tell, when};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand, Debug)]
pub(super) enum Token {
    /// Make an initial access token; it is shown once
    Add {
        /// What you call it; the clients that come by it are listed with this name
        name: String,
        /// How many clients may be registered with it
        #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        uses: u32,
        /// For how long it counts
        #[arg(long, value_name = "TIME", default_value = "7d")]
        expires_in: Ttl,
    },
    /// List initial access tokens, also those that count no more
    List,
    /// Take a token back; clients that were registered with it stay
    Revoke { name: String },
}

pub(super) async fn run(operator: &Operator, action: Token, out: &Output) -> Result<(), Failure> {
    match action {
        Token::Add {
            name,
            uses,
            expires_in,
        } => add(operator, &name, (uses, expires_in), out).await,
        Token::List => list(operator, out).await,
        Token::Revoke { name } => revoke(operator, &name, out).await,
    }
}

async fn add(
    operator: &Operator,
    name: &str,
    (uses, expires_in): (u32, Ttl),
    out: &Output,
) -> Result<(), Failure> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(word) {
        let what = format!("{name:?} is no name of a token");
        return Err(Failure::usage("invalid_name", what)
            .because("names are letters, digits, hyphens, dots and underscores, 64 at most")
            .todo("choose one such as partner-2026"));
    }
    let token = made_password()?;
    let new = InitialAccessToken {
        name: name.to_owned(),
        uses_left: i64::from(uses),
        created_at: operator.now,
        expires_at: operator.now.saturating_add(expires_in.millis()),
        revoked_at: None,
    };
    let digest = carnet_jose::primitive::sha256(token.as_bytes());
    let audit = operator.did(AuditAction::RegistrationTokenCreate, name);
    let added = operator
        .store
        .add_initial_access_token(&new, digest, &audit)
        .await;
    added.map_err(|error| match error {
        StoreError::Conflict("token_taken") => {
            Failure::conflict("initial_token_taken", format!("there is, or was, a token {name}"))
                .because("the clients that came by it are listed with its name")
                .todo("choose another name")
        }
        other => broken(other),
    })?;
    if operator.config.client_registration.policy == ClientRegistrationPolicy::Closed {
        out.warn(
            "client_registration.policy is \"closed\": the token is of no use before you open registration",
        );
    }
    let json = json!({ "name": name, "initial_access_token": token.as_str(), "uses": uses, "expires_at": new.expires_at });
    tell(out, &json, || {
        let clients = if uses == 1 {
            "one client"
        } else {
            "that many clients"
        };
        format!(
            "The initial access token {name}, shown this once:\n{}\nIt counts for {clients} ({uses}), until {}.",
            token.as_str(),
            when(new.expires_at, operator.now)
        )
    });
    Ok(())
}

async fn list(operator: &Operator, out: &Output) -> Result<(), Failure> {
    let tokens = operator.store.initial_access_tokens().await.map_err(broken)?;
    let json: Vec<Value> = tokens
        .iter()
        .map(|token| json!({ "name": token.name, "state": state(token, operator.now), "uses_left": token.uses_left, "created_at": token.created_at, "expires_at": token.expires_at }))
        .collect();
    let row = |token: &InitialAccessToken| {
        vec![
            token.name.clone(),
            state(token, operator.now).to_owned(),
            token.uses_left.to_string(),
            when(token.expires_at, operator.now),
        ]
    };
    let empty = "No initial access tokens yet. Make one: carnet client token add partner --uses 5";
    listing(
        out,
        &json.into(),
        &["Token", "State", "Uses left", "Expires"],
        (tokens.iter().map(row).collect(), empty),
    );
    Ok(())
}

fn state(token: &InitialAccessToken, now: i64) -> &'static str {
    match token {
        _ if token.revoked_at.is_some() => "revoked",
        _ if token.uses_left <= 0 => "used up",
        _ if token.expires_at <= now => "expired",
        _ => "live",
    }
}

async fn revoke(operator: &Operator, name: &str, out: &Output) -> Result<(), Failure> {
    let audit = operator.did(AuditAction::RegistrationTokenRevoke, name);
    let revoked = operator
        .store
        .revoke_initial_access_token(name, (operator.now, &audit))
        .await
        .map_err(broken)?;
    if !revoked {
        return Err(Failure::refused(
            "token_unknown",
            format!("there is no token {name} that could be revoked"),
        )
        .because("nothing was changed")
        .todo("list them: carnet client token list"));
    }
    tell(out, &json!({ "name": name, "state": "revoked" }), || {
        format!("Nobody registers a client with {name} any more. To delete those who did: carnet client list")
    });
    Ok(())
}
