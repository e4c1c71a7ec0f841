//! Tokens that are bound to a key (RFC 9449 §7), as an API meets them.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use carnet_guard::testing::{TestClock, TestIssuer};
use carnet_guard::{Auth, BuildError, Guard};
use carnet_jose::{Algorithm, AnySigningKey};
use carnet_oauth::dpop::{Prover, Request};
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::api::{API, Answer, call, with_token};

const NOW: u64 = 1_800_000_000;

struct Api {
    issuer: TestIssuer,
    guard: Guard,
    clock: TestClock,
    key: Prover,
}

impl Api {
    async fn start() -> Self {
        let clock = TestClock::at(NOW);
        let issuer = TestIssuer::with_clock(clock.clone());
        let guard = issuer.resource_server(API).build().await.unwrap();
        let key = prover();
        Self {
            issuer,
            guard,
            clock,
            key,
        }
    }

    fn bound_token(&self) -> String {
        self.saying(json!({ "jkt": self.key.thumbprint() }))
    }

    fn saying(&self, cnf: Value) -> String {
        self.issuer.token("alice").claim("cnf", cnf).sign()
    }

    /// Sends a token by the scheme DPoP with this proof.
    async fn send(&self, token: &str, proof: &str) -> Answer {
        let authorization = format!("DPoP {token}");
        call(
            &self.guard,
            "/me",
            &[("authorization", &authorization), ("dpop", proof)],
        )
        .await
    }
}

fn prover() -> Prover {
    Prover::new(AnySigningKey::generate(Algorithm::Es256).unwrap()).unwrap()
}

fn prove(key: &Prover, uri: &str, token: &str) -> String {
    let request = Request {
        method: "GET",
        uri,
        access_token: Some(token),
    };
    key.prove(&request, None, NOW).unwrap()
}

const ME: &str = "https://api.test/me";

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, code),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_bound_token_gets_in_with_the_proof_of_its_key() {
    let api = Api::start().await;
    let token = api.bound_token();
    let answer = api.send(&token, &prove(&api.key, ME, &token)).await;
    assert_eq!(
        (answer.status, answer.body["sub"].as_str()),
        (StatusCode::OK, Some("alice"))
    );
    let authorization = format!("dpop  {token}");
    let proof = prove(&api.key, "HTTPS://API.TEST:443/me?x=1", &token);
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    assert_eq!(call(&api.guard, "/me?y=2", &headers).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pp_03_a_bound_token_is_no_bearer_token_and_a_bearer_token_is_not_bound() {
    let api = Api::start().await;
    let token = api.bound_token();
    let alone = with_token(&api.guard, "/me", &token).await;
    let (authorization, proof) = (format!("Bearer {token}"), prove(&api.key, ME, &token));
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    let proven = call(&api.guard, "/me", &headers).await;
    let free = api.issuer.token("alice").sign();
    let upgraded = api.send(&free, &prove(&api.key, ME, &free)).await;
    for answer in [alone, proven, upgraded] {
        assert_refused(&answer, "token_invalid");
        // §7.1, §7.2: both schemes, and the algorithms of proofs.
        assert!(
            answer.challenge.starts_with("Bearer error=\"invalid_token\""),
            "{answer:?}"
        );
        let by_proof = &answer.challenges[1];
        assert!(by_proof.starts_with("DPoP error=\"invalid_token\""), "{by_proof}");
        assert!(by_proof.contains("algs=\"ES256 ES384"), "{by_proof}");
    }
    let nobody = call(&api.guard, "/me", &[]).await;
    assert_eq!(nobody.challenges.len(), 2);
    assert!(nobody.challenges[1].starts_with("DPoP algs=\""), "{nobody:?}");
}

#[tokio::test]
async fn pp_01_pp_03_the_proof_is_one_of_this_key_for_this_request_and_this_token() {
    let api = Api::start().await;
    let (token, other) = (api.bound_token(), api.bound_token());
    let of_another = prove(&prover(), ME, &token);
    for _ in 0..2 {
        // It is not even remembered: whoever has a copy of the token fills no memory.
        assert_refused(&api.send(&token, &of_another).await, "token_invalid");
    }
    let posted = Request {
        method: "POST",
        uri: ME,
        access_token: Some(&token),
    };
    let unhashed = Request {
        method: "GET",
        access_token: None,
        ..posted
    };
    let get = Request {
        method: "GET",
        ..posted
    };
    for proof in [
        prove(&api.key, ME, &other),
        prove(&api.key, "https://api.test/orders", &token),
        prove(&api.key, "http://api.test/me", &token),
        prove(&api.key, "https://evil.test/me", &token),
        api.key.prove(&posted, None, NOW).unwrap(),
        api.key.prove(&unhashed, None, NOW).unwrap(),
        api.key.prove(&get, None, NOW - 11).unwrap(),
        api.key.prove(&get, None, NOW + 11).unwrap(),
        token.clone(),
        "x".to_owned(),
    ] {
        let answer = api.send(&token, &proof).await;
        assert_refused(&answer, "invalid_dpop_proof");
        assert_eq!(answer.challenges.len(), 1);
        assert!(
            answer.challenge.starts_with("DPoP error=\"invalid_dpop_proof\""),
            "{answer:?}"
        );
        assert!(answer.challenge.contains("algs="));
    }
}

#[tokio::test]
async fn pp_01_there_is_one_proof_and_one_token() {
    let api = Api::start().await;
    let token = api.bound_token();
    let authorization = format!("DPoP {token}");
    let (one, two) = (prove(&api.key, ME, &token), prove(&api.key, ME, &token));
    let headers = [
        ("authorization", authorization.as_str()),
        ("dpop", &one),
        ("dpop", &two),
    ];
    for headers in [&headers[..1], &headers] {
        assert_refused(&call(&api.guard, "/me", headers).await, "invalid_dpop_proof");
    }
    let bearer = format!("Bearer {token}");
    let twice = [
        ("authorization", authorization.as_str()),
        ("authorization", &bearer),
        ("dpop", &one),
    ];
    assert_eq!(
        call(&api.guard, "/me", &twice).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn jwt_17_a_proof_is_no_access_token() {
    let api = Api::start().await;
    let proof = prove(&api.key, ME, &api.bound_token());
    assert_refused(&with_token(&api.guard, "/me", &proof).await, "token_invalid");
    assert_refused(
        &api.send(&proof, &prove(&api.key, ME, &proof)).await,
        "token_invalid",
    );
}

#[tokio::test]
async fn pp_02_a_proof_counts_once() {
    let api = Api::start().await;
    let token = api.bound_token();
    let proof = prove(&api.key, ME, &token);
    assert_eq!(api.send(&token, &proof).await.status, StatusCode::OK);
    for wait in [0, 5, 5] {
        api.clock.wait(Duration::from_secs(wait));
        assert_refused(&api.send(&token, &proof).await, "invalid_dpop_proof");
    }
}

#[tokio::test]
async fn a_confirmation_that_is_not_understood_refuses() {
    let api = Api::start().await;
    let jkt = api.key.thumbprint();
    for cnf in [
        json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }),
        json!({ "jkt": jkt, "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }),
        json!({ "jwk": {} }),
        json!({ "jkt": 1 }),
        json!({}),
        json!(null),
        json!("x"),
    ] {
        let token = api.saying(cnf.clone());
        assert_refused(&with_token(&api.guard, "/me", &token).await, "token_invalid");
        let answer = api.send(&token, &prove(&api.key, ME, &token)).await;
        assert_eq!(answer.code(), "token_invalid", "{cnf}");
    }
}

#[tokio::test]
async fn the_url_is_the_configured_one_with_the_path_as_it_came() {
    let api = Api::start().await;
    let behind_proxy = api
        .issuer
        .resource_server(API)
        .public_url("https://example.com/orders/")
        .build()
        .await;
    let token = api.bound_token();
    let authorization = format!("DPoP {token}");
    let ask = async |guard: &Guard, uri: &str| {
        let proof = prove(&api.key, uri, &token);
        let headers = [
            ("authorization", authorization.as_str()),
            ("dpop", &proof),
            ("host", "evil.test"),
            ("x-forwarded-host", "evil.test"),
        ];
        call(guard, "/me", &headers).await.status
    };
    let behind_proxy = behind_proxy.unwrap();
    assert_eq!(
        ask(&behind_proxy, "https://example.com/orders/me").await,
        StatusCode::OK
    );
    for uri in [
        ME,
        "https://example.com/me",
        "https://evil.test/me",
        "https://evil.test/orders/me",
    ] {
        assert_eq!(ask(&behind_proxy, uri).await, StatusCode::UNAUTHORIZED, "{uri}");
    }
    // An audience that is no URL does not say where the API is.
    let nowhere = api.issuer.resource_server("orders").build().await.unwrap();
    let token = api
        .issuer
        .token("a")
        .audience("orders")
        .claim("cnf", json!({ "jkt": api.key.thumbprint() }))
        .sign();
    let authorization = format!("DPoP {token}");
    let proof = prove(&api.key, ME, &token);
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    assert_refused(&call(&nowhere, "/me", &headers).await, "token_invalid");
    for url in [
        "example.com",
        "ftp://example.com",
        "https://example.com/?a",
        "https://me@example.com",
    ] {
        let built = api.issuer.resource_server(API).public_url(url).build().await;
        assert!(matches!(built, Err(BuildError::Policy(_))), "{url}");
    }
}

#[tokio::test]
async fn a_nested_router_does_not_shorten_the_url_of_a_request() {
    let api = Api::start().await;
    let me = get(async |auth: Auth| Json(auth.sub().to_owned()));
    let inner = Router::new().route("/me", me).layer(api.guard.layer());
    let app = Router::new().nest("/v1", inner);
    let token = api.bound_token();
    for (uri, status) in [
        ("https://api.test/v1/me", StatusCode::OK),
        (ME, StatusCode::UNAUTHORIZED),
    ] {
        let request = http::Request::get("/v1/me")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", prove(&api.key, uri, &token));
        let response = app
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{uri}");
    }
}

/// What a router of these layers answers to a bound token with this proof, twice.
async fn twice(api: &Api, router: Router, path: &str) -> [StatusCode; 2] {
    let token = api.bound_token();
    let proof = prove(&api.key, &format!("https://api.test{path}"), &token);
    let mut told = Vec::new();
    for _ in 0..2 {
        let request = http::Request::get(path)
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", &proof);
        let request = request.body(Body::empty()).unwrap();
        told.push(router.clone().oneshot(request).await.unwrap().status());
    }
    told.try_into().unwrap()
}

#[tokio::test]
async fn a_proof_counts_once_for_a_request_however_many_guards_it_passes() {
    let api = Api::start().await;
    let handler = async |auth: Auth| auth.sub().to_owned();
    let once = [StatusCode::OK, StatusCode::UNAUTHORIZED];
    let routes = || Router::new().route("/me", get(handler));
    let inside = routes().layer(api.guard.layer()).layer(api.guard.layer());
    assert_eq!(twice(&api, inside, "/me").await, once);
    let nested = Router::new().nest("/api", routes().layer(api.guard.layer()));
    assert_eq!(
        twice(&api, nested.layer(api.guard.layer()), "/api/me").await,
        once
    );
    let callers = routes().layer(api.guard.caller_in(["orders"]).or_users());
    assert_eq!(twice(&api, callers.layer(api.guard.layer()), "/me").await, once);
    // Another that keeps its own count.
    let other = api.issuer.resource_server(API).build().await.unwrap();
    let both = routes().layer(other.layer()).layer(api.guard.layer());
    assert_eq!(twice(&api, both, "/me").await, once);
    // And the first one again.
    let around = routes().layer(api.guard.layer()).layer(other.layer());
    assert_eq!(twice(&api, around.layer(api.guard.layer()), "/me").await, once);
}

#[tokio::test]
async fn a_proof_that_was_counted_for_a_request_counts_for_no_other() {
    let api = Api::start().await;
    let token = api.bound_token();
    let other = prove(&api.key, ME, &token);
    assert_eq!(api.send(&token, &other).await.status, StatusCode::OK);
    // Something in between that puts the spent proof of another request, or another method, into this one.
    for change in ["dpop", "method"] {
        let other = other.clone();
        let swap = tower::util::MapRequestLayer::new(move |mut request: axum::extract::Request| {
            match change {
                "dpop" => drop(request.headers_mut().insert("dpop", other.parse().unwrap())),
                _ => *request.method_mut() = http::Method::POST,
            }
            request
        });
        let router = Router::new().route("/me", get(async || "in").post(async || "in"));
        let router = router
            .layer(api.guard.layer())
            .layer(swap)
            .layer(api.guard.layer());
        assert_eq!(
            twice(&api, router, "/me").await,
            [StatusCode::UNAUTHORIZED; 2],
            "{change}"
        );
    }
}
