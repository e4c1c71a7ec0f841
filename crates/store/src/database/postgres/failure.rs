//! What a failure of PostgreSQL means to the house.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// The house's word for a failure of PostgreSQL. Its message names tables and constraints; the detail, which would
/// quote values, is left out.
pub(super) fn failed(name: &str, error: &Error) -> StoreError {
    match (error.as_db_error(), error.code()) {
        (Some(said), Some(&SqlState::DISK_FULL)) => StoreError::Full(format!("{name}: {}", said.message())),
        (Some(said), Some(code)) if is_shutdown(code) || is_refusal(code) => {
            StoreError::Unavailable(format!("{name}: {}", said.message()))
        }
        (Some(said), _) => StoreError::Broken(format!("{name}: {} ({})", said.message(), said.code().code())),
        (None, _) if error.to_string().contains("serializing") => {
            StoreError::Broken(format!("{name}: {error}"))
        }
        (None, _) => {
            let cause = error
                .source()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            StoreError::Unavailable(format!("{name}: {error}{cause}"))
        }
    }
}

/// The server is going, or ended this connection.
pub(super) fn is_shutdown(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
}

/// The server does not let us in, or has no room.
fn is_refusal(code: &SqlState) -> bool {
    ["28", "53", "58", "3D"]
        .iter()
        .any(|class| code.code().starts_with(class))
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::QUERY_CANCELED,
            SqlState::LOCK_NOT_AVAILABLE,
            // `ALTER DATABASE … ALLOW_CONNECTIONS false`.
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            SqlState::DATABASE_DROPPED,
        ]
        .contains(code)
}
