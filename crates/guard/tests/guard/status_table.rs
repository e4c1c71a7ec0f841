//! Every way to be refused: its status, its challenge, its body.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use carnet_guard::testing::{TestClock, TestIssuer};
use carnet_guard::{Guard, Issuer, ResourceMetadata, ResourceServer, Rule};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::api::{API, Answer, call, get_with, send, with_token};

async fn start() -> (TestIssuer, Guard) {
    let issuer = TestIssuer::with_clock(TestClock::at(1_800_000_000));
    let guard = issuer.resource_server(API).metadata(ResourceMetadata::new());
    let guard = guard.build().await.unwrap();
    (issuer, guard)
}

fn routes(guard: &Guard) -> Router {
    let rules = [
        ("/me", Rule::all([])),
        ("/scope", Rule::scope("read:orders")),
        ("/role", Rule::role("editor")),
        ("/acr", Rule::acr(["mfa"])),
        ("/age", Rule::max_age(Duration::from_secs(60))),
    ];
    let routes = rules.into_iter().fold(Router::new(), |routes, (path, rule)| {
        routes.route(path, get(async || "in").layer(guard.require(rule)))
    });
    routes.layer(guard.layer())
}

/// What every refusal has in common (gateway rows 4 and 28).
fn assert_well_formed(answer: &Answer) {
    assert_eq!(
        answer.headers["content-type"], "application/problem+json",
        "{answer:?}"
    );
    assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
    let code = answer.code();
    assert_eq!(
        answer.body["type"],
        Value::from(format!("urn:carnet:error:{code}"))
    );
    assert!(
        answer.body["title"].is_string() && answer.body["detail"].is_string(),
        "{answer:?}"
    );
    for challenge in &answer.challenges {
        // RFC 9728 §5.1.
        let metadata = r#"resource_metadata="https://api.test/.well-known/oauth-protected-resource""#;
        assert!(challenge.contains(metadata), "{challenge}");
    }
}

/// A path, the values of `Authorization`, and what comes of them: status, code, and the `error` of the challenge.
type Row = (&'static str, Vec<String>, u16, &'static str, &'static str);

fn rows_of_requests(good: &str) -> Vec<Row> {
    let (one, two) = (vec![good.to_owned()], vec![good.to_owned(); 2]);
    let other = |value: &str| vec![value.to_owned()];
    vec![
        ("/me", vec![], 401, "token_missing", ""),
        ("/me", other("Basic YTpi"), 401, "token_missing", ""),
        ("/me", other("Bearer"), 400, "invalid_request", "invalid_request"),
        ("/me", two, 400, "invalid_request", "invalid_request"),
        (
            "/me?access_token=x",
            one,
            400,
            "invalid_request",
            "invalid_request",
        ),
    ]
}

fn rows_of_tokens(issuer: &TestIssuer) -> Vec<Row> {
    let token = || issuer.token("alice");
    let bearer = |token: String| vec![format!("Bearer {token}")];
    let bound = token().claim("cnf", json!({ "jkt": "x" })).sign();
    let invalid = |token| ("/me", bearer(token), 401, "token_invalid", "invalid_token");
    let over = bearer(token().expired(Duration::from_secs(60)).sign());
    let unproven = vec![format!("DPoP {bound}")];
    vec![
        invalid("x.y.z".to_owned()),
        invalid(token().audience("https://other.test").sign()),
        invalid(token().claim("iss", "https://other.test").sign()),
        invalid(TestIssuer::new().token("alice").audience(API).sign()),
        invalid(bound),
        ("/me", over, 401, "token_expired", "invalid_token"),
        ("/me", unproven, 401, "invalid_dpop_proof", "invalid_dpop_proof"),
    ]
}

fn rows_of_rules(good: &str) -> Vec<Row> {
    let step_up = "insufficient_user_authentication";
    let one = || vec![good.to_owned()];
    vec![
        ("/scope", one(), 403, "insufficient_scope", "insufficient_scope"),
        ("/role", one(), 403, "insufficient_scope", "insufficient_scope"),
        ("/acr", one(), 401, step_up, step_up),
        ("/age", one(), 401, step_up, step_up),
    ]
}

#[tokio::test]
async fn status_table_of_refusals() {
    let (issuer, guard) = start().await;
    let good = format!("Bearer {}", issuer.token("alice").sign());
    let rows = [
        rows_of_requests(&good),
        rows_of_tokens(&issuer),
        rows_of_rules(&good),
    ]
    .concat();
    for (path, values, status, code, error) in rows {
        let request = values.iter().fold(Request::get(path), |request, value| {
            request.header("authorization", value)
        });
        let answer = send(routes(&guard), request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{path} {values:?}"
        );
        assert_well_formed(&answer);
        assert!(!answer.challenges.is_empty(), "{path} {values:?}");
        for challenge in &answer.challenges {
            match error {
                "" => assert!(!challenge.contains("error"), "{challenge}"),
                error => assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}"),
            }
        }
    }
    let token = issuer.token("alice").sign();
    assert_eq!(
        send(routes(&guard), get_with("/me", &token)).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn status_table_keys_never_loaded_is_503() {
    let unreachable = Issuer::jwks("https://issuer.test", "http://127.0.0.1:1/jwks");
    let guard = ResourceServer::new(API)
        .issuer(unreachable)
        .build()
        .await
        .unwrap();
    let token = TestIssuer::new().token("alice").audience(API).sign();
    let answer = with_token(&guard, "/me", &token).await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "5")
    );
    assert!(answer.challenges.is_empty(), "no token would do better");
    assert_well_formed(&answer);
}

#[tokio::test]
async fn row_09_there_is_one_authorization_header_or_none() {
    let (issuer, guard) = start().await;
    let good = format!("Bearer {}", issuer.token("alice").sign());
    for others in [
        &[good.as_str(), good.as_str()][..],
        &[good.as_str(), "Basic YTpi"],
        &["Basic YTpi", good.as_str()],
        &[good.as_str(), "DPoP x"],
        &[good.as_str(), ""],
    ] {
        let headers: Vec<_> = others.iter().map(|value| ("authorization", *value)).collect();
        let answer = call(&guard, "/me", &headers).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            "{others:?}"
        );
    }
}

#[tokio::test]
async fn row_15_a_token_comes_in_the_header_and_nowhere_else() {
    let (issuer, guard) = start().await;
    let token = issuer.token("alice").sign();
    for (path, headers) in [
        (format!("/me?access_token={token}"), vec![]),
        (
            "/me".to_owned(),
            vec![("cookie", format!("access_token={token}"))],
        ),
        ("/me".to_owned(), vec![("x-access-token", token.clone())]),
        (
            "/me".to_owned(),
            vec![("proxy-authorization", format!("Bearer {token}"))],
        ),
        (
            "/me".to_owned(),
            vec![("sec-websocket-protocol", format!("bearer, {token}"))],
        ),
    ] {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(
            call(&guard, &path, &headers).await.code(),
            "token_missing",
            "{headers:?}"
        );
    }
    // RFC 6750 §2: and in one place alone, however the query spells its name.
    for query in [
        format!("access_token={token}"),
        "access_token".to_owned(),
        "a=b&access%5Ftoken=x".to_owned(),
        "access_token=".to_owned(),
    ] {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let answer = call(&guard, &format!("/me?{query}"), &headers).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn row_28_a_refusal_does_not_tell_which_check_failed() {
    let (issuer, guard) = start().await;
    let token = || issuer.token("alice");
    let mut answers = Vec::new();
    for bad in [
        token().audience("https://other.test").sign(),
        token().claim("iss", "https://other.test").sign(),
        token().claim("nbf", 4_000_000_000_u64).sign(),
        token().without("sub").sign(),
        token().claim("cnf", json!({ "unknown": 1 })).sign(),
        TestIssuer::new().token("alice").audience(API).sign(),
        // Expired as well, but nobody knows who says so.
        TestIssuer::with_clock(TestClock::at(1_000))
            .token("alice")
            .audience(API)
            .sign(),
        "x".to_owned(),
        "eyJ.eyJ.x".to_owned(),
    ] {
        let answer = with_token(&guard, "/me", &bad).await;
        answers.push((answer.status, answer.challenges, answer.body.to_string()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}
