//! What a grant type may look at.
//!
//! Spec: RFC 6749 §3.3 (scope) · RFC 8707 §2.2 (resource)

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::ScopeSet;

use crate::app::App;
use crate::audit::Caller;
use crate::client::Client;
use crate::http::failure::{Because as _, Failure};
use crate::http::form::Form;

/// A request at the token endpoint, from a client that has proven who it is.
pub(super) struct TokenRequest<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Caller,
    pub(super) client: &'a Client,
    pub(super) form: &'a Form,
}

impl TokenRequest<'_> {
    /// The scope that is asked for, as long as it is no more than `most`.
    pub(super) fn scope(&self, most: &ScopeSet) -> Result<ScopeSet, Failure> {
        let Some(asked) = self.form.optional("scope") else {
            return Ok(most.clone());
        };
        let asked = asked.parse::<ScopeSet>().ok();
        let asked = asked.filter(|asked| asked.is_subset(most));
        asked.ok_or_else(|| {
            ErrorCode::InvalidScope
                .because("the scope is more than the client may ask for")
                .into()
        })
    }

    /// The resource that is asked for; `first` when none is. One token is for one resource.
    pub(super) fn audience<'r>(&'r self, allowed: &'r [String]) -> Result<&'r str, Failure> {
        let found = match self.form.optional("resource") {
            Some(asked) => allowed.iter().find(|audience| *audience == asked),
            None => allowed.first(),
        };
        found.map(String::as_str).ok_or_else(|| {
            ErrorCode::InvalidTarget
                .because("the client may not ask for this resource")
                .into()
        })
    }
}
