//! A plan: what is to be done, for those who read it and for the store.

use carnet_store::{ClientRow, RegistryStep};
use zeroize::Zeroizing;

use super::difference::Change;

/// What is to be done.
#[derive(Default)]
pub(super) struct Plan {
    /// For those who read it.
    pub(super) changes: Vec<Change>,
    /// For the store.
    pub(super) steps: Vec<RegistryStep>,
    /// Secrets of clients that had none.
    pub(super) made: Vec<Made>,
    /// Clients that are enabled again.
    pub(super) enabled: Vec<ClientRow>,
}

/// A secret that was made here, to be shown once.
pub(super) struct Made {
    pub(super) client_id: String,
    pub(super) secret: Zeroizing<String>,
}
