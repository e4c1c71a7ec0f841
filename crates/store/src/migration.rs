//! Migrations: numbered texts, each applied once, none edited afterwards.

use std::fmt::Write as _;

use carnet_jose::primitive;

use crate::database::{Database, Lane, Row, Statement, Tx, params};
use crate::error::StoreError;
use crate::id::random_name;

/// What the schema is, or has become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// Migrations that were in the database before.
    pub applied: Vec<String>,
    /// Migrations that were applied just now.
    pub new: Vec<String>,
    /// Migrations that wait.
    pub pending: Vec<String>,
}

impl MigrationReport {
    /// An error that says what to do, unless nothing waits.
    pub fn must_be_current(&self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(StoreError::Schema(format!(
            "the database lacks {} of {} migrations: run `carnet migrate`",
            self.pending.len(),
            self.pending.len() + self.applied.len()
        )))
    }
}

/// A migration that is compiled in.
struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

/// Apply what is missing: all of it in one transaction, under a lock that every process takes.
pub(crate) async fn run(database: &Database) -> Result<MigrationReport, StoreError> {
    let epoch = random_name()?;
    database
        .write_at_leisure(Lane::Main, "migration.run", async move |tx| {
            tx.lock_for_migration().await?;
            tx.script(CREATE_LIST).await?;
            let mut report = compare(&tx.all(&APPLIED, params![]).await?)?;
            for migration in &MIGRATIONS {
                if report.pending.iter().any(|name| name == migration.name) {
                    apply(tx, migration).await?;
                }
            }
            tx.execute(&SEED_SETTINGS, params![]).await?;
            tx.execute(&SEED_CLOCK, params![&epoch]).await?;
            report.new = std::mem::take(&mut report.pending);
            Ok(report)
        })
        .await
}

/// What is applied and what waits. An edited, unknown or newer migration is an error.
pub(crate) async fn status(database: &Database) -> Result<MigrationReport, StoreError> {
    if !database.has_table("migrations").await? {
        return compare(&[]);
    }
    compare(&database.read(&APPLIED, params![]).await?)
}

async fn apply(tx: Tx<'_>, migration: &Migration) -> Result<(), StoreError> {
    tx.script(migration.text).await?;
    let row = params![migration.version, migration.name, checksum(migration.text)];
    tx.execute(&RECORD, row).await?;
    Ok(())
}

fn compare(rows: &[Row]) -> Result<MigrationReport, StoreError> {
    let mut report = MigrationReport::default();
    for row in rows {
        let mut row = row.clone().fields();
        let (version, name, stored): (i64, String, String) = (row.take()?, row.take()?, row.take()?);
        let known = MIGRATIONS.iter().find(|migration| migration.version == version);
        let Some(known) = known else {
            return Err(StoreError::Foreign(format!(
                "the database has migration {version} ({name}), which this program does not know: it was written by \
                 a newer carnet"
            )));
        };
        if stored != checksum(known.text) {
            return Err(StoreError::Foreign(format!(
                "migration {version} ({name}) was edited after it was applied: run the carnet that wrote this \
                 database, or restore the migration"
            )));
        }
        report.applied.push(name);
    }
    let missing = MIGRATIONS.iter().map(|migration| migration.name.to_owned());
    report.pending = missing.filter(|name| !report.applied.contains(name)).collect();
    Ok(report)
}

/// SHA-256 of the text, whatever the line ends of the checkout.
fn checksum(text: &str) -> String {
    let digest = primitive::sha256(text.replace("\r\n", "\n").as_bytes());
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

const MIGRATIONS: [Migration; 12] = [
    Migration {
        version: 1,
        name: "0001_start",
        text: include_str!("../migrations/0001_start.sql"),
    },
    Migration {
        version: 2,
        name: "0002_authorization",
        text: include_str!("../migrations/0002_authorization.sql"),
    },
    Migration {
        version: 3,
        name: "0003_grants_by_audience",
        text: include_str!("../migrations/0003_grants_by_audience.sql"),
    },
    Migration {
        version: 4,
        name: "0004_claims",
        text: include_str!("../migrations/0004_claims.sql"),
    },
    Migration {
        version: 5,
        name: "0005_dpop",
        text: include_str!("../migrations/0005_dpop.sql"),
    },
    Migration {
        version: 6,
        name: "0006_logout",
        text: include_str!("../migrations/0006_logout.sql"),
    },
    Migration {
        version: 7,
        name: "0007_client_registration",
        text: include_str!("../migrations/0007_client_registration.sql"),
    },
    Migration {
        version: 8,
        name: "0008_bff",
        text: include_str!("../migrations/0008_bff.sql"),
    },
    Migration {
        version: 9,
        name: "0009_configured_clients",
        text: include_str!("../migrations/0009_configured_clients.sql"),
    },
    Migration {
        version: 10,
        name: "0010_served_clients",
        text: include_str!("../migrations/0010_served_clients.sql"),
    },
    Migration {
        version: 11,
        name: "0011_token_lives",
        text: include_str!("../migrations/0011_token_lives.sql"),
    },
    Migration {
        version: 12,
        name: "0012_taken_notices",
        text: include_str!("../migrations/0012_taken_notices.sql"),
    },
];

const CREATE_LIST: &str = "CREATE TABLE IF NOT EXISTS migrations (
    version  BIGINT NOT NULL PRIMARY KEY,
    name     TEXT   NOT NULL,
    checksum TEXT   NOT NULL
);";

static APPLIED: Statement = Statement::new(
    "migration.applied",
    "SELECT version, name, checksum FROM migrations ORDER BY version",
);

static RECORD: Statement = Statement::new(
    "migration.record",
    "INSERT INTO migrations (version, name, checksum) VALUES ($1, $2, $3)",
);

static SEED_SETTINGS: Statement = Statement::new(
    "migration.seed_settings",
    "INSERT INTO settings (one, version) VALUES (1, 1) ON CONFLICT (one) DO NOTHING",
);

static SEED_CLOCK: Statement = Statement::new(
    "migration.seed_clock",
    "INSERT INTO revocation_clock (one, epoch, last) VALUES (1, $1, 0) ON CONFLICT (one) DO NOTHING",
);

pub(crate) static STATEMENTS: [&Statement; 4] = [&APPLIED, &RECORD, &SEED_SETTINGS, &SEED_CLOCK];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_does_not_depend_on_line_ends() {
        assert_eq!(checksum("a\nb\n"), checksum("a\r\nb\r\n"));
        assert_ne!(checksum("a\nb\n"), checksum("a\nc\n"));
    }

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for (expected, migration) in (1..).zip(&MIGRATIONS) {
            assert_eq!(migration.version, expected);
            assert!(migration.name.starts_with(&format!("{expected:04}_")));
        }
    }
}
