//! An issuer, a service that tells what it got, and the gateway between them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_gateway::{Gateway, load};
use carnet_guard::testing::TestClock;
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use carnet_listen::value::Address;
use carnet_listen::{ListenConfig, Listener};
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub(crate) const AUDIENCE: &str = "https://api.test";
pub(crate) const ISSUER: &str = "https://issuer.test";

/// Makes tokens.
pub(crate) struct Issuer {
    signer: Signer,
    /// Signs what it tells of revocations.
    pub(crate) messages: Signer,
    pub(crate) jwks: String,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        crate::log::keep();
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k1".to_owned()), key.verifying_key())]).unwrap();
        let same = AnySigningKey::from_jwk(&key.to_jwk_private().unwrap()).unwrap();
        let typ = TokenType::Other(carnet_oauth::revocation::TYPE);
        Self {
            messages: Signer::new(same, typ, Some("k1".to_owned())).unwrap(),
            signer: Signer::new(key, TokenType::AccessToken, Some("k1".to_owned())).unwrap(),
            jwks: set.to_jwks_json().unwrap(),
        }
    }

    /// A token about `user_1`, an editor who may read orders, with these claims as well.
    pub(crate) fn token(&self, more: &Value) -> String {
        let mut claims: Map<String, Value> = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "user_1", "client_id": "web", "jti": "j1",
            "iat": NOW, "exp": NOW + 600, "scope": "read:orders", "roles": ["editor", "reviewer"],
        })
        .as_object()
        .unwrap()
        .clone();
        claims.extend(more.as_object().cloned().unwrap_or_default());
        self.signer.sign(&claims).unwrap()
    }
}

/// When these tests happen.
pub(crate) const NOW: u64 = 1_800_000_000;

/// Something that listens until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) _stop: oneshot::Sender<()>,
}

impl Running {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = Listener::bind(ListenConfig {
            head_bytes: 128 * 1024,
            ..ListenConfig::default()
        })
        .await
        .unwrap();
        let address = at(listener.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(listener.serve(router, async { drop(stopped.await) }));
        Self { address, _stop: stop }
    }
}

/// A service that answers with what it was asked.
pub(crate) async fn mirror() -> Running {
    Running::start(Router::new().fallback(reflect)).await
}

async fn reflect(request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let collected = body.collect().await;
    let (trailers, bytes, whole) = match collected {
        Ok(collected) => {
            let trailers = collected.trailers().cloned().unwrap_or_default();
            (trailers, collected.to_bytes(), true)
        }
        Err(_) => (HeaderMap::new(), bytes::Bytes::new(), false),
    };
    let seen = json!({
        "method": parts.method.as_str(),
        "target": parts.uri.path_and_query().map(ToString::to_string),
        "version": format!("{:?}", parts.version),
        "headers": pairs(&parts.headers),
        "trailers": pairs(&trailers),
        "body": String::from_utf8_lossy(&bytes),
        "whole": whole,
    });
    let mut response = Response::new(Body::from(seen.to_string()));
    let headers = response.headers_mut();
    headers.insert("x-user-id", "the-service".parse().unwrap());
    headers.append("set-cookie", "own=1; Path=/".parse().unwrap());
    headers.append("set-cookie", "theirs=1".parse().unwrap());
    response
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

/// What a service was asked, as [`mirror`] tells it.
pub(crate) struct Seen(pub(crate) Value);

impl Seen {
    /// The values of a header, under every name that a CGI server makes one variable of.
    pub(crate) fn folded(&self, name: &str) -> Vec<String> {
        let wanted = variable(name);
        self.pairs("headers")
            .into_iter()
            .filter(|(name, _)| variable(name) == wanted)
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.folded(name);
        assert!(found.len() < 2, "{name} twice: {found:?}");
        found.into_iter().next()
    }

    pub(crate) fn pairs(&self, member: &str) -> Vec<(String, String)> {
        serde_json::from_value(self.0[member].clone()).unwrap()
    }
}

/// RFC 3875 §4.1.18, as PHP and WSGI read it.
fn variable(name: &str) -> String {
    let fold = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().map(fold).collect()
}

/// The gateway, in front of one service.
pub(crate) struct Harness {
    pub(crate) issuer: Issuer,
    pub(crate) gateway: Running,
    pub(crate) service: Running,
    pub(crate) clock: TestClock,
    /// Where proxies ask.
    pub(crate) side: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    _folder: TempDir,
}

/// Routes that most tests need: `/open` for everybody, `/orders` with a token, `/admin` for admins.
pub(crate) const USUAL: &str = r#"
    [headers]
    own_cookies = ["own"]
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/open"
    public = true
    upstream = "service"
    [[routes]]
    path = "/orders"
    require = ["scope:read:orders"]
    upstream = "service"
    [[routes]]
    path = "/admin"
    require = ["role:admin"]
    upstream = "service"
    [[routes]]
    path = "/grpc"
    require_any = ["scope:none", "scope:read:orders"]
    upstream = "service"
    methods = ["GET", "POST"]
    token = "forward"
"#;

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(USUAL, mirror().await).await
    }

    /// `{service}` in the text is the address of the service.
    pub(crate) async fn with(text: &str, service: Running) -> Self {
        let text = format!(
            "[tokens]\naudience = {AUDIENCE:?}\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{text}"
        );
        Self::written(&text, service).await
    }

    /// With this configuration and nothing else.
    pub(crate) async fn written(text: &str, service: Running) -> Self {
        let issuer = Issuer::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), &issuer.jwks).unwrap();
        secret(&folder, "client.secret", "s3cret");
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        secret(&folder, "assertion.pem", &key.to_pkcs8_pem().unwrap());
        let text = text.replace("{service}", &service.address.to_string());
        let clock = TestClock::at(NOW);
        let file = folder.path().join("gateway.toml");
        let (gateway, [side, admin]) = run(&text, &file, clock.clone()).await;
        Self {
            issuer,
            gateway,
            service,
            clock,
            side,
            admin,
            _folder: folder,
        }
    }

    /// As operators see it.
    pub(crate) async fn metrics(&self) -> String {
        talk(
            self.admin.unwrap(),
            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await
    }

    /// Sends these bytes and reads until the gateway closes.
    pub(crate) async fn talk(&self, bytes: &str) -> String {
        talk(self.gateway.address, bytes).await
    }

    /// Sends a request without a body over HTTP/1.1; `{token}` in it is a valid token.
    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        let headers = headers.replace("{token}", &self.issuer.token(&json!({})));
        let text = format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n{headers}Connection: close\r\n\r\n");
        Answer::read(&self.talk(&text).await)
    }

    /// Sends a request over HTTP/2.
    pub(crate) async fn h2(&self, request: http::Request<Body>) -> Response<hyper::body::Incoming> {
        h2_at(self.gateway.address, request).await
    }
}

/// Sends a request over HTTP/2 on a connection of its own.
pub(crate) async fn h2_at(
    address: SocketAddr,
    request: http::Request<Body>,
) -> Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    soon(sender.send_request(request)).await.unwrap()
}

/// A file that is its owner's alone.
fn secret(folder: &TempDir, name: &str, text: &str) {
    assert!(carnet_listen::secret_file::create(&folder.path().join(name), text.as_bytes()).unwrap());
}

async fn run(text: &str, file: &Path, clock: TestClock) -> (Running, [Option<SocketAddr>; 2]) {
    let mut config = load::parse(text, file).unwrap();
    config.listen.address = "127.0.0.1:0".parse().unwrap();
    if let Some(side) = &mut config.forward_auth {
        side.address = "127.0.0.1:0".parse().unwrap();
    }
    let site = Site::build(&config, Arc::new(clock), None).await.unwrap();
    let server = Server::bind(Gateway::new(site), &config).await.unwrap();
    let (address, beside) = (
        at(server.local_addr()),
        [server.forward_auth_addr().map(at), server.admin_addr().map(at)],
    );
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(None, async { drop(stopped.await) }));
    (Running { address, _stop: stop }, beside)
}

/// The port of a listener that has one.
pub(crate) fn at(address: &Address) -> SocketAddr {
    address.tcp().unwrap()
}

/// Sends these bytes and reads until the other side closes.
pub(crate) async fn talk(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Fails the test rather than hanging it.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it takes far too long")
}

/// An answer in HTTP/1.1 with a length.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// What the service saw.
    pub(crate) fn seen(&self) -> Seen {
        assert_eq!(self.status, 200, "{self:?}");
        Seen(serde_json::from_str(&self.body).unwrap())
    }

    /// The stable code of a refusal.
    pub(crate) fn code(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}
