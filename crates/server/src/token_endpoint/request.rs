//! What a grant type may look at.
//!
//! Spec: RFC 6749 §3.2 · RFC 9449 §5 (DPoP)

use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::scope::ScopeSet;
use carnet_store::TokenFacts;

use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::http::failure::{Failure, overloaded};
use crate::http::form::Form;
use crate::wanted;

/// A request at the token endpoint, from a client that has proven who it is.
pub(super) struct TokenRequest<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) client: &'a Client,
    pub(super) form: &'a Form,
    /// The key that the request proves, by its thumbprint (RFC 9449 §5).
    pub(super) jkt: Option<&'a str>,
}

impl TokenRequest<'_> {
    /// What refresh tokens are bound to: the key of a public client. Others prove who they are (RFC 9449 §5).
    pub(super) fn key_of_refresh_tokens(&self) -> Option<&str> {
        self.jkt.filter(|_| self.client.auth_method == AuthMethod::None)
    }

    /// The scope that is asked for, as long as it is no more than `most`.
    pub(super) fn scope(&self, most: ScopeSet) -> Result<ScopeSet, Failure> {
        Ok(wanted::scope(self.form.optional("scope"), most)?)
    }

    /// Refuses to make, for a user, what would be dead when it is born: whatever this client got in this second was taken back.
    pub(super) async fn check_second(&self, sub: &str) -> Result<(), Failure> {
        let born = TokenFacts {
            sub: sub.to_owned(),
            client_id: self.client.id.clone(),
            iat: self.app.now().div_euclid(1_000),
            ..TokenFacts::default()
        };
        match self.app.store.is_revoked(&born).await? {
            true => Err(overloaded(1)),
            false => Ok(()),
        }
    }

    /// The resource that is asked for; the first when none is.
    pub(super) fn audience<'r>(&self, allowed: &'r [String]) -> Result<&'r str, Failure> {
        Ok(wanted::audience(self.form.resource()?, allowed)?)
    }
}
