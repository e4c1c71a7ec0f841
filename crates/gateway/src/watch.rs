//! Whether a caller may go on: for streams, which go on after the request that was allowed.
//!
//! Spec: RFC 7009 §2.1

use std::pin::Pin;
use std::task::{Context, Poll};

use carnet_guard::{Auth, Guard, Refused};

/// Is ready when the caller's token was taken back, or nobody can tell any more; with what a request would be answered then.
pub(crate) struct Watch(Pin<Box<dyn Future<Output = Refused> + Send>>);

impl Watch {
    /// Nothing when the caller's issuer is not followed.
    pub(crate) fn over(guard: &Guard, caller: &Auth) -> Option<Self> {
        let follows = guard.follows(caller);
        follows.then(|| Self(Box::pin(guard.until_taken_back(caller))))
    }
}

impl Future for Watch {
    type Output = Refused;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Refused> {
        self.0.as_mut().poll(cx)
    }
}
