//! The gateway in front of a service: the only one that says who asks.
//!
//! Spec: RFC 7519 §7.2 · RFC 9110 §5.5 (field values)

use http::request::Parts;

use crate::asserted::{Assertions, is_about_service};
use crate::auth::Known;
use crate::caller::Caller;
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
                let assertion = assertion_of(request)?;
                assertions.check(assertion, now).await.map(Known::Asserted)
            }
            Self::Plain(headers) => headers.read(request).map(Known::Said),
        }
    }

    /// The service that calls, as the gateway says it.
    pub(crate) async fn service_of(&self, request: &Parts, now: u64) -> Result<Caller, Denial> {
        match self {
            Self::Signed(assertions) => assertions.check_service(assertion_of(request)?, now).await,
            Self::Plain(headers) => headers.read_service(request),
        }
    }

    /// Whether it says that a service calls, as far as that shows before anything is believed.
    pub(crate) fn speaks_of_service(&self, request: &Parts) -> bool {
        match self {
            Self::Signed(_) => assertion_of(request).is_ok_and(is_about_service),
            Self::Plain(headers) => headers.name_a_service(request),
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

fn assertion_of(request: &Parts) -> Result<&str, Denial> {
    let said = single(&request.headers, carnet_oauth::identity_assertion::HEADER)?;
    said.ok_or(Refused::CallerMissing.because("assertion_missing"))
}
