//! What opens nothing, whichever proxy asks.

use serde_json::json;

use crate::forward_auth::{Asked, DIALECTS, SIDE, TOKEN, ask, endpoint, get, harness, raw};
use crate::harness::{Harness, mirror};

#[tokio::test]
async fn no_tunnel_and_no_echo_is_opened_in_any_dialect() {
    let harness = harness().await;
    for method in ["CONNECT", "TRACE"] {
        for dialect in DIALECTS.into_iter().filter(|dialect| *dialect != "envoy") {
            let asked = Asked {
                method,
                ..get("/open", TOKEN)
            };
            let answer = ask(&harness, dialect, asked).await;
            let expected = if dialect == "nginx" { 403 } else { 405 };
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (expected, "method_not_allowed"),
                "{dialect} {method}"
            );
        }
    }
    // Envoy says it by its own request, and CONNECT has no path there.
    let answer = raw(
        &harness,
        "TRACE /forward-auth/envoy/open HTTP/1.1\r\nHost: api.test\r\n",
    )
    .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (405, "method_not_allowed")
    );
    for head in [
        "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n",
        "CONNECT /forward-auth/envoy/open HTTP/1.1\r\nHost: api.test\r\n",
    ] {
        assert!(raw(&harness, head).await.status >= 400, "{head}");
    }
}

#[tokio::test]
async fn no_other_protocol_is_let_through_in_any_dialect() {
    let route = "[[routes]]\npath = \"/live\"\nwebsocket = true\npublic = true\n";
    let harness = Harness::with(&format!("{SIDE}{route}"), mirror().await).await;
    for dialect in DIALECTS {
        for headers in [
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
            "Upgrade: h2c\r\n",
            "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
            "Upgrade: foo\r\n",
            "Upgrade: TLS/1.0\r\n",
            "Upgrade: h2c, websocket\r\n",
            "Upgrade: websocket, h2c\r\n",
            "Upgrade: websocket/13\r\n",
            "Upgrade: h2c\r\nSec-WebSocket-Version: 13\r\n",
        ] {
            for path in ["/open", "/live"] {
                let answer = ask(&harness, dialect, get(path, headers)).await;
                let expected = if dialect == "nginx" { 403 } else { 400 };
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (expected, "upgrade_refused"),
                    "{dialect} {path} {headers}"
                );
            }
        }
        for headers in [
            "Upgrade: websocket\r\nUpgrade: h2c\r\n",
            "Upgrade: h2c\r\nUpgrade: websocket\r\n",
        ] {
            let status = ask(&harness, dialect, get("/live", headers)).await.status;
            assert!([400, 403].contains(&status), "{dialect} {headers}: {status}");
        }
        let websocket = get("/live", "Upgrade: websocket\r\n");
        assert_eq!(ask(&harness, dialect, websocket).await.status, 200, "{dialect}");
    }
    // Lua that does not say is Lua that would let it pass.
    let silent = "X-Original-Method: GET\r\nX-Original-Scheme: https\r\nX-Original-Host: api.test\r\nX-Original-Path: /open\r\n";
    let answer = endpoint(&harness, "haproxy", silent).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "forward_auth_unclear")
    );
}

#[tokio::test]
async fn a_token_that_is_over_or_was_taken_back_opens_nothing_in_any_dialect() {
    let (harness, server, _running) = crate::rules::introspecting(SIDE).await;
    let expired = format!(
        "Authorization: Bearer {}\r\n",
        harness.issuer.token(&json!({ "exp": 1000 }))
    );
    for dialect in DIALECTS {
        for headers in [TOKEN, "Authorization: Bearer ref_good\r\n"] {
            assert_eq!(
                ask(&harness, dialect, get("/orders", headers)).await.status,
                200,
                "{dialect}"
            );
        }
        let answer = ask(&harness, dialect, get("/orders", &expired)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "token_expired"),
            "{dialect}"
        );
    }
    server.revoked.store(true, std::sync::atomic::Ordering::SeqCst);
    for dialect in DIALECTS {
        for headers in [TOKEN, "Authorization: Bearer ref_good\r\n"] {
            let answer = ask(&harness, dialect, get("/orders", headers)).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "token_invalid"),
                "{dialect}"
            );
            assert!(answer.head.contains("error=\"invalid_token\""), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_call_of_grpc_is_refused_by_a_status_that_every_proxy_understands() {
    let harness = harness().await;
    for dialect in DIALECTS {
        let answer = ask(
            &harness,
            dialect,
            get("/orders", "Content-Type: application/grpc\r\n"),
        )
        .await;
        assert_eq!(answer.status, 401, "{dialect}");
    }
}

#[tokio::test]
async fn what_is_no_host_opens_nothing_where_the_proxy_describes_it_apart_from_the_path() {
    let harness = harness().await;
    for dialect in DIALECTS.into_iter().filter(|dialect| *dialect != "nginx") {
        for host in [
            "a/open?",
            "shop.test/open",
            "a/open#",
            "a?",
            "a\\open",
            "x@api.test",
            "a:x",
            "a,b",
        ] {
            let asked = Asked {
                host,
                ..get("/orders", "")
            };
            assert_eq!(
                ask(&harness, dialect, asked).await.status,
                400,
                "{dialect} {host}"
            );
        }
    }
}

#[tokio::test]
async fn a_method_in_another_case_has_no_rules_of_its_own_in_any_dialect() {
    let harness = harness().await;
    for (method, path) in [
        ("post", "/orders"),
        ("Post", "/orders"),
        ("get", "/open"),
        ("Trace", "/open"),
    ] {
        for dialect in DIALECTS {
            let asked = Asked {
                method,
                ..get(path, TOKEN)
            };
            let answer = ask(&harness, dialect, asked).await;
            let expected = if dialect == "nginx" { 403 } else { 400 };
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (expected, "method_invalid"),
                "{dialect} {method}"
            );
        }
    }
}

#[tokio::test]
async fn cve_2026_35051_who_says_which_certificate_a_client_has_shown_is_refused_unless_that_is_its_proxy() {
    let told = "[tokens.client_certificates]\nheader = \"Client-Cert\"\nfrom = [\"127.0.0.1\"]\n";
    let (strangers, known) = (
        harness().await,
        Harness::with(&format!("{told}{SIDE}"), mirror().await).await,
    );
    for dialect in DIALECTS {
        for (name, passes) in [
            ("Client-Cert", true),
            ("Client_Cert", false),
            ("Client-Cert-Chain", false),
            ("X-Forwarded-Client-Cert", false),
            ("X-Forwarded-Tls-Client-Cert", false),
            ("SSL-Client-Verify", false),
            ("X-SSL-Client-CN", false),
            ("X-Client-DN", false),
            ("X-ARR-ClientCert", false),
            ("X-Amzn-Mtls-Clientcert", false),
        ] {
            for path in ["/open", "/orders"] {
                let headers = format!("{name}: :AQID:\r\n{TOKEN}");
                for (harness, passes) in [(&strangers, false), (&known, passes)] {
                    let answer = ask(harness, dialect, get(path, &headers)).await;
                    let expected = match (passes, dialect) {
                        (true, _) => 200,
                        (false, "nginx") => 403,
                        (false, _) => 400,
                    };
                    assert_eq!(answer.status, expected, "{dialect} {name}: {answer:?}");
                }
            }
        }
    }
}
