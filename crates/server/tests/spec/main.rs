//! The server through its real router, with a clock that stands still: a file per module, a test per sentence.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod account;
mod authorize;
mod back_channel;
mod back_channel_attempts;
mod bad_input;
mod browser;
mod claims;
mod client_auth;
mod client_credentials;
mod client_keys;
mod client_settings;
mod code_flow;
mod codes;
mod connections;
mod consent;
mod cookies;
mod device;
mod device_attacks;
mod discovery;
mod dpop;
mod dpop_refresh;
mod dpop_resource;
mod end_session;
mod engine;
mod error_pages;
mod front;
mod front_channel;
mod harness;
mod holder;
mod introspection;
mod introspection_signed;
mod jwt_bearer;
mod keys;
mod languages;
mod lapsed;
mod listener;
mod login;
mod logout;
mod me;
mod migration;
mod page_security;
mod pages;
mod par;
mod par_dpop;
mod password;
mod proofs;
mod refresh;
mod refresh_grant;
mod register;
mod registration;
mod registration_bounds;
mod registration_management;
mod registration_pages;
mod revocations;
mod revocations_followed;
mod revocations_untaken;
mod service_keys;
mod service_room;
mod taken_back;
mod throttle;
mod token_exchange;
mod token_exchange_own;
mod token_life;
mod trusted_issuer;
mod userinfo;
mod web;
