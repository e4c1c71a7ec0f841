//! An API behind a guard, and what a caller sends to it.

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use carnet_guard::{Auth, Guard, Rule, User, permission, role, scope};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const API: &str = "https://api.test";

scope!(pub(crate) ReadOrders = "read:orders");
scope!(pub(crate) WriteOrders = "write:orders");
role!(pub(crate) Editor = "editor");
permission!(pub(crate) WriteArticles = "articles:write");

/// One route a right, all behind the guard, and one outside.
pub(crate) fn routes(guard: &Guard) -> Router {
    let editors = Rule::any([Rule::role("editor"), Rule::permission("articles:write")]);
    Router::new()
        .route(
            "/me",
            get(async |auth: Auth| {
                Json(json!({ "sub": auth.sub(), "client": auth.client_id(), "team": auth.claim("team") }))
            }),
        )
        .route("/profile", get(async |_: Auth<(User, ReadOrders)>| "profile"))
        .route("/orders", get(async |_: Auth<ReadOrders>| "orders"))
        .route("/both", get(async |_: Auth<(ReadOrders, WriteOrders)>| "both"))
        .route("/typed", get(async |_: Auth<(Editor, WriteArticles)>| "typed"))
        .route("/edit", get(async || "edit").layer(guard.require(editors)))
        .route(
            "/rule",
            get(async || "rule")
                .layer(guard.require(Rule::all([Rule::scope("read:orders"), Rule::role("editor")]))),
        )
        .layer(guard.layer())
        .route("/health", get(async || "ok"))
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The first one.
    pub(crate) challenge: String,
    pub(crate) challenges: Vec<String>,
    pub(crate) retry_after: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        assert_eq!(self.body["code"], self.body["error"], "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16(), "{self:?}");
        self.body["code"].as_str().unwrap()
    }
}

pub(crate) async fn call(guard: &Guard, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(routes(guard), request.body(Body::empty()).unwrap()).await
}

/// Sends a request to any routes.
pub(crate) async fn send(routes: Router, request: Request<Body>) -> Answer {
    let response = routes.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    let bytes = body.collect().await.unwrap().to_bytes();
    let body =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
    Answer {
        status: parts.status,
        challenge: text("www-authenticate"),
        challenges: parts
            .headers
            .get_all("www-authenticate")
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect(),
        retry_after: text("retry-after"),
        headers: parts.headers,
        body,
    }
}

pub(crate) async fn with_token(guard: &Guard, path: &str, token: &str) -> Answer {
    call(guard, path, &[("authorization", &format!("Bearer {token}"))]).await
}

/// A GET of this path with this token.
pub(crate) fn get_with(path: &str, token: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    request.body(Body::empty()).unwrap()
}
