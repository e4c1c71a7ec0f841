//! What is wrong with a key, and what to write instead.

/// A key, what is wrong with it, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key.
    pub key: String,
    /// What is wrong with its value.
    pub what: String,
    /// What to write instead.
    pub todo: String,
}

pub(super) fn fault(key: &str, what: impl Into<String>, todo: impl Into<String>) -> Fault {
    Fault {
        key: key.to_owned(),
        what: what.into(),
        todo: todo.into(),
    }
}
