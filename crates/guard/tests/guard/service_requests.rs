//! Tokens of services that are for one request: its method and its URL.

use axum::Router;
use axum::routing::post;
use carnet_guard::{BuildError, Caller, Guard, ResourceServer, Services};
use http::{HeaderValue, Method, Request, StatusCode};
use tower::ServiceExt as _;

use crate::service_issuer::{Issuer, Other, call, send};

struct Scene {
    issuer: Issuer,
    orders: Other,
}

impl Scene {
    async fn set() -> Self {
        let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
        issuer.publish(1, &[&orders]);
        Self { issuer, orders }
    }

    fn for_one(&self, method: &str, url: &str) -> HeaderValue {
        let signer = self.issuer.signs_as(&self.orders);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        signer.bound_authorization("billing", &method, url).unwrap()
    }

    /// The guard of a service that its users do not call, if it can be made.
    async fn built(&self, audience: &str, services: Services) -> Result<Guard, BuildError> {
        let server = ResourceServer::new(audience).services(services);
        server.clock(self.issuer.clock.clone()).build().await
    }
}

async fn status(guard: &Guard, method: &str, path: &str, authorization: &HeaderValue) -> StatusCode {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("authorization", authorization).body(()).unwrap();
    send(guard, request).await.0
}

const CLOSE: &str = "https://billing.test/close";

#[tokio::test]
async fn a_token_that_names_a_request_goes_with_no_other() {
    let scene = Scene::set().await;
    // Also where nobody has asked for such tokens.
    let guard = scene.issuer.guard(scene.issuer.services()).await;
    for url in [
        CLOSE,
        "HTTPS://billing.test:443/x/../close",
        "https://billing.test/close?day=1#x",
    ] {
        let token = scene.for_one("POST", url);
        assert_eq!(
            status(&guard, "POST", "/close?day=2", &token).await,
            StatusCode::OK,
            "{url}"
        );
        assert_eq!(
            status(&guard, "GET", "/close", &token).await,
            StatusCode::UNAUTHORIZED,
            "{url}"
        );
    }
    for (method, url) in [
        ("GET", CLOSE),
        ("post", CLOSE),
        ("POST", "https://billing.test/close/"),
        ("POST", "https://billing.test/any"),
        ("POST", "http://billing.test/close"),
        ("POST", "https://shipping.test/close"),
        ("POST", "https://billing.test:8443/close"),
    ] {
        let token = scene.for_one(method, url);
        assert_eq!(
            status(&guard, "POST", "/close", &token).await,
            StatusCode::UNAUTHORIZED,
            "{method} {url}"
        );
    }
    // One that names none goes with any, as ever.
    let signer = scene.issuer.signs_as(&scene.orders);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
}

#[tokio::test]
async fn where_tokens_have_to_name_their_request_no_other_token_counts() {
    let scene = Scene::set().await;
    let guard = scene
        .issuer
        .guard(
            scene
                .issuer
                .services()
                .bound_to_request()
                .once_for_unsafe_methods(),
        )
        .await;
    let signer = scene.issuer.signs_as(&scene.orders);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::UNAUTHORIZED);
    let token = scene.for_one("POST", CLOSE);
    assert_eq!(
        status(&guard, "GET", "/close", &token).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(status(&guard, "POST", "/close", &token).await, StatusCode::OK);
    // The same request again: that is the other half.
    assert_eq!(
        status(&guard, "POST", "/close", &token).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn services_may_find_a_service_elsewhere_than_its_users() {
    let scene = Scene::set().await;
    let services = scene
        .issuer
        .services()
        .internal_url("http://billing.internal:8080/v1/");
    let guard = scene.issuer.guard(services).await;
    let inside = scene.for_one("POST", "http://billing.internal:8080/v1/close");
    assert_eq!(status(&guard, "POST", "/close", &inside).await, StatusCode::OK);
    let outside = scene.for_one("POST", CLOSE);
    assert_eq!(
        status(&guard, "POST", "/close", &outside).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn who_does_not_know_its_own_url_takes_no_token_that_names_one() {
    let scene = Scene::set().await;
    let guard = scene.built("billing", scene.issuer.services()).await.unwrap();
    let token = scene.for_one("POST", CLOSE);
    assert_eq!(
        status(&guard, "POST", "/close", &token).await,
        StatusCode::UNAUTHORIZED
    );
    let signer = scene.issuer.signs_as(&scene.orders);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
    // It cannot ask for such tokens.
    for services in [
        scene.issuer.services().bound_to_request(),
        scene.issuer.services().internal_url("billing.internal"),
    ] {
        let error = scene.built("billing", services).await.unwrap_err().to_string();
        assert!(error.contains("internal_url"), "{error}");
    }
}

#[tokio::test]
async fn a_nested_router_is_named_by_the_whole_path() {
    let scene = Scene::set().await;
    let guard = scene.issuer.guard(scene.issuer.services()).await;
    let named = async |caller: Caller| caller.name().to_owned();
    let inner = Router::new().route("/close", post(named).layer(guard.caller_in(["orders"])));
    let routes = Router::new().nest("/v1", inner);
    let asked = async |url: &str| {
        let request = Request::post("/v1/close").header("authorization", scene.for_one("POST", url));
        let request = request.body(axum::body::Body::empty()).unwrap();
        routes.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(asked("https://billing.test/v1/close").await, StatusCode::OK);
    assert_eq!(asked(CLOSE).await, StatusCode::UNAUTHORIZED);
}
