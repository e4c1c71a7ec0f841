//! How the login API reads JSON: one object, no member twice, no member unknown.
//!
//! Spec: RFC 8259 · RFC 9110 §15.5 (413, 415)

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use carnet_jose::json::check_object;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::failure::{Failure, Refusal};

/// The most bytes of a body that are read.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_DEPTH: usize = 32;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body as `T`; refused with a stable code when it is anything else.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// As [`Json`], but no body at all is the default of `T`.
#[derive(Debug)]
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        require_media_type(request.headers(), "application/json")?;
        let body = read_body(request.into_body()).await?;
        Ok(Self(parse(&body)?))
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let headers = request.headers().clone();
        if headers.contains_key(header::CONTENT_ENCODING) {
            require_media_type(&headers, "application/json")?;
        }
        let body = read_body(request.into_body()).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        require_media_type(&headers, "application/json")?;
        Ok(Self(parse(&body)?))
    }
}

/// Refuses another media type, another charset than UTF-8, and a compressed body (a bomb would unpack here).
pub(super) fn require_media_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Failure> {
    const UNSUPPORTED: StatusCode = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Refusal::new(
            UNSUPPORTED,
            "unsupported_content_encoding",
            "send the body as it is, without compression",
        )
        .into());
    }
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let right_type = parts
        .next()
        .is_some_and(|media_type| media_type.eq_ignore_ascii_case(expected));
    let right_charset = parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if right_type && right_charset {
        return Ok(());
    }
    let reason = match expected {
        "application/json" => "send Content-Type: application/json",
        _ => "send Content-Type: application/x-www-form-urlencoded",
    };
    Err(Refusal::new(UNSUPPORTED, "unsupported_media_type", reason).into())
}

/// The whole body, up to [`MAX_BODY_BYTES`] and within ten seconds.
pub(super) async fn read_body(body: Body) -> Result<Bytes, Failure> {
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "a body has 64 KiB at most",
        )
        .into()),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "the body ended too early",
        )
        .into()),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            "the body did not arrive within ten seconds",
        )
        .into()),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let refuse = |code, reason| Refusal::new(StatusCode::BAD_REQUEST, code, reason);
    check_object(body, MAX_DEPTH).map_err(|error| match error {
        carnet_jose::Error::DuplicateMember => {
            refuse("duplicate_member", "a member stands twice in one JSON object")
        }
        _ => refuse("malformed_json", "the body is not one JSON object in UTF-8"),
    })?;
    serde_json::from_slice(body).map_err(|error| {
        // Only the kind of the complaint is passed on: its text can quote a password.
        let text = error.to_string();
        let refusal = if text.starts_with("unknown field") {
            refuse(
                "unknown_member",
                "the object has a member that this endpoint does not know",
            )
        } else if text.starts_with("missing field") {
            refuse("missing_member", "the object lacks a required member")
        } else {
            refuse("wrong_type", "a member has the wrong type or an unknown value")
        };
        refusal.into()
    })
}
