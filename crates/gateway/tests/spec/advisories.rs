//! What other gateways got wrong, each by the name under which it is known.
//!
//! Here: who is let in, and where to. Beside this file: what services are told (`advisories_headers`), where messages end (`advisories_messages`,
//! `streams`, `sockets`), what proxies are told (`forward_auth`), the app in the browser (`bff::advisories`), MadeYouReset (in `carnet-listen`).
//!
//! What cannot apply, and why:
//! - GHSA-c5c4-8r6x-56w3 (oauth2-proxy): no rule looks into an e-mail address.
//! - CVE-2026-2836 (pingora): there is no cache.
//! - kubernetes/ingress-nginx #8644: no pieces of configuration come from those who own a route.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::harness::{Answer, Harness, Seen, USUAL, mirror};

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
async fn cve_2019_9901_cve_2021_29492_cve_2023_33189_cve_2026_42274_cve_2026_63177_rules_see_the_path_that_is_forwarded()
 {
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
async fn cve_2022_29226_envoy_43630_a_token_that_is_not_checked_says_nothing() {
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

#[tokio::test]
async fn ghsa_pxq7_cve_2021_32779_a_fragment_hides_no_path() {
    let harness = Harness::start().await;
    for path in ["/open#/../admin", "/admin#/open", "/#/open"] {
        assert_eq!(status(&harness, path, "").await, 400, "{path}");
    }
    // A client of HTTP/2 cuts the fragment off; of one that does not, see `smuggling`.
    let request = |uri: &str| Request::get(uri).body(Body::empty()).unwrap();
    let admin = harness.h2(request("http://api.test/admin#/open")).await;
    assert_eq!(admin.status(), 401);
    let open = harness.h2(request("http://api.test/open#/../admin")).await;
    let bytes = open.into_body().collect().await.unwrap().to_bytes();
    let seen = Seen(serde_json::from_slice(&bytes).unwrap());
    assert_eq!(seen.0["target"], "/open");
}

#[tokio::test]
async fn cve_2026_27587_a_path_is_compared_in_one_way_however_it_is_written() {
    let harness = Harness::start().await;
    for (path, expected) in [
        ("/admin", 401),
        ("/%61dmin", 401),
        ("/a%64min/x", 401),
        // Another path, which no route names: there is nothing wider that could take it.
        ("/ADMIN", 404),
        ("/%41dmin", 404),
        ("/Open", 404),
    ] {
        assert_eq!(status(&harness, path, "").await, expected, "{path}");
    }
}

#[tokio::test]
async fn cve_2024_45809_cve_2025_64527_keys_that_nobody_gives_end_nothing() {
    let text = "[[issuers]]\nissuer = \"https://down.test\"\njwks_url = \"http://127.0.0.1:9/jwks\"\n"
        .to_owned()
        + USUAL;
    let harness = Harness::with(&text, mirror().await).await;
    let token = harness.issuer.token(&json!({ "iss": "https://down.test" }));
    let lost = format!("Authorization: Bearer {token}\r\n");
    let twice = format!("{lost}Authorization: Bearer {{token}}\r\n");
    let asked = (0..40).map(|at| status(&harness, "/orders", if at % 2 == 0 { &lost } else { &twice }));
    for (at, status) in futures_util::future::join_all(asked)
        .await
        .into_iter()
        .enumerate()
    {
        assert_eq!(status, if at % 2 == 0 { 503 } else { 400 });
    }
    assert_eq!(
        status(&harness, "/orders", "Authorization: Bearer {token}\r\n").await,
        200
    );
}

#[tokio::test]
async fn cve_2024_45808_a_request_writes_no_line_of_the_log() {
    let harness = Harness::start().await;
    for (path, headers) in [
        ("/open/a%0aforged%20line", ""),
        ("/open/a%0D%0Aforged", ""),
        ("/open?a=b%0aforged", "User-Agent: a\r\n"),
        ("/open/%22forged%22", "User-Agent: \"forged\r\n"),
    ] {
        harness.get(path, headers).await;
    }
    for bytes in [
        "GET /open HTTP/1.1\r\nHost: x\nforged\r\n\r\n",
        "GET\nforged /open HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /open/\nforged HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        assert_eq!(Answer::read(&harness.talk(bytes).await).status, 400);
    }
    let lines = crate::log::lines();
    assert!(
        lines.contains("path=\"/open/%22forged%22\""),
        "written as it was judged"
    );
    assert!(!lines.lines().any(|line| line.starts_with("forged")), "{lines}");
}
