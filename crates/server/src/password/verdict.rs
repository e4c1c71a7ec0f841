//! What a check of a password says.

/// The outcome of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The password is the one that was hashed.
    pub matches: bool,
    /// It is, and its hash should be replaced by one with today's algorithm and parameters.
    pub rehash: bool,
}
