//! Spec tests of one stream of the revocation feed: how long it goes on.

use std::time::Duration;

use axum::body::Body;
use carnet_listen::PeerAddr;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::harness::{Server, secret_of};

/// Time is moved by hand, a second at a time, so that the server looks at its store as often as it does.
#[tokio::test]
async fn a_stream_ends_within_a_quarter_of_an_hour_with_a_word_about_when_to_come_back() {
    let server = Server::start().await;
    let credentials =
        data_encoding::BASE64.encode(format!("orders-api:{}", secret_of("orders.secret")).as_bytes());
    let mut asked = Request::get("/revocations")
        .header("host", "auth.example.com")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Basic {credentials}"))
        .body(Body::empty())
        .unwrap();
    let peer = PeerAddr(([127, 0, 0, 1], 4711).into());
    asked.extensions_mut().insert(peer);
    let answer = carnet_server::router(server.app.clone())
        .oneshot(asked)
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    let told = tokio::spawn(async move {
        let mut last = String::new();
        while let Some(frame) = body.frame().await {
            last = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
        }
        last
    });
    let mut seconds = 0;
    while !told.is_finished() {
        assert!(seconds <= 15 * 60, "it goes on");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_millis(2)).await;
        seconds += 1;
    }
    assert_eq!(told.await.unwrap(), "retry: 250\n\n");
    assert!(seconds >= 15 * 30, "{seconds}: half of it at least");
}
