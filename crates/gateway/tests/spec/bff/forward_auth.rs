//! Sessions behind proxies that ask: the cookie counts as at the gateway, and people open windows.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::browser::{Browser, SCRIPT, WINDOW};
use super::world::{World, refused};
use crate::forward_auth::{Asked, DIALECTS, described, says};
use crate::harness::{Answer, Running, mirror, soon, talk};

const SIDE: &str = r#"
    [[routes]]
    path = "/pages"
    session = true
    login_url = "/bff/login?returnUrl={path}"
    [[routes]]
    path = "/sockets"
    session = true
    websocket = true
    [forward_auth]
    address = "127.0.0.1:0"
    dialects = ["nginx", "caddy", "traefik", "haproxy", "envoy", "envoy-grpc"]
"#;

/// The world, and where proxies ask in it.
async fn asked_world() -> (World, Running) {
    asked_with(|text| text).await
}

async fn asked_with(change: impl FnOnce(String) -> String) -> (World, Running) {
    let world = World::with(mirror().await, |text| change(format!("{text}{SIDE}"))).await;
    let (gateway, _, _) = world.changing(|text| text).await;
    let side = Running::start(gateway.forward_auth()).await;
    (world, side)
}

fn get<'a>(path: &'a str, headers: &'a str) -> Asked<'a> {
    Asked {
        method: "GET",
        host: "app.test",
        path,
        headers,
    }
}

/// What a proxy is told of a request of this browser.
async fn ask(side: SocketAddr, dialect: &str, (user, asked): (&Browser, Asked<'_>)) -> Answer {
    let (line, description) = match dialect {
        "envoy" => {
            let (method, path) = (asked.method, asked.path);
            let line = format!(
                "{method} /forward-auth/envoy{path} HTTP/1.1\r\nHost: {}\r\n",
                asked.host
            );
            (line, String::new())
        }
        _ => {
            let line = format!("GET /forward-auth/{dialect} HTTP/1.1\r\nHost: carnet.test\r\n");
            (line, described(dialect, asked))
        }
    };
    let cookies = user.cookie_line();
    let head = format!(
        "{line}{description}{cookies}{}Connection: close\r\n\r\n",
        asked.headers
    );
    Answer::read(&talk(side, &head).await)
}

/// nginx knows 401 and 403 alone.
fn told(dialect: &str, status: u16) -> u16 {
    match (dialect, status) {
        ("nginx", 302) => 401,
        ("nginx", 421 | 501) => 403,
        (_, status) => status,
    }
}

#[tokio::test]
async fn a_live_session_opens_in_every_dialect_and_its_cookie_stays_here() {
    let (world, side) = asked_world().await;
    let mut user = world.user().await;
    user.cookies.push(("lang".to_owned(), "de".to_owned()));
    user.cookies.push(("other".to_owned(), "1".to_owned()));
    for dialect in DIALECTS {
        let headers = format!("{SCRIPT}Authorization: Bearer stolen\r\nX-User-ID: admin\r\n");
        let answer = ask(side.address, dialect, (&user, get("/api/x", &headers))).await;
        assert_eq!(answer.status, 200, "{dialect}: {answer:?}");
        assert!(
            says(&answer, "x-user-id: user_1") && says(&answer, "cookie: lang=de"),
            "{answer:?}"
        );
        assert!(answer.head.contains("\nauthorization: bearer eyj"), "{answer:?}");
        let answer = ask(side.address, dialect, (&user, get("/quiet", SCRIPT))).await;
        assert!(
            says(&answer, "authorization:") && says(&answer, "cookie:"),
            "{dialect}: {answer:?}"
        );
        let open = ask(side.address, dialect, (&user, get("/", ""))).await;
        assert!(says(&open, "cookie: lang=de; other=1"), "{dialect}: {open:?}");
        let answer = ask(side.address, dialect, (&user, get("/admin", SCRIPT))).await;
        assert_eq!(answer.status, 403, "the rules of a route hold as well");
    }
}

#[tokio::test]
async fn a_window_opens_with_its_session_and_goes_to_the_login_without_one() {
    let (world, side) = asked_world().await;
    let (user, nobody) = (world.user().await, world.browser());
    let window = |site: &str| {
        format!(
            "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: {site}\r\n"
        )
    };
    let picture = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\nSec-Fetch-Site: same-origin\r\n";
    let post = |headers| Asked {
        method: "POST",
        ..get("/pages/1", headers)
    };
    let (same, by_hand, cross, near) = (
        window("same-origin"),
        window("none"),
        window("cross-site"),
        window("same-site"),
    );
    let frame = window("none").replace("document", "iframe");
    let foreign = picture.replace("same-origin", "cross-site");
    for dialect in DIALECTS {
        for (asked, status) in [
            (get("/pages/1", &same), 200),
            (get("/pages/1", &by_hand), 200),
            (get("/pages/1", picture), 200),
            (get("/pages/1", SCRIPT), 200),
            (post(SCRIPT), 200),
            // Strict cookies stay behind there, and what a neighbour sends counts as little.
            (get("/pages/1", &cross), 302),
            (get("/pages/1", &near), 302),
            (get("/pages/1", &frame), 403),
            (get("/pages/1", &foreign), 403),
            (get("/pages/1", ""), 403),
            (post(&same), 403),
            // Nobody opens a window at an API.
            (get("/api", &same), 403),
            (get("/api", WINDOW), 403),
        ] {
            let answer = ask(side.address, dialect, (&user, asked)).await;
            assert_eq!(
                answer.status,
                told(dialect, status),
                "{dialect} {asked:?}: {answer:?}"
            );
        }
        let answer = ask(side.address, dialect, (&nobody, get("/pages/1?a=b", &same))).await;
        assert_eq!(answer.status, told(dialect, 302), "{dialect}");
        let login = "location: /bff/login?returnurl=%2fpages%2f1%3fa%3db";
        assert!(says(&answer, login), "{answer:?}");
        let answer = ask(side.address, dialect, (&nobody, get("/pages/1", SCRIPT))).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "session_missing"));
    }
}

#[tokio::test]
async fn a_window_goes_to_the_login_when_the_issuer_has_taken_its_session_back() {
    let feed = "revocations = { client_id = \"gateway\", client_secret_file = \"client.secret\" }";
    let followed = |text: String| text.replace("    [bff]", &format!("    {feed}\n    [bff]"));
    let (world, side) = asked_with(followed).await;
    let user = world.user().await;
    // A token that has only just come is not asked for again.
    world.clock.wait(Duration::from_secs(20));
    world.issuer.takes_back(&json!(null));
    let window = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n";
    // As long as it is answered like this.
    let after = async |status: u16| {
        let mut answer = ask(side.address, "caddy", (&user, get("/pages/1", window))).await;
        soon(async {
            while answer.status == status {
                tokio::time::sleep(Duration::from_millis(2)).await;
                answer = ask(side.address, "caddy", (&user, get("/pages/1", window))).await;
            }
        })
        .await;
        answer
    };
    assert_eq!(after(503).await.status, 200);
    world
        .issuer
        .manner(|how| how.trouble = Some((400, "invalid_grant")));
    let (jti, exp) = (world.issuer.first_token(), world.issuer.now() + 900);
    world
        .issuer
        .takes_back(&json!({ "kind": "jti", "value": jti, "exp": exp }));
    let answer = after(200).await;
    assert_eq!((answer.status, world.issuer.refreshes()), (302, 1), "{answer:?}");
    let login = "location: /bff/login?returnurl=%2fpages%2f1";
    assert!(says(&answer, login), "{answer:?}");
    let shown = format!("{window}Authorization: Bearer x\r\n");
    let answer = ask(side.address, "caddy", (&user, get("/pages/1", &shown))).await;
    assert_eq!(
        answer.status, 401,
        "whoever shows something is no person without a token"
    );
}

#[tokio::test]
async fn a_session_is_refreshed_whoever_asks_and_only_at_the_host_of_the_app() {
    let (world, side) = asked_world().await;
    let user = world.user().await;
    let first = ask(side.address, "caddy", (&user, get("/api", SCRIPT))).await;
    world.clock.wait(Duration::from_secs(11 * 60));
    let second = ask(side.address, "caddy", (&user, get("/api", SCRIPT))).await;
    assert_eq!(
        (first.status, second.status, world.issuer.refreshes()),
        (200, 200, 1)
    );
    assert_ne!(first.head, second.head);
    assert!(!second.head.contains("set-cookie"), "{second:?}");
    for dialect in DIALECTS {
        let elsewhere = Asked {
            host: "other.test",
            ..get("/api", SCRIPT)
        };
        let answer = ask(side.address, dialect, (&user, elsewhere)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (told(dialect, 421), "host_misdirected"),
            "{dialect}"
        );
    }
}

#[tokio::test]
async fn a_websocket_of_a_session_is_for_pages_of_the_app() {
    let (world, side) = asked_world().await;
    let user = world.user().await;
    for dialect in DIALECTS {
        for begun in [
            "Upgrade: websocket\r\n",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ] {
            let ours = format!("{begun}Origin: https://app.test\r\n");
            let theirs = format!("{begun}Origin: https://evil.test\r\n{SCRIPT}");
            for (asked, status) in [
                (get("/sockets", &ours), 200),
                (get("/sockets", &theirs), 403),
                (get("/sockets", begun), 403),
                (get("/api", &ours), 501),
            ] {
                let answer = ask(side.address, dialect, (&user, asked)).await;
                assert_eq!(
                    answer.status,
                    told(dialect, status),
                    "{dialect} {asked:?}: {answer:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_browsers_carry_themselves_is_not_for_proxies_that_ask() {
    let sealed = |text: String| {
        let text = text.replace("sqlite_file = \"bff.db\"", "sealed = true");
        format!("{text}[forward_auth]\ndialects = [\"nginx\"]\n")
    };
    assert_eq!(refused(sealed).await, "routes[1].session");
}
