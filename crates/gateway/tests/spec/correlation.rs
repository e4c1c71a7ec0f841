//! Every line that says no is found by the name that the answer has.

use serde_json::json;

use crate::forward_auth;
use crate::harness::Harness;
use crate::log;
use crate::trace::answered;

/// The one line with this message of the request of this name.
pub(crate) fn line(name: &str, message: &str) -> String {
    let lines = log::lines();
    let found: Vec<_> = lines
        .lines()
        .filter(|line| line.contains(&format!("message={message} ")) && line.contains(name))
        .collect();
    match found.as_slice() {
        [line] => (*line).to_owned(),
        other => panic!("{message} of {name}: {other:?}"),
    }
}

#[tokio::test]
async fn what_the_guard_refuses_is_found_in_the_log_by_the_name_of_the_request() {
    let harness = Harness::start().await;
    let expired = harness.issuer.token(&json!({ "exp": 1 }));
    for (path, headers, said) in [
        ("/orders", "Authorization: Bearer a.b.c\r\n".to_owned(), "reason="),
        (
            "/orders",
            format!("Authorization: Bearer {expired}\r\n"),
            "token_expired",
        ),
        // By the rule of the route; whatever the client calls its request.
        (
            "/admin",
            "Authorization: Bearer {token}\r\nX-Request-ID: theirs\r\n".to_owned(),
            "rule=",
        ),
    ] {
        let answer = harness.get(path, &headers).await;
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        let line = line(answered(&answer), "a request was refused");
        assert!(line.contains("request_id=") && line.contains(said), "{line}");
    }
}

#[tokio::test]
async fn what_is_refused_to_a_proxy_that_asks_is_found_by_the_name_that_its_answer_has() {
    let harness = forward_auth::harness().await;
    let asked = forward_auth::get("/orders", "Authorization: Bearer a.b.c\r\n");
    let answer = forward_auth::ask(&harness, "traefik", asked).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let line = line(answered(&answer), "a request was refused");
    assert!(line.contains("token_invalid"), "{line}");
}
