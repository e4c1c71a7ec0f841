//! The end of a login, for what outlives the request that began it: WebSockets and streams.
//!
//! Spec: OpenID Connect RP-Initiated Logout §2 · RFC 7009 §2.1 · RFC 6455 §7.1.1

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::Response;
use http::request::Parts;

use super::app::Web;
use super::csrf::Proof;
use super::extract::uncovered;
use crate::auth::Auth;

/// When the login behind a request is over. Whoever answers with a WebSocket or a stream of events takes it, and ends what they send then: nothing else
/// would, since the layer saw the request alone.
///
/// ```
/// use std::convert::Infallible;
///
/// use axum::response::sse::{Event, Sse};
/// use carnet_guard::{Auth, web::LoginEnd};
/// use futures_util::{Stream, StreamExt as _, stream};
///
/// async fn news(auth: Auth, over: LoginEnd) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
///     let hello = Event::default().data(format!("hello {}", auth.sub()));
///     let news = stream::iter([Ok(hello)]).chain(stream::pending());
///     Sse::new(news.take_until(over.wait()))
/// }
/// ```
///
/// With [`layer_for_all`](super::Web::layer_for_all) take `Option<LoginEnd>`: where nobody is logged in, nothing ends.
#[derive(Clone)]
pub struct LoginEnd {
    web: Web,
    session: Arc<str>,
    auth: Auth,
}

impl LoginEnd {
    /// Waits until nobody can say any more that the login lives:
    ///
    /// - it was ended in this process, by a logout;
    /// - its issuer has taken it back, where the issuer is followed ([`Issuer::revocations`](crate::Issuer::revocations)), or is silent and
    ///   [`OnLoss::Closed`](crate::OnLoss) says what to make of it;
    /// - its access token has run out. The page opens the socket again, and by that request the login is renewed or found to be over.
    pub fn wait(self) -> impl Future<Output = ()> + Send + 'static {
        let Self { web, session, auth } = self;
        let taken_back = web.parts.guard.until_taken_back(&auth);
        let expires = auth.expires().unwrap_or(u64::MAX);
        async move {
            tokio::select! {
                () = web.parts.ended.until(&session) => {}
                _ = taken_back => {}
                () = expired(&web, expires) => {}
            }
        }
    }

    fn of(parts: &Parts) -> Option<Self> {
        let auth = parts.extensions.get::<Auth>()?.clone();
        let (web, session) = parts.extensions.get::<Proof>()?.login();
        let (web, session) = (web.clone(), session.clone());
        Some(Self { web, session, auth })
    }
}

async fn expired(web: &Web, expires: u64) {
    loop {
        let left = expires.saturating_sub(web.now());
        if left == 0 {
            return;
        }
        // The clock may be set meanwhile, and a machine may sleep: looked at again, now and then.
        tokio::time::sleep(Duration::from_secs(left.min(LONGEST_SLEEP_SECONDS))).await;
    }
}

const LONGEST_SLEEP_SECONDS: u64 = 60;

impl<S: Send + Sync> FromRequestParts<S> for LoginEnd {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Self::of(parts).ok_or_else(|| uncovered(parts, "LoginEnd"))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for LoginEnd {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Response> {
        match parts.extensions.get::<Proof>() {
            Some(_) => Ok(Self::of(parts)),
            None => Err(uncovered(parts, "LoginEnd")),
        }
    }
}

impl fmt::Debug for LoginEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginEnd")
            .field("sub", &self.auth.sub())
            .finish_non_exhaustive()
    }
}
