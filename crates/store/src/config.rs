//! Which database, and how it is reached.

use std::fmt;
use std::path::PathBuf;

/// Where the store keeps what it remembers.
#[derive(Clone, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file (WAL, `synchronous=FULL`).
    Sqlite {
        /// The database file; `-wal` and `-shm` stand beside it.
        path: PathBuf,
    },
    /// SQLite in memory: gone with the last clone of the store. Opening it migrates it.
    SqliteMemory,
    /// A PostgreSQL server.
    Postgres {
        /// `postgres://user:password@host/database?sslmode=require`. Off this machine TLS is required
        /// unless `sslmode` says otherwise.
        url: String,
        /// PEM file with the roots to trust; without it the platform's.
        root_certificates: Option<PathBuf>,
        /// How many connections read at once.
        pool_size: usize,
    },
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "Sqlite({})", path.display()),
            Self::SqliteMemory => f.write_str("SqliteMemory"),
            // The URL may hold a password.
            Self::Postgres { pool_size, .. } => write!(f, "Postgres(pool of {pool_size})"),
        }
    }
}

/// How the store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The database.
    pub engine: Engine,
    /// How many writes may wait; past it a write answers [`StoreError::Busy`](crate::StoreError::Busy).
    pub write_queue: usize,
}

impl StoreConfig {
    /// A SQLite file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::of(Engine::Sqlite { path: path.into() })
    }

    /// SQLite in memory.
    pub fn memory() -> Self {
        Self::of(Engine::SqliteMemory)
    }

    /// A PostgreSQL server, with the platform's roots and 8 readers.
    pub fn postgres(url: impl Into<String>) -> Self {
        Self::of(Engine::Postgres {
            url: url.into(),
            root_certificates: None,
            pool_size: 8,
        })
    }

    /// This engine, with the default queue.
    pub fn of(engine: Engine) -> Self {
        Self {
            engine,
            write_queue: DEFAULT_WRITE_QUEUE,
        }
    }
}

/// Half a second of writes on a slow disk.
const DEFAULT_WRITE_QUEUE: usize = 8_192;
