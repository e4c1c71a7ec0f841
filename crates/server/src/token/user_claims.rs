//! What is told about a user: what the scopes open, and what was asked for by name.
//!
//! Spec: OpenID Connect Core §5.1, §5.3.2, §5.4, §5.5

use std::collections::BTreeMap;

use carnet_oauth::claims_request::ClaimRequest;
use carnet_oauth::scope::ScopeSet;
use carnet_oauth::standard_claims::{self, is_opened};
use carnet_store::User;
use serde_json::{Map, Value, json};

/// What may be told, and why.
pub struct Telling<'a> {
    /// The scopes that open claims here.
    pub scope: &'a ScopeSet,
    /// What was asked for by name.
    pub asked: &'a BTreeMap<String, ClaimRequest>,
    /// The scopes of the client: it is told nothing by name that it could not ask for by scope.
    pub most: &'a ScopeSet,
}

impl Telling<'_> {
    /// The claims of this user. What is not known is left out, never null (§5.3.2), and so is what was asked for with another value.
    pub fn about(&self, user: &User) -> BTreeMap<String, Value> {
        if self.scope.is_empty() && self.asked.is_empty() {
            return BTreeMap::new();
        }
        let known = known(user);
        let told = standard_claims::all().filter_map(|name| {
            let value = known.get(name).filter(|value| !value.is_null())?;
            let by_name = self.asked.get(name).is_some_and(|asked| asked.accepts(value));
            let may = is_opened(name, self.scope) || by_name && is_opened(name, self.most);
            may.then(|| (name.to_owned(), value.clone()))
        });
        told.collect()
    }
}

fn known(user: &User) -> Map<String, Value> {
    let stored: Value = serde_json::from_str(&user.claims).unwrap_or_default();
    let mut known = stored.as_object().cloned().unwrap_or_default();
    known.insert("name".to_owned(), json!(user.name));
    known.insert("updated_at".to_owned(), json!(user.updated_at / 1000));
    if !user.email.is_empty() {
        known.insert("email".to_owned(), json!(user.email));
        known.insert("email_verified".to_owned(), json!(user.email_verified));
    }
    known
}
