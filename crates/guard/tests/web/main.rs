//! A server-rendered app as browsers meet it, and its issuer as the app meets it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod browser;
mod csrf;
mod issuer;
mod login;
mod logout;
mod renewal;
mod same_login;
mod slow;
mod sockets;
mod step_up;
