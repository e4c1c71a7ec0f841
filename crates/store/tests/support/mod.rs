//! What the suite stands on: an engine of each kind, and shorthand for the things a test makes.

pub(crate) mod engine;
pub(crate) mod postgres_server;
pub(crate) mod sample;
pub(crate) mod scratch;
