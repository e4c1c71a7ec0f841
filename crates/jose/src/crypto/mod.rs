//! The one folder that names the crypto library.

pub(crate) mod names;
pub(crate) mod primitive;
pub(crate) mod sign;
pub(crate) mod verify;
