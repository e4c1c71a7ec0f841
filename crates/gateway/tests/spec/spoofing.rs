//! Nobody but the gateway tells a service who asks: every spelling that a server folds into ours, over both protocols, on every kind of route.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::believed::{OF_CLIENTS, WHAT, WHO};
use crate::forward_auth;
use crate::harness::{Answer, Harness, Seen};

/// These say where a request came from. A proxy that asks has its own, and passes them on as it is told to.
const WHENCE: [&str; 2] = ["Forwarded", "X-Real-IP"];

/// Every byte of a header name that is no letter and no digit (RFC 9110 §5.6.2).
const SEPARATORS: [char; 15] = [
    '-', '_', '.', '!', '#', '$', '%', '&', '\'', '*', '+', '^', '`', '|', '~',
];

/// More than six hundred names, each of which some server takes for one of ours.
pub(crate) fn variants() -> Vec<String> {
    let mut names = Vec::new();
    for first in SEPARATORS {
        for second in SEPARATORS {
            names.push(format!("X{first}User{second}ID"));
        }
    }
    for base in [
        "X-User-Roles",
        "X-User-Email",
        "X-JWT-Sub",
        "X-Identity-Assertion",
        "Remote-User",
        "X-Remote-User",
        "X-Tenant",
        "X-Forwarded-User",
        "X-Original-URL",
    ] {
        for separator in SEPARATORS {
            names.push(base.replace('-', &separator.to_string()));
        }
    }
    for base in WHO.iter().chain(&OF_CLIENTS).chain(&WHAT) {
        for separator in ['-', '_', '.'] {
            names.push(base.replace('-', &separator.to_string()));
        }
        names.push(base.to_ascii_uppercase());
    }
    names.extend(
        [
            "x-uSeR-iD",
            "x-user-",
            "X-USER-ID",
            "X-User",
            "Proxy",
            "X-Forwarded-Email",
            "X-Rewrite-URL",
        ]
        .map(str::to_owned),
    );
    names
}

pub(crate) const IDENTITY: &str = r#"
        [[identity]]
        name = "X-User-ID"
        claim = "sub"
        [[identity]]
        name = "X-User-Roles"
        claim = "roles"
        [[identity]]
        name = "X-Tenant"
        claim = "tenant"
    "#;

fn routes() -> String {
    format!("{IDENTITY}{}", crate::harness::USUAL)
}

async fn harness() -> Harness {
    Harness::with(&routes(), crate::harness::mirror().await).await
}

fn assert_honest(seen: &Seen, protected: bool, what: &str) {
    assert!(!seen.0.to_string().contains("spoof"), "{what}: {}", seen.0);
    let mut ours = ["X-User-ID", "X-User-Roles", "X-Tenant"].map(|name| seen.folded(name));
    match protected {
        true => assert_eq!(
            ours,
            [
                vec!["user_1".to_owned()],
                vec!["editor,reviewer".to_owned()],
                vec![]
            ]
        ),
        false => assert!(
            ours.iter_mut().all(|values| values.is_empty()),
            "{what}: {ours:?}"
        ),
    }
    assert_eq!(seen.folded("X-Forwarded-For"), ["127.0.0.1"], "{what}");
}

#[tokio::test]
async fn no_spelling_of_an_identity_header_gets_through() {
    let harness = harness().await;
    let variants = [variants(), WHENCE.map(str::to_owned).to_vec()].concat();
    assert!(variants.len() >= 600, "{}", variants.len());
    let token = harness.issuer.token(&json!({}));
    for (path, protected) in [("/open", false), ("/orders", true)] {
        for names in variants.chunks(40) {
            let lines: String = names.iter().map(|name| format!("{name}: spoof\r\n")).collect();
            let answer = harness
                .get(path, &format!("{lines}Authorization: Bearer {token}\r\n"))
                .await;
            assert_honest(&answer.seen(), protected, &format!("HTTP/1.1 {path} {names:?}"));

            let mut request = Request::get(format!("http://api.test{path}"));
            for name in names {
                request = request.header(name, "spoof");
            }
            let request = request.header("authorization", format!("Bearer {token}"));
            let response = harness.h2(request.body(Body::empty()).unwrap()).await;
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let seen = Seen(serde_json::from_slice(&body).unwrap());
            assert_honest(&seen, protected, &format!("HTTP/2 {path} {names:?}"));
        }
    }
}

#[tokio::test]
async fn no_spelling_of_an_identity_header_gets_past_a_proxy_that_asks() {
    let text = forward_auth::SIDE.replace("[forward_auth]", &format!("{IDENTITY}[forward_auth]"));
    let harness = Harness::with(&text, crate::harness::mirror().await).await;
    let token = format!("Bearer {}", harness.issuer.token(&json!({})));
    let of_clients = |name: &String| OF_CLIENTS.iter().any(|base| base.eq_ignore_ascii_case(name));
    for name in variants().into_iter().filter(|name| !of_clients(name)) {
        for (path, protected) in [("/open", false), ("/orders", true)] {
            let headers = format!("Authorization: {token}\r\n{name}: spoof\r\n");
            let answer = forward_auth::ask(&harness, "caddy", forward_auth::get(path, &headers)).await;
            assert_told(&name, protected, (answer.status, &answer.head));

            let mut request =
                Request::get("http://carnet.test/forward-auth/caddy").header("authorization", &token);
            let described = forward_auth::described("caddy", forward_auth::get(path, ""));
            for (described, value) in described.lines().filter_map(|line| line.split_once(": ")) {
                request = request.header(described, value);
            }
            let request = request.header(&name, "spoof").body(Body::empty()).unwrap();
            let response = crate::harness::h2_at(harness.side.unwrap(), request).await;
            let lines: String = response
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
                .collect();
            assert_told(&name, protected, (response.status().as_u16(), &lines));
        }
    }
}

/// Either the proxy is told to refuse, or what it is told to put in the place of the client's header is the truth.
fn assert_told(name: &str, protected: bool, (status, head): (u16, &str)) {
    if status == 400 {
        return;
    }
    assert_eq!(status, 200, "{name}");
    let replaced = format!("\r\n{}: ", name.to_ascii_lowercase());
    let head = format!("\r\n{head}");
    assert!(head.contains(&replaced), "{name} would stay where it is: {head}");
    let user = if protected { "user_1" } else { "" };
    assert!(
        head.contains(&format!("\r\nx-user-id: {user}\r\n")),
        "{name}: {head}"
    );
    assert!(
        head.contains("\r\nx-tenant: \r\n") && !head.contains("spoof"),
        "{name}: {head}"
    );
}

#[tokio::test]
async fn a_name_that_comes_twice_or_beside_ours_does_not_get_through() {
    let harness = harness().await;
    for headers in [
        "X-User-ID: spoof\r\nX-User-ID: spoof2\r\n",
        "X-User-ID: spoof\r\nx_user_id: spoof\r\nX.User.ID: spoof\r\n",
        // CVE-2024-45410 (Traefik), CVE-2025-48865 (fabio): what Connection lists is taken out before ours is put in.
        "Connection: X-User-ID, X-User-Roles, X-Forwarded-For, X-Tenant\r\nX-User-ID: spoof\r\n",
        "Connection: keep-alive, x-forwarded-for\r\nX-Forwarded-For: spoof\r\n",
        "Trailer: X-User-ID\r\nX-User-ID: spoof\r\n",
        // CVE-2026-35051 (Traefik): not only the usual four are told anew.
        "X-Forwarded-Prefix: spoof\r\nX-Forwarded-Port: spoof\r\nX-Forwarded-Server: spoof\r\nX-Forwarded-Client-Cert: spoof\r\n",
        "Forwarded: for=spoof\r\nX-Forwarded-Host: spoof\r\nX-Forwarded-Proto: spoof\r\n",
        "X_Forwarded_For: spoof\r\nX_Forwarded_Proto: spoof\r\nx.forwarded.host: spoof\r\n",
    ] {
        let answer = harness
            .get(
                "/orders",
                &format!("Authorization: Bearer {{token}}\r\n{headers}"),
            )
            .await;
        assert_honest(&answer.seen(), true, headers);
        assert_honest(&harness.get("/open", headers).await.seen(), false, headers);
    }
}

#[tokio::test]
async fn a_trailer_does_not_pass_for_a_header() {
    let harness = harness().await;
    let request = "POST /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTrailer: X-User-ID, grpc-status\r\n\
                   Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-User-ID: spoof\r\nX_User_ID: spoof\r\n\r\n";
    let seen = Answer::read(&harness.talk(request).await).seen();
    assert_honest(&seen, false, "HTTP/1.1");

    let mut trailers = HeaderMap::new();
    for name in ["x-user-id", "x_user_id", "grpc-status", "authorization"] {
        trailers.insert(HeaderName::from_static(name), "spoof".parse().unwrap());
    }
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = Full::new(Bytes::from_static(b"a")).with_trailers(async { Some(Ok(trailers)) });
    let request = Request::post("http://api.test/open")
        .body(Body::new(body))
        .unwrap();
    let body = harness
        .h2(request)
        .await
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let seen = Seen(serde_json::from_slice(&body).unwrap());
    assert_honest(&seen, false, "HTTP/2");
}

#[tokio::test]
async fn a_gateway_that_is_told_so_refuses_instead() {
    let text = routes().replace("[headers]", "[headers]\nspoofed = \"refuse\"");
    let harness = Harness::with(&text, crate::harness::mirror().await).await;
    for header in ["X-User-ID: spoof\r\n", "x_tenant: spoof\r\n"] {
        let answer = harness.get("/open", header).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "identity_spoofed".to_owned())
        );
    }
    // What proxies say is not an attack.
    assert_eq!(
        harness
            .get("/open", "X-Forwarded-For: 192.0.2.1\r\n")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_operator_lets_a_header_pass_by_its_name_and_in_no_other_spelling() {
    let text = routes().replace(
        "[headers]",
        "[headers]\nallow = [\"CF-Ray\", \"X-Http-Method-Override\"]",
    );
    let harness = Harness::with(&text, crate::harness::mirror().await).await;
    let headers = "CF-Ray: 7\r\nCF_Ray: spoof\r\nCF-Connecting-IP: spoof\r\nx-http-method-override: PUT\r\nX_HTTP_Method_Override: spoof\r\n";
    for path in ["/open", "/orders"] {
        let headers = format!("Authorization: Bearer {{token}}\r\n{headers}");
        let seen = harness.get(path, &headers).await.seen();
        assert_honest(&seen, path == "/orders", path);
        assert_eq!(seen.header("CF-Ray").as_deref(), Some("7"));
        assert_eq!(seen.header("X-HTTP-Method-Override").as_deref(), Some("PUT"));
    }
}

#[tokio::test]
async fn nobody_lets_a_header_pass_that_says_who_asks() {
    for (name, why) in [
        ("X-User-ID", "nothing lets it pass"),
        ("X-Consumer-Username", "Kong"),
        ("x-amzn-oidc-data", "AWS"),
        ("Client-Cert", "RFC 9440"),
        ("X-Tenant", "the operator's own words"),
        ("X-Mine", "the operator's own words"),
        ("X-Forwarded-For", "written by the gateway itself"),
        ("X-Request-ID", "written by the gateway itself"),
        ("X-Forwarded-*", "no plain name"),
        ("CF_Ray", "no plain name"),
        ("Accept", "passes as it is"),
        ("", "no plain name"),
    ] {
        let headers = format!("[headers]\nallow = [{name:?}]\nreserved = [\"X-Mine\"]");
        let text = format!(
            "[tokens]\naudience = \"a\"\n[[issuers]]\nissuer = \"https://i.test\"\njwks_file = \"none\"\n{}",
            routes().replace("[headers]", &headers)
        );
        // Public routes alone: no key is read.
        let text = text
            .split("[[routes]]")
            .take(2)
            .collect::<Vec<_>>()
            .join("[[routes]]");
        let config =
            carnet_gateway::load::parse(&text.replace("{service}", "127.0.0.1:1"), "g.toml".as_ref())
                .unwrap();
        let clock = std::sync::Arc::new(carnet_guard::SystemClock);
        let error = carnet_gateway::site::Site::build(&config, clock, None)
            .await
            .unwrap_err();
        assert_eq!(error.place, "headers.allow[0]", "{name}");
        assert!(error.what.contains(why), "{name}: {error}");
    }
}

#[tokio::test]
async fn names_that_the_operator_adds_are_added_to_those_that_are_built_in() {
    let text = routes().replace("[headers]", "[headers]\nreserved = [\"X-Mine-*\"]");
    let harness = Harness::with(&text, crate::harness::mirror().await).await;
    let headers = "X-Mine-1: spoof\r\nx_mine_2: spoof\r\nX-User-Email: spoof\r\nX-JWT-Sub: spoof\r\nRemote-User: spoof\r\n";
    assert_honest(&harness.get("/open", headers).await.seen(), false, headers);
}

#[tokio::test]
async fn own_cookies_do_not_reach_a_service() {
    // GHSA-vvg7-p7jw-8qr3 (Duende): the session is the gateway's, not the service's.
    let seen = harness()
        .await
        .get("/open", "Cookie: a=1; own=spoof\r\nCookie: own=spoof\r\n")
        .await
        .seen();
    assert_eq!(seen.header("Cookie").as_deref(), Some("a=1"));
}
