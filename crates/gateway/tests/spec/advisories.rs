//! What other gateways got wrong, each by the name under which it is known.

use serde_json::json;

use crate::harness::{Harness, USUAL, mirror};

async fn status(harness: &Harness, path: &str, headers: &str) -> u16 {
    harness.get(path, headers).await.status
}

#[tokio::test]
async fn cve_2025_54576_a_query_opens_nothing() {
    let harness = Harness::start().await;
    for path in ["/orders?/open", "/orders?x=/open/", "/admin?a=b/../../open"] {
        assert_eq!(status(&harness, path, "").await, 401, "{path}");
    }
}

#[tokio::test]
async fn cve_2026_40575_no_header_decides_the_path() {
    let harness = Harness::start().await;
    for name in [
        "X-Forwarded-Uri",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-URI",
        "X-Forwarded-Path",
        "X-Forwarded-Prefix",
    ] {
        assert_eq!(
            status(&harness, "/orders", &format!("{name}: /open\r\n")).await,
            401,
            "{name}"
        );
        let seen = harness.get("/open", &format!("{name}: /admin\r\n")).await.seen();
        assert_eq!(seen.header(name), None, "{name} is for services that believe it");
    }
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "x_http_method_override",
    ] {
        let seen = harness.get("/open", &format!("{name}: DELETE\r\n")).await.seen();
        assert_eq!(seen.header(name), None);
    }
}

#[tokio::test]
async fn cve_2026_34457_no_user_agent_opens_a_door() {
    let harness = Harness::start().await;
    for agent in [
        "GoogleHC/1.0",
        "kube-probe/1.30",
        "ELB-HealthChecker/2.0",
        "Prometheus/3",
    ] {
        assert_eq!(
            status(&harness, "/orders", &format!("User-Agent: {agent}\r\n")).await,
            401
        );
    }
}

#[tokio::test]
async fn cve_2019_9901_cve_2021_29492_cve_2026_42274_cve_2026_63177_rules_see_the_path_that_is_forwarded() {
    let harness = Harness::start().await;
    for path in [
        "/open/../admin",
        "/open/%2e%2e/admin",
        "/open/.%2e/admin",
        "/%61dmin",
        "/open/../%61dmin/x",
    ] {
        let headers = "Authorization: Bearer {token}\r\n";
        assert_eq!(status(&harness, path, headers).await, 403, "{path}");
    }
    for path in [
        "/open%2f..%2fadmin",
        "/open/..%5cadmin",
        "/open/..;/admin",
        "/open//../admin",
        "//admin",
    ] {
        assert_eq!(status(&harness, path, "").await, 400, "{path}");
    }
}

#[tokio::test]
async fn cve_2026_48794_cve_2026_27588_a_host_in_capitals_has_the_same_rules() {
    let text = format!(
        "{USUAL}\n[[routes]]\npath = \"/\"\nhosts = [\"Secret.test\"]\nupstream = \"service\"\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"service\"\n"
    );
    let harness = Harness::with(&text, mirror().await).await;
    for (host, expected) in [
        ("secret.test", 401),
        ("SECRET.TEST", 401),
        ("secret.test.", 401),
        ("secret.test:8080", 401),
        ("other.test", 200),
    ] {
        let text = format!("GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = crate::harness::Answer::read(&harness.talk(&text).await);
        assert_eq!(answer.status, expected, "{host}");
    }
}

#[tokio::test]
async fn ghsa_7r4p_a_claim_that_is_missing_leaves_no_header_of_the_client() {
    let text = format!("[[identity]]\nname = \"X-Tenant\"\nclaim = \"tenant\"\n{USUAL}");
    let harness = Harness::with(&text, mirror().await).await;
    let seen = harness
        .get(
            "/orders",
            "Authorization: Bearer {token}\r\nX-Tenant: spoof\r\nX_Tenant: spoof\r\n",
        )
        .await
        .seen();
    assert!(seen.folded("X-Tenant").is_empty());
    let token = harness.issuer.token(&json!({ "tenant": "acme" }));
    let seen = harness
        .get("/orders", &format!("Authorization: Bearer {token}\r\n"))
        .await
        .seen();
    assert_eq!(seen.header("X-Tenant").as_deref(), Some("acme"));
}

#[tokio::test]
async fn cve_2024_47616_a_token_for_another_service_opens_nothing() {
    let harness = Harness::start().await;
    for claims in [
        json!({ "aud": "https://other.test" }),
        json!({ "iss": "https://other.test" }),
        json!({ "aud": ["https://api.test.evil"] }),
    ] {
        let token = harness.issuer.token(&claims);
        assert_eq!(
            status(&harness, "/orders", &format!("Authorization: Bearer {token}\r\n")).await,
            401
        );
    }
}

#[tokio::test]
async fn cve_2022_29226_a_token_that_is_not_checked_says_nothing() {
    let harness = Harness::start().await;
    // On a route for everybody a token is not looked at, and so nobody is told of.
    let seen = harness
        .get("/open", "Authorization: Bearer {token}\r\n")
        .await
        .seen();
    assert_eq!(
        (seen.header("X-User-ID"), seen.header("Authorization")),
        (None, None)
    );
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."] {
        assert_eq!(
            status(&harness, "/orders", &format!("Authorization: Bearer {token}\r\n")).await,
            401
        );
    }
}
