//! `carnet user delete`: what is personal goes, every session and token with it.

use std::io::IsTerminal as _;

use carnet_server::clock::{Clock as _, SystemClock};
use carnet_store::{AuditAction, Cut, Reason, UserState};

use crate::command::administrator::{Last, refused};
use crate::command::operator::{Operator, show as tell};
use crate::command::registry::rules::ADMINISTRATORS;
use crate::failure::Failure;
use crate::output::Output;

/// Not without somebody's yes: nothing of it comes back.
pub(super) async fn run(
    operator: &Operator,
    name: &str,
    (yes, last): (bool, &Last),
    out: &Output,
) -> Result<(), Failure> {
    let user = operator.user(name).await?;
    if user.state == UserState::Deleted {
        return Err(
            Failure::refused("user_deleted", format!("{name} was deleted before"))
                .because("nothing of the account is left but its sub, which nobody gets again")
                .todo("list users: carnet user list"),
        );
    }
    if !yes {
        confirm(&user.email, out)?;
    }
    // A person may have thought for a while; what began meanwhile ends too.
    let cut = Cut {
        at: SystemClock.now(),
        ..operator.cut(Reason::UserDeleted, AuditAction::UserDelete, &user.sub)
    };
    let (store, gone) = (&operator.store, UserState::Deleted);
    let deleted = match last.may_go(ADMINISTRATORS) {
        true => store.set_user_state(&user.sub, gone, &cut).await,
        false => {
            store
                .set_user_state_unless_last((&user.sub, gone), ADMINISTRATORS, &cut)
                .await
        }
    };
    deleted.map_err(refused)?;
    let json = serde_json::json!({ "sub": user.sub, "state": gone.as_str() });
    tell(out, &json, || {
        format!(
            "{} is deleted: every session has ended, every token is revoked.",
            user.email
        )
    });
    Ok(())
}

fn confirm(email: &str, out: &Output) -> Result<(), Failure> {
    if out.is_json() || !std::io::stdin().is_terminal() {
        return Err(
            Failure::usage("confirmation_missing", "nobody is there to say yes")
                .because("a user is deleted only when somebody has agreed to it; nothing was changed")
                .todo("add --yes"),
        );
    }
    match out.ask(&format!("Delete {email} for ever?")) {
        true => Ok(()),
        false => Err(Failure::refused("not_confirmed", "nothing was changed")
            .because("the answer was not y")
            .todo("to refuse logins alone: carnet user disable")),
    }
}
