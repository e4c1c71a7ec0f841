//! The tokens of a user's login: an access token, and an ID token where the client asked for one.
//!
//! Spec: RFC 6749 §5.1 · OpenID Connect Core §3.1.3.3

use carnet_oauth::token_response::TokenResponse;

use super::access::{self, Approved, Login, Subject};
use super::asked::Asked;
use super::granted::Granted;
use super::id_token;
use crate::app::App;
use crate::http::failure::Failure;

/// The answer but for its refresh token: everything that can fail before a family moves. `asked` is what the authorization request said.
pub async fn mint(
    app: &App,
    granted: Granted<'_>,
    asked: Option<Asked<'_>>,
) -> Result<TokenResponse, Failure> {
    let access = app
        .store
        .access_of(granted.user.id, &granted.family.audience)
        .await?;
    let minted = access::mint(
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
            ends_by: None,
        },
    )?;
    // The login API has no ID tokens: its clients are ours.
    let id_token = if granted.scope.contains("openid") && !granted.client.uses_login_api() {
        Some(id_token::mint(
            app,
            &granted,
            &minted.token,
            asked.unwrap_or_default(),
        )?)
    } else {
        None
    };
    Ok(TokenResponse {
        id_token,
        ..minted.answer(granted.scope)
    })
}
