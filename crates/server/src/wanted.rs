//! What a client asks for in a form, within what it may have.
//!
//! Spec: RFC 6749 §3.3 (scope) · RFC 8707 §2 (resource)

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::ScopeSet;

use crate::http::failure::{Because as _, Failure};
use crate::http::form::Form;

/// The scope that is asked for, as long as it is no more than `most`; `most` itself when none is named.
pub(crate) fn scope(form: &Form, most: &ScopeSet) -> Result<ScopeSet, Failure> {
    let Some(asked) = form.optional("scope") else {
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

/// The resource that is asked for; the first of `allowed` when none is. One token is for one resource.
pub(crate) fn audience<'r>(form: &Form, allowed: &'r [String]) -> Result<&'r str, Failure> {
    let found = match form.resource()? {
        Some(asked) => allowed.iter().find(|audience| *audience == asked),
        None => allowed.first(),
    };
    found.map(String::as_str).ok_or_else(|| {
        ErrorCode::InvalidTarget
            .because("the client may not ask for this resource")
            .into()
    })
}
