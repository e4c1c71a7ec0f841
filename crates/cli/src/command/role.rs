//! `carnet role`: what users may be, and what that permits.

use carnet_store::AuditAction;
use clap::Subcommand;

use super::administrator::{Last, refused};
use super::operator::{ConfigFile, Operator, broken};
use super::operator::{list as listing, show as tell};
use super::registry::rules;
use crate::failure::Failure;
use crate::output::Output;

/// Add, list and remove roles
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  carnet role add editor --permission articles:write --permission articles:read\n  carnet role list"
)]
pub(crate) struct RoleCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Add a role, or permissions to one that is there
    Add {
        /// The role's name, as it stands in tokens
        name: String,
        /// What it permits; may be given several times
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<String>,
        /// Only tokens for this audience carry it
        #[arg(long, value_name = "URL")]
        audience: Option<String>,
        /// For people
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List roles and what they permit
    List,
    /// Remove a role from everybody who has it
    Remove {
        /// The role's name
        name: String,
        #[command(flatten)]
        last: Last,
    },
}

pub(crate) async fn run(command: RoleCommand, out: &Output) -> Result<(), Failure> {
    let operator = command.config.open().await?;
    match command.action {
        Action::Add {
            name,
            permissions,
            audience,
            description,
        } => {
            add(
                &operator,
                &name,
                &permissions,
                (audience.as_deref(), &description),
            )
            .await?
        }
        Action::List => return list(&operator, out).await,
        Action::Remove { name, last } => {
            let removed = match last.may_go(&name) {
                true => operator.store.remove_role(&name).await,
                false => operator.store.remove_role_unless_last(&name).await,
            };
            if !removed.map_err(refused)? {
                return Err(unknown(&name));
            }
            operator.record(AuditAction::RoleRemove, &name).await?;
            tell(out, &serde_json::json!({ "removed": name }), || {
                format!("Removed the role {name}. Tokens lose it at their next refresh.")
            });
            return Ok(());
        }
    }
    out.next("carnet user role EMAIL ROLE");
    list(&operator, out).await
}

async fn add(
    operator: &Operator,
    name: &str,
    permissions: &[String],
    (audience, description): (Option<&str>, &str),
) -> Result<(), Failure> {
    if let Some(flaw) = rules::role(&operator.config, name, permissions, audience)
        .into_iter()
        .next()
    {
        return Err(flaw.failure);
    }
    let known = operator.knows_role(name).await?;
    let action = if known {
        AuditAction::RoleChange
    } else {
        AuditAction::RoleCreate
    };
    if !known {
        operator
            .store
            .add_role(name, description, operator.now)
            .await
            .map_err(broken)?;
    }
    for permission in permissions {
        operator
            .store
            .permit(name, permission, audience)
            .await
            .map_err(broken)?;
    }
    operator.record(action, name).await
}

async fn list(operator: &Operator, out: &Output) -> Result<(), Failure> {
    let roles = operator.store.list_roles().await.map_err(broken)?;
    let json: Vec<_> = roles
        .iter()
        .map(|role| serde_json::json!({ "name": role.name, "audience": role.audience, "permissions": role.permissions, "description": role.description }))
        .collect();
    let row = |role: &carnet_store::Role| {
        vec![
            role.name.clone(),
            role.permissions.join(" "),
            role.audience.clone().unwrap_or_else(|| "every".to_owned()),
        ]
    };
    let empty = "No roles yet. Make one: carnet role add editor --permission articles:write";
    listing(
        out,
        &json.into(),
        &["Role", "Permits", "Audience"],
        (roles.iter().map(row).collect(), empty),
    );
    Ok(())
}

fn unknown(name: &str) -> Failure {
    Failure::refused("role_unknown", format!("there is no role {name}"))
        .because("nothing was changed")
        .todo("list them: carnet role list")
}
