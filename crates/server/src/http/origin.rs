//! Who may call with cookies: ourselves, and the listed origins of browser apps.
//!
//! Spec: Fetch (Origin, CORS) · Fetch Metadata (Sec-Fetch-Site) · RFC 10017 §6.1.3

use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, MapOk};
use http::{HeaderValue, Method, StatusCode, header};
use tower::{Layer, Service};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::failure::Refusal;

/// Our own origin and those of registered browser apps.
#[derive(Clone, Debug)]
pub struct Origins {
    listed: std::sync::Arc<[String]>,
}

impl Origins {
    /// Our own origin first, then the listed ones.
    pub fn new(own: String, listed: impl IntoIterator<Item = String>) -> Self {
        Self {
            listed: std::iter::once(own).chain(listed).collect(),
        }
    }

    /// As [`require_same_site`], for a request that has come through: not everything that is posted there needs to be ours.
    pub fn require(&self, headers: &http::HeaderMap) -> Result<(), Refusal> {
        const REASON: &str = "a page of another site has sent this, and its origin is not listed";
        match is_ours(self, headers) {
            true => Ok(()),
            false => Err(Refusal::new(StatusCode::FORBIDDEN, "cross_site_request", REASON)),
        }
    }

    fn contains(&self, origin: &HeaderValue) -> bool {
        self.listed
            .iter()
            .any(|listed| listed.as_bytes() == origin.as_bytes())
    }

    /// CORS with credentials for the listed origins, byte for byte; for all others no header at all.
    pub fn cors(&self) -> CorsLayer {
        let origins = self.clone();
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| origins.contains(origin)))
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
            .expose_headers([header::RETRY_AFTER, header::WWW_AUTHENTICATE])
            .max_age(Duration::from_secs(600))
    }
}

/// CORS for endpoints that read no cookie: whoever calls them has to bring a proof of their own.
pub fn open_cors() -> OpenCors {
    OpenCors("GET,POST")
}

/// The same answer for every origin. It is a layer of constants, and costs a request next to nothing.
#[derive(Clone, Copy, Debug)]
pub struct OpenCors(&'static str);

impl OpenCors {
    /// For endpoints with these methods: a list with commas.
    pub fn allow_methods(self, methods: &'static str) -> Self {
        Self(methods)
    }

    fn preflight(self) -> Response {
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, self.0),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        headers.into_response()
    }
}

/// What answers a page of any origin.
#[derive(Clone, Copy, Debug)]
pub struct Open<S> {
    inner: S,
    cors: OpenCors,
}

impl<S> Layer<S> for OpenCors {
    type Service = Open<S>;

    fn layer(&self, inner: S) -> Open<S> {
        Open { inner, cors: *self }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for Open<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response, S::Error>>, MapOk<S::Future, fn(Response) -> Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if request.method() == Method::OPTIONS {
            return Either::Left(ready(Ok(self.cors.preflight())));
        }
        Either::Right(self.inner.call(request).map_ok(readable_anywhere))
    }
}

fn readable_anywhere(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(EXPOSED_HEADERS),
    );
    response
}

const ALLOWED_HEADERS: &str = "authorization,content-type,dpop";

/// RFC 9449 §8.2: a browser app reads its next nonce there.
const EXPOSED_HEADERS: &str = "retry-after,www-authenticate,dpop-nonce";

/// Refuses a state-changing request that a page of another, unlisted origin has sent; nothing behind this has run yet.
pub async fn require_same_site(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match origins.require(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Browsers say where a request comes from; a program that says nothing has no cookies of a victim.
fn is_ours(origins: &Origins, headers: &http::HeaderMap) -> bool {
    let mut sent = headers.get_all(header::ORIGIN).iter();
    let origin = sent.next();
    if sent.next().is_some() {
        return false;
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match (site, origin) {
        (_, Some(origin)) if origins.contains(origin) => true,
        // The page came from where the request goes, under whatever name a proxy gives us. A sibling on the same site is
        // somebody else: it must be listed.
        (Some(b"same-origin"), origin) => origin.is_none_or(|origin| origin != "null"),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnet_oauth::dpop;

    #[test]
    fn the_headers_of_dpop_pass() {
        assert!(
            ALLOWED_HEADERS
                .split(',')
                .any(|name| name.eq_ignore_ascii_case(dpop::HEADER))
        );
        assert!(
            EXPOSED_HEADERS
                .split(',')
                .any(|name| name.eq_ignore_ascii_case(dpop::NONCE_HEADER))
        );
    }

    fn accepted(headers: &[(&'static str, &'static str)]) -> bool {
        let origins = Origins::new("https://auth.test".to_owned(), ["https://app.test".to_owned()]);
        is_ours(
            &origins,
            &headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
                .collect(),
        )
    }

    #[test]
    fn ourselves_listed_origins_and_programs_are_accepted() {
        assert!(accepted(&[]));
        assert!(accepted(&[
            ("origin", "https://app.test"),
            ("sec-fetch-site", "cross-site")
        ]));
        assert!(accepted(&[
            ("origin", "https://auth.test"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(accepted(&[("sec-fetch-site", "same-origin")]));
        assert!(accepted(&[
            ("origin", "https://login.test"),
            ("sec-fetch-site", "same-origin")
        ]));
    }

    #[test]
    fn foreign_null_and_cross_site_are_refused() {
        assert!(!accepted(&[("origin", "https://evil.test")]));
        assert!(!accepted(&[("origin", "null")]));
        assert!(!accepted(&[
            ("origin", "null"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!accepted(&[("sec-fetch-site", "same-site")]));
        assert!(!accepted(&[
            ("origin", "https://taken-over.auth.test"),
            ("sec-fetch-site", "same-site")
        ]));
        assert!(!accepted(&[("sec-fetch-site", "cross-site")]));
        assert!(!accepted(&[("sec-fetch-site", "none")]));
        assert!(!accepted(&[("origin", "https://app.test.evil.test")]));
        assert!(!accepted(&[
            ("origin", "https://app.test"),
            ("origin", "https://evil.test")
        ]));
    }
}
