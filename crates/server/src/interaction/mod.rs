//! An authorization request on its way through the pages.
//!
//! Spec: RFC 6749 §4.1.1 · OpenID Connect Core §3.1.2.2

mod asking;
mod kept;
mod lasting;

pub(crate) use asking::{Asking, unknown_client, with};
pub(crate) use kept::{About, Door, Interaction, Kept, LIFE, RESUME_PATH, Request};
pub(crate) use lasting::lasting;
