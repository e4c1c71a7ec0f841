//! How we say no.
//!
//! Spec: RFC 9457 (JSON API) · RFC 6749 §5.2 (OAuth endpoints)

use std::error::Error;

use axum::response::{IntoResponse, Response};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::problem::{MEDIA_TYPE, Problem};
use carnet_store::StoreError;
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub enum Failure {
    /// An answer: the caller did something that has a name.
    Refused(Refusal),
    /// Ours: logged in full, never described to the caller.
    Broken(Box<dyn Error + Send + Sync>),
}

/// A refusal: status, stable code and a fixed reason.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    reason: &'static str,
    /// OAuth endpoints answer in the form of RFC 6749 §5.2, the JSON API with a problem.
    oauth: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// A page of ours that says how to ask instead.
    help: Option<String>,
}

/// Kept beside a refusing response so that the access log names the reason.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The stable code.
    pub code: &'static str,
    /// What happened; for a broken request the error in full.
    pub reason: String,
}

impl Refusal {
    /// A refusal of the JSON API.
    pub fn new(status: StatusCode, code: &'static str, reason: &'static str) -> Self {
        Self {
            status,
            code,
            reason,
            oauth: false,
            headers: Vec::new(),
            help: None,
        }
    }

    /// Names a page of ours that says how to ask instead (RFC 6749 §5.2, `error_uri`).
    pub fn help(self, uri: Option<String>) -> Self {
        Self { help: uri, ..self }
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says after how many seconds to come back.
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The fixed reason.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

/// Gives an OAuth error code its reason.
pub trait Because {
    /// The refusal with this code, for this reason.
    fn because(self, reason: &'static str) -> Refusal;
}

impl Because for ErrorCode {
    fn because(self, reason: &'static str) -> Refusal {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal {
            oauth: true,
            ..Refusal::new(status, self.name(), reason)
        }
    }
}

impl From<(ErrorCode, &'static str)> for Failure {
    fn from((code, reason): (ErrorCode, &'static str)) -> Self {
        code.because(reason).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy { retry_after_seconds } => overloaded(retry_after_seconds),
            // Whatever had it came with the request: no text of ours has.
            StoreError::Unstorable => {
                const REASON: &str = "a value has a NUL character, which nothing here has";
                Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", REASON).into()
            }
            // D8: without its memory the server refuses, and says that it is worth coming back.
            StoreError::Unavailable(why) => {
                tracing::error!(error = %why, "the database does not answer");
                without_database()
            }
            StoreError::Full(why) => {
                tracing::error!(error = %why, "the disk of the database is full: nothing can be written before there is room");
                without_database()
            }
            other => Self::broken(other),
        }
    }
}

impl Failure {
    /// A page of ours that says how to ask instead.
    pub(crate) fn help(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.help.as_deref(),
            Self::Broken(_) => None,
        }
    }

    /// Something of ours went wrong.
    pub fn broken(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(error.into())
    }
}

/// Its memory is out of reach.
fn without_database() -> Failure {
    const REASON: &str = "the server cannot use its database now; come back after the time in Retry-After";
    unavailable(REASON, 2)
}

/// There is more to do than can be done now.
pub fn overloaded(retry_after_seconds: u64) -> Failure {
    const REASON: &str = "the server is busy; come back after the time in Retry-After";
    unavailable(REASON, retry_after_seconds)
}

fn unavailable(reason: &'static str, retry_after_seconds: u64) -> Failure {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", reason)
        .retry_after(retry_after_seconds)
        .into()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::Broken(error) => {
                const REASON: &str =
                    "something went wrong on our side; the operator finds it by the X-Request-Id";
                let mut response =
                    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", REASON).into_response();
                response.extensions_mut().insert(Noted {
                    code: "server_error",
                    reason: in_full(error.as_ref()),
                });
                response
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (media_type, body) = if self.oauth {
            let mut body = serde_json::json!({ "error": self.code, "error_description": self.reason });
            if let (Some(body), Some(uri)) = (body.as_object_mut(), self.help) {
                body.insert("error_uri".to_owned(), uri.into());
            }
            ("application/json", body.to_string())
        } else {
            let words = self.status.canonical_reason().unwrap_or("Refused");
            let problem = Problem::new((self.status.as_u16(), words), self.code, self.reason);
            (MEDIA_TYPE, serde_json::to_string(&problem).unwrap_or_default())
        };
        let mut response = (self.status, [(header::CONTENT_TYPE, media_type)], body).into_response();
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response.extensions_mut().insert(Noted {
            code: self.code,
            reason: self.reason.to_owned(),
        });
        response
    }
}

fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
