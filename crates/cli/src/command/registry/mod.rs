//! The registry file: roles, clients and users as `carnet apply` reads them and `carnet export` writes them.
//!
//! Spec: TOML 1.1

mod check;
mod entry;
mod nearest;
mod place;
mod read;
pub(crate) mod rules;
mod write;

pub(crate) use check::{canonical, check, digest, in_order};
pub(crate) use entry::{ClientEntry, RegistryFile, RoleEntry, State, UserEntry};
pub(crate) use place::Placed;
pub(crate) use read::read;
pub(crate) use write::{client_entry, exported, lasting_secrets, role_entry, text, user_entry};
