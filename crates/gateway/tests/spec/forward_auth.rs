//! What proxies are told that ask over HTTP, each in its own dialect.

use serde_json::json;

use crate::harness::{Answer, Harness, mirror, talk};

pub(crate) const SIDE: &str = r#"
    [forward_auth]
    dialects = ["nginx", "caddy", "traefik", "haproxy", "envoy", "envoy-grpc"]
    [[routes]]
    path = "/open"
    public = true
    [[routes]]
    path = "/orders"
    require = ["scope:read:orders"]
    [[routes]]
    path = "/orders"
    methods = ["POST"]
    require = ["scope:write:orders"]
    [[routes]]
    path = "/pages"
    login_url = "/login?to={path}"
    [[routes]]
    path = "/"
    hosts = ["shop.test"]
    login_url = "https://login.test/?to={url}"
"#;

pub(crate) const DIALECTS: [&str; 5] = ["nginx", "haproxy", "caddy", "traefik", "envoy"];

/// What a proxy asks about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a str,
}

pub(crate) const fn get<'a>(path: &'a str, headers: &'a str) -> Asked<'a> {
    Asked {
        method: "GET",
        host: "api.test",
        path,
        headers,
    }
}

/// The values of a client's `Upgrade`, which nginx and HAProxy say under another name.
fn upgrades(headers: &str) -> impl Iterator<Item = &str> {
    headers.lines().filter_map(|line| line.strip_prefix("Upgrade: "))
}

/// The headers by which a proxy describes a request.
pub(crate) fn described(dialect: &str, asked: Asked<'_>) -> String {
    let Asked {
        method,
        host,
        path,
        headers,
    } = asked;
    let said = |value| format!("X-Original-Upgrade: {value}\r\n");
    let upgrade: String = upgrades(headers).map(said).collect();
    match dialect {
        "nginx" => {
            format!("X-Original-Method: {method}\r\nX-Original-URL: https://{host}{path}\r\n{upgrade}")
        }
        "haproxy" => {
            let upgrade = if upgrade.is_empty() { said("") } else { upgrade };
            format!(
                "X-Original-Method: {method}\r\nX-Original-Scheme: https\r\nX-Original-Host: {host}\r\nX-Original-Path: {path}\r\n{upgrade}"
            )
        }
        _ => format!(
            "X-Forwarded-Method: {method}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Uri: {path}\r\n\
             X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Port: 443\r\n"
        ),
    }
}

/// As this proxy asks; `{token}` in the headers is a valid token.
pub(crate) async fn ask(harness: &Harness, dialect: &str, asked: Asked<'_>) -> Answer {
    let headers = asked.headers;
    if dialect == "envoy" {
        let head = format!(
            "{} /forward-auth/envoy{} HTTP/1.1\r\nHost: {}\r\n{headers}",
            asked.method, asked.path, asked.host
        );
        return raw(harness, &head).await;
    }
    let sent: String = match dialect {
        "nginx" | "haproxy" => headers
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("Upgrade: "))
            .collect(),
        _ => headers.to_owned(),
    };
    let described = described(dialect, asked);
    endpoint(harness, dialect, &format!("{described}{sent}")).await
}

/// An endpoint, asked with these headers.
pub(crate) async fn endpoint(harness: &Harness, dialect: &str, headers: &str) -> Answer {
    let head = format!("GET /forward-auth/{dialect} HTTP/1.1\r\nHost: carnet.test\r\n{headers}");
    raw(harness, &head).await
}

pub(crate) async fn raw(harness: &Harness, head: &str) -> Answer {
    let head = head.replace("{token}", &harness.issuer.token(&json!({})));
    let side = harness.side.unwrap();
    Answer::read(&talk(side, &format!("{head}Connection: close\r\n\r\n")).await)
}

pub(crate) async fn harness() -> Harness {
    Harness::with(SIDE, mirror().await).await
}

pub(crate) fn says(answer: &Answer, line: &str) -> bool {
    answer.head.lines().any(|said| said.trim_end() == line)
}

pub(crate) const TOKEN: &str = "Authorization: Bearer {token}\r\n";

#[tokio::test]
async fn a_token_opens_in_every_dialect_and_the_answer_says_who_asks() {
    let harness = harness().await;
    for dialect in DIALECTS {
        let answer = ask(&harness, dialect, get("/orders/7?a=b", TOKEN)).await;
        assert_eq!(answer.status, 200, "{dialect}: {answer:?}");
        assert!(says(&answer, "x-user-id: user_1"), "{answer:?}");
        assert!(says(&answer, "x-user-roles: editor,reviewer"), "{answer:?}");
        assert!(
            says(&answer, "authorization:"),
            "the service does not see the token: {answer:?}"
        );
    }
}

#[tokio::test]
async fn ghsa_7r4p_every_header_is_said_and_empty_when_there_is_nothing_to_say() {
    let harness = harness().await;
    let token = harness.issuer.token(&json!({ "roles": [] }));
    for dialect in DIALECTS {
        let spoofed = "X-User-ID: admin\r\nX-User-Roles: admin\r\n";
        let answer = ask(&harness, dialect, get("/open", spoofed)).await;
        assert_eq!(answer.status, 200, "{dialect}");
        for line in [
            "x-user-id:",
            "x-user-roles:",
            "x-calling-service:",
            "x-identity-assertion:",
            "authorization:",
        ] {
            assert!(says(&answer, line), "{dialect}: {answer:?}");
        }
        let headers = format!("Authorization: Bearer {token}\r\n{spoofed}");
        let answer = ask(&harness, dialect, get("/orders", &headers)).await;
        assert!(
            says(&answer, "x-user-id: user_1") && says(&answer, "x-user-roles:"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_has_the_status_that_the_proxy_understands() {
    let harness = harness().await;
    let reader = harness.issuer.token(&json!({ "scope": "read:users" }));
    let reader = format!("Authorization: Bearer {reader}\r\n");
    let write = Asked {
        method: "POST",
        ..get("/orders", TOKEN)
    };
    for (asked, status) in [
        (get("/orders", ""), 401),
        (get("/orders", "Authorization: Bearer a.b.c\r\n"), 401),
        (get("/orders", &reader), 403),
        (write, 403),
        (get("/nowhere", TOKEN), 404),
        (get("/orders;x", TOKEN), 400),
        (
            get(
                "/orders",
                "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
            ),
            400,
        ),
    ] {
        for dialect in DIALECTS {
            let answer = ask(&harness, dialect, asked).await;
            let expected = match status {
                400 | 404 if dialect == "nginx" => 403,
                status => status,
            };
            assert_eq!(
                answer.status, expected,
                "{dialect} {} {}",
                asked.method, asked.path
            );
            let challenged = answer.head.contains("\nwww-authenticate: bearer");
            assert!(challenged || answer.status != 401, "{answer:?}");
            assert!(!answer.head.contains("x-user-id"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn cve_2021_32637_a_description_that_is_missing_twice_or_malformed_opens_nothing() {
    let harness = harness().await;
    for dialect in ["nginx", "haproxy", "caddy", "traefik"] {
        let whole = described(dialect, get("/open", ""));
        assert_eq!(endpoint(&harness, dialect, &whole).await.status, 200);
        let spare = ["X-Forwarded-For", "X-Forwarded-Port", "X-Original-Upgrade"];
        let needed = |line: &&str| !spare.iter().any(|name| line.starts_with(name));
        let lines: Vec<&str> = whole.split_inclusive("\r\n").collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| needed(line)) {
            let without: String = lines
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, line)| *line)
                .collect();
            let (name, value) = line.trim_end().split_once(": ").unwrap();
            for headers in [
                without.clone(),
                format!("{without}{line}{line}"),
                format!("{without}{name}:\r\n"),
                format!("{without}{name}: {value}, {value}\r\n"),
                format!("{without}{name}: {value} x\r\n"),
                format!("{without}{name}: \u{e9}{value}\r\n"),
            ] {
                let status = endpoint(&harness, dialect, &headers).await.status;
                // The final word of a path and of a method may be anything; then it is another one.
                assert!(
                    [400, 403, 404, 405].contains(&status),
                    "{dialect}: {status} for {headers}"
                );
            }
        }
    }
    for url in [
        "",
        "/open",
        "open",
        "https://",
        "https:///open",
        "https://api.test",
        "https://api.test?/open",
        "ftp://api.test/open",
        "//api.test/open",
        "https://a@api.test/open",
        "https://api.test:x/open",
        "https://api.test/open#",
        "https://api.test/%zz",
        "https://api.test/open\\x",
        "https://api.test/open/../orders/../open",
        "https://api.test//open",
        "https://api.test/%6fpen",
    ] {
        let headers = format!("X-Original-Method: GET\r\nX-Original-URL: {url}\r\n");
        assert_eq!(endpoint(&harness, "nginx", &headers).await.status, 403, "{url}");
    }
}

#[tokio::test]
async fn cve_2026_40575_each_endpoint_reads_what_its_proxy_writes_and_nothing_else() {
    let harness = harness().await;
    let open = get("/open", "");
    for (dialect, other) in [
        ("caddy", "nginx"),
        ("traefik", "haproxy"),
        ("nginx", "caddy"),
        ("haproxy", "traefik"),
    ] {
        let foreign = described(other, open);
        let answer = endpoint(&harness, dialect, &foreign).await;
        assert!([400, 403].contains(&answer.status), "{dialect}: {answer:?}");
        let both = format!("{}{foreign}", described(dialect, get("/orders", "")));
        let answer = endpoint(&harness, dialect, &both).await;
        assert!([400, 401].contains(&answer.status), "{dialect}: {answer:?}");
    }
    let forwarded = described("caddy", open);
    assert_eq!(
        ask(&harness, "envoy", get("/orders", &forwarded)).await.status,
        401
    );
    let answer = raw(&harness, "GET /forward-auth/envoy HTTP/1.1\r\nHost: api.test\r\n").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn cve_2025_54576_ghsa_pxq7_cve_2026_34457_cve_2026_48794_nothing_but_host_path_and_method_opens() {
    let harness = harness().await;
    for dialect in DIALECTS {
        for path in [
            "/orders?/open",
            "/orders?x=/../open",
            "/orders#/open",
            "/open/../orders",
            "/open/%2e%2e/orders",
            "/open%2f..%2forders",
            "/open/..;/orders",
        ] {
            let status = ask(&harness, dialect, get(path, "")).await.status;
            assert!([400, 401, 403].contains(&status), "{dialect} {path}: {status}");
        }
        for host in ["shop.test", "SHOP.test", "shop.test.", "shop.test:443"] {
            let asked = Asked {
                host,
                ..get("/open", "")
            };
            assert_eq!(
                ask(&harness, dialect, asked).await.status,
                401,
                "{dialect} {host}"
            );
        }
        let agent = get("/orders", "User-Agent: kube-probe/1.30\r\n");
        assert_eq!(ask(&harness, dialect, agent).await.status, 401, "{dialect}");
    }
}

#[tokio::test]
async fn cve_2025_64484_what_a_proxy_cannot_take_out_is_refused() {
    let harness = harness().await;
    for dialect in DIALECTS {
        for name in [
            "X_User_ID",
            "X.User.ID",
            "X-User_Id",
            "x~user!id",
            "X-User-Name",
            "Remote-User",
            "Remote_User",
            "X-Jwt-Sub",
            "X_Forwarded_For",
            "X-HTTP-Method-Override",
            "X_HTTP_Method",
            "X-Rewrite-URL",
            "X_Original_URL",
            "Proxy",
            "X-Auth-Request-User",
            "X-MS-CLIENT-PRINCIPAL",
            "X_Amzn_Oidc_Data",
            "X-Consumer-Username",
            "X-Middleware-Subrequest",
            "X-Script-Name",
            "Ssl_Client_Verify",
            "CF_Connecting_IP",
            "Content_Length",
            "Content_Type",
            "Transfer_Encoding",
            "Transfer.Encoding",
        ] {
            for path in ["/open", "/orders"] {
                let headers = format!("{name}: admin\r\n{TOKEN}");
                let answer = ask(&harness, dialect, get(path, &headers)).await;
                let expected = if dialect == "nginx" { 403 } else { 400 };
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (expected, "identity_spoofed"),
                    "{dialect} {name}"
                );
            }
        }
    }
}
