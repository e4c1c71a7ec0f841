//! How often a caller may ask, and whose scripts may.

use serde_json::json;

use crate::harness::{Answer, Harness, mirror};

const LIMITED: &str = r#"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/orders"
    upstream = "service"
    rate_limit = { requests = 1, per = "1h", burst = 2 }
    [[routes]]
    path = "/open"
    public = true
    upstream = "service"
    rate_limit = { requests = 3, per = "1h" }
"#;

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is() {
    let harness = Harness::with(LIMITED, mirror().await).await;
    let bearer = |sub: &str, jti: &str| {
        let token = harness.issuer.token(&json!({ "sub": sub, "jti": jti }));
        format!("Authorization: Bearer {token}\r\n")
    };
    for (headers, status) in [
        (bearer("ann", "1"), 200),
        (bearer("ann", "2"), 200),
        // A new token is no new caller, and no address is.
        (bearer("ann", "3"), 429),
        (
            format!("{}X-Forwarded-For: 192.0.2.7\r\n", bearer("ann", "4")),
            429,
        ),
        (bearer("bob", "5"), 200),
    ] {
        let answer = harness.get("/orders", &headers).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 429 {
            assert_eq!(answer.code(), "rate_limited");
            let after = answer.head.split("retry-after: ").nth(1).unwrap();
            let seconds: u64 = after.split("\r\n").next().unwrap().parse().unwrap();
            assert!((3500..=3600).contains(&seconds), "{seconds}");
        }
    }
    // Who is refused for another reason uses nothing up.
    assert_eq!(harness.get("/orders", "").await.status, 401);
    let statuses = [200, 200, 200, 429];
    for status in statuses {
        assert_eq!(harness.get("/open", "").await.status, status);
    }
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(str::trim_end)
}

#[tokio::test]
async fn a_caller_is_told_how_it_stands() {
    let harness = Harness::with(LIMITED, mirror().await).await;
    for (remaining, full_in) in [(2, 1200), (1, 2400), (0, 3600)] {
        let answer = harness.get("/open", "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(field(&answer, "ratelimit-policy"), Some("\"gateway\";q=3;w=3600"));
        let state = format!("\"gateway\";r={remaining};t={full_in}");
        assert_eq!(field(&answer, "ratelimit"), Some(state.as_str()));
    }
    let answer = harness.get("/open", "").await;
    assert_eq!(answer.status, 429);
    assert_eq!(field(&answer, "ratelimit-policy"), Some("\"gateway\";q=3;w=3600"));
    assert_eq!(field(&answer, "ratelimit"), Some("\"gateway\";r=0;t=3600"));
    let after: u64 = field(&answer, "retry-after").unwrap().parse().unwrap();
    assert!((1190..=1200).contains(&after), "{after}");
    // Who is not limited is told nothing.
    let harness = Harness::start().await;
    assert_eq!(field(&harness.get("/open", "").await, "ratelimit"), None);
}

#[tokio::test]
async fn whoever_guesses_tokens_is_slowed_and_good_callers_at_the_same_address_are_not() {
    let text = format!(
        "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n[tokens]\naudience = \"https://api.test\"\n\
         failure_limit = {{ requests = 3, per = \"1h\" }}\n[[issuers]]\nissuer = \"https://issuer.test\"\njwks_file = \"jwks.json\"\n{}",
        crate::harness::USUAL
    );
    let harness = Harness::written(&text, mirror().await).await;
    let at = async |address: &str, token: &str| {
        let headers = format!("X-Forwarded-For: {address}\r\nAuthorization: Bearer {token}\r\n");
        harness.get("/orders", &headers).await
    };
    let good = harness.issuer.token(&json!({}));
    let expired = harness.issuer.token(&json!({ "exp": 1000 }));
    for guess in ["a.b.c", "x", "a.b.d"] {
        assert_eq!(at("192.0.2.1", guess).await.status, 401);
        assert_eq!(at("2001:db8::1", guess).await.status, 401);
    }
    for (address, token, status) in [
        ("192.0.2.1", "a.b.c", 429),
        ("192.0.2.1", good.as_str(), 200),
        // It was good once; its owner must learn that it has to be refreshed.
        ("192.0.2.1", expired.as_str(), 401),
        ("192.0.2.2", "a.b.c", 401),
        // Whoever has one IPv6 address has the whole /64.
        ("2001:db8::ffff", "a.b.c", 429),
        ("2001:db8:0:1::1", "a.b.c", 401),
    ] {
        let answer = at(address, token).await;
        assert_eq!(answer.status, status, "{address}: {answer:?}");
        assert_eq!(field(&answer, "retry-after").is_some(), status == 429);
    }
    // Without a token nobody guesses anything.
    let answer = harness.get("/orders", "X-Forwarded-For: 192.0.2.1\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_missing"));
}

const CROSS: &str = r#"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/orders"
    upstream = "service"
    methods = ["GET", "PUT"]
    [routes.cors]
    origins = ["https://app.test"]
    credentials = true
    expose = ["X-Total"]
    [[routes]]
    path = "/any"
    public = true
    upstream = "service"
    cors = { origins = ["*"] }
    [[routes]]
    path = "/same"
    upstream = "service"
"#;

async fn options(harness: &Harness, path: &str, headers: &str) -> Answer {
    let text = format!("OPTIONS {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    Answer::read(&harness.talk(&text).await)
}

const PREFLIGHT: &str = "Origin: https://app.test\r\nAccess-Control-Request-Method: PUT\r\n";

#[tokio::test]
async fn a_preflight_is_answered_and_goes_no_further() {
    let harness = Harness::with(CROSS, mirror().await).await;
    let asked = format!("{PREFLIGHT}Access-Control-Request-Headers: authorization, Content-Type\r\n");
    let answer = options(&harness, "/orders/7", &asked).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for line in [
        "access-control-allow-origin: https://app.test",
        "access-control-allow-credentials: true",
        "access-control-allow-methods: get, put",
        "access-control-allow-headers: authorization, content-type",
        "access-control-max-age: 600",
    ] {
        assert!(answer.head.contains(line), "{line} in {}", answer.head);
    }
    for (path, headers, status, code) in [
        (
            "/orders",
            PREFLIGHT.replace("app.test", "evil.test"),
            403,
            "origin_refused",
        ),
        (
            "/orders",
            format!("{PREFLIGHT}Access-Control-Request-Headers: x-user-id\r\n"),
            403,
            "cors_header_refused",
        ),
        (
            "/orders",
            PREFLIGHT.replace("PUT", "DELETE"),
            405,
            "method_not_allowed",
        ),
        // Any other OPTIONS is a request like all others: it opens no door to the service.
        (
            "/orders",
            "Origin: https://app.test\r\n".to_owned(),
            405,
            "method_not_allowed",
        ),
        ("/same", PREFLIGHT.to_owned(), 401, "token_missing"),
        ("/same", String::new(), 401, "token_missing"),
    ] {
        let answer = options(&harness, path, &headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{path} {headers}"
        );
    }
}

#[tokio::test]
async fn a_script_of_a_listed_origin_reads_answers_and_refusals() {
    let harness = Harness::with(CROSS, mirror().await).await;
    for (headers, status) in [("Authorization: Bearer {token}\r\n", 200), ("", 401)] {
        let answer = harness
            .get("/orders", &format!("Origin: https://app.test\r\n{headers}"))
            .await;
        assert_eq!(answer.status, status);
        assert!(
            answer
                .head
                .contains("access-control-allow-origin: https://app.test"),
            "{}",
            answer.head
        );
        assert!(
            answer.head.contains("access-control-expose-headers: x-total"),
            "{}",
            answer.head
        );
        assert!(answer.head.contains("vary: origin"), "{}", answer.head);
        let other = harness
            .get("/orders", &format!("Origin: https://evil.test\r\n{headers}"))
            .await;
        assert!(!other.head.contains("access-control"), "{}", other.head);
    }
    let answer = harness.get("/any", "Origin: https://whoever.test\r\n").await;
    assert!(
        answer.head.contains("access-control-allow-origin: *"),
        "{}",
        answer.head
    );
    assert!(!answer.head.contains("credentials"));
}
