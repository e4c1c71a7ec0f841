//! Where the guard stands: around routes, around any service, or in the handler alone.

use std::convert::Infallible;

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use carnet_guard::testing::TestIssuer;
use carnet_guard::{Auth, Guard, GuardBody, Rule};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use crate::api::{API, ReadOrders, get_with, send};

async fn start() -> (TestIssuer, Guard) {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    (issuer, guard)
}

fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn gw_07_public_is_said_for_one_method_of_one_path() {
    let (_, guard) = start().await;
    let routes = Router::new()
        .route("/ping", get(async || "pong").post(async || "posted"))
        .route("/ping/", get(async || "another"))
        .route("/api/ping", get(async || "another"))
        .fallback(async || "fallback")
        .layer(guard.layer().public(Method::GET, "/ping"));
    for path in ["/ping", "/ping?x=/api"] {
        let answer = send(routes.clone(), request(Method::GET, path)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    for (method, path) in [
        (Method::POST, "/ping"),
        (Method::HEAD, "/ping"),
        (Method::OPTIONS, "/ping"),
        (Method::GET, "/ping/"),
        (Method::GET, "//ping"),
        (Method::GET, "/PING"),
        (Method::GET, "/%70ing"),
        (Method::GET, "/ping;x"),
        (Method::GET, "/ping/../api"),
        (Method::GET, "/api/ping"),
        (Method::GET, "/api?/ping"),
        (Method::GET, "/"),
    ] {
        let answer = send(routes.clone(), request(method.clone(), path)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    let override_method = Request::post("/ping").header("x-http-method-override", "GET");
    let answer = send(routes, override_method.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn gw_12_nothing_inside_the_layer_is_open_by_accident() {
    let (_, guard) = start().await;
    let routes = Router::new()
        .route("/forgotten", post(async || "no extractor at all"))
        .layer(guard.layer());
    for (method, path) in [(Method::POST, "/forgotten"), (Method::GET, "/forgotten")] {
        assert_eq!(
            send(routes.clone(), request(method, path)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_public_handler_may_know_who_calls_when_somebody_says_so() {
    let (issuer, guard) = start().await;
    let who = async |auth: Option<Auth>| auth.map_or("nobody".to_owned(), |auth| auth.sub().to_owned());
    let layer = guard
        .layer()
        .public(Method::GET, "/")
        .public(Method::GET, "/strict")
        .public(Method::GET, "/ruled");
    let routes = Router::new()
        .route("/", get(who))
        .route("/strict", get(async |_: Auth| "in"))
        .route("/ruled", get(async || "in").layer(guard.require(Rule::all([]))))
        .layer(layer);
    let token = issuer.token("alice").sign();
    let nobody = send(routes.clone(), request(Method::GET, "/")).await;
    assert_eq!(nobody.body, json!("nobody"));
    assert_eq!(
        send(routes.clone(), get_with("/", &token)).await.body,
        json!("alice")
    );
    // A token that is sent must be good.
    assert_eq!(
        send(routes.clone(), get_with("/", "x.y.z")).await.code(),
        "token_invalid"
    );
    // Who asks for a caller gets one, whatever was said to be public; and so does a rule.
    for path in ["/strict", "/ruled"] {
        let answer = send(routes.clone(), request(Method::GET, path)).await;
        assert_eq!(answer.code(), "token_missing", "{path}");
    }
    assert_eq!(
        send(routes, get_with("/strict", &token)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn without_the_layer_the_extractor_looks_by_itself() {
    let (issuer, guard) = start().await;
    let routes = Router::new()
        .route("/me", get(async |auth: Auth| Json(auth.sub().to_owned())))
        .route(
            "/orders",
            get(async |first: Auth<ReadOrders>, second: Auth| { first.sub() == second.sub() }.to_string()),
        )
        .layer(Extension(guard));
    let token = issuer.token("alice").sign();
    assert_eq!(
        send(routes.clone(), get_with("/me", &token)).await.body,
        json!("alice")
    );
    assert_eq!(
        send(routes.clone(), get_with("/me", "x.y.z")).await.code(),
        "token_invalid"
    );
    assert_eq!(
        send(routes.clone(), request(Method::GET, "/me")).await.code(),
        "token_missing"
    );
    assert_eq!(
        send(routes, get_with("/orders", &token)).await.code(),
        "insufficient_scope"
    );
}

#[tokio::test]
async fn without_any_guard_nobody_gets_in() {
    let (issuer, guard) = start().await;
    let routes = Router::new()
        .route("/me", get(async |_: Auth| "in"))
        .route("/maybe", get(async |_: Option<Auth>| "in"))
        .route("/rule", get(async || "in").layer(guard.require(Rule::all([]))));
    let token = issuer.token("alice").sign();
    for (path, status) in [("/me", 500), ("/maybe", 500), ("/rule", 401)] {
        assert_eq!(
            send(routes.clone(), get_with(path, &token)).await.status,
            status,
            "{path}"
        );
    }
}

/// A service of a body type that only this test has.
async fn hello(request: Request<String>) -> Result<Response<Full<Bytes>>, Infallible> {
    let auth = request.extensions().get::<Auth>().unwrap();
    Ok(Response::new(Full::from(format!("hello {}", auth.sub()))))
}

#[tokio::test]
async fn any_tower_service_can_be_guarded() {
    let (issuer, guard) = start().await;
    let service = ServiceBuilder::new()
        .layer(guard.layer())
        .layer(guard.require(Rule::scope("greet")))
        .service(service_fn(hello));
    for (scope, status, words) in [("greet", 200, "hello alice"), ("x", 403, "insufficient_scope")] {
        let token = issuer.token("alice").scope(scope).sign();
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let request = request.body("any body".to_owned()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let said = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&said).contains(words), "{said:?}");
    }
    // Layers outside may need an empty body.
    let _: GuardBody<Full<Bytes>> = GuardBody::default();
}
