//! `carnet revoke`: takes back a user's tokens, a session, or one token.

use carnet_oauth::grant_type::GrantType;
use carnet_server::config;
use carnet_server::token::refresh::RefreshToken;
use carnet_store::{AuditAction, Reason, User};

use super::operator::{ConfigFile, Operator, broken, show as tell};
use crate::failure::Failure;
use crate::output::Output;

/// Take back all tokens of a user, a session, or one token
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet revoke --user alice@example.com\n  carnet revoke --user alice@example.com --client shop\n  carnet revoke --session SID"
)]
pub(crate) struct Revoke {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    what: What,
    /// With --user: only what they have let this client do, with its sessions and tokens
    #[arg(long, value_name = "CLIENT", requires = "user", allow_hyphen_values = true)]
    client: Option<String>,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// Every session and token of this user (e-mail or sub)
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// One session, its refresh family and its access tokens
    #[arg(long, value_name = "SID", allow_hyphen_values = true)]
    session: Option<String>,
    /// One access token, by its jti
    #[arg(long, value_name = "JTI", allow_hyphen_values = true)]
    jti: Option<String>,
    /// The token itself, read from standard input: an access token, or a refresh token with its session
    #[arg(long)]
    token: bool,
}

pub(crate) async fn run(revoke: Revoke, out: &Output) -> Result<(), Failure> {
    let operator = revoke.config.open().await?;
    match revoke.what {
        What { user: Some(name), .. } => {
            let user = operator.user(&name).await?;
            match revoke.client {
                Some(client) => withdraw(&operator, &user, &client, out).await?,
                None => operator.end_sessions_of(&user, out).await?,
            }
        }
        What {
            session: Some(sid), ..
        } => operator.end_session(&sid, out).await?,
        What { jti: Some(jti), .. } => revoke_jti(&operator, &jti, out).await?,
        _ => {
            let text = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
            revoke_token(&operator, text.trim(), out).await?;
        }
    }
    Ok(())
}

/// As the user can at their own pages.
async fn withdraw(operator: &Operator, user: &User, client: &str, out: &Output) -> Result<(), Failure> {
    let cut = operator.cut(Reason::Revoked, AuditAction::ConsentWithdraw, client);
    let (store, whose) = (&operator.store, (user.id, user.sub.as_str()));
    let ended = match exchanges_tokens(operator, client).await? {
        true => store.withdraw_with_exchanged(whose, client, &cut).await,
        false => store.withdraw_consent(whose, client, &cut).await,
    };
    let ended = ended.map_err(broken)?;
    tell(out, &serde_json::json!({ "sessions": ended }), || {
        format!(
            "Ended {ended} sessions of {} at {client}; their tokens are revoked, and {client} has to ask again.",
            user.email
        )
    });
    Ok(())
}

/// Whether the client may have tokens with the sessions of others.
async fn exchanges_tokens(operator: &Operator, id: &str) -> Result<bool, Failure> {
    let exchanges = |client: &config::Client| client.grant_types.contains(&GrantType::TokenExchange);
    if let Some(client) = operator.config.clients.iter().find(|client| client.id == id) {
        return Ok(exchanges(client));
    }
    let rows = operator.store.clients().await.map_err(broken)?;
    let row = rows.into_iter().find(|row| row.client_id == id);
    // What cannot be read may be anything.
    Ok(row.is_some_and(|row| serde_json::from_str(&row.settings).map_or(true, |client| exchanges(&client))))
}

async fn revoke_jti(operator: &Operator, jti: &str, out: &Output) -> Result<(), Failure> {
    let cut = operator.cut(Reason::Revoked, AuditAction::Revoke, jti);
    operator.store.revoke_token(jti, &cut).await.map_err(broken)?;
    tell(out, &serde_json::json!({ "jti": jti }), || {
        format!("Revoked the token {jti}.")
    });
    Ok(())
}

async fn revoke_token(operator: &Operator, token: &str, out: &Output) -> Result<(), Failure> {
    if let Some(refresh) = RefreshToken::parse(token) {
        let record = operator.store.family(refresh.fam).await.map_err(broken)?;
        let master = operator.master()?;
        let genuine = record.filter(|record| refresh.is_genuine(&master, &record.family));
        let record = genuine.ok_or_else(|| not_ours("no family of this server"))?;
        return operator.end_session(&record.family.sid, out).await;
    }
    // Unverified on purpose: an operator may revoke what any of our keys has signed, also after the key has left.
    let claims = carnet_jose::dangerous::decode(token)
        .map_err(|_| not_ours("neither a JWT nor a refresh token"))?
        .payload;
    match claims["jti"]
        .as_str()
        .filter(|_| claims["iss"] == operator.config.issuer.as_str())
    {
        Some(jti) => revoke_jti(operator, jti, out).await,
        None => Err(not_ours("its issuer is another, or it has no jti")),
    }
}

fn not_ours(why: &str) -> Failure {
    Failure::refused("token_unknown", "this is no token of this server")
        .because(why)
        .todo("look into it: carnet jwt decode")
}
