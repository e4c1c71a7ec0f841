//! What every way to refresh has in common: is the token genuine, what may it still do, spend it.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2

use carnet_oauth::scope::ScopeSet;
use carnet_store::{Access, AuditAction, Cut, Family, FamilyRecord, Reason, Rotated, User, UserState};

use super::refresh::RefreshToken;
use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::config::RefreshRotation;
use crate::http::failure::Failure;

/// The family behind a token that we made, for a user who is active, and what that user may do at its audience. Whether the token is the newest one
/// is not looked at.
pub async fn look<'t>(
    app: &App,
    text: &'t str,
) -> Result<Option<(RefreshToken<'t>, FamilyRecord, Access)>, Failure> {
    let Some(token) = RefreshToken::parse(text) else {
        return Ok(None);
    };
    let found = app.store.family_and_access(token.fam).await?;
    let found = found.filter(|(record, _)| {
        token.is_genuine(&app.master, &record.family) && record.user.state == UserState::Active
    });
    Ok(found.map(|(record, access)| (token, record, access)))
}

/// What was granted and the client still may.
pub fn granted(family: &Family, client: &Client) -> Result<ScopeSet, Failure> {
    let granted: ScopeSet = family.scope.parse().map_err(Failure::broken)?;
    Ok(granted.within(&client.scope))
}

/// Spends the token, or, for a client whose tokens do not rotate, keeps its family alive. One that was spent before takes its family down. With a key, a family that is bound to none is bound to it.
pub async fn spend(
    app: &App,
    caller: &Caller,
    (token, family, user): (&RefreshToken<'_>, Family, &User),
    (client, jkt): (&Client, Option<&str>),
) -> Result<Rotated, Failure> {
    let theft = |at| {
        let code = "refresh_token_reused";
        let audit = caller.was_refused(&user.sub, AuditAction::RefreshReuse, token.fam, code);
        Cut {
            at,
            ..app.cut(Reason::Reuse, audit)
        }
    };
    let (presented, times) = (
        (token.generation, jkt),
        (app.now(), client.refresh_grace.millis()),
    );
    let rotated = match client.refresh_rotation {
        RefreshRotation::On => app.store.rotate(family, presented, times, theft).await?,
        RefreshRotation::Off => app.store.renew(family, presented, times, theft).await?,
    };
    if let Rotated::Reused(family) = &rotated {
        tracing::warn!(fam = %family.fam, presented = token.generation, newest = family.generation, "a spent refresh token came back: its family is revoked");
    }
    Ok(rotated)
}
