//! `carnet session`: where a user is signed in, and the end of it.

use carnet_store::LiveSession;
use clap::Subcommand;

use super::operator::{ConfigFile, Operator, list as listing, when};
use crate::failure::Failure;
use crate::output::Output;

/// List and end the sessions of a user
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet session list --user alice@example.com\n  carnet session end --user alice@example.com"
)]
pub(crate) struct SessionCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List the sessions of a user that live: browsers, and the clients that signed in there or by themselves
    List {
        /// Whose (e-mail or sub)
        #[arg(long, value_name = "USER")]
        user: String,
    },
    /// End one session, or all of a user; tokens die at once, and clients that asked for it are told
    End(End),
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct End {
    /// The session, as `carnet session list` names it
    #[arg(value_name = "SID", allow_hyphen_values = true)]
    session: Option<String>,
    /// Every session of this user (e-mail or sub)
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

pub(crate) async fn run(command: SessionCommand, out: &Output) -> Result<(), Failure> {
    let operator = command.config.open().await?;
    match command.action {
        Action::List { user } => list(&operator, &user, out).await,
        Action::End(End { user: Some(name), .. }) => {
            let user = operator.user(&name).await?;
            operator.end_sessions_of(&user, out).await
        }
        Action::End(End { session, .. }) => operator.end_session(&session.unwrap_or_default(), out).await,
    }
}

async fn list(operator: &Operator, name: &str, out: &Output) -> Result<(), Failure> {
    let user = operator.user(name).await?;
    let live = operator.live_sessions_of(&user).await?;
    let json = live.iter().map(describe).collect();
    let row = |session: &LiveSession| {
        vec![
            session.sid.clone(),
            match session.client_id.as_str() {
                "" => "browser".to_owned(),
                client => client.to_owned(),
            },
            when(session.created_at, operator.now),
            when(session.last_seen_at, operator.now),
            session.address.clone(),
        ]
    };
    let headings = ["Session", "Client", "Began", "Last used", "Address"];
    let empty = "No sessions. One begins when the user signs in.";
    listing(out, &json, &headings, (live.iter().map(row).collect(), empty));
    if let Some(session) = live.first().filter(|_| !out.is_json()) {
        out.next(&format!("carnet session end {}", session.sid));
    }
    Ok(())
}

fn describe(session: &LiveSession) -> serde_json::Value {
    serde_json::json!({
        "sid": session.sid,
        "client_id": Some(&session.client_id).filter(|id| !id.is_empty()),
        "ends_with": session.ends_with,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "address": session.address,
        "user_agent": session.user_agent,
    })
}
