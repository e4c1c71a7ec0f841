//! What answers the requests of a listener.
//!
//! Spec: RFC 9110 §3.3 (servers)

use std::future::Future;

use axum::{Router, body::Body};
use http::{Request, Response};
use tower::ServiceExt as _;

/// Answers every request; one of these is cloned for each connection. Requests have [`PeerAddr`](crate::PeerAddr) in their extensions.
pub trait Answers: Clone + Send + Sync + 'static {
    /// The answer to one request.
    fn answer(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

impl Answers for Router {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match self.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
