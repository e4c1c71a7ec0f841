//! What the guard tells callers by itself: its metadata, and refusals that lead there.
//!
//! Spec: RFC 9728 §3, §5.1 · RFC 6750 §3

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::answer::answer;
use crate::challenge::Refused;
use crate::metadata::PublishedMetadata;
use crate::resource_server::Guard;

impl Guard {
    /// The answer to a request with these headers that [`Guard::check`] has refused: for servers that use no layer.
    pub fn refusal(&self, refused: &Refused, request: &HeaderMap) -> Response<Bytes> {
        let metadata = self.metadata().map(PublishedMetadata::url);
        answer(refused, metadata, request)
    }

    /// The metadata of this API; `None` when the builder names none.
    pub fn metadata(&self) -> Option<&PublishedMetadata> {
        self.parts.metadata.as_ref()
    }

    /// Its URL, for challenges.
    pub(crate) fn metadata_url(&self) -> Option<Arc<str>> {
        Some(self.metadata()?.url.clone())
    }

    /// The route of the metadata, `/.well-known/oauth-protected-resource` and the path of the resource: merge it outside of the layer,
    /// everybody may read it. No route when the builder names no metadata.
    ///
    /// ```
    /// # async fn example(guard: carnet_guard::Guard) {
    /// let app: axum::Router = axum::Router::new()
    ///     .route("/orders", axum::routing::get(async || "orders"))
    ///     .layer(guard.layer())
    ///     .merge(guard.metadata_routes());
    /// # }
    /// ```
    #[cfg(feature = "axum")]
    pub fn metadata_routes<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
        let Some(published) = self.metadata() else {
            return axum::Router::new();
        };
        let json = published.json().clone();
        // Apps in browsers read it from other origins. It says nothing about anybody.
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        axum::Router::new().route(
            published.path(),
            axum::routing::get(async move || (headers, json)),
        )
    }
}
