//! The tower layer for routes that services may call, and which.
//!
//! Spec: RFC 6750 §3

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::body::GuardBody;
use crate::caller::Caller;
use crate::challenge::Refused;
use crate::resource_server::Guard;

/// Lets services in; see [`Guard::caller_in`].
#[derive(Clone, Debug)]
pub struct CallerLayer {
    guard: Guard,
    names: Arc<[String]>,
    or_users: bool,
}

/// What [`CallerLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct CallerService<S> {
    inner: S,
    layer: CallerLayer,
}

impl Guard {
    /// Everything inside is for these services, named by their `client_id`s, workloads by their SPIFFE IDs, and for nobody else: no user gets in, however much a token
    /// permits. The caller is in the request's extensions, for [`Caller`].
    ///
    /// Routes inside [`Guard::layer`] are for users: no service gets in there.
    pub fn caller_in<T: Into<String>>(&self, names: impl IntoIterator<Item = T>) -> CallerLayer {
        CallerLayer {
            guard: self.clone(),
            names: names.into_iter().map(Into::into).collect(),
            or_users: false,
        }
    }
}

impl CallerLayer {
    /// Lets users in as well, as [`Guard::layer`] would: handlers take [`UserOrService`](crate::UserOrService).
    #[must_use]
    pub fn or_users(mut self) -> Self {
        self.or_users = true;
        self
    }

    /// Leaves in the request who it was.
    async fn admit(&self, parts: &mut Parts) -> Result<(), Refused> {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            // A layer further out has looked; this one may be narrower.
            return match self.names.iter().any(|name| name == caller.name()) {
                true => Ok(()),
                false => Err(Refused::InsufficientScope(None)),
            };
        }
        if self.or_users && !self.guard.is_from_service(parts) {
            let auth = self.guard.check_once(parts).await?;
            parts.extensions.insert(auth);
            return Ok(());
        }
        let caller = self.guard.check_caller(parts, &self.names).await?;
        parts.extensions.insert(caller);
        Ok(())
    }
}

impl<S> Layer<S> for CallerLayer {
    type Service = CallerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallerService {
            inner,
            layer: self.clone(),
        }
    }
}

type BoxFuture<B, E> = Pin<Box<dyn Future<Output = Result<Response<GuardBody<B>>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for CallerService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = self.layer.clone();
        // The service that was polled ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Err(refused) = layer.admit(&mut parts).await {
                let answer = layer.guard.refusal(&refused, &parts.headers);
                return Ok(answer.map(GuardBody::refusal));
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(GuardBody::of_service))
        })
    }
}
