//! What a login was asked to be, beyond a login: fresh, or of a certain class.
//!
//! Spec: OpenID Connect Core §3.1.2.1 (max_age, acr_values) · RFC 9470 §4

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::challenge::StepUp;

/// What a login was asked to be, beyond a login.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    acr_values: String,
    /// Seconds since 1970: when it came to its end.
    at: u64,
}

impl Asked {
    /// By these wishes; `None` when they ask for nothing that a rule would.
    pub(super) fn by(wishes: &[(&str, &str)], now: u64) -> Option<Self> {
        let wish = |name| {
            wishes
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        let max_age = wish("max_age").and_then(|seconds| seconds.parse().ok());
        let acr_values = wish("acr_values").unwrap_or_default().to_owned();
        let asked = max_age.is_some() || !acr_values.is_empty();
        asked.then_some(Self {
            max_age,
            acr_values,
            at: now,
        })
    }

    /// The same, of a login that ends now.
    pub(super) fn ended(self, now: u64) -> Self {
        Self { at: now, ..self }
    }

    /// Whether a login that has just ended was asked for all of this: another one would end in the same way.
    pub(super) fn was_for(&self, wanted: &StepUp, now: u64) -> bool {
        let fresh = |most| self.max_age.is_some_and(|asked| asked <= most);
        let asked: BTreeSet<_> = self.acr_values.split_whitespace().collect();
        let acr_values: BTreeSet<_> = wanted.acr_values.iter().map(String::as_str).collect();
        let as_strong = acr_values.is_empty() || asked == acr_values;
        let lately = wanted.max_age.unwrap_or_default().max(LEAST_SECONDS);
        wanted.max_age.is_none_or(fresh) && as_strong && now.saturating_sub(self.at) <= lately
    }
}

/// For so long a login is one that has just ended, also where a page asks for one that is newer than anybody can come back from.
const LEAST_SECONDS: u64 = 60;
