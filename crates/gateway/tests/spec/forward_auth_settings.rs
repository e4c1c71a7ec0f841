//! What `[forward_auth]` and its routes say: who may ask, where browsers are sent, what services get.

use serde_json::json;

use crate::forward_auth::{Asked, DIALECTS, SIDE, TOKEN, ask, described, get, harness, says};
use crate::harness::{Answer, Harness, mirror};
use crate::log;

#[tokio::test]
async fn a_browser_is_sent_to_the_login_and_nobody_else_is() {
    let harness = harness().await;
    let page = "Accept: text/html,*/*\r\n";
    for dialect in DIALECTS {
        let answer = ask(&harness, dialect, get("/pages/1?a=b", page)).await;
        let expected = if dialect == "nginx" { 401 } else { 302 };
        assert_eq!(answer.status, expected, "{dialect}");
        assert!(
            says(&answer, "location: /login?to=%2fpages%2f1%3fa%3db"),
            "{answer:?}"
        );
        for (method, path, headers) in [
            ("POST", "/pages/1", "Accept: text/html\r\n"),
            ("GET", "/pages/1", "Accept: application/json\r\n"),
            ("GET", "/pages/1", "Accept: text/html\r\nSec-Fetch-Mode: cors\r\n"),
            (
                "GET",
                "/pages/1",
                "Accept: text/html\r\nX-Requested-With: XMLHttpRequest\r\n",
            ),
            (
                "GET",
                "/pages/1",
                "Accept: text/html\r\nAuthorization: Bearer a.b.c\r\n",
            ),
            (
                "GET",
                "/pages/1",
                "Accept: text/html\r\nAuthorization: Basic YTpi\r\n",
            ),
            ("GET", "/orders", "Accept: text/html\r\n"),
        ] {
            let asked = Asked {
                method,
                ..get(path, headers)
            };
            let answer = ask(&harness, dialect, asked).await;
            assert_eq!(
                (answer.status, answer.head.contains("location:")),
                (401, false),
                "{dialect} {headers}"
            );
        }
    }
    // To a host that the route names, and by the scheme that the proxy says.
    let asked = Asked {
        host: "SHOP.test",
        ..get("/cart", page)
    };
    let answer = ask(&harness, "traefik", asked).await;
    assert!(
        says(
            &answer,
            "location: https://login.test/?to=https%3a%2f%2fshop.test%2fcart"
        ),
        "{answer:?}"
    );
    assert_eq!(
        ask(&harness, "envoy", asked).await.status,
        401,
        "Envoy does not say the scheme"
    );
}

#[tokio::test]
async fn only_peers_and_dialects_that_are_named_are_answered() {
    let strangers = SIDE.replace("[forward_auth]", "[forward_auth]\npeers = [\"10.0.0.0/8\"]");
    let harness = Harness::with(&strangers, mirror().await).await;
    for dialect in DIALECTS {
        let answer = ask(&harness, dialect, get("/open", TOKEN)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "forward_auth_peer_unknown"),
            "{dialect}"
        );
    }
    let one = SIDE.replace(
        "\"nginx\", \"caddy\", \"traefik\", \"haproxy\", \"envoy\", \"envoy-grpc\"",
        "\"caddy\"",
    );
    let harness = Harness::with(&one, mirror().await).await;
    for dialect in DIALECTS {
        let answer = ask(&harness, dialect, get("/open", TOKEN)).await;
        assert_eq!(
            answer.status,
            if dialect == "caddy" { 200 } else { 404 },
            "{dialect}"
        );
    }
}

#[tokio::test]
async fn clients_of_the_gateway_cannot_ask_and_find_no_route_without_a_service() {
    let harness = harness().await;
    let headers = described("nginx", get("/open", ""));
    for path in ["/forward-auth/nginx", "/open"] {
        let answer = harness.get(path, &headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "route_unknown"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_service_that_believes_assertions_alone_gets_one() {
    let text = r#"
        [forward_auth]
        dialects = ["traefik"]
        [assertion]
        issuer = "https://gateway.test"
        key_file = "assertion.pem"
        [[upstreams]]
        name = "service"
        urls = ["http://{service}"]
        assertion_audience = "https://service.test"
        [[routes]]
        path = "/orders"
        upstream = "service"
        token = "forward"
    "#;
    let harness = Harness::with(text, mirror().await).await;
    let answer = ask(&harness, "traefik", get("/orders", TOKEN)).await;
    assert!(answer.head.contains("x-identity-assertion: ey"), "{answer:?}");
    assert!(answer.head.contains("authorization: bearer ey"), "{answer:?}");
}

#[tokio::test]
async fn which_service_calls_says_carnet_and_no_client_whatever_the_list_of_its_proxy_has() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, svid) = speaking_of_services(&folder);
    let harness = Harness::with(&lines, mirror().await).await;
    for dialect in DIALECTS {
        for name in ["X-Calling-Service", "X-Identity-Assertion"] {
            for (path, token) in [("/open", ""), ("/orders", TOKEN), ("/inner", svid.as_str())] {
                let headers = format!("{name}: orders\r\n{token}");
                let answer = ask(&harness, dialect, get(path, &headers)).await;
                let expected = if dialect == "nginx" { 403 } else { 400 };
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (expected, "identity_spoofed"),
                    "{dialect} {name} {path}"
                );
            }
        }
        let answer = ask(&harness, dialect, get("/inner", &svid)).await;
        let said = format!("x-calling-service: {}", crate::spiffe::ORDERS);
        assert!(says(&answer, &said), "{dialect}: {answer:?}");
        for (path, token) in [("/open", ""), ("/orders", TOKEN)] {
            let answer = ask(&harness, dialect, get(path, token)).await;
            assert_eq!(answer.status, 200, "{dialect}");
            assert!(says(&answer, "x-calling-service:"), "{dialect}: {answer:?}");
        }
    }
}

/// A gateway that tells of services, asked by proxies whose lists may not know of that; and the token of a workload.
pub(crate) fn speaking_of_services(folder: &tempfile::TempDir) -> (String, String) {
    let (spiffe, signer) = crate::spiffe::bundle(folder);
    let callers = crate::spiffe::ORDERS;
    let lines = format!(
        "{SIDE}\n[[routes]]\npath = \"/inner\"\ncallers = [{callers:?}]\n{spiffe}\n\
         [assertion]\nissuer = \"https://gateway.test\"\nkey_file = \"assertion.pem\"\n"
    );
    (lines, crate::spiffe::svid(&signer, callers, &json!(["edge"])))
}

#[tokio::test]
async fn a_client_that_says_who_asks_is_refused_when_the_operator_wants_it() {
    let text = format!("[headers]\nspoofed = \"refuse\"\n{SIDE}");
    let harness = Harness::with(&text, mirror().await).await;
    for dialect in DIALECTS {
        let answer = ask(&harness, dialect, get("/open", "X-User-ID: admin\r\n")).await;
        assert_eq!(answer.code(), "identity_spoofed", "{dialect}");
        assert_eq!(ask(&harness, dialect, get("/open", "")).await.status, 200);
    }
}

#[tokio::test]
async fn a_caller_is_counted_whoever_asks() {
    let limit = "path = \"/pages\"\n    rate_limit = { requests = 2, per = \"1h\" }";
    let text = SIDE.replace("path = \"/pages\"", limit);
    let harness = Harness::with(&text, mirror().await).await;
    for (dialect, status) in [("nginx", 200), ("caddy", 200), ("caddy", 429), ("nginx", 403)] {
        let answer = ask(&harness, dialect, get("/pages", TOKEN)).await;
        assert_eq!(answer.status, status, "{dialect}");
    }
}

#[tokio::test]
async fn envoy_is_told_to_take_out_what_a_client_says_of_where_it_is() {
    let headers = "X-Real-IP: 1\r\nCF-Connecting-IP: 1\r\nForwarded: for=1\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded-Host: x\r\n\
        X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Request-ID: 1\r\nX-Envoy-Internal: true\r\nCF-Ray: 1\r\n";
    let harness = Harness::with(
        &format!("[headers]\nallow = [\"CF-Ray\"]\n{SIDE}"),
        mirror().await,
    )
    .await;
    let answer = ask(&harness, "envoy", get("/open", headers)).await;
    let line = |answer: &Answer| {
        let mut lines = answer.head.lines();
        let line = lines.find_map(|line| line.strip_prefix("x-envoy-auth-headers-to-remove: "));
        let mut names: Vec<String> = line.unwrap_or_default().split(',').map(str::to_owned).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(
        line(&answer),
        "cf-connecting-ip forwarded x-forwarded-host x-forwarded-prefix x-real-ip"
    );
    assert_eq!(line(&ask(&harness, "envoy", get("/open", "")).await), "");
    assert_eq!(line(&ask(&harness, "haproxy", get("/open", headers)).await), "");
}

#[tokio::test]
async fn nginx_gets_every_challenge_in_one_line() {
    let harness = harness().await;
    let reader = harness.issuer.token(&json!({ "scope": "read:users" }));
    let reader = format!("Authorization: Bearer {reader}\r\n");
    for (headers, status, words) in [
        ("", 401, ["bearer ", "dpop "]),
        (reader.as_str(), 403, ["bearer ", "insufficient_scope"]),
    ] {
        let answer = ask(&harness, "nginx", get("/orders", headers)).await;
        let lines = answer.head.lines();
        let lines: Vec<&str> = lines
            .filter(|line| line.starts_with("www-authenticate:"))
            .collect();
        assert_eq!((answer.status, lines.len()), (status, 1), "{answer:?}");
        assert!(words.iter().all(|word| lines[0].contains(word)), "{lines:?}");
    }
}

#[tokio::test]
async fn a_websocket_is_for_routes_and_origins_that_are_named() {
    let route = "[[routes]]\npath = \"/live\"\nwebsocket = true\nwebsocket_origins = [\"https://ok.test\"]\n";
    let harness = Harness::with(&format!("{SIDE}{route}"), mirror().await).await;
    for dialect in DIALECTS {
        for begun in [
            "Upgrade: WebSocket\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "Sec-WebSocket-Version: 13\r\n",
        ] {
            for (path, origin, status) in [
                ("/live", "", 200),
                ("/live", "Origin: https://ok.test\r\n", 200),
                ("/live", "Origin: https://api.test\r\n", 200),
                ("/live", "Origin: https://evil.test\r\n", 403),
                ("/live", "Origin: null\r\n", 403),
                ("/live", "Origin: https://api.test.evil.test\r\n", 403),
                ("/orders", "", 501),
                ("/open", "", 501),
            ] {
                let headers = format!("{begun}{origin}{TOKEN}");
                let answer = ask(&harness, dialect, get(path, &headers)).await;
                let expected = if (dialect, status) == ("nginx", 501) {
                    403
                } else {
                    status
                };
                assert_eq!(answer.status, expected, "{dialect} {path} {headers}");
            }
        }
        let plain = get(
            "/live",
            "Origin: https://evil.test\r\nAuthorization: Bearer {token}\r\n",
        );
        assert_eq!(ask(&harness, dialect, plain).await.status, 200, "{dialect}");
    }
}

#[tokio::test]
async fn envoy_says_by_which_scheme_a_page_of_the_same_host_may_open_a_websocket() {
    let route = "[[routes]]\npath = \"/live\"\nwebsocket = true\n";
    let harness = Harness::with(&format!("{SIDE}{route}"), mirror().await).await;
    let (http, https) = ("X-Forwarded-Proto: http\r\n", "X-Forwarded-Proto: https\r\n");
    let both = format!("{http}{https}");
    for (said, scheme, status) in [
        (https, "https", 200),
        (https, "http", 403),
        (http, "http", 200),
        (http, "https", 403),
        ("", "http", 200),
        (both.as_str(), "http", 400),
        ("X-Forwarded-Proto: ftp\r\n", "http", 400),
    ] {
        let headers = format!("Upgrade: websocket\r\nOrigin: {scheme}://api.test\r\n{said}{TOKEN}");
        let answer = ask(&harness, "envoy", get("/live", &headers)).await;
        assert_eq!(answer.status, status, "{said} {scheme}: {answer:?}");
    }
}

#[tokio::test]
async fn what_a_service_gets_of_the_cookies_is_said() {
    let text = format!("[headers]\nown_cookies = [\"__Host-session\"]\n{SIDE}");
    let harness = Harness::with(&text, mirror().await).await;
    for dialect in DIALECTS {
        for (sent, line) in [
            (
                "Cookie: a=1; __Host-session=x; b=2\r\nCookie: c=3\r\n",
                "cookie: a=1; b=2; c=3",
            ),
            ("Cookie: __Host-session=x\r\n", "cookie:"),
            ("", "cookie:"),
        ] {
            let answer = ask(&harness, dialect, get("/open", sent)).await;
            assert!(says(&answer, line), "{dialect}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_proxies_ask_stands_in_the_log_without_query_and_token() {
    log::keep();
    let harness = Harness::with(SIDE, mirror().await).await;
    let asked = Asked {
        method: "DELETE",
        ..get("/orders/asked-about?key=s3cr3t", TOKEN)
    };
    assert_eq!(ask(&harness, "traefik", asked).await.status, 200);
    ask(&harness, "nginx", get("/pages/asked-about?key=s3cr3t", "")).await;
    let lines = log::lines();
    let line = |path: &str| {
        let found = lines
            .lines()
            .find(|line| line.contains("micros=") && line.contains(path));
        found.unwrap_or_else(|| panic!("{path}"))
    };
    for (path, words) in [
        (
            "path=\"/orders/asked-about\"",
            ["method=DELETE", "route=\"/orders\"", "status=200"],
        ),
        (
            "path=\"/pages/asked-about\"",
            ["method=GET", "code=\"token_missing\"", "status=401"],
        ),
    ] {
        assert!(
            words.iter().all(|word| line(path).contains(word)),
            "{}",
            line(path)
        );
    }
    assert!(!lines.contains("s3cr3t"));
}
