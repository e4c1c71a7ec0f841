//! Logout: a login at our pages ends, and every client that knows of it is told.
//!
//! Spec: OpenID Connect RP-Initiated Logout · Back-Channel Logout · Front-Channel Logout

pub mod back_channel;
mod front_channel;
mod rp_initiated;

pub(crate) use rp_initiated::{advertise, routes};
