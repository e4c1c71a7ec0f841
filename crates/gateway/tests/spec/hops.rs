//! The way of a request: through whom it went, and how far it may go (RFC 9110 §7.6).

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;

use crate::harness::{Answer, Harness, Seen};

#[tokio::test]
async fn a_service_is_told_that_a_request_came_through_the_gateway() {
    let harness = Harness::start().await;
    let seen = harness.get("/open", "Via: 1.0 fred\r\n").await.seen();
    assert_eq!(seen.folded("Via"), ["1.0 fred", "1.1 carnet"]);
    let request = Request::get("http://api.test/open").body(Body::empty()).unwrap();
    let body = harness.h2(request).await.into_body().collect().await.unwrap();
    let seen = Seen(serde_json::from_slice(&body.to_bytes()).unwrap());
    assert_eq!(seen.folded("Via"), ["2.0 carnet"]);
}

#[tokio::test]
async fn options_goes_no_further_than_its_client_lets_it() {
    let harness = Harness::start().await;
    let ask = async |method: &str, path: &str, hops: &str| {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nMax-Forwards: {hops}\r\nConnection: close\r\n\r\n"
        );
        Answer::read(&harness.talk(&text).await)
    };
    for (sent, left) in [("1", "0"), ("10", "9"), ("70000", "254"), ("many", "254")] {
        let seen = ask("OPTIONS", "/open", sent).await.seen();
        assert_eq!(seen.header("Max-Forwards").as_deref(), Some(left), "{sent}");
    }
    let answer = ask("OPTIONS", "/open", "0").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(ask("OPTIONS", "/orders", "0").await.status, 401);
    let seen = ask("GET", "/open", "0").await.seen();
    assert_eq!(seen.header("Max-Forwards").as_deref(), Some("0"));
}
