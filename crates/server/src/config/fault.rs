//! What is wrong with a key, and what to write instead.

/// A key, what is wrong with it, and what to write instead.
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) what: String,
    pub(super) todo: String,
}

pub(super) fn fault(key: &str, what: impl Into<String>, todo: impl Into<String>) -> Fault {
    Fault {
        key: key.to_owned(),
        what: what.into(),
        todo: todo.into(),
    }
}
