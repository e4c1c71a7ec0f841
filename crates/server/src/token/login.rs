//! The tokens of a user's login: an access token, and an ID token where the client asked for one.
//!
//! Spec: RFC 6749 §5.1 · OpenID Connect Core §3.1.3.3

use carnet_oauth::token_response::TokenResponse;
use carnet_store::Access;

use super::access::{self, Approved, Login, Subject};
use super::asked::Asked;
use super::granted::Granted;
use super::id_token;
use crate::app::App;
use crate::http::failure::Failure;

/// The answer but for its refresh token: everything that can fail before a family moves. `asked` is what the authorization request said.
pub fn mint(
    app: &App,
    granted: Granted<'_>,
    access: Access,
    asked: Option<Asked<'_>>,
) -> Result<TokenResponse, Failure> {
    let mut answer = access::mint(
        app,
        Approved {
            subject: Subject::User(Login {
                user: granted.user,
                family: granted.family,
                access,
                auth_time: Some(granted.auth_time),
            }),
            client: granted.client,
            audience: &granted.family.audience,
            scope: granted.scope.clone(),
            jkt: granted.jkt,
            act: None,
            ends_by: Some(u64::try_from(granted.family.absolute_expires_at / 1000).unwrap_or_default()),
        },
    )?;
    // The login API has no ID tokens: its clients are ours.
    if granted.scope.contains("openid") && !granted.client.uses_login_api() {
        let asked = asked.unwrap_or_default();
        answer.id_token = Some(id_token::mint(app, &granted, &answer.access_token, asked)?);
    }
    Ok(answer)
}
