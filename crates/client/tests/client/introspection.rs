//! Asking whether a token is active.

use std::sync::Arc;
use std::time::Duration;

use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::introspect::Introspection;
use serde_json::json;

use crate::pretended::{Frozen, Pretended, START, says};

const ACTIVE: &str = r#"{"active":true}"#;

fn endpoint(server: &Pretended, clock: &Frozen, ttl: u64) -> Arc<Introspection> {
    let url = format!("{}/introspect", server.url);
    let ttl = Duration::from_secs(ttl);
    let http = HttpClient::new().unwrap();
    Arc::new(Introspection::with_clock(http, &url, ("api", "s:cret+ü"), (ttl, clock.clone())).unwrap())
}

#[tokio::test]
async fn the_token_goes_into_the_body_and_the_name_into_the_header() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(200, &[], ACTIVE)).await;
    assert!(endpoint(&server, &clock, 0).ask("a+b/c=").await.unwrap().active);
    let [asked] = server.asked().try_into().unwrap();
    assert_eq!(
        (asked.path.as_str(), asked.body.as_str()),
        ("/introspect", "token=a%2Bb%2Fc%3D")
    );
    // RFC 6749 §2.3.1: each is form-encoded before they are joined.
    let credentials = data_encoding::BASE64.encode(b"api:s%3Acret%2B%C3%BC");
    assert_eq!(asked.headers["authorization"], format!("Basic {credentials}"));
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn a_crowd_with_one_token_asks_once_and_shares_a_failure() {
    let clock = Frozen::new();
    for (status, body) in [(200, ACTIVE), (500, "")] {
        let server = Pretended::start(move |_| says(status, &[], body)).await;
        server.open(false);
        let endpoint = endpoint(&server, &clock, 5);
        let crowd: Vec<_> = (0..50)
            .map(|_| {
                let endpoint = endpoint.clone();
                tokio::spawn(async move { endpoint.ask("t").await })
            })
            .collect();
        // Everybody waits before the answer comes.
        server.is_asked(1).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        server.open(true);
        for caller in crowd {
            assert_eq!(caller.await.unwrap().is_ok(), status == 200);
        }
        assert_eq!(server.count(), 1);
        server.answer(|_| says(200, &[], ACTIVE));
        assert!(endpoint.ask("t").await.unwrap().active);
        assert_eq!(
            server.count(),
            if status == 200 { 1 } else { 2 },
            "a failure is not remembered"
        );
    }
}

#[tokio::test]
async fn an_answer_is_believed_for_its_time_for_its_token() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(200, &[], ACTIVE)).await;
    let endpoint = endpoint(&server, &clock, 5);
    for (wait, token, asked) in [(0, "t", 1), (4, "t", 1), (0, "u", 2), (1, "t", 3), (0, "u", 3)] {
        clock.wait(wait);
        endpoint.ask(token).await.unwrap();
        assert_eq!(server.count(), asked, "{token}");
    }
    clock.set_back(60);
    endpoint.ask("t").await.unwrap();
    assert_eq!(server.count(), 4, "an answer from the future is asked for again");
}

#[tokio::test]
async fn no_answer_is_believed_for_longer_than_thirty_seconds() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(200, &[], ACTIVE)).await;
    let endpoint = endpoint(&server, &clock, 86_400);
    endpoint.ask("t").await.unwrap();
    clock.wait(30);
    endpoint.ask("t").await.unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn an_answer_does_not_outlive_the_token() {
    let clock = Frozen::new();
    let body = json!({ "active": true, "exp": START + 10 }).to_string();
    let server = Pretended::start(move |_| says(200, &[], body.clone())).await;
    let endpoint = endpoint(&server, &clock, 30);
    endpoint.ask("t").await.unwrap();
    server.answer(|_| says(200, &[], r#"{"active":false}"#));
    clock.wait(9);
    assert!(endpoint.ask("t").await.unwrap().active);
    clock.wait(1);
    assert!(!endpoint.ask("t").await.unwrap().active);
}

#[tokio::test]
async fn gw_13_no_answer_is_no_yes() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(200, &[], ACTIVE)).await;
    for ttl in [0, 5] {
        let endpoint = endpoint(&server, &clock, ttl);
        for (status, body) in [
            (200, ""),
            (200, "[]"),
            (200, "{}"),
            (200, r#"{"active":"true"}"#),
            (200, r#"{"active":1}"#),
            (200, r#"{"active":false,"active":true}"#),
            (401, ACTIVE),
            (302, ACTIVE),
            (500, ACTIVE),
        ] {
            server.answer(move |_| says(status, &[], body));
            assert!(endpoint.ask("t").await.is_err(), "{status} {body}");
        }
        server.answer(|_| says(200, &[], "x".repeat(2_000_000)));
        assert!(matches!(endpoint.ask("t").await, Err(ClientError::TooLarge(_))));
    }
}

#[tokio::test]
async fn neither_token_nor_secret_is_in_an_error() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(400, &[], "")).await;
    let endpoint = endpoint(&server, &clock, 5);
    let error = endpoint.ask("the-token").await.unwrap_err();
    let text = format!("{error} {error:?} {endpoint:?}");
    assert!(!text.contains("the-token") && !text.contains("cret"), "{text}");
}

#[tokio::test]
async fn a_no_is_believed_for_five_seconds_at_most() {
    let clock = Frozen::new();
    let server = Pretended::start(|_| says(200, &[], r#"{"active":false}"#)).await;
    let endpoint = endpoint(&server, &clock, 30);
    for (wait, asked) in [(0, 1), (4, 1), (1, 2)] {
        clock.wait(wait);
        assert!(!endpoint.ask("t").await.unwrap().active);
        assert_eq!(server.count(), asked);
    }
    server.answer(|_| says(200, &[], ACTIVE));
    clock.wait(5);
    assert!(endpoint.ask("t").await.unwrap().active);
}

#[tokio::test]
async fn every_member_of_an_answer_can_be_had_as_it_came() {
    let clock = Frozen::new();
    let body = json!({ "active": true, "sub": "alice", "aud": 7, "new": { "a": [1] } });
    let text = body.to_string();
    let server = Pretended::start(move |_| says(200, &[], text.clone())).await;
    let endpoint = endpoint(&server, &clock, 30);
    let told = endpoint.claims("t").await.unwrap().unwrap();
    assert_eq!(json!(*told), body);
    server.answer(|_| says(200, &[], r#"{"active":false,"sub":"alice"}"#));
    assert_eq!(endpoint.claims("u").await.unwrap(), None);
}

#[test]
fn tokens_go_over_https_or_stay_on_this_machine() {
    for (url, open) in [
        ("https://auth.example.com/introspect", true),
        ("http://127.0.0.1:1/introspect", true),
        ("http://auth.example.com/introspect", false),
        ("ftp://auth.example.com", false),
        ("introspect", false),
    ] {
        let http = HttpClient::new().unwrap();
        let made = Introspection::new(http, url, ("api", "s"), Duration::ZERO);
        assert_eq!(made.is_ok(), open, "{url}");
    }
}
