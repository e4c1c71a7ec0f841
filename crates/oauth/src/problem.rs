//! Problem details: how a JSON API of the house says no.
//!
//! Spec: RFC 9457

use serde::{Deserialize, Serialize};

/// The body of a refusal, sent as `application/problem+json`.
///
/// `code` is stable; `error` carries the same value for clients that look where OAuth puts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:carnet:error:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// The stable code of the refusal.
    pub code: String,
    /// The same value as `code`.
    pub error: String,
    /// What was wrong, for the developer who reads it.
    pub detail: String,
    /// Names the log line of this refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// The media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

impl Problem {
    /// A problem of this status (its number and its words), code and detail.
    pub fn new(status: (u16, &str), code: &str, detail: &str) -> Self {
        Self {
            kind: format!("urn:carnet:error:{code}"),
            title: status.1.to_owned(),
            status: status.0,
            code: code.to_owned(),
            error: code.to_owned(),
            detail: detail.to_owned(),
            correlation_id: None,
        }
    }
}
