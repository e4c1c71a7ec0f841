//! Refusals as gRPC knows them: HTTP 200, and everything in the headers.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use carnet_guard::testing::TestIssuer;
use carnet_guard::{Issuer, ResourceMetadata, ResourceServer, Rule};
use http::{Request, StatusCode};
use http_body::Body as _;
use tower::ServiceExt as _;

use crate::api::API;

#[tokio::test]
async fn a_refusal_of_grpc_is_one_of_trailers_alone() {
    let issuer = TestIssuer::new();
    let server = issuer.resource_server(API).metadata(ResourceMetadata::new());
    let guard = server.build().await.unwrap();
    let down = Issuer::jwks("https://issuer.test", "http://127.0.0.1:1/jwks");
    let down = ResourceServer::new(API).issuer(down).build().await.unwrap();
    let token = format!("Bearer {}", issuer.token("alice").sign());
    for (guard, authorization, code, error) in [
        (&guard, "", "16", None),
        (&guard, "Bearer x.y.z", "16", Some("invalid_token")),
        (&guard, "Bearer", "3", Some("invalid_request")),
        (&guard, token.as_str(), "7", Some("insufficient_scope")),
        (&down, token.as_str(), "14", None),
    ] {
        let say = post(async || "in").layer(guard.require(Rule::scope("say")));
        let routes = Router::new().route("/x.Greeter/Say", say).layer(guard.layer());
        let mut request = Request::post("/x.Greeter/Say").header("content-type", "application/grpc+proto");
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let response = routes
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], code, "{authorization}");
        assert!(!headers["grpc-message"].is_empty());
        assert!(response.body().is_end_stream(), "{authorization}");
        let challenges: Vec<_> = headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges.len(), if code == "14" { 0 } else { 2 });
        for challenge in challenges {
            let challenge = challenge.to_str().unwrap();
            assert!(challenge.contains("resource_metadata="), "{challenge}");
            assert_eq!(
                error.is_some_and(|error| challenge.contains(error)),
                error.is_some(),
                "{challenge}"
            );
        }
    }
}
