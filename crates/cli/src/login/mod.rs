//! Logins of the person at this machine: kept in their folder, renewed at their server.

pub(crate) mod kept;
pub(crate) mod key;
pub(crate) mod server;
