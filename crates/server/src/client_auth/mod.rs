//! Who is the client, or the resource server, that calls an endpoint for machines?
//!
//! Spec: RFC 6749 §2.3

mod basic;
mod client;
mod proof;
mod refused;
mod resource;

pub(crate) use client::authenticate_client;
pub(crate) use resource::authenticate_resource;
