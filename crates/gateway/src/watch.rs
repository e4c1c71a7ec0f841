//! Whether a caller may go on: for streams, which go on after the request that was allowed.
//!
//! Spec: RFC 7009 §2.1 · OpenID Connect Back-Channel Logout §2.7

use std::pin::Pin;
use std::task::{Context, Poll};

use carnet_guard::Refused;

/// Is ready when a stream must not go on, and says why.
pub(crate) struct Watch(Pin<Box<dyn Future<Output = Over> + Send>>);

/// Comes with the end of a session.
pub(crate) type SessionEnd = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Comes when the caller's token opens nothing any more.
pub(crate) type UntilRefused = Pin<Box<dyn Future<Output = Refused> + Send>>;

/// Why a stream must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The token that opened it was taken back, or the service that signed it may call no longer.
    TakenBack,
    /// Nobody can tell whether it was.
    Unknown,
    /// The session that opened it has ended.
    SessionEnded,
}

impl Watch {
    /// Over the caller's token, where somebody tells of it, and over its session, where it has one.
    pub(crate) fn over(token: Option<UntilRefused>, session: Option<SessionEnd>) -> Option<Self> {
        let taken_back = token.map(|refused| async {
            match refused.await {
                Refused::Unavailable => Over::Unknown,
                _ => Over::TakenBack,
            }
        });
        match (taken_back, session) {
            (None, None) => None,
            (Some(taken_back), None) => Some(Self(Box::pin(taken_back))),
            (None, Some(session)) => Some(Self(Box::pin(async {
                session.await;
                Over::SessionEnded
            }))),
            (Some(taken_back), Some(session)) => Some(Self(Box::pin(async {
                tokio::select! {
                    biased;
                    () = session => Over::SessionEnded,
                    over = taken_back => over,
                }
            }))),
        }
    }
}

impl Future for Watch {
    type Output = Over;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Over> {
        self.0.as_mut().poll(cx)
    }
}
