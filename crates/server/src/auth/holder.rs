//! Whose access token opens the login API: that of one of its own clients, for an audience that the client may have at login.
//!
//! Spec: RFC 6750 §3.1 · RFC 9068 §4 (the audience) · RFC 9449 §7.1 (the scheme DPoP)

use carnet_oauth::dpop::SCHEME;
use http::HeaderMap;

use crate::app::App;
use crate::http::failure::Failure;
use crate::token::bearer::{self, Presented, Rejected};

/// The caller of the login API; refused with a challenge when there is no token that counts there.
pub(super) async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Presented, Failure> {
    refuse_bound(headers)?;
    let presented = bearer::authenticate(app, headers).await?;
    of_login(app, presented).map_err(|rejected| bearer::refusal(rejected).into())
}

/// What came for another client, or for another audience, was given for what stands in it: a user who let an app read orders has
/// not let it change the password. Such an app asks at /userinfo.
pub(super) fn of_login(app: &App, presented: Presented) -> Result<Presented, Rejected> {
    let claims = &presented.claims;
    let client = app.directory.login_client(Some(&claims.client_id));
    let why = match client {
        None => "its client is none of the login API",
        Some(client) if client.audiences.iter().any(|ours| claims.aud.contains(ours)) => {
            return Ok(presented);
        }
        Some(_) => "the client may not have its audience at login",
    };
    tracing::info!(client_id = %claims.client_id, why, "an access token was refused at the login API");
    Err(Rejected::Invalid)
}

/// The login API gives out no tokens that are bound to a key, so none can be one of its own.
pub(super) fn refuse_bound(headers: &HeaderMap) -> Result<(), Failure> {
    const REASON: &str =
        "the login API takes bearer tokens that it gave itself; one that is bound to a key opens /userinfo";
    match bearer::token_by(headers, SCHEME)? {
        None => Ok(()),
        Some(_) => Err(bearer::invalid_because(REASON).into()),
    }
}
