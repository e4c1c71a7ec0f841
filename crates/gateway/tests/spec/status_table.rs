//! Which status a request gets that is not let through, row by row of the table in docs/gateway.md; and that nothing of it is forwarded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::harness::{Answer, Harness, Running, USUAL};

async fn counting() -> (Harness, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::SeqCst);
        StatusCode::NO_CONTENT
    });
    let text =
        format!("{USUAL}\n[[routes]]\npath = \"/fresh\"\nmax_auth_age = \"1m\"\nupstream = \"service\"\n");
    (Harness::with(&text, Running::start(router).await).await, asked)
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let lines = answer.head.lines();
    lines
        .filter_map(|line| line.strip_prefix("www-authenticate: "))
        .collect()
}

#[tokio::test]
async fn no_token_is_a_401_that_names_no_error() {
    let (harness, asked) = counting().await;
    for headers in ["", "Authorization: Basic YTpi\r\n", "Cookie: access_token=x\r\n"] {
        let answer = harness.get("/orders", headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "token_missing"),
            "{headers}"
        );
        let challenges = challenges(&answer);
        assert!(
            challenges.iter().any(|text| text.starts_with("bearer")),
            "{answer:?}"
        );
        assert!(
            challenges.iter().all(|text| !text.contains("error")),
            "{answer:?}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn two_tokens_or_none_that_can_be_read_are_a_400() {
    let (harness, asked) = counting().await;
    let token = harness.issuer.token(&json!({}));
    for headers in [
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}, Bearer {token}\r\n"),
        format!("Authorization: Bearer {token} x\r\n"),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer \u{e9}\r\n".to_owned(),
    ] {
        let answer = harness.get("/orders", &headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "invalid_request"),
            "{headers}"
        );
    }
    let headers = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(harness.get("/orders?access_token=x", &headers).await.status, 400);
    // A token in the query alone is none: it would stand in every log on the way.
    assert_eq!(
        harness
            .get(&format!("/orders?access_token={token}"), "")
            .await
            .status,
        401
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_that_fails_a_check_is_a_401_and_says_no_more_than_that() {
    let (harness, asked) = counting().await;
    let good = harness.issuer.token(&json!({}));
    let spoiled = format!(
        "{}{}",
        &good[..good.len() - 2],
        if good.ends_with("AA") { "BA" } else { "AA" }
    );
    let other = crate::harness::Issuer::new().token(&json!({}));
    for (token, code) in [
        (spoiled, "token_invalid"),
        (other, "token_invalid"),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), "token_invalid"),
        (harness.issuer.token(&json!({ "exp": 1000 })), "token_expired"),
        (
            harness.issuer.token(&json!({ "nbf": 9_000_000_000_u64 })),
            "token_invalid",
        ),
        (harness.issuer.token(&json!({ "aud": "x" })), "token_invalid"),
        (harness.issuer.token(&json!({ "iss": "x" })), "token_invalid"),
        (harness.issuer.token(&json!({ "sub": null })), "token_invalid"),
        (
            harness.issuer.token(&json!({ "cnf": { "what": "x" } })),
            "token_invalid",
        ),
    ] {
        let answer = harness
            .get("/orders", &format!("Authorization: Bearer {token}\r\n"))
            .await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{token}");
        assert!(
            challenges(&answer)
                .iter()
                .all(|text| text.contains("error=\"invalid_token\"")),
            "{answer:?}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_right_that_is_missing_is_a_403_and_a_login_that_is_too_old_a_401() {
    let (harness, asked) = counting().await;
    let poor = format!(
        "Authorization: Bearer {}\r\n",
        harness.issuer.token(&json!({ "scope": "" }))
    );
    let answer = harness.get("/orders", &poor).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "insufficient_scope")
    );
    assert!(
        challenges(&answer)
            .iter()
            .all(|text| text.contains("scope=\"read:orders\"")),
        "{answer:?}"
    );
    let answer = harness.get("/fresh", &poor).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "insufficient_user_authentication")
    );
    assert!(
        challenges(&answer)
            .iter()
            .all(|text| text.contains("max_age=\"60\"")),
        "{answer:?}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_not_forwarded_over_http2_either() {
    let (harness, asked) = counting().await;
    let request = Request::get("http://api.test/open").header("a", "b".repeat(70_000));
    let stream = tokio::net::TcpStream::connect(harness.gateway.address)
        .await
        .unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io)
            .await
            .unwrap();
    tokio::spawn(connection);
    let answer = crate::harness::soon(sender.send_request(request.body(Body::empty()).unwrap())).await;
    // A stream that is reset is an answer too (RFC 9113 §10.5.1).
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 431));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
