//! What goes through the gateway, and what is answered by it.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::harness::{Answer, Harness, Seen, USUAL, mirror, talk};

#[tokio::test]
async fn a_service_is_told_who_asks_and_never_gets_the_token() {
    let harness = Harness::start().await;
    let answer = harness
        .get("/orders/7?a=1&b=%2F", "Authorization: Bearer {token}\r\n")
        .await;
    let seen = answer.seen();
    assert_eq!(seen.0["target"], "/orders/7?a=1&b=%2F");
    assert_eq!(seen.header("X-User-ID").as_deref(), Some("user_1"));
    assert_eq!(seen.header("X-User-Roles").as_deref(), Some("editor,reviewer"));
    assert_eq!(seen.header("Authorization"), None);
    assert_eq!(seen.header("X-Forwarded-For").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.header("X-Forwarded-Proto").as_deref(), Some("http"));
    assert_eq!(seen.header("X-Forwarded-Host").as_deref(), Some("api.test"));
    assert_eq!(
        seen.header("Forwarded").as_deref(),
        Some("for=127.0.0.1;host=\"api.test\";proto=http")
    );
    assert_eq!(seen.header("Host"), Some(harness.service.address.to_string()));
}

#[tokio::test]
async fn the_path_that_was_matched_is_the_path_that_is_forwarded() {
    let harness = Harness::start().await;
    for (sent, forwarded) in [
        ("/open/../open/%61/./b", "/open/a/b"),
        ("/open/x?y=/../z", "/open/x?y=/../z"),
    ] {
        assert_eq!(
            harness.get(sent, "").await.seen().0["target"],
            forwarded,
            "{sent}"
        );
    }
    // What begins like a public path and leads to a protected one is the protected one.
    for sent in ["/open/../orders", "/open/%2e%2e/orders", "/open/./../orders/"] {
        assert_eq!(harness.get(sent, "").await.status, 401, "{sent}");
    }
    for sent in [
        "/open/..%2forders",
        "/open//x",
        "/open;x/../orders",
        "/open/%00",
        "/open/\\..\\orders",
        "/open/%ff",
    ] {
        let answer = harness.get(sent, "").await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "path_invalid".to_owned()),
            "{sent}"
        );
    }
}

#[tokio::test]
async fn who_has_no_right_is_refused_as_the_bearer_spec_says() {
    let harness = Harness::start().await;
    let expired = harness.issuer.token(&json!({ "exp": 1000 }));
    let foreign = harness.issuer.token(&json!({ "aud": "https://other.test" }));
    for (path, headers, status, code, challenge) in [
        ("/orders", String::new(), 401, "token_missing", "bearer"),
        (
            "/orders",
            format!("Authorization: Bearer {expired}\r\n"),
            401,
            "token_expired",
            "invalid_token",
        ),
        (
            "/orders",
            format!("Authorization: bearer {foreign}\r\n"),
            401,
            "token_invalid",
            "invalid_token",
        ),
        (
            "/orders",
            "Authorization: Bearer x\r\nAuthorization: Bearer y\r\n".to_owned(),
            400,
            "invalid_request",
            "invalid_request",
        ),
        (
            "/orders?access_token=x",
            "Authorization: Bearer {token}\r\n".to_owned(),
            400,
            "invalid_request",
            "invalid_request",
        ),
        (
            "/admin",
            "Authorization: Bearer {token}\r\n".to_owned(),
            403,
            "insufficient_scope",
            "insufficient_scope",
        ),
    ] {
        let answer = harness.get(path, &headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{path} {headers}"
        );
        assert!(
            answer.head.contains("www-authenticate") && answer.head.contains(challenge),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_open_that_no_route_opens() {
    let harness = Harness::start().await;
    for path in ["/", "/other", "/openx", "/Open", "/.well-known/x"] {
        let answer = harness.get(path, "Authorization: Bearer {token}\r\n").await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "route_unknown".to_owned()),
            "{path}"
        );
    }
    let answer = harness
        .talk("PUT /grpc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    let answer = Answer::read(&answer);
    assert_eq!(
        (answer.status, answer.code()),
        (405, "method_not_allowed".to_owned())
    );
    assert!(answer.head.contains("allow: get, post"), "{answer:?}");
}

#[tokio::test]
async fn a_body_goes_through_both_ways() {
    let harness = Harness::start().await;
    let body = "x".repeat(300_000);
    let request = format!(
        "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let seen = Answer::read(&harness.talk(&request).await).seen();
    assert_eq!(seen.0["body"].as_str().unwrap().len(), body.len());
    assert_eq!(seen.0["method"], "POST");
}

#[tokio::test]
async fn http2_comes_in_and_goes_up_as_the_service_wants_it() {
    let harness = Harness::start().await;
    let token = harness.issuer.token(&json!({}));
    let request = Request::post("http://api.test/grpc/x")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from("hello"))
        .unwrap();
    let response = harness.h2(request).await;
    assert_eq!(response.status(), 200);
    assert!(response.headers().get("x-user-id").is_none());
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["theirs=1"]);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let seen = Seen(serde_json::from_slice(&body).unwrap());
    assert_eq!(seen.0["version"], "HTTP/1.1");
    assert_eq!(seen.0["body"], "hello");
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {token}")),
        "this route forwards it"
    );
}

#[tokio::test]
async fn what_http2_says_in_several_lines_a_service_gets_in_one() {
    // Both where the gateway has cookies of its own to take out and where it has none.
    for own in ["own_cookies = [\"own\"]", ""] {
        let harness = Harness::with(&USUAL.replace("own_cookies = [\"own\"]", own), mirror().await).await;
        let request = Request::post("http://api.test/open")
            .header("cookie", "a=1")
            .header("cookie", "b=2; c=3")
            .header("content-length", "5")
            .header("content-length", "5")
            .body(Body::from("hello"))
            .unwrap();
        let response = harness.h2(request).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let seen = Seen(serde_json::from_slice(&body).unwrap());
        // RFC 9113 §8.2.3, RFC 9110 §8.6.
        assert_eq!(seen.folded("Cookie"), ["a=1; b=2; c=3"], "{own}");
        assert_eq!(seen.folded("Content-Length"), ["5"], "{own}");
        assert_eq!(seen.0["body"], "hello");
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_a_502() {
    let harness = Harness::start().await;
    drop(harness.service);
    let text = "GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    // The listener of the service closes a moment after it is told to.
    let mut answer = Answer::read(&talk(harness.gateway.address, text).await);
    for _ in 0..50 {
        if answer.status == 502 {
            break;
        }
        answer = Answer::read(&talk(harness.gateway.address, text).await);
    }
    assert_eq!(
        (answer.status, answer.code()),
        (502, "upstream_unreachable".to_owned())
    );
}
