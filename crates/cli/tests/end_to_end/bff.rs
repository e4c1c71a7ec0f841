//! Two gateways in front of one app, with their sessions in PostgreSQL or in Redis, and an authorization server whose token endpoint takes its time.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use crate::pages::{browser, page, submit};
use crate::support::{Carnet, EMAIL, Engine, PASSWORD, binary, free_port, fresh_database, write_secret};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_at_two_gateways_with_a_slow_issuer_are_one_refresh_over_postgres() {
    one_refresh("postgres_url_file", &fresh_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_at_two_gateways_with_a_slow_issuer_are_one_refresh_over_redis() {
    let url =
        std::env::var("CARNET_TEST_REDIS").expect("CARNET_TEST_REDIS names no Redis; ./test.sh starts one");
    one_refresh("redis_url_file", &url).await;
}

async fn one_refresh(place: &str, url: &str) {
    let carnet = Carnet::prepare(Engine::Sqlite, "[log]\nlevel = \"info\"").await;
    carnet.command(&["migrate"], "");
    let node = carnet.second_node().await;
    carnet.add_user();
    let issuer = slow_issuer(&carnet.base, &node).await;
    let service = service().await;
    let ports = [free_port(), free_port()];
    let origin = format!("http://127.0.0.1:{}", ports[0]);
    let secret = registered(&carnet, &origin);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("client.secret", secret.as_str()),
        ("bff.key", "0123456789abcdef0123456789abcdef"),
        ("store.url", url),
    ] {
        write_secret(&folder.path().join(name), text);
    }
    let gateways = ports.map(|port| {
        Gateway::start(
            folder.path(),
            port,
            &text(&carnet.base, &origin, (place, &service)),
        )
    });
    let browser = browser();
    for gateway in &gateways {
        gateway.ready(&browser).await;
    }

    let login = page(&browser, &format!("{origin}/bff/login?returnUrl=/")).await;
    let typed = [("username", EMAIL), ("password", PASSWORD), ("decision", "login")];
    let (_, welcome) = submit(&browser, &login, &typed).await;
    assert!(welcome.contains("Continue"), "{welcome}");
    let host = origin.trim_start_matches("http://").to_owned();
    let ask = |port: u16| ask(browser.clone(), host.clone(), port);
    let first = ask(ports[0]).await;
    assert_eq!((first.0, ask(ports[1]).await), (200, first.clone()));
    assert_eq!(issuer.refreshes.load(Ordering::SeqCst), 0);

    tokio::time::sleep(LIFE + Duration::from_millis(200)).await;
    let asked: tokio::task::JoinSet<_> = (0..200).map(|n| ask(ports[n % 2])).collect();
    let answers = asked.join_all().await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let tokens: BTreeSet<_> = answers.into_iter().map(|(_, token)| token).collect();
    assert!(tokens.len() == 1 && !tokens.contains(&first.1), "{tokens:?}");
    assert_eq!(issuer.refreshes.load(Ordering::SeqCst), 1);
}

/// Status and body of a call of the app, at one of the gateways.
async fn ask(browser: reqwest::Client, host: String, port: u16) -> (u16, String) {
    let call = browser.get(format!("http://127.0.0.1:{port}/api"));
    let call = call.header("X-CSRF", "1").header(HOST, host);
    let reply = call.send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

/// Of an access token. What is asked ahead of its end begins after half of it.
const LIFE: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_secs(8);

fn registered(carnet: &Carnet, origin: &str) -> String {
    let redirect_uri = format!("{origin}/bff/callback");
    let mut add = vec!["--json", "client", "add", "app", "--redirect-uri", &redirect_uri];
    add.extend([
        "--scope",
        "openid read:orders",
        "--consent",
        "none",
        "--access-ttl",
        "10s",
    ]);
    let added: serde_json::Value = serde_json::from_str(&carnet.command(&add, "")).unwrap();
    added["client_secret"].as_str().unwrap().to_owned()
}

fn text(issuer: &str, origin: &str, (place, service): (&str, &str)) -> String {
    format!(
        r#"
        [tokens]
        audience = "https://api.example.com"
        [[issuers]]
        issuer = "{issuer}"
        [bff]
        url = "{origin}"
        issuer = "{issuer}"
        client_id = "app"
        client_secret_file = "client.secret"
        key_file = "bff.key"
        scope = "openid read:orders"
        resources = ["https://api.example.com"]
        {place} = "store.url"
        dev_insecure_cookie = true
        [[upstreams]]
        name = "service"
        urls = ["{service}"]
        [[routes]]
        path = "/"
        public = true
        upstream = "service"
        [[routes]]
        path = "/api"
        session = true
        token = "forward"
        upstream = "service"
        "#
    )
}

/// A `carnet gateway` of the built binary.
struct Gateway {
    child: Child,
    base: String,
}

impl Gateway {
    fn start(folder: &Path, port: u16, text: &str) -> Self {
        let file = folder.join(format!("{port}.toml"));
        std::fs::write(&file, format!("[listen]\naddress = \"127.0.0.1:{port}\"\n{text}")).unwrap();
        let log = std::fs::File::create(folder.join(format!("{port}.log"))).unwrap();
        let mut command = Command::new(binary());
        command.args(["gateway", "--config"]).arg(file);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        }
    }

    async fn ready(&self, browser: &reqwest::Client) {
        for _ in 0..1_000 {
            if browser
                .get(&self.base)
                .send()
                .await
                .is_ok_and(|reply| reply.status() == 200)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} did not become ready", self.base);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service that answers with the token that it got.
async fn service() -> String {
    let answer = async |request: Request| {
        let token = request.headers().get(AUTHORIZATION);
        token.map_or_else(String::new, |token| token.to_str().unwrap().to_owned())
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    base
}

/// What stands in front of the authorization server, at the address of the issuer.
struct Slow {
    http: reqwest::Client,
    node: String,
    refreshes: AtomicUsize,
}

async fn slow_issuer(issuer: &str, node: &Carnet) -> Arc<Slow> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let slow = Arc::new(Slow {
        http: http.build().unwrap(),
        node: node.base.clone(),
        refreshes: AtomicUsize::new(0),
    });
    let router = Router::new().fallback(pass).with_state(slow.clone());
    let listener = tokio::net::TcpListener::bind(issuer.trim_start_matches("http://"))
        .await
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    slow
}

async fn pass(State(slow): State<Arc<Slow>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let refresh = b"grant_type=refresh_token";
    if body.windows(refresh.len()).any(|window| window == refresh) {
        slow.refreshes.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(SLOW).await;
    }
    let url = format!("{}{}", slow.node, parts.uri.path_and_query().unwrap());
    let call = slow
        .http
        .request(parts.method, url)
        .headers(parts.headers)
        .body(body);
    let reply = call.send().await.unwrap();
    let mut response = Response::builder().status(reply.status());
    let headers = reply.headers().iter();
    for (name, value) in headers.filter(|(name, _)| *name != TRANSFER_ENCODING && *name != CONTENT_LENGTH) {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.bytes().await.unwrap())).unwrap()
}
