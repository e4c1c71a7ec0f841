//! `carnet client`: programs that ask for tokens at the OAuth endpoints, registered beside the running server.

mod add;
mod token;
mod tokens;

use std::collections::BTreeMap;

use carnet_oauth::service_token;
use carnet_server::config;
use carnet_store::{AuditAction, ClientRow, ClientState, Reason};
use clap::Subcommand;
use serde_json::{Value, json};

use super::operator::{ConfigFile, Operator, broken, made_password, wait_for_what_was_on_its_way};
use super::operator::{list as listing, show as tell, when};
use super::registry::rules;
use crate::failure::Failure;
use crate::output::Output;

/// Register, list, change and disable clients of the OAuth endpoints
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet client add shop --redirect-uri https://shop.example.com/callback --scope 'openid email'\n  carnet client add metrics --scope 'read:metrics write:logs'\n  carnet client rotate-secret metrics --overlap 7d\n\n\
With --json, times of the registry (created_at, expires_at, …) are milliseconds since 1970, as in every listing of the server's commands."
)]
pub(crate) struct ClientCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Register a client; its secret is shown once
    Add(Box<add::Add>),
    /// List clients, those of the configuration file too
    List,
    /// Show what a client is registered with, and since when its secrets count
    Show { id: String },
    /// Make another secret; the one before counts for a while longer, older ones end at once
    RotateSecret {
        id: String,
        /// For how long both count
        #[arg(long, value_name = "TIME", default_value = "1d")]
        overlap: config::Ttl,
    },
    /// Refuse the client; all its tokens end at once
    Disable { id: String },
    /// Let the client ask for tokens again
    Enable { id: String },
    /// Delete the client for ever; nobody gets its name again
    Delete { id: String },
    /// Make, list and revoke the tokens with which clients may register themselves
    #[command(subcommand)]
    Token(token::Token),
}

pub(crate) async fn run(command: ClientCommand, out: &Output) -> Result<(), Failure> {
    let operator = command.config.open().await?;
    match command.action {
        Action::Add(add) => add::run(&operator, *add, out).await,
        Action::List => list(&operator, out).await,
        Action::Show { id } => show(&operator, &id, out).await,
        Action::RotateSecret { id, overlap } => rotate(&operator, &id, overlap, out).await,
        Action::Disable { id } => set_state(&operator, &id, ClientState::Disabled, out).await,
        Action::Enable { id } => set_state(&operator, &id, ClientState::Active, out).await,
        Action::Delete { id } => set_state(&operator, &id, ClientState::Deleted, out).await,
        Action::Token(action) => token::run(&operator, action, out).await,
    }
}

async fn find(operator: &Operator, id: &str) -> Result<ClientRow, Failure> {
    if rules::is_configured(&operator.config, id) {
        return Err(rules::configured(id));
    }
    let rows = operator.store.clients().await.map_err(broken)?;
    rows.into_iter().find(|row| row.client_id == id).ok_or_else(|| {
        Failure::refused("client_unknown", format!("there is no client {id}"))
            .because("nothing was changed")
            .todo("list them: carnet client list")
    })
}

fn settings(row: &ClientRow) -> Result<config::Client, Failure> {
    serde_json::from_str(&row.settings).map_err(|error| {
        Failure::broken(format!(
            "the registration of {} cannot be read: {error}",
            row.client_id
        ))
    })
}

/// Why the server cannot use a client that it should.
fn fault(operator: &Operator, row: &ClientRow) -> Option<String> {
    let active = row.state == ClientState::Active;
    let used = active.then(|| config::registered(&operator.config, &row.settings));
    used?.err()
}

async fn list(operator: &Operator, out: &Output) -> Result<(), Failure> {
    let mut clients: Vec<(config::Client, &str, Option<String>)> = Vec::new();
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for client in &operator.config.clients {
        clients.push((client.clone(), "configured", None));
    }
    for row in operator.store.clients().await.map_err(broken)? {
        faults.extend(fault(operator, &row).map(|fault| (row.client_id.clone(), fault)));
        // One that cannot be read is listed all the same.
        let client = settings(&row).unwrap_or_else(|_| config::Client::named(&row.client_id));
        clients.push((client, row.state.as_str(), row.registered_with));
    }
    let json: Vec<Value> = clients
        .iter()
        .map(|(client, state, with)| json!({ "id": client.id, "name": client.name, "state": state, "self_registered": with.is_some(), "grant_types": client.grant_types, "auth_method": client.auth_method, "scope": client.scope, "fault": faults.get(&client.id) }))
        .collect();
    let grant_types = |client: &config::Client| match client.grant_types.as_slice() {
        [] => "login API".to_owned(),
        some => some
            .iter()
            .map(|grant_type| grant_type.short_name())
            .collect::<Vec<_>>()
            .join(" "),
    };
    let rows = clients.iter().map(|(client, state, with)| {
        let method = client.auth_method.name().to_owned();
        vec![
            client.id.clone(),
            (*state).to_owned(),
            came_by(with.as_deref(), state).to_owned(),
            grant_types(client),
            method,
            client.scope.to_string(),
        ]
    });
    let empty = "No clients yet. Register one: carnet client add shop --redirect-uri https://shop.example.com/callback";
    listing(
        out,
        &json.into(),
        &[
            "Client",
            "State",
            "Registered by",
            "Grant types",
            "Proves itself by",
            "Scope",
        ],
        (rows.collect(), empty),
    );
    for (id, fault) in &faults {
        out.warn(&format!("the server cannot use {id}: {fault}"));
    }
    Ok(())
}

/// How a client that is a service is named in the tokens that it signs.
fn service_id(operator: &Operator, client: &config::Client) -> Option<String> {
    let issuer = operator.config.issuer.as_str();
    client.service.then(|| service_token::id(issuer, &client.id))
}

async fn show(operator: &Operator, id: &str, out: &Output) -> Result<(), Failure> {
    if let Some(client) = operator.config.clients.iter().find(|client| client.id == id) {
        let service_id = service_id(operator, client);
        let json = json!({ "id": id, "state": "configured", "service_id": service_id, "settings": client });
        tell(out, &json, || {
            let settings = serde_json::to_string_pretty(client).unwrap_or_default();
            let service = as_service(service_id.as_deref());
            format!("{id} stands in the configuration file{service}\n{settings}")
        });
        return Ok(());
    }
    let row = find(operator, id).await?;
    let registered = settings(&row)?;
    let fault = fault(operator, &row);
    let mut secrets = operator.store.client_secrets().await.map_err(broken)?;
    secrets.retain(|secret| secret.client_id == id);
    let json = json!({
        "id": id,
        "state": row.state.as_str(),
        "created_at": row.created_at,
        "self_registered": row.registered_with.is_some(),
        "registered_with": row.registered_with,
        "last_used_at": row.last_used_at,
        "service_id": service_id(operator, &registered),
        "settings": registered,
        "fault": fault,
        "secrets": secrets.iter().map(|secret| json!({ "created_at": secret.created_at, "expires_at": secret.expires_at })).collect::<Vec<_>>(),
    });
    tell(out, &json, || {
        let settings = serde_json::to_string_pretty(&registered).unwrap_or_default();
        let mut text = format!(
            "{id}, {}, registered {}{}\n{settings}",
            row.state.as_str(),
            when(row.created_at, operator.now),
            as_service(service_id(operator, &registered).as_deref())
        );
        if let Some(with) = &row.registered_with {
            text.push_str(&format!("\nit registered itself, {}", let_in_by(with)));
            if let Some(seen) = row.last_used_at {
                text.push_str(&format!("; last seen {}", when(seen, operator.now)));
            }
        }
        for secret in &secrets {
            let until = secret.expires_at.map_or_else(String::new, |end| {
                format!(", counts until {}", when(end, operator.now))
            });
            text.push_str(&format!(
                "\na secret of {}{until}",
                when(secret.created_at, operator.now)
            ));
        }
        if let Some(fault) = &fault {
            text.push_str(&format!("\nthe server cannot use it: {fault}"));
        }
        text
    });
    Ok(())
}

/// Who has registered it.
fn came_by(with: Option<&str>, state: &str) -> &'static str {
    match with {
        Some(_) => "itself",
        None if state == "configured" => "the file",
        None => "you",
    }
}

/// How a client that registered itself was let in.
fn let_in_by(with: &str) -> String {
    match with {
        "" => "as anybody might".to_owned(),
        name => format!("with the initial access token {name}"),
    }
}

fn as_service(service_id: Option<&str>) -> String {
    service_id.map_or_else(String::new, |id| format!("; as a service {id}"))
}

async fn rotate(operator: &Operator, id: &str, overlap: config::Ttl, out: &Output) -> Result<(), Failure> {
    let registered = settings(&find(operator, id).await?)?;
    if !registered.auth_method.has_secret() {
        let method = registered.auth_method.name();
        return Err(
            Failure::refused("client_without_secret", format!("{id} proves itself by {method}"))
                .because("such a client has no secret")
                .todo("look at it: carnet client show ID"),
        );
    }
    let secret = made_password()?;
    let digest = carnet_jose::primitive::sha256(secret.as_bytes());
    let ends = operator.now.saturating_add(overlap.millis());
    let audit = operator.did(AuditAction::ClientSecret, id);
    let done = operator
        .store
        .rotate_client_secret(id, (digest, ends), (operator.now, &audit))
        .await;
    done.map_err(broken)?;
    tell(
        out,
        &json!({ "id": id, "client_secret": secret.as_str(), "others_expire_at": ends }),
        || {
            format!(
                "The new secret of {id}, shown this once:\n{}\nThe one before counts until {}.",
                secret.as_str(),
                when(ends, operator.now)
            )
        },
    );
    Ok(())
}

async fn set_state(operator: &Operator, id: &str, state: ClientState, out: &Output) -> Result<(), Failure> {
    let row = find(operator, id).await?;
    if state == ClientState::Active && row.state == ClientState::Disabled {
        wait_for_what_was_on_its_way(row.updated_at, out).await;
    }
    let (action, said) = match state {
        ClientState::Active => (AuditAction::ClientEnable, "may ask for tokens again"),
        ClientState::Disabled => (
            AuditAction::ClientDisable,
            "is disabled; all its tokens are revoked",
        ),
        ClientState::Deleted => (
            AuditAction::ClientDelete,
            "is deleted; all its tokens are revoked",
        ),
    };
    let cut = operator.cut(Reason::Revoked, action, id);
    operator
        .store
        .set_client_state(id, state, &cut)
        .await
        .map_err(broken)?;
    tell(out, &json!({ "id": id, "state": state.as_str() }), || {
        format!("The client {id} {said}.")
    });
    Ok(())
}
