//! What an authorization request asked for beside its scopes, and how that is kept with the login that it led to.
//!
//! Spec: OpenID Connect Core §5.5, §12.2

use carnet_oauth::claims_request::ClaimsRequest;

use crate::http::failure::Failure;

/// What a request said about the ID token that it leads to.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Comes back as it was; not after a refresh.
    pub nonce: Option<&'a str>,
    /// The single claims.
    pub claims: Option<&'a ClaimsRequest>,
}

/// As it is kept; nothing when nothing was asked for.
pub fn write(claims: &ClaimsRequest) -> Result<Option<String>, Failure> {
    if claims.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(claims).map(Some).map_err(Failure::broken)
}

/// What was kept.
pub fn read(kept: Option<&str>) -> Result<ClaimsRequest, Failure> {
    match kept {
        Some(text) => serde_json::from_str(text).map_err(Failure::broken),
        None => Ok(ClaimsRequest::default()),
    }
}
