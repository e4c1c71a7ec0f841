//! `carnet user`: accounts, their states, passwords and roles.

mod delete;
mod password;

use carnet_store::{AuditAction, LiveSession, NewPassword, NewUser, Reason, User, UserState};
use clap::Subcommand;

use password::{PasswordSource, password_hash};

use super::administrator::{Last, refused};
use super::operator::{ConfigFile, Operator, broken};
use super::operator::{list as listing, show as tell, when};
use super::registry::rules::{self, ADMINISTRATORS};
use crate::failure::Failure;
use crate::output::Output;

/// Add, list, disable, delete users; set passwords and roles
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet user add alice@example.com --role editor\n  carnet user disable alice@example.com"
)]
pub(crate) struct UserCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Add a user; without a password one is made and shown once
    Add(Add),
    /// List users
    List {
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// Start behind the user with this sub
        #[arg(long, value_name = "SUB")]
        after: Option<String>,
    },
    /// Show a user, their roles and sessions
    Show { user: String },
    /// Refuse logins; every session and token ends at once
    Disable {
        user: String,
        #[command(flatten)]
        last: Last,
    },
    /// Forget the user for ever: sessions and tokens end at once, nobody gets the sub again
    Delete {
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        last: Last,
    },
    /// Allow logins again
    Enable { user: String },
    /// Set a new password; every session and token ends at once
    SetPassword {
        user: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Give a role, or take it with --remove
    Role {
        user: String,
        role: String,
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        last: Last,
    },
}

#[derive(clap::Args, Debug)]
struct Add {
    /// The e-mail address
    email: String,
    /// The name to show
    #[arg(long)]
    name: Option<String>,
    /// A role to give; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Give the role `admin`, making it when there is none
    #[arg(long)]
    admin: bool,
    /// The address is known to be theirs
    #[arg(long)]
    email_verified: bool,
    #[command(flatten)]
    password: PasswordSource,
}

pub(crate) async fn run(command: UserCommand, out: &Output) -> Result<(), Failure> {
    let operator = command.config.open().await?;
    match command.action {
        Action::Add(add) => add_user(&operator, add, out).await,
        Action::List { limit, after } => list(&operator, (limit, after.as_deref()), out).await,
        Action::Show { user } => show(&operator, &user, out).await,
        Action::Disable { user, last } => {
            set_state(&operator, &user, (UserState::Disabled, &last), out).await
        }
        Action::Delete { user, yes, last } => delete::run(&operator, &user, (yes, &last), out).await,
        Action::Enable { user } => {
            set_state(&operator, &user, (UserState::Active, &Last::default()), out).await
        }
        Action::SetPassword { user, password } => set_password(&operator, &user, &password, out).await,
        Action::Role {
            user,
            role,
            remove,
            last,
        } => give_role(&operator, &user, (&role, remove.then_some(&last)), out).await,
    }
}

async fn add_user(operator: &Operator, add: Add, out: &Output) -> Result<(), Failure> {
    let email = rules::email(&add.email)?;
    let (hash, made) = password_hash(operator, &add.password, &email.display).await?;
    let mut roles = add.roles;
    if add.admin {
        if !operator.knows_role(ADMINISTRATORS).await? {
            operator
                .store
                .add_role(ADMINISTRATORS, "may administer this server", operator.now)
                .await
                .map_err(broken)?;
        }
        roles.push(ADMINISTRATORS.to_owned());
    }
    let new = NewUser {
        sub: String::new(),
        email_display: email.display,
        email_canonical: email.canonical,
        name: add.name,
        password_hash: Some(hash),
        roles,
        email_verified: add.email_verified,
        claims: "{}".to_owned(),
        attributes: "{}".to_owned(),
    };
    let user = operator
        .store
        .create_user(&new, operator.now)
        .await
        .map_err(broken)?;
    operator.record(AuditAction::UserCreate, &user.sub).await?;
    let json = serde_json::json!({ "sub": user.sub, "email": user.email, "roles": new.roles, "password": made.as_ref().map(|made| made.as_str()) });
    tell(out, &json, || match &made {
        Some(made) => format!(
            "Added {} ({}).\nPassword, shown this once: {}",
            user.email,
            user.sub,
            made.as_str()
        ),
        None => format!("Added {} ({}).", user.email, user.sub),
    });
    out.next(&format!("carnet user show {}", user.email));
    Ok(())
}

async fn list(operator: &Operator, (limit, after): (i64, Option<&str>), out: &Output) -> Result<(), Failure> {
    let users = operator
        .store
        .list_users(after, limit.clamp(1, 10_000))
        .await
        .map_err(broken)?;
    let json: Vec<_> = users.iter().map(describe).collect();
    let row = |user: &User| {
        vec![
            user.email.clone(),
            user.state.as_str().to_uppercase(),
            when(user.created_at, operator.now),
            user.sub.clone(),
        ]
    };
    let empty = "No users yet. Make one: carnet user add alice@example.com";
    listing(
        out,
        &json.into(),
        &["E-mail", "State", "Added", "Sub"],
        (users.iter().map(row).collect(), empty),
    );
    Ok(())
}

async fn show(operator: &Operator, name: &str, out: &Output) -> Result<(), Failure> {
    let user = operator.user(name).await?;
    let roles = operator.store.roles_of(user.id).await.map_err(broken)?;
    let live = operator.live_sessions_of(&user).await?;
    let mut json = describe(&user);
    json["roles"] = roles.clone().into();
    json["sessions"] = live
        .iter()
        .map(|session| serde_json::json!({ "sid": session.sid, "client_id": session.client_id, "created_at": session.created_at, "last_seen_at": session.last_seen_at, "address": session.address, "user_agent": session.user_agent }))
        .collect();
    if out.is_json() {
        out.value(&json);
        return Ok(());
    }
    let fact = |name: &str, value: String| [name.to_owned(), value, String::new()];
    out.sheet(&[
        fact("E-mail", user.email.clone()),
        fact("State", user.state.as_str().to_uppercase()),
        fact("Sub", user.sub.clone()),
        fact("Name", user.name.clone().unwrap_or_else(|| "none".to_owned())),
        fact("Roles", spoken(&roles)),
        fact("Added", when(user.created_at, operator.now)),
    ]);
    let row = |session: &LiveSession| {
        let (began, seen) = (
            when(session.created_at, operator.now),
            when(session.last_seen_at, operator.now),
        );
        vec![
            session.sid.clone(),
            session.client_id.clone(),
            began,
            seen,
            session.address.clone(),
        ]
    };
    let headings = ["Session", "Client", "Began", "Last seen", "Address"];
    listing(
        out,
        &json,
        &headings,
        (live.iter().map(row).collect(), "No sessions."),
    );
    Ok(())
}

fn spoken(roles: &[String]) -> String {
    if roles.is_empty() {
        "none".to_owned()
    } else {
        roles.join(" ")
    }
}

async fn set_state(
    operator: &Operator,
    name: &str,
    (state, last): (UserState, &Last),
    out: &Output,
) -> Result<(), Failure> {
    let user = operator.user(name).await?;
    let action = if state == UserState::Active {
        AuditAction::UserEnable
    } else {
        AuditAction::UserDisable
    };
    let cut = operator.cut(Reason::UserDisabled, action, &user.sub);
    let store = &operator.store;
    let changed = match last.may_go(ADMINISTRATORS) {
        true => store.set_user_state(&user.sub, state, &cut).await,
        false => {
            store
                .set_user_state_unless_last((&user.sub, state), ADMINISTRATORS, &cut)
                .await
        }
    };
    changed.map_err(refused)?;
    let json = serde_json::json!({ "sub": user.sub, "state": state.as_str() });
    tell(out, &json, || match state {
        UserState::Active => format!("{} may log in again.", user.email),
        _ => format!(
            "{} is disabled: every session has ended, every token is revoked.",
            user.email
        ),
    });
    Ok(())
}

async fn set_password(
    operator: &Operator,
    name: &str,
    source: &PasswordSource,
    out: &Output,
) -> Result<(), Failure> {
    let user = operator.user(name).await?;
    let (hash, made) = password_hash(operator, source, &user.email).await?;
    let cut = operator.cut(Reason::PasswordChanged, AuditAction::PasswordChange, &user.sub);
    let new = NewPassword::given(&user.sub, hash);
    operator.store.set_password(&new, &cut).await.map_err(broken)?;
    let json = serde_json::json!({ "sub": user.sub, "password": made.as_ref().map(|made| made.as_str()) });
    tell(out, &json, || match &made {
        Some(made) => format!(
            "{} has a new password, shown this once: {}\nEvery session has ended.",
            user.email,
            made.as_str()
        ),
        None => format!("{} has a new password. Every session has ended.", user.email),
    });
    Ok(())
}

async fn give_role(
    operator: &Operator,
    name: &str,
    (role, taken): (&str, Option<&Last>),
    out: &Output,
) -> Result<(), Failure> {
    let user = operator.user(name).await?;
    if !operator.knows_role(role).await? {
        let todo = format!("make it: carnet role add {role}");
        return Err(
            Failure::refused("role_unknown", format!("there is no role {role}"))
                .because("nothing was changed")
                .todo(todo),
        );
    }
    let (store, sub) = (&operator.store, &user.sub);
    let (action, changed) = match taken {
        None => (AuditAction::RoleGive, store.give_role(sub, role).await),
        Some(last) if last.may_go(role) => (AuditAction::RoleTake, store.take_role(sub, role).await),
        Some(_) => (
            AuditAction::RoleTake,
            store.take_role_unless_last(sub, role).await,
        ),
    };
    changed.map_err(refused)?;
    operator.record(action, &user.sub).await?;
    let roles = operator.store.roles_of(user.id).await.map_err(broken)?;
    let json = serde_json::json!({ "sub": user.sub, "roles": roles });
    tell(out, &json, || {
        format!(
            "{} has the roles: {}. Tokens say so from their next refresh.",
            user.email,
            spoken(&roles)
        )
    });
    Ok(())
}

fn describe(user: &User) -> serde_json::Value {
    serde_json::json!({
        "sub": user.sub, "email": user.email, "email_verified": user.email_verified, "name": user.name,
        "state": user.state.as_str(), "created_at": user.created_at, "updated_at": user.updated_at,
    })
}
