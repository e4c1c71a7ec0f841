//! Requests whose bodies never arrive whole: no server is blamed for that.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Answer, Harness, NOW, Running, mirror, soon};

/// Two servers that read all of a request before they answer; two failures would be enough to leave one alone.
async fn harness(protocol: &str) -> (Harness, [Running; 2]) {
    let server = || {
        Running::start(Router::new().fallback(async |request: Request| {
            let _ = request.into_body().collect().await;
            "all of it"
        }))
    };
    let servers = [server().await, server().await];
    let urls = servers
        .each_ref()
        .map(|server| format!("http://{}", server.address));
    let text = format!(
        "[admin]\naddress = \"127.0.0.1:0\"\n[[upstreams]]\nname = \"all\"\nurls = {urls:?}\nprotocol = {protocol:?}\neject_after = 2\n\
         [[routes]]\npath = \"/\"\nupstream = \"all\"\n[[routes]]\npath = \"/open\"\npublic = true\nupstream = \"all\"\n"
    );
    (Harness::with(&text, mirror().await).await, servers)
}

async fn assert_all_are_asked(harness: &Harness, servers: &[Running], protocol: &str) {
    let metrics = harness.metrics().await;
    for server in servers {
        let line = format!(
            "carnet_gateway_server_asked{{upstream=\"all\",server=\"{}\"}} 1\n",
            server.address
        );
        assert!(metrics.contains(&line), "{protocol}: {metrics}");
    }
}

#[tokio::test]
async fn a_call_that_outlives_its_token_is_refused_and_its_server_goes_on_being_asked() {
    for protocol in ["http1", "http2"] {
        let (harness, servers) = harness(protocol).await;
        // Within what clocks may be apart, and yet over.
        let token = harness.issuer.token(&json!({ "exp": NOW - 5 }));
        for _ in 0..5 {
            let unending = StreamBody::new(futures_util::stream::pending::<
                Result<Frame<Bytes>, std::io::Error>,
            >());
            let request = http::Request::post("http://api.test/Greeter/Talk")
                .header("te", "trailers")
                .header("content-type", "application/grpc")
                .header("authorization", format!("Bearer {token}"));
            let response = harness.h2(request.body(Body::new(unending)).unwrap()).await;
            let challenge = response.headers().get("www-authenticate").cloned();
            let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
            let code: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(code["code"], "token_expired", "{protocol}");
            let challenge = challenge.unwrap();
            assert!(
                challenge.to_str().unwrap().contains("invalid_token"),
                "{challenge:?}"
            );
        }
        assert_all_are_asked(&harness, &servers, protocol).await;
    }
}

#[tokio::test]
async fn a_body_that_its_client_breaks_off_is_a_400_and_its_server_goes_on_being_asked() {
    for protocol in ["http1", "http2"] {
        let (harness, servers) = harness(protocol).await;
        for _ in 0..5 {
            let text =
                "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnone";
            let answer = Answer::read(&harness.talk(text).await);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "body_broken"),
                "{protocol}"
            );
            // It leaves in the middle.
            let mut client = TcpStream::connect(harness.gateway.address).await.unwrap();
            let text = "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello";
            client.write_all(text.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
        }
        assert_all_are_asked(&harness, &servers, protocol).await;
    }
}
