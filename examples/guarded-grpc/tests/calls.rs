//! The greeter as a gRPC client meets it, over a real connection.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use carnet_guard::testing::TestIssuer;
use carnet_guard::{Guard, Issuer, ResourceMetadata, ResourceServer};
use guarded_grpc::{GreeterClient, HelloRequest, serve};
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

const API: &str = "https://api.test";

async fn start(guard: Guard) -> GreeterClient<Channel> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(guard, listener, std::future::pending()));
    GreeterClient::connect(url).await.unwrap()
}

async fn say(client: &mut GreeterClient<Channel>, authorization: Option<&str>) -> Result<String, Status> {
    let mut request = Request::new(HelloRequest {
        greeting: "good day".to_owned(),
    });
    if let Some(value) = authorization {
        request
            .metadata_mut()
            .insert("authorization", value.parse().unwrap());
    }
    let reply = client.say_hello(request).await?;
    Ok(reply.into_inner().message)
}

#[tokio::test]
async fn a_caller_with_a_token_is_greeted_by_name() {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    let mut client = start(guard).await;
    let token = issuer.token("alice").scope("greet").sign();
    let said = say(&mut client, Some(&format!("Bearer {token}"))).await.unwrap();
    assert_eq!(said, "good day, alice");
}

#[tokio::test]
async fn row_22_a_refused_call_has_a_status_of_grpc_and_the_challenge_as_metadata() {
    let issuer = TestIssuer::new();
    let server = issuer.resource_server(API).metadata(ResourceMetadata::new());
    let mut client = start(server.build().await.unwrap()).await;
    let other = format!("Bearer {}", issuer.token("alice").scope("other").sign());
    for (authorization, code, challenge) in [
        (None, Code::Unauthenticated, "Bearer resource_metadata="),
        (
            Some("Bearer x.y.z"),
            Code::Unauthenticated,
            "error=\"invalid_token\"",
        ),
        (Some(other.as_str()), Code::PermissionDenied, "scope=\"greet\""),
        (Some("Bearer"), Code::InvalidArgument, "error=\"invalid_request\""),
    ] {
        let refused = say(&mut client, authorization).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(!refused.message().is_empty());
        let found = refused.metadata().get("www-authenticate").unwrap();
        assert!(found.to_str().unwrap().contains(challenge), "{found:?}");
    }
}

#[tokio::test]
async fn without_keys_the_service_is_unavailable() {
    let down = Issuer::jwks("https://issuer.test", "http://127.0.0.1:1/jwks");
    let guard = ResourceServer::new(API).issuer(down).build().await.unwrap();
    let mut client = start(guard).await;
    let token = TestIssuer::new().token("alice").audience(API).sign();
    let refused = say(&mut client, Some(&format!("Bearer {token}")))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.metadata().get("retry-after").unwrap(), "5");
}
