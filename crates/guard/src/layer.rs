//! The tower layers: one lets callers with a valid token through, the other asks more of them. For any service of HTTP requests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use tower::{Layer, Service};

use crate::answer::answer;
use crate::auth::Auth;
use crate::body::GuardBody;
use crate::challenge::Refused;
use crate::resource_server::Guard;
use crate::rule::Rule;

/// Checks the token of every request; see [`Guard::layer`].
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
    public: Arc<Vec<(Method, String)>>,
}

/// What [`GuardLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
    guard: Guard,
    public: Arc<Vec<(Method, String)>>,
}

/// Asks more of callers than a valid token; see [`Guard::require`].
#[derive(Clone, Debug)]
pub struct RuleLayer {
    rule: Arc<Rule>,
    metadata: Option<Arc<str>>,
}

/// What [`RuleLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct RuleService<S> {
    inner: S,
    rule: Arc<Rule>,
    metadata: Option<Arc<str>>,
}

impl Guard {
    /// Everything inside needs a valid token; the caller is in the request's extensions, for [`Auth`].
    pub fn layer(&self) -> GuardLayer {
        GuardLayer {
            guard: self.clone(),
            public: Arc::default(),
        }
    }

    /// Everything inside needs this as well; goes inside [`Guard::layer`].
    pub fn require(&self, rule: Rule) -> RuleLayer {
        RuleLayer {
            rule: Arc::new(rule),
            metadata: self.metadata_url(),
        }
    }
}

impl GuardLayer {
    /// Lets everybody use this method of this path: exactly these, as the layer sees the path (inside a nested router, without what leads
    /// there). Nothing about the caller is known then, unless the handler asks: by `Option<Auth>`.
    ///
    /// ```
    /// # async fn example(guard: carnet_guard::Guard) {
    /// use carnet_guard::Auth;
    ///
    /// let front = async |auth: Option<Auth>| auth.map_or("hello".to_owned(), |auth| format!("hello {}", auth.sub()));
    /// let app: axum::Router = axum::Router::new()
    ///     .route("/", axum::routing::get(front))
    ///     .layer(guard.layer().public(http::Method::GET, "/"));
    /// # }
    /// ```
    #[must_use]
    pub fn public(mut self, method: Method, path: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.public).push((method, path.into()));
        self
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService {
            inner,
            guard: self.guard.clone(),
            public: self.public.clone(),
        }
    }
}

impl<S> Layer<S> for RuleLayer {
    type Service = RuleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RuleService {
            inner,
            rule: self.rule.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

type BoxFuture<B, E> = Pin<Box<dyn Future<Output = Result<Response<GuardBody<B>>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for GuardService<S>
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
        let guard = self.guard.clone();
        let public = self.is_public(&request);
        // The service that was polled ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if public {
                // For handlers that want to know who calls, when somebody says so.
                parts.extensions.insert(guard);
            } else {
                match guard.check_once(&mut parts).await {
                    Ok(auth) => parts.extensions.insert(auth),
                    Err(refused) => {
                        let answer = guard.refusal(&refused, &parts.headers);
                        return Ok(answer.map(GuardBody::refusal));
                    }
                };
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(GuardBody::of_service))
        })
    }
}

impl<S> GuardService<S> {
    fn is_public<B>(&self, request: &Request<B>) -> bool {
        let (method, path) = (request.method(), request.uri().path());
        self.public
            .iter()
            .any(|(one, there)| one == method && there == path)
    }
}

impl<S, B, R> Service<Request<B>> for RuleService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<R, S::Error>;

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
            Ok(()) => {
                let answered = self.inner.call(request);
                Box::pin(async move { Ok(answered.await?.map(GuardBody::of_service)) })
            }
            Err(refused) => {
                let answer = answer(&refused, self.metadata.as_deref(), request.headers());
                Box::pin(async move { Ok(answer.map(GuardBody::refusal)) })
            }
        }
    }
}
