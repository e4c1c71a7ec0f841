//! Who is the client, or the resource server, that calls an endpoint for machines?
//!
//! Spec: RFC 6749 §2.3

mod basic;
mod client;
mod proof;
mod refused;
mod resource;

use carnet_oauth::client_auth::AuthMethod;

use crate::config::ASSERTION_ALGORITHMS;

pub(crate) use client::{authenticate_client, note, spend, unfit};
pub(crate) use proof::is_offered;
pub(crate) use refused::refused;
pub(crate) use resource::authenticate_resource;

/// The methods that discovery names (RFC 8414 §2: every one that is supported). That of public clients is the last one to choose.
pub(crate) fn methods() -> Vec<String> {
    let (public, proving): (Vec<_>, Vec<_>) = AuthMethod::ALL
        .into_iter()
        .partition(|method| *method == AuthMethod::None);
    let all = proving.into_iter().chain(public);
    all.map(|method| method.name().to_owned()).collect()
}

/// The algorithms of assertions that discovery names; Ed25519 by its older name as well, which libraries look for (RFC 9864 §4.1.1).
pub(crate) fn algorithms() -> Vec<String> {
    let names = ASSERTION_ALGORITHMS.iter().map(|algorithm| algorithm.name());
    names.chain(["EdDSA"]).map(str::to_owned).collect()
}
