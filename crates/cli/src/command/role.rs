//! `carnet role`: what users may be, and what that permits.

use carnet_store::AuditAction;
use clap::Subcommand;

use super::operator::{ConfigFile, Operator, broken};
use super::operator::{list as listing, show as tell};
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
        Action::Remove { name } => {
            if !operator.store.remove_role(&name).await.map_err(broken)? {
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
    check(operator, name, permissions, audience)?;
    let known = operator
        .store
        .list_roles()
        .await
        .map_err(broken)?
        .into_iter()
        .any(|role| role.name == name);
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

/// Names that fit into a claim, and an audience that some token has.
fn check(
    operator: &Operator,
    name: &str,
    permissions: &[String],
    audience: Option<&str>,
) -> Result<(), Failure> {
    let word = |text: &str| {
        let visible = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        !text.is_empty() && text.len() <= 128 && text.bytes().all(visible)
    };
    let mut names = std::iter::once(name).chain(permissions.iter().map(String::as_str));
    if let Some(odd) = names.find(|text| !word(text)) {
        return Err(Failure::usage(
            "invalid_name",
            format!("{odd:?} is no name of a role or permission"),
        )
        .because("names are visible ASCII without space, quote and backslash, 128 characters at most")
        .todo("choose one such as editor or articles:write"));
    }
    if let Some(audience) = audience
        && !operator
            .config
            .resources
            .iter()
            .any(|resource| resource.audience == audience)
    {
        return Err(Failure::usage(
            "unknown_audience",
            format!("no resource has the audience {audience}"),
        )
        .because("the role would be in no token")
        .todo("add [[resources]] to the configuration first"));
    }
    Ok(())
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
