//! Single claims that a request asks for: what is told to the client, and what is demanded of the login.
//!
//! Spec: OpenID Connect Core §3.1.2.1 (acr_values), §5.5 · OpenID Connect Core Error Code unmet_authentication_requirements

use std::collections::BTreeSet;

use carnet_oauth::claims_request::{ClaimRequest, ClaimsRequest};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::ScopeSet;
use carnet_oauth::standard_claims::is_opened;
use serde_json::Value;

use super::parameters::Parameters;
use crate::client::Client;
use crate::token::id_token::PASSWORD_ACR;

/// What a request asks for by name.
#[derive(Default)]
pub(super) struct Claims {
    /// What is told, as far as there is such a claim and the client may know it.
    pub(super) told: ClaimsRequest,
    /// Whose login it has to be; anybody's when empty.
    pub(super) subs: Vec<String>,
}

impl Claims {
    pub(super) fn read(
        client: &Client,
        parameters: &Parameters,
        scope: &ScopeSet,
    ) -> Result<Self, (ErrorCode, &'static str)> {
        const MALFORMED: &str =
            "claims is no JSON object of userinfo and id_token, or has more than 4096 bytes";
        let mut told = match parameters.get("claims").map(ClaimsRequest::parse) {
            None => ClaimsRequest::default(),
            Some(Ok(claims)) => claims,
            Some(Err(_)) => return Err((ErrorCode::InvalidRequest, MALFORMED)),
        };
        if !scope.contains("openid") {
            // There is no ID token, and userinfo is closed.
            return Ok(Self::default());
        }
        if parameters.get("acr_values").is_some() {
            // As if `acr` was asked for as a voluntary claim, which is told whatever it is.
            told.id_token.entry("acr".to_owned()).or_default();
        }
        if let Some(acr) = told.id_token.get("acr")
            && acr.essential
            && !acr.accepts(&Value::from(PASSWORD_ACR))
        {
            // §5.5.1.1: as good as a failed login, and nobody need type a password to learn it.
            const UNMET: &str = "no way to log in has an acr that is asked for";
            return Err((ErrorCode::UnmetAuthenticationRequirements, UNMET));
        }
        let subs = subs(&told)?;
        told.userinfo.retain(|name, _| is_opened(name, &client.scope));
        told.id_token
            .retain(|name, _| name == "acr" || is_opened(name, &client.scope));
        Ok(Self { told, subs })
    }

    /// The claims that no scope of the request opens: the user is asked about each.
    pub(super) fn beyond(&self, scope: &ScopeSet) -> BTreeSet<String> {
        let about_user = self.told.names().filter(|name| *name != "acr");
        about_user
            .filter(|name| !is_opened(name, scope))
            .map(str::to_owned)
            .collect()
    }
}

/// §5.5.1: `sub` asked for with a value is the answer for that user, or none (§3.1.2.2).
fn subs(claims: &ClaimsRequest) -> Result<Vec<String>, (ErrorCode, &'static str)> {
    let both = [&claims.userinfo, &claims.id_token];
    let mut named = both.iter().filter_map(|place| values(place.get("sub")?));
    let Some(first) = named.next() else {
        return Ok(Vec::new());
    };
    let subs: Vec<String> = match named.next() {
        Some(second) => first.into_iter().filter(|sub| second.contains(sub)).collect(),
        None => first,
    };
    if subs.is_empty() {
        return Err((
            ErrorCode::InvalidRequest,
            "claims names no user that it could be about",
        ));
    }
    Ok(subs)
}

fn values(asked: &ClaimRequest) -> Option<Vec<String>> {
    let values = asked.values.as_ref()?.iter();
    Some(values.filter_map(Value::as_str).map(str::to_owned).collect())
}
