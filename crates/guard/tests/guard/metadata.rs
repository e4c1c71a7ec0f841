//! What an API says of itself (RFC 9728).

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use carnet_guard::testing::TestIssuer;
use carnet_guard::{Auth, BuildError, Builder, CertificateHeader, Denied, ResourceMetadata};
use http::{Request, StatusCode};
use serde_json::json;

use crate::api::{API, get_with, send};

async fn served(server: Builder) -> (String, serde_json::Value) {
    let guard = server.build().await.unwrap();
    let routes = Router::new()
        .route("/me", get(async || "in"))
        .layer(guard.layer())
        .merge(guard.metadata_routes());
    let refused = send(routes.clone(), Request::get("/me").body(Body::empty()).unwrap()).await;
    let url = guard.metadata().unwrap().url().to_owned();
    for challenge in &refused.challenges {
        assert!(
            challenge.contains(&format!("resource_metadata=\"{url}\"")),
            "{challenge}"
        );
    }
    let path = guard.metadata().unwrap().path();
    assert!(url.ends_with(path), "{url} {path}");
    let answer = send(routes, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    (url, answer.body)
}

#[tokio::test]
async fn a_client_that_is_refused_finds_out_where_tokens_come_from() {
    let issuer = TestIssuer::new();
    let metadata = ResourceMetadata::new()
        .scopes(["read:orders", "write:orders"])
        .name("Orders")
        .documentation("https://developers.example.com")
        .policy("https://example.com/policy")
        .terms("https://example.com/terms");
    let server = issuer
        .resource_server(API)
        .metadata(metadata)
        .client_certificates_from(CertificateHeader::ClientCert, ["10.0.0.1"]);
    let (url, document) = served(server).await;
    assert_eq!(url, "https://api.test/.well-known/oauth-protected-resource");
    assert_eq!(
        document,
        json!({
            "resource": "https://api.test",
            "authorization_servers": ["https://issuer.test"],
            "scopes_supported": ["read:orders", "write:orders"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Orders",
            "resource_documentation": "https://developers.example.com",
            "resource_policy_uri": "https://example.com/policy",
            "resource_tos_uri": "https://example.com/terms",
            "tls_client_certificate_bound_access_tokens": true,
            "dpop_signing_alg_values_supported": carnet_oauth::dpop::algorithm_names(),
        })
    );
}

#[tokio::test]
async fn the_path_of_a_resource_follows_the_well_known_one() {
    let issuer = TestIssuer::new();
    for (audience, public_url, url, resource) in [
        (
            "https://api.test/orders",
            None,
            "https://api.test/.well-known/oauth-protected-resource/orders",
            "https://api.test/orders",
        ),
        (
            "https://api.test/",
            None,
            "https://api.test/.well-known/oauth-protected-resource",
            "https://api.test/",
        ),
        (
            "orders",
            Some("https://example.com/orders/"),
            "https://example.com/.well-known/oauth-protected-resource/orders",
            "https://example.com/orders",
        ),
        (
            "https://api.test/orders",
            Some("http://127.0.0.1:8082"),
            "http://127.0.0.1:8082/.well-known/oauth-protected-resource/orders",
            "https://api.test/orders",
        ),
    ] {
        let server = issuer.resource_server(audience).metadata(ResourceMetadata::new());
        let server = match public_url {
            Some(public_url) => server.public_url(public_url),
            None => server,
        };
        let (found, document) = served(server).await;
        assert_eq!(
            (found.as_str(), document["resource"].as_str()),
            (url, Some(resource))
        );
    }
    let nowhere = issuer.resource_server("orders").metadata(ResourceMetadata::new());
    assert!(matches!(nowhere.build().await, Err(BuildError::Policy(_))));
}

#[tokio::test]
async fn the_refusal_of_a_handler_names_the_metadata_too() {
    let issuer = TestIssuer::new();
    let server = issuer.resource_server(API).metadata(ResourceMetadata::new());
    let guard = server.build().await.unwrap();
    let handler = async |auth: Auth| -> Result<(), Denied> { auth.check(false, "nobody may") };
    let routes = Router::new().route("/", get(handler)).layer(guard.layer());
    let answer = send(routes, get_with("/", &issuer.token("alice").sign())).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.challenge.contains("resource_metadata="),
        "{}",
        answer.challenge
    );
}

#[tokio::test]
async fn without_metadata_no_challenge_names_any() {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    let routes = Router::new()
        .route("/me", get(async || "in"))
        .layer(guard.layer())
        .merge(guard.metadata_routes());
    let answer = send(routes.clone(), Request::get("/me").body(Body::empty()).unwrap()).await;
    assert!(!answer.challenges.concat().contains("resource_metadata"));
    let path = "/.well-known/oauth-protected-resource";
    let answer = send(routes, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
