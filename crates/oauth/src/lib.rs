//! The words and the pure rules of the OAuth 2 and OpenID Connect specifications.
//!
//! No clock, no network, no storage: wire types, error codes and the rules that follow from a text alone.
//! Every module is one spec's pure half; its name is the idea, its `Spec:` line the document.

pub mod access_token;
pub mod bearer;
pub mod claims_request;
pub mod client_auth;
pub mod client_metadata;
pub mod device;
pub mod dpop;
pub mod error_code;
pub mod extent;
pub mod grant_type;
pub mod id_token;
pub mod identity_assertion;
pub mod introspection;
pub mod logout_token;
pub mod metadata;
pub mod numeric_date;
pub mod pkce;
pub mod plain_uri;
pub mod problem;
pub mod protected_resource;
pub mod redirect_uri;
pub mod revocation;
pub mod scope;
pub mod service_token;
pub mod spiffe;
pub mod standard_claims;
pub mod token_exchange;
pub mod token_response;
pub mod unseen;
