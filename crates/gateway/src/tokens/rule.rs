//! What a route asks of a caller beyond a valid token.
//!
//! Spec: RFC 6750 §3.1 · RFC 9470 §3 (acr, max_age)

use carnet_guard::Rule;
use serde_json::Value;

use crate::config::{self, ClaimPath, ClaimRule};
use crate::load::ConfigError;

/// Everything that stands in the route; `None` when nothing does.
pub(crate) fn rule(key: &str, route: &config::Route) -> Result<Option<Rule>, ConfigError> {
    let read = |member: &str, words: &[String]| -> Result<Vec<Rule>, ConfigError> {
        words
            .iter()
            .map(|word| right(&format!("{key}.{member}"), word))
            .collect()
    };
    let mut all = read("require", &route.require)?;
    let any = read("require_any", &route.require_any)?;
    if !any.is_empty() {
        all.push(Rule::any(any));
    }
    for (at, asked) in route.require_claims.iter().enumerate() {
        all.push(claim(&format!("{key}.require_claims[{at}]"), asked)?);
    }
    if let Some(class) = route.acr.iter().find(|class| !is_word(class)) {
        let what = format!("{class:?} is the name of no class: nobody could be asked for it");
        let todo = "write names without spaces, as in \"urn:example:mfa\"";
        return Err(ConfigError::at(format!("{key}.acr"), what, todo));
    }
    if !route.acr.is_empty() {
        all.push(Rule::acr(&route.acr));
    }
    if let Some(age) = &route.max_auth_age {
        if age.as_seconds() == 0 {
            let what = "is less than a second: nobody could come in time";
            return Err(ConfigError::at(
                format!("{key}.max_auth_age"),
                what,
                "write one such as \"5m\"",
            ));
        }
        all.push(Rule::max_age(age.duration()));
    }
    Ok((!all.is_empty()).then(|| Rule::all(all)))
}

/// The scopes that a route may ask for, for metadata.
pub(crate) fn scopes(route: &config::Route) -> impl Iterator<Item = &str> {
    let words = route.require.iter().chain(&route.require_any);
    words.filter_map(|word| word.strip_prefix("scope:"))
}

fn right(key: &str, word: &str) -> Result<Rule, ConfigError> {
    match word.split_once(':') {
        Some(("scope", name)) if is_word(name) => Ok(Rule::scope(name)),
        Some(("role", name)) if !name.is_empty() => Ok(Rule::role(name)),
        Some(("permission", name)) if !name.is_empty() => Ok(Rule::permission(name)),
        None if word == "user" => Ok(Rule::user()),
        _ => Err(ConfigError::at(
            key,
            format!("{word:?} asks for nothing that is known"),
            "write \"scope:read:orders\", \"role:editor\", \"permission:orders:write\" or \"user\"",
        )),
    }
}

/// RFC 6749 §3.3, §3.1.1 of OpenID Connect for `acr`: what stands between spaces, and inside a challenge between quotation marks.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !text.is_empty() && text.bytes().all(fits)
}

fn claim(key: &str, asked: &ClaimRule) -> Result<Rule, ConfigError> {
    let wrong = |what| {
        let todo = "write as in { claim = \"tenant\", eq = \"red\" }, with one of eq, one_of and contains";
        ConfigError::at(key, what, todo)
    };
    let begun = match &asked.claim {
        ClaimPath::Name(name) if name.is_empty() => return Err(wrong("leads to no claim")),
        ClaimPath::Name(name) => Rule::claim(name.as_str()),
        ClaimPath::Names(names) if names.is_empty() || names.iter().any(String::is_empty) => {
            return Err(wrong("leads to no claim"));
        }
        ClaimPath::Names(names) => Rule::claim(names.clone()),
    };
    let plain = |value: &Value| !value.is_object() && !value.is_array() && !value.is_null();
    match (&asked.eq, &asked.one_of, &asked.contains) {
        (Some(value), None, None) if plain(value) => Ok(begun.eq(value.clone())),
        (None, Some(values), None) if !values.is_empty() && values.iter().all(plain) => {
            Ok(begun.one_of(values.clone()))
        }
        (None, None, Some(value)) if plain(value) => Ok(begun.contains(value.clone())),
        _ => Err(wrong(
            "does not say what the claim must be: one text, number or truth value, or several",
        )),
    }
}
