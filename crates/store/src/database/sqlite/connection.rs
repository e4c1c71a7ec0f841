//! One SQLite connection: how it is opened, and how it runs a statement.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ToSql};

use crate::database::param::Param;
use crate::database::row::{Row, Value};
use crate::database::statement::Statement;
use crate::error::StoreError;

/// A connection that may write. The file is made readable for its owner alone.
pub(super) fn writable(path: &Path) -> Result<Connection, StoreError> {
    make_private_file(path).map_err(|error| unavailable(&format!("{}: {error}", path.display())))?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // SQLite opens what it may not write for reading, and says nothing.
    if connection.is_readonly("main").unwrap_or(true) {
        return Err(unavailable(&format!("{}: cannot be written", path.display())));
    }
    // The first that reads the file.
    let mode = write_ahead(&connection).map_err(|error| match error {
        StoreError::NoDatabase(why) => StoreError::NoDatabase(format!("{}: {why}", path.display())),
        other => other,
    })?;
    if mode != "wal" {
        return Err(unavailable("the file system does not allow a write-ahead log"));
    }
    // FULL: NORMAL loses commits when the power goes. Checkpoints have a thread of their own.
    configure(
        &connection,
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON;",
    )?;
    Ok(connection)
}

/// Switches to the write-ahead log; the mode that SQLite then has. Where two processes make a database at once the switch is refused
/// without waiting, whatever the time-out.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite has nothing to wait for, and this is no async thread"
)]
fn write_ahead(connection: &Connection) -> Result<String, StoreError> {
    let asked = Instant::now();
    loop {
        let switched = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match switched.map_err(|error| failed("wal", &error)) {
            Err(StoreError::Busy { .. }) if asked.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// A database that nobody else sees.
pub(super) fn memory() -> Result<Connection, StoreError> {
    let connection = Connection::open_in_memory().map_err(|error| failed("open", &error))?;
    configure(&connection, "PRAGMA foreign_keys = ON;")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    keep_plans(&connection)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn read_only(path: &Path) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Run a statement; how many rows it changed.
pub(crate) fn execute(
    connection: &Connection,
    statement: &'static Statement,
    params: &[Param],
) -> Result<u64, StoreError> {
    let mut prepared = connection
        .prepare_cached(statement.for_sqlite())
        .map_err(|e| failed(statement.name, &e))?;
    let changed = prepared
        .execute(rusqlite::params_from_iter(params))
        .map_err(|e| failed(statement.name, &e))?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

/// All rows of a statement.
pub(crate) fn all(
    connection: &Connection,
    statement: &'static Statement,
    params: &[Param],
) -> Result<Vec<Row>, StoreError> {
    let broken = |error: Error| failed(statement.name, &error);
    let mut prepared = connection
        .prepare_cached(statement.for_sqlite())
        .map_err(broken)?;
    let columns = prepared.column_count();
    let mut found = prepared
        .query(rusqlite::params_from_iter(params))
        .map_err(broken)?;
    let mut rows = Vec::new();
    // An UPDATE … RETURNING has done all its changes once it is read to its end.
    while let Some(found) = found.next().map_err(broken)? {
        rows.push(row(found, columns, statement)?);
    }
    Ok(rows)
}

/// The first row of a statement, and all rows of another that has these columns of it for its parameters.
///
/// The first statement is still open while the second runs, so both see the same state and lock the log's index once.
pub(super) fn one_and_more(
    connection: &Connection,
    (first, params): (&'static Statement, &[Param]),
    (second, leading): (&'static Statement, &[usize]),
) -> Result<Option<(Row, Vec<Row>)>, StoreError> {
    let broken = |error: Error| failed(first.name, &error);
    let mut prepared = connection.prepare_cached(first.for_sqlite()).map_err(broken)?;
    let columns = prepared.column_count();
    let mut found = prepared
        .query(rusqlite::params_from_iter(params))
        .map_err(broken)?;
    let Some(one) = found.next().map_err(broken)? else {
        return Ok(None);
    };
    let one = row(one, columns, first)?;
    let more = all(connection, second, &one.params(leading)?)?;
    Ok(Some((one, more)))
}

fn row(found: &rusqlite::Row<'_>, columns: usize, statement: &Statement) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(columns);
    for column in 0..columns {
        let column = found
            .get_ref(column)
            .map_err(|error| failed(statement.name, &error))?;
        values.push(value(column)?);
    }
    Ok(Row(values))
}

/// Run several statements without parameters.
pub(crate) fn script(connection: &Connection, text: &str) -> Result<(), StoreError> {
    connection
        .execute_batch(text)
        .map_err(|error| failed("script", &error))
}

/// The house's word for a failure of SQLite.
pub(super) fn failed(name: &str, error: &Error) -> StoreError {
    match error.sqlite_error_code() {
        // Another process holds the write lock for longer than we wait.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy {
            retry_after_seconds: 1,
        },
        Some(ErrorCode::DiskFull) => StoreError::Full(format!("{name}: {error}")),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::NoDatabase(format!("{name}: {error}"))
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied,
        ) => unavailable(&format!("{name}: {error}")),
        _ => StoreError::Broken(format!("{name}: {error}")),
    }
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failed("open", &error))?;
    connection
        .busy_timeout(PATIENCE)
        .map_err(|error| failed("open", &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    keep_plans(&connection)?;
    Ok(connection)
}

/// Otherwise the planner looks at the bound values, and a statement that is kept is planned anew at every call.
fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    kept.map(|_| ()).map_err(|error| failed("open", &error))
}

fn configure(connection: &Connection, pragmas: &str) -> Result<(), StoreError> {
    connection
        .execute_batch(pragmas)
        .map_err(|error| failed("configure", &error))
}

/// Makes the file when there is none. One that is there is never opened except by SQLite: closing any other handle on it would
/// drop the locks that SQLite holds in this process, and the next stranger to look inside would delete the live log.
fn make_private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => check_private(path),
        Err(error) => Err(error),
    }
}

/// The log and its index get the mode of the file, so one that the world can read gives everything away.
#[cfg(unix)]
fn check_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::metadata(path)?.permissions().mode() & 0o007 != 0 {
        let why = format!(
            "everybody on this machine may open it, and it holds password hashes; run: chmod 600 {}",
            path.display()
        );
        return Err(std::io::Error::other(why));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

fn value(column: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match column {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => return Err(StoreError::Broken("a column is not UTF-8".to_owned())),
        },
        ValueRef::Real(_) => return Err(StoreError::Broken("a column is a fraction".to_owned())),
    })
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Bool(Some(truth)) => ValueRef::Integer(i64::from(*truth)),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Int(None) | Self::Bool(None) | Self::Bytes(None) => ValueRef::Null,
        }))
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than the house has statements, so that none is prepared twice.
const STATEMENTS: usize = 256;
