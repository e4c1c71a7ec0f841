//! An issuer that tells what it takes back, and a gateway that follows it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use carnet_gateway::reload::Reload;
use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_gateway::{Gateway, load};
use carnet_guard::testing::TestClock;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::harness::{AUDIENCE, Answer, ISSUER, Issuer, NOW, Running, at, soon, talk};
use crate::streams::head;

pub(crate) const SECRET: &str = "a-secret-of-the-feed";
/// RFC 7617 §2: the name of the gateway, and that.
const CREDENTIALS: &str = "Basic Z2F0ZXdheTphLXNlY3JldC1vZi10aGUtZmVlZA==";

/// What an issuer tells: the same to everybody who asks, until it says something else.
pub(crate) struct Feed {
    pub(crate) says: watch::Sender<Option<String>>,
    /// How often somebody has begun to follow, and how often somebody was not known.
    pub(crate) begun: Arc<AtomicUsize>,
    pub(crate) unknown: Arc<AtomicUsize>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            says: watch::Sender::new(None),
            begun: Arc::default(),
            unknown: Arc::default(),
        }
    }

    pub(crate) async fn listen(&self, listener: TcpListener) {
        let (said, begun, unknown) = (self.says.clone(), self.begun.clone(), self.unknown.clone());
        let answer = async move |headers: HeaderMap, uri: http::Uri| {
            let known = headers.get("authorization");
            if known.is_none_or(|known| *known != CREDENTIALS) {
                unknown.fetch_add(1, Ordering::SeqCst);
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let message = said.borrow().clone();
            let Some(message) = message else {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            };
            if uri.query().is_none() {
                begun.fetch_add(1, Ordering::SeqCst);
            }
            // A stream that ends: whoever follows goes on where it was.
            (
                [("content-type", "text/event-stream")],
                format!("data: {message}\n\n"),
            )
                .into_response()
        };
        let router = Router::new().route("/revocations", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
}

/// A gateway that follows.
pub(crate) struct Scene {
    pub(crate) issuer: Issuer,
    pub(crate) feed: Feed,
    pub(crate) clock: TestClock,
    _service: Running,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) side: std::net::SocketAddr,
    pub(crate) admin: std::net::SocketAddr,
    pub(crate) reload: Reload,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) text: String,
    _stop: oneshot::Sender<()>,
}

impl Scene {
    /// `more` goes on in the table of the feed. The issuer has taken nothing back.
    pub(crate) async fn set(more: &str, service: Running) -> Self {
        Self::with(more, service, &Value::Null).await
    }

    pub(crate) async fn with(more: &str, service: Running, first: &Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/revocations", listener.local_addr().unwrap());
        let (issuer, feed) = (Issuer::new(), Feed::new());
        feed.listen(listener).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), &issuer.jwks).unwrap();
        secret(folder.path(), "feed.secret", SECRET);
        let text = configuration(&service, &format!("url = {url:?}, {more}"));
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, &text).unwrap();
        let clock = TestClock::at(NOW);
        if !first.is_string() {
            say(&issuer, &feed, first);
        }
        let config = load::load(&file).unwrap();
        let site = Site::build(&config, Arc::new(clock.clone()), None).await;
        let gateway = Gateway::new(site.unwrap());
        let server = Server::bind(gateway.clone(), &config).await.unwrap();
        let (address, side) = (at(server.local_addr()), at(server.forward_auth_addr().unwrap()));
        let admin = at(server.admin_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(None, async { drop(stopped.await) }));
        Self {
            reload: Reload::new(gateway, file, Arc::new(clock.clone())),
            issuer,
            feed,
            clock,
            _service: service,
            address,
            side,
            admin,
            folder,
            text,
            _stop: stop,
        }
    }

    /// From now on this is taken back, and nothing else.
    pub(crate) fn says(&self, entry: &Value) {
        say(&self.issuer, &self.feed, entry);
    }

    pub(crate) fn ends_session(&self, sid: &str) {
        self.says(&json!({ "kind": "sid", "value": sid, "exp": NOW + 900 }));
    }

    pub(crate) fn token(&self, sid: &str) -> String {
        self.issuer.token(&json!({ "sid": sid }))
    }

    pub(crate) async fn asks(&self, path: &str, token: &str) -> Answer {
        let head = format!("GET {path} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n");
        Answer::read(
            &talk(
                self.address,
                &format!("{head}Authorization: Bearer {token}\r\n\r\n"),
            )
            .await,
        )
    }

    pub(crate) async fn operator(&self, path: &str) -> Answer {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Answer::read(&talk(self.admin, &head).await)
    }

    /// Until the answer is this one.
    pub(crate) async fn becomes(&self, token: &str, status: u16) {
        soon(async {
            while self.asks("/orders", token).await.status != status {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }

    pub(crate) async fn opens(&self, request: String) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        (stream, head)
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("gateway.toml"), text).unwrap();
    }
}

/// Each time of another history, so that it counts as a whole set.
pub(crate) fn say(issuer: &Issuer, feed: &Feed, entry: &Value) {
    static EPOCH: AtomicUsize = AtomicUsize::new(0);
    let epoch = EPOCH.fetch_add(1, Ordering::SeqCst).to_string();
    let entries: Vec<&Value> = Some(entry).filter(|entry| !entry.is_null()).into_iter().collect();
    let claims = json!({ "iss": ISSUER, "aud": "gateway", "iat": NOW, "epoch": epoch, "since": 0, "cursor": 1, "entries": entries });
    feed.says
        .send_replace(Some(issuer.messages.sign(&claims).unwrap()));
}

pub(crate) fn secret(folder: &Path, name: &str, text: &str) {
    assert!(carnet_listen::secret_file::create(&folder.join(name), text.as_bytes()).unwrap());
}

pub(crate) fn configuration(service: &Running, feed: &str) -> String {
    let address = service.address;
    format!(
        r#"
        [listen]
        address = "127.0.0.1:0"
        [admin]
        address = "127.0.0.1:0"
        [forward_auth]
        address = "127.0.0.1:0"
        dialects = ["nginx"]
        [tokens]
        audience = {AUDIENCE:?}
        [[issuers]]
        issuer = {ISSUER:?}
        jwks_file = "jwks.json"
        revocations = {{ client_id = "gateway", client_secret_file = "feed.secret", {feed} }}
        [[upstreams]]
        name = "service"
        urls = ["http://{address}"]
        [[upstreams]]
        name = "grpc"
        urls = ["http://{address}"]
        protocol = "http2"
        [[routes]]
        path = "/orders"
        upstream = "service"
        [[routes]]
        path = "/other"
        audience = "https://other.test"
        upstream = "service"
        [[routes]]
        path = "/ws"
        upstream = "service"
        websocket = true
        at_expiry = "keep"
        [[routes]]
        path = "/grpc"
        upstream = "grpc"
        methods = ["POST"]
        [[routes]]
        path = "/grpc/ws"
        upstream = "grpc"
        websocket = true
        "#
    )
}
