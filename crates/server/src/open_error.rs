//! Why the server does not open.

/// Why the server does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that the configuration names is not usable.
    #[error("{0}")]
    Config(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] carnet_store::StoreError),
    /// A signing key cannot be made or used.
    #[error("signing keys: {0}")]
    Keys(String),
}
