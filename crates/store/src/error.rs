//! Why the store could not do what it was asked.

/// A failure of the store. The texts are for the operator's log; none of them quotes a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The write queue is full. Nothing was done; the same call may succeed later.
    #[error("the write queue is full")]
    Busy {
        /// What to put into `Retry-After`, in seconds.
        retry_after_seconds: u64,
    },
    /// The call contradicts what is stored. The text is a stable code, such as `email_taken`.
    #[error("the change contradicts what is stored: {0}")]
    Conflict(&'static str),
    /// A text has a NUL, which no text in the store has: PostgreSQL could not even be asked for it.
    #[error("a text with a NUL character cannot be stored or looked for")]
    Unstorable,
    /// The database has another schema than this program.
    #[error("{0}")]
    Schema(String),
    /// The database was written by another program than this: a newer carnet, or one with other migrations.
    #[error("{0}")]
    Foreign(String),
    /// The database cannot be reached, or did not answer. Whether a write was done may be unknown.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// There is no room for a write on the disk of the database. Nothing was done; reads go on.
    #[error("the disk of the database is full: {0}")]
    Full(String),
    /// What is there is no database, or a damaged one.
    #[error("{0}")]
    NoDatabase(String),
    /// A fault of ours or of the data: it will not go away by trying again.
    #[error("the store is broken: {0}")]
    Broken(String),
}

impl StoreError {
    /// A stable snake_case name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "store_busy",
            Self::Conflict(code) => code,
            Self::Unstorable => "store_unstorable",
            Self::Schema(_) => "store_schema",
            Self::Foreign(_) => "store_foreign",
            Self::Unavailable(_) => "store_unavailable",
            Self::Full(_) => "store_full",
            Self::NoDatabase(_) => "store_no_database",
            Self::Broken(_) => "store_broken",
        }
    }
}
