//! The one answer to every client that could not be authenticated.
//!
//! Spec: RFC 6749 §5.2 (invalid_client)

use carnet_oauth::error_code::ErrorCode;
use http::{HeaderValue, header};

use crate::http::failure::{Because as _, Refusal};

/// The same for an unknown name and a wrong secret.
pub(crate) fn refused() -> Refusal {
    let refusal = ErrorCode::InvalidClient.because("client authentication failed");
    refusal.header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"carnet\""),
    )
}
