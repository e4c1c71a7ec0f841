//! The tower layers: one lets callers with a valid token through, the other asks more of them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::{IntoResponse as _, Response};
use http::Request;
use tower::{Layer, Service};

use crate::auth::Auth;
use crate::challenge::Refused;
use crate::resource_server::Guard;
use crate::rule::Rule;

/// Checks the token of every request; see [`Guard::layer`].
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
}

/// What [`GuardLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    guard: Guard,
}

/// Asks more of callers than a valid token; see [`Guard::require`].
#[derive(Clone, Debug)]
pub struct RuleLayer {
    rule: Rule,
}

/// What [`RuleLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct RuleService<S> {
    inner: S,
    rule: Rule,
}

impl Guard {
    /// Everything inside needs a valid token; the caller is in the request's extensions, for [`Auth`].
    pub fn layer(&self) -> GuardLayer {
        GuardLayer { guard: self.clone() }
    }

    /// Everything inside needs this as well; goes inside [`Guard::layer`].
    pub fn require(&self, rule: Rule) -> RuleLayer {
        RuleLayer { rule }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService {
            inner,
            guard: self.guard.clone(),
        }
    }
}

impl<S> Layer<S> for RuleLayer {
    type Service = RuleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RuleService {
            inner,
            rule: self.rule.clone(),
        }
    }
}

type BoxFuture<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

impl<S, B> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let guard = self.guard.clone();
        // The service that was polled ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match guard.check(&parts).await {
                Ok(auth) => {
                    parts.extensions.insert(auth);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refused) => Ok(refused.into_response()),
            }
        })
    }
}

impl<S, B> Service<Request<B>> for RuleService<S>
where
    S: Service<Request<B>, Response = Response> + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Without the guard's layer around it there is no caller: nobody gets in.
        let verdict = match request.extensions().get::<Auth>() {
            Some(auth) => self.rule.check(auth),
            None => Err(Refused::TokenMissing),
        };
        match verdict {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(refused) => Box::pin(async move { Ok(refused.into_response()) }),
        }
    }
}
