//! A SQL text in the house dialect.

use std::sync::OnceLock;

use super::dialect;

/// A SQL text with `$n` parameters that both engines understand.
#[derive(Debug)]
pub struct Statement {
    /// What it is called in the list and in errors.
    pub name: &'static str,
    /// The text.
    pub sql: &'static str,
    sqlite: OnceLock<String>,
}

impl Statement {
    pub(crate) const fn new(name: &'static str, sql: &'static str) -> Self {
        Self {
            name,
            sql,
            sqlite: OnceLock::new(),
        }
    }

    /// The text as SQLite takes it.
    pub(crate) fn for_sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| dialect::sqlite_parameters(self.sql))
    }
}
