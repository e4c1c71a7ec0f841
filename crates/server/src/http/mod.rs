//! Manners shared by every endpoint.

pub mod address;
mod caller;
pub mod cookie;
pub mod failure;
pub mod form;
pub mod json;
pub mod manners;
pub mod negotiation;
pub mod origin;
pub mod page;
pub mod transport;
pub mod visitor;
