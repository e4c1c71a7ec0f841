//! The gateway in front of a service: the only one that says who asks.
//!
//! Spec: RFC 7519 §7.2 · RFC 9110 §5.5 (field values)

use http::request::Parts;

use crate::asserted::Assertions;
use crate::auth::Known;
use crate::challenge::{Denial, Refused};
use crate::plain_headers::{PlainHeaders, single};

/// How its word comes.
pub(crate) enum Gateway {
    Signed(Box<Assertions>),
    Plain(PlainHeaders),
}

impl Gateway {
    /// The caller, as the gateway says it. What else a request carries is not looked at.
    pub(crate) async fn caller_of(&self, request: &Parts, now: u64) -> Result<Known, Denial> {
        match self {
            Self::Signed(assertions) => {
                let said = single(&request.headers, carnet_oauth::identity_assertion::HEADER)?;
                let text = said.ok_or(Refused::CallerMissing.because("assertion_missing"))?;
                assertions.check(text, now).await.map(Known::Asserted)
            }
            Self::Plain(headers) => headers.read(request).map(Known::Said),
        }
    }

    /// Whether callers can be known.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Signed(assertions) => assertions.source.is_loaded(),
            Self::Plain(_) => true,
        }
    }
}
