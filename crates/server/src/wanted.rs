//! What a client asks for, within what it may have: at every endpoint the same.
//!
//! Spec: RFC 6749 §3.3 (scope) · RFC 8707 §2 (resource)

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::{OPENID_SCOPES, ScopeSet};

use crate::client::Client;

/// Why not, for whoever is told.
pub(crate) type Refuse = (ErrorCode, &'static str);

/// Several resources are named, where one token is for one.
pub(crate) const SEVERAL: Refuse = (ErrorCode::InvalidTarget, "one token is for one resource");

/// The scope of a login; without one, all that the client may but for what is about the person.
pub(crate) fn scope_of_login(client: &Client, asked: Option<&str>) -> Result<ScopeSet, Refuse> {
    match asked {
        Some(_) => scope(asked, client.scope.clone()),
        None => Ok(client.scope.without(OPENID_SCOPES)),
    }
}

/// The scope that is asked for, as long as it is no more than `most`; `most` itself when none is named.
pub(crate) fn scope(asked: Option<&str>, most: ScopeSet) -> Result<ScopeSet, Refuse> {
    let Some(asked) = asked else {
        return Ok(most);
    };
    let asked = asked.parse::<ScopeSet>().ok();
    let asked = asked.filter(|asked| asked.is_subset(&most));
    asked.ok_or((
        ErrorCode::InvalidScope,
        "the scope is more than the client may ask for",
    ))
}

/// No more of `most` than is let. Where nothing is left of it there is no token that is good for nothing.
pub(crate) fn narrowed(most: &ScopeSet, to: &ScopeSet) -> Result<ScopeSet, Refuse> {
    let left = most.intersection(to);
    match left.is_empty() && !most.is_empty() {
        true => Err((ErrorCode::InvalidScope, "nothing is left of the scope")),
        false => Ok(left),
    }
}

/// The resource that is asked for; the first of `allowed` when none is.
pub(crate) fn audience<'r>(asked: Option<&str>, allowed: &'r [String]) -> Result<&'r str, Refuse> {
    let found = match asked {
        Some(asked) => allowed.iter().find(|audience| *audience == asked),
        None => allowed.first(),
    };
    found.map(String::as_str).ok_or((
        ErrorCode::InvalidTarget,
        "the client may not ask for this resource",
    ))
}
