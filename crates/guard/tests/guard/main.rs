//! A guarded API as callers meet it, and its issuer as the guard meets it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod api;
mod certificates;
mod doors;
mod dpop;
mod forged;
mod from_gateway;
mod gateway_keys;
mod gateway_services;
mod grpc;
mod issuers;
mod keys;
mod memory;
mod metadata;
mod opaque;
mod outage;
mod plain_headers;
mod refusals;
mod revocations;
mod rights;
mod rules;
mod service_callers;
mod service_issuer;
mod service_requests;
mod service_revocations;
mod service_tokens;
mod signed_introspection;
mod spiffe;
mod spire;
mod status_table;
