//! What a login or a refresh leads to, before it is put into tokens.

use carnet_oauth::scope::ScopeSet;
use carnet_store::{Family, User};

use crate::client::Client;

/// What a login or a refresh gives.
pub struct Granted<'a> {
    /// Who.
    pub user: &'a User,
    /// Through which client.
    pub client: &'a Client,
    /// The family behind it.
    pub family: &'a Family,
    /// For what.
    pub scope: ScopeSet,
    /// When the user proved who they are, in milliseconds.
    pub auth_time: i64,
    /// The key that the client has proven, by its thumbprint: its access token is bound to it.
    pub jkt: Option<&'a str>,
}
