//! The last administrator: who takes that away says so.

use carnet_store::StoreError;

use super::operator::broken;
use super::registry::rules::{self, ADMINISTRATORS};
use crate::failure::Failure;

/// `--yes-nobody-administers`
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Last {
    /// Do it even if no active user has the role `admin` afterwards
    #[arg(long)]
    yes_nobody_administers: bool,
}

impl Last {
    /// Whether the last holder of this role may lose it.
    pub(crate) fn may_go(&self, role: &str) -> bool {
        self.yes_nobody_administers || role != ADMINISTRATORS
    }
}

/// A store error of a command that may meet the last administrator.
pub(crate) fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::Conflict("last_administrator") => rules::last_administrator(&format!(
            "give somebody else the role first: carnet user role EMAIL {ADMINISTRATORS}; or say --yes-nobody-administers"
        )),
        other => broken(other),
    }
}
