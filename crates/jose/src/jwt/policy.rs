//! What a verifier holds a token against.
//!
//! Spec: RFC 8725 §3.1, §3.8, §3.9, §3.11

use crate::algorithm::Algorithm;
use crate::jwt::reading::Required;
use crate::jwt::token_type::TokenType;

/// What a verifier holds a token against.
pub(super) struct Policy {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) token_type: TokenType,
    /// `None`: not checked.
    pub(super) issuer: Option<String>,
    /// Empty: not checked.
    pub(super) audiences: Vec<String>,
    pub(super) leeway: u64,
    /// How old a token may be, in seconds; `None`: not checked.
    pub(super) max_age: Option<u64>,
    pub(super) required: Vec<String>,
    /// The same, ready to be ticked off while the claims pass.
    pub(super) ticks: Required,
    pub(super) expiry: bool,
    /// Whether a token that has expired is accepted.
    pub(super) expired_too: bool,
}
