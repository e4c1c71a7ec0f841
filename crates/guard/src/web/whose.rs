//! Whose login a session is: what comes with a refresh must be of the same one.
//!
//! Spec: OpenID Connect Core §12.2

use carnet_client::login_check::Unfit;
use carnet_oauth::token_response::TokenResponse;
use serde::{Deserialize, Serialize};

use super::app::Web;
use crate::auth::Auth;

/// The user of a login, and the `nonce` that is its own. There is one issuer, and it is checked with each token.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Whose {
    sub: String,
    /// `None` for an app that asks for no `openid`: its ID tokens are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

impl Whose {
    /// Of a login that was good.
    pub(super) fn at_login(auth: &Auth, nonce: Option<String>) -> Self {
        let sub = auth.sub().to_owned();
        Self { sub, nonce }
    }

    /// The ID token that came with a refresh; `None` when none did, or one that says nothing.
    ///
    /// # Errors
    /// It is another login's: why, for the log.
    pub(super) async fn id_token(
        &self,
        web: &Web,
        tokens: &TokenResponse,
    ) -> Result<Option<String>, &'static str> {
        let (Some(id_token), Some(nonce)) = (&tokens.id_token, self.nonce.as_deref()) else {
            return Ok(tokens.id_token.clone());
        };
        let of = (self.sub.as_str(), Some(nonce));
        match web.parts.login.check_again(id_token, of, web.now()).await {
            Ok(_) => Ok(Some(id_token.clone())),
            Err(Unfit::Foreign(why)) => Err(why),
            Err(Unfit::Unbelievable(why)) => {
                tracing::error!(
                    why,
                    "an ID token that came with a refresh says nothing: the one before stays"
                );
                Ok(None)
            }
        }
    }

    /// # Errors
    /// The access token is another user's: why, for the log.
    pub(super) fn check(&self, auth: &Auth) -> Result<(), &'static str> {
        match self.sub == auth.sub() {
            true => Ok(()),
            false => Err("the access token is about another user"),
        }
    }
}
