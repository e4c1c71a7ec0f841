//! The parameters of a request, repeated ones included.
//!
//! Spec: RFC 6749 §3.1

/// In the order in which they came; those without a value count as left out.
pub(super) struct Parameters(Vec<(String, String)>);

/// More is no request of an app; it is kept while somebody logs in.
const MAX_BYTES: usize = 8 * 1024;

impl Parameters {
    /// Reads a query or a form; `None` when it is too long.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let pairs = url::form_urlencoded::parse(text).into_owned();
        Some(Self(pairs.filter(|(_, value)| !value.is_empty()).collect()))
    }

    pub(super) fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// The parameter's first value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The parameter's value, unless it stands twice.
    pub(super) fn once(&self, name: &str) -> Result<Option<&str>, ()> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            Err(())
        } else {
            Ok(first)
        }
    }

    /// Whether any parameter stands twice (§3.1).
    pub(super) fn repeats_any(&self) -> bool {
        let names = self.0.iter().map(|(name, _)| name);
        let mut seen = std::collections::HashSet::new();
        !names.into_iter().all(|name| seen.insert(name))
    }
}
