//! What operators see, and what they may change while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use carnet_gateway::reload::Reload;
use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_gateway::{Gateway, load};
use carnet_guard::testing::TestClock;
use serde_json::json;
use tokio::sync::oneshot;

use crate::harness::{Answer, Harness, ISSUER, Issuer, NOW, Running, USUAL, at, mirror, talk};
use crate::refused_settings::Shown;

/// A gateway whose configuration can be written anew.
struct Operated {
    folder: tempfile::TempDir,
    issuer: Issuer,
    service: Running,
    address: std::net::SocketAddr,
    admin: std::net::SocketAddr,
    reload: Reload,
    _stop: oneshot::Sender<()>,
}

impl Operated {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::new();
        std::fs::write(folder.path().join("jwks.json"), &issuer.jwks).unwrap();
        let service = mirror().await;
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, text(&service, "/open")).unwrap();
        let clock = Arc::new(TestClock::at(NOW));
        let config = load::load(&file).unwrap();
        let gateway = Gateway::new(Site::build(&config, clock.clone(), None).await.unwrap());
        let server = Server::bind(gateway.clone(), &config).await.unwrap();
        let (address, admin) = (at(server.local_addr()), at(server.admin_addr().unwrap()));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(None, async { drop(stopped.await) }));
        Self {
            reload: Reload::new(gateway, file, clock),
            folder,
            issuer,
            service,
            address,
            admin,
            _stop: stop,
        }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("gateway.toml"), text).unwrap();
    }

    async fn status(&self, path: &str) -> u16 {
        get(self.address, path).await.status
    }
}

fn text(service: &Running, open: &str) -> String {
    format!(
        "[listen]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n[tokens]\naudience = \"https://api.test\"\n\
         [[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{}",
        USUAL
            .replace("{service}", &service.address.to_string())
            .replace("/open", open)
    )
}

async fn get(address: std::net::SocketAddr, path: &str) -> Answer {
    Answer::read(
        &talk(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        )
        .await,
    )
}

#[tokio::test]
async fn a_new_configuration_is_taken_whole_or_not_at_all() {
    let operated = Operated::start().await;
    assert_eq!(
        (operated.status("/open").await, operated.status("/free").await),
        (200, 404)
    );
    let good = text(&operated.service, "/free");
    operated.write(&good);
    assert!(operated.reload.read().await);
    assert_eq!(
        (operated.status("/open").await, operated.status("/free").await),
        (404, 200)
    );
    for broken in [
        String::new() + "routes = 1",
        good.replace("path = \"/free\"", "path = \"/a/../free\""),
        good.replace("upstream = \"service\"", "upstream = \"other\""),
        String::new(),
        good.replace("public = true", "publik = true"),
        good.replace("role:admin", "admin"),
        good.replace("jwks.json", "missing.json"),
        good.replace("http://", "ftp://"),
        good.replace(
            "jwks_file = \"jwks.json\"",
            "jwks_url = \"http://issuer.test/jwks\"",
        ),
        good.replace(ISSUER, "http://issuer.test")
            .replace("jwks_file = \"jwks.json\"", ""),
        format!("[log]\nlevel = \"warning\"\n{good}"),
        format!("{good}\n[[routes]]\npath = \"/free\"\npublic = true\nupstream = \"service\"\n"),
    ] {
        operated.write(&broken);
        assert!(!operated.reload.read().await, "{broken}");
        assert_eq!(operated.status("/free").await, 200, "{broken}");
    }
    let metrics = get(operated.admin, "/metrics").await.body;
    assert!(
        metrics.contains("carnet_gateway_reloads_total{outcome=\"taken\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("carnet_gateway_reloads_total{outcome=\"refused\"} 12"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_read() {
    let mut operated = Operated::start().await;
    assert!(!operated.reload.look_again().await, "nothing is new");
    let whole = text(&operated.service, "/free");
    // What is there already is a configuration by itself.
    let half = &whole[..whole.rfind("[[routes]]").unwrap()];
    operated.write(half);
    assert!(!operated.reload.look_again().await);
    operated.write(&whole);
    assert!(!operated.reload.look_again().await);
    assert_eq!(operated.status("/free").await, 404);
    assert!(operated.reload.look_again().await, "it stands still");
    assert_eq!(operated.status("/free").await, 200);
    assert!(!operated.reload.look_again().await, "it is known");
}

#[tokio::test]
async fn a_reload_takes_nothing_of_what_the_listener_needs_a_restart_for() {
    let operated = Operated::start().await;
    let request = "GET /free HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
    let shown = Shown::new();
    let (certificate, key) = (shown.named("certificate", "a.pem"), shown.named("key", "a.key"));
    let listen = format!("[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n{certificate}\n{key}\n");
    let changed = text(&operated.service, "/free").replace("[listen]\n", &listen);
    // However often it is read: what is compared with is what listens.
    for _ in 0..2 {
        operated.write(&changed);
        assert!(operated.reload.read().await);
        let seen = Answer::read(&talk(operated.address, request).await).seen();
        assert_eq!(seen.header("X-Forwarded-Proto").as_deref(), Some("http"));
        assert_eq!(seen.header("X-Forwarded-For").as_deref(), Some("127.0.0.1"));
    }
    // What could not be taken at a restart either is refused now.
    operated.write(&changed.replace("tls_key_file", "#"));
    assert!(!operated.reload.read().await);
    operated.write(&changed.replace("a.key", "b.key"));
    assert!(!operated.reload.read().await);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_taken_and_its_tokens_are_503_until_its_keys_come() {
    let operated = Operated::start().await;
    let good = text(&operated.service, "/open");
    let key = {
        let issuer = Issuer::new();
        std::fs::write(operated.folder.path().join("other.json"), &issuer.jwks).unwrap();
        issuer
    };
    let other = |keys: &str| {
        let block = format!("[[issuers]]\nissuer = \"https://other.test\"\n{keys}\n[headers]");
        good.replace("[headers]", &block)
    };
    let send = async |token: &str| {
        let request = format!(
            "GET /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        Answer::read(&talk(operated.address, &request).await)
    };
    let (ours, theirs) = (
        operated.issuer.token(&json!({})),
        key.token(&json!({ "iss": "https://other.test" })),
    );
    assert_eq!(send(&theirs).await.status, 401);
    operated.write(&other("jwks_url = \"http://127.0.0.1:9/jwks\""));
    assert!(operated.reload.read().await);
    assert_eq!(send(&ours).await.status, 200);
    let answer = send(&theirs).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "temporarily_unavailable")
    );
    assert!(answer.head.contains("retry-after"), "{answer:?}");
    assert_eq!(get(operated.admin, "/health/ready").await.status, 503);
    assert!(crate::log::lines().contains("what=the keys of https://other.test"));
    operated.write(&other("jwks_file = \"other.json\""));
    assert!(operated.reload.read().await);
    assert_eq!((send(&ours).await.status, send(&theirs).await.status), (200, 200));
}

#[tokio::test]
async fn an_issuer_that_is_down_is_known_by_the_keys_that_it_had_when_another_one_is_added() {
    let operated = Operated::start().await;
    let jwks = operated.issuer.jwks.clone();
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = fetched.clone();
    let server = Running::start(axum::Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::SeqCst);
        ([("content-type", "application/json")], jwks)
    }))
    .await;
    let url = format!("jwks_url = \"http://{}/jwks\"", server.address);
    let fetching = text(&operated.service, "/open").replace("jwks_file = \"jwks.json\"", &url);
    operated.write(&fetching);
    assert!(operated.reload.read().await);
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    let address = server.address;
    drop(server);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let more = "[[issuers]]\nissuer = \"https://other.test\"\njwks_file = \"jwks.json\"\n[headers]";
    // What is new of this one would need its keys anew: those who have its tokens are not to suffer for that.
    let other = format!("{url}\nalgorithms = [\"ES256\", \"RS256\"]");
    operated.write(&fetching.replace(&url, &other));
    assert!(!operated.reload.read().await);
    operated.write(&fetching.replace("[headers]", more));
    assert!(operated.reload.read().await);
    let token = operated.issuer.token(&json!({}));
    let request = format!(
        "GET /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(Answer::read(&talk(operated.address, &request).await).status, 200);
}

#[tokio::test]
async fn no_request_fails_while_the_configuration_changes() {
    let operated = Operated::start().await;
    let done = AtomicBool::new(false);
    let asked = AtomicUsize::new(0);
    let ask = async || {
        while !done.load(Ordering::SeqCst) {
            assert_eq!(operated.status("/open").await, 200);
            asked.fetch_add(1, Ordering::SeqCst);
        }
    };
    let change = async {
        for _ in 0..20 {
            let before = asked.load(Ordering::SeqCst);
            assert!(operated.reload.read().await);
            while asked.load(Ordering::SeqCst) < before + 4 {
                tokio::task::yield_now().await;
            }
        }
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(change, ask(), ask());
}

#[tokio::test]
async fn operators_have_a_listener_of_their_own() {
    let operated = Operated::start().await;
    assert_eq!(get(operated.admin, "/health/live").await.status, 200);
    assert_eq!(get(operated.admin, "/health/ready").await.status, 200);
    let token = operated.issuer.token(&json!({}));
    let request = format!(
        "GET /orders/7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(Answer::read(&talk(operated.address, &request).await).status, 200);
    assert_eq!(operated.status("/orders/8").await, 401);
    let metrics = get(operated.admin, "/metrics").await;
    assert!(metrics.head.contains("openmetrics"), "{}", metrics.head);
    for line in [
        "carnet_gateway_requests_total{route=\"/orders\",status=\"200\"} 1",
        "carnet_gateway_requests_total{route=\"/orders\",status=\"401\"} 1",
        "carnet_gateway_refusals_total{code=\"token_missing\"} 1",
        "carnet_gateway_seconds_count{route=\"/orders\"} 2",
    ] {
        assert!(metrics.body.contains(line), "{line} in {}", metrics.body);
    }
    // Nothing of it is where everybody is.
    for path in ["/metrics", "/health/live", "/health/ready"] {
        assert_eq!(operated.status(path).await, 404);
    }
}

#[tokio::test]
async fn keys_that_were_never_loaded_are_a_503_and_not_ready() {
    let text = "[listen]\naddress = \"127.0.0.1:0\"\n[tokens]\naudience = \"https://api.test\"\n[[issuers]]\nissuer = \"https://issuer.test\"\n\
                jwks_url = \"http://127.0.0.1:9/jwks\"\n[[upstreams]]\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\nupstream = \"s\"\n";
    let config = load::parse(text, "gateway.toml".as_ref()).unwrap();
    let site = Site::build(&config, Arc::new(TestClock::at(NOW)), None)
        .await
        .unwrap();
    assert!(!site.is_ready());
    let server = Server::bind(Gateway::new(site), &config).await.unwrap();
    let address = at(server.local_addr());
    tokio::spawn(server.run(None, std::future::pending()));
    let token = Issuer::new().token(&json!({}));
    let request =
        format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    let answer = Answer::read(&talk(address, &request).await);
    assert_eq!(
        (answer.status, answer.code()),
        (503, "temporarily_unavailable".to_owned())
    );
    assert!(answer.head.contains("retry-after"), "{answer:?}");
}

#[tokio::test]
async fn the_log_names_the_caller_and_holds_no_token() {
    let harness = Harness::start().await;
    let token = harness.issuer.token(&json!({}));
    let spoiled = format!("{}x", &token[..token.len() - 1]);
    for headers in [
        format!("Authorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {spoiled}\r\n"),
        format!("Authorization: {token}\r\nCookie: own={token}\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
    ] {
        for path in ["/orders/7", "/admin", "/open", "/nowhere"] {
            harness
                .get(&format!("{path}?access_token={token}"), &headers)
                .await;
            harness.get(path, &headers).await;
        }
    }
    let lines = crate::log::lines();
    assert!(
        lines.contains("path=\"/orders/7\"")
            && lines.contains("status=200")
            && lines.contains("client_id=\"web\""),
        "{lines}"
    );
    assert!(
        lines.contains("code=\"token_invalid\"") && lines.contains("code=\"insufficient_scope\""),
        "{lines}"
    );
    // Neither whole nor in part.
    for part in token.split('.').chain(spoiled.split('.')) {
        assert!(!lines.contains(part), "{part}");
    }
    assert!(!lines.contains("subject=\"user_1\""));
}
