//! What a client that was refused is told: where to get a token, and how its user must log in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Harness, NOW, mirror};

const TEXT: &str = r#"
    [tokens]
    audience = "https://api.test/v1"
    [[issuers]]
    issuer = "https://issuer.test"
    jwks_file = "jwks.json"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/orders"
    require = ["scope:read:orders", "role:editor"]
    upstream = "service"
    [[routes]]
    path = "/write"
    require_any = ["scope:write:orders", "scope:admin"]
    upstream = "service"
    [[routes]]
    path = "/live"
    audience = "https://live.test/v1"
    require = ["scope:watch"]
    upstream = "service"
    [[routes]]
    path = "/named"
    audience = "orders"
    upstream = "service"
    [[routes]]
    path = "/pay"
    acr = ["urn:example:mfa", "urn:example:key"]
    max_auth_age = "5m"
    upstream = "service"
"#;

async fn harness() -> Harness {
    Harness::written(TEXT, mirror().await).await
}

async fn metadata(harness: &Harness, host: &str, path: &str) -> Answer {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    Answer::read(&harness.talk(&text).await)
}

fn token(harness: &Harness, claims: &Value) -> String {
    let mut all = json!({ "aud": "https://api.test/v1" });
    all.as_object_mut()
        .unwrap()
        .extend(claims.as_object().unwrap().clone());
    format!("Authorization: Bearer {}\r\n", harness.issuer.token(&all))
}

const PLACE: &str = "/.well-known/oauth-protected-resource/v1";

#[tokio::test]
async fn every_challenge_names_the_metadata_of_its_audience() {
    let harness = harness().await;
    for (path, headers, status, place) in [
        ("/orders", String::new(), 401, Some("https://api.test")),
        (
            "/orders",
            "Authorization: Bearer x\r\n".to_owned(),
            401,
            Some("https://api.test"),
        ),
        (
            "/orders",
            token(&harness, &json!({ "scope": "" })),
            403,
            Some("https://api.test"),
        ),
        ("/live", String::new(), 401, Some("https://live.test")),
        // Of an audience that is no URL nobody can ask.
        ("/named", String::new(), 401, None),
    ] {
        let answer = harness.get(path, &headers).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let named = place.map(|origin| format!("resource_metadata=\"{origin}{PLACE}\""));
        match named {
            Some(named) => assert!(answer.head.contains(&named), "{named} in {answer:?}"),
            None => assert!(!answer.head.contains("resource_metadata"), "{answer:?}"),
        }
    }
}

#[tokio::test]
async fn the_metadata_is_there_for_everybody_and_says_what_its_routes_ask_for() {
    let harness = harness().await;
    let answer = metadata(&harness, "api.test", PLACE).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.head.contains("content-type: application/json"),
        "{answer:?}"
    );
    assert!(
        answer.head.contains("access-control-allow-origin: *"),
        "{answer:?}"
    );
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(document["resource"], "https://api.test/v1");
    assert_eq!(document["authorization_servers"], json!(["https://issuer.test"]));
    assert_eq!(
        document["scopes_supported"],
        json!(["admin", "read:orders", "write:orders"])
    );
    let answer = metadata(&harness, "LIVE.test:443", PLACE).await;
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (&document["resource"], &document["scopes_supported"]),
        (&json!("https://live.test/v1"), &json!(["watch"]))
    );
    for (host, path) in [
        ("other.test", PLACE),
        ("api.test", "/.well-known/oauth-protected-resource"),
        ("api.test", "/.well-known/oauth-protected-resource/v1/x"),
    ] {
        assert_eq!(metadata(&harness, host, path).await.status, 404, "{host}{path}");
    }
    let post =
        format!("POST {PLACE} HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(Answer::read(&harness.talk(&post).await).status, 404);
}

#[tokio::test]
async fn nothing_is_published_where_the_operator_wants_it_so() {
    let text = TEXT.replace("[tokens]", "[tokens]\nmetadata = false");
    let harness = Harness::written(&text, mirror().await).await;
    let answer = harness.get("/orders", "").await;
    assert!(
        answer.status == 401 && !answer.head.contains("resource_metadata"),
        "{answer:?}"
    );
    assert_eq!(metadata(&harness, "api.test", PLACE).await.status, 404);
}

#[tokio::test]
async fn behind_another_name_the_metadata_is_where_callers_find_the_gateway() {
    let text = TEXT.replace("[tokens]", "[tokens]\npublic_url = \"https://edge.test\"");
    let harness = Harness::written(&text, mirror().await).await;
    // Both audiences would have it in one place: the gateway's own has it.
    for (path, named) in [("/orders", true), ("/live", false)] {
        let answer = harness.get(path, "").await;
        assert_eq!(
            answer
                .head
                .contains(&format!("resource_metadata=\"https://edge.test{PLACE}\"")),
            named,
            "{answer:?}"
        );
    }
    // Inside the network it has other names.
    for host in ["edge.test", "gateway.internal:8081"] {
        assert_eq!(metadata(&harness, host, PLACE).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn who_did_not_log_in_as_the_route_wants_is_told_how() {
    let harness = harness().await;
    let asked = async |claims: Value| harness.get("/pay", &token(&harness, &claims)).await;
    let (mfa, now) = ("urn:example:mfa", NOW);
    for (claims, status) in [
        (json!({ "acr": mfa, "auth_time": now - 300 }), 200),
        (json!({ "acr": "urn:example:key", "auth_time": now }), 200),
        (json!({ "acr": mfa, "auth_time": now - 301 }), 401),
        (json!({ "acr": "urn:example:password", "auth_time": now }), 401),
        (json!({ "acr": mfa }), 401),
        (json!({ "auth_time": now }), 401),
    ] {
        let answer = asked(claims.clone()).await;
        assert_eq!(answer.status, status, "{claims}");
        if status == 401 {
            assert_eq!(answer.code(), "insufficient_user_authentication");
            assert!(
                answer.head.contains("error=\"insufficient_user_authentication\""),
                "{answer:?}"
            );
            let acr = answer
                .head
                .contains("acr_values=\"urn:example:mfa urn:example:key\"");
            assert!(acr || claims["acr"] == mfa, "{claims}: {answer:?}");
            let age = answer.head.contains("max_age=\"300\"");
            assert!(age || claims["auth_time"] == now, "{claims}: {answer:?}");
        }
    }
    // A login grows old while its token lives.
    let claims = json!({ "acr": mfa, "auth_time": now });
    harness.clock.wait(Duration::from_secs(301));
    assert_eq!(asked(claims).await.status, 401);
}
