//! WebSockets towards services over HTTP/2: an extended CONNECT (RFC 8441) for clients of either protocol.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::followed::Scene;
use crate::harness::{Harness, NOW, Running, mirror, soon};
use crate::sockets::{handshake, refusal, stream};
use crate::streams::{HANDSHAKE, head};

/// A service that speaks HTTP/2, and what it has seen.
#[derive(Clone)]
pub(crate) struct Service {
    /// The heads of its requests, and what came through tunnels.
    pub(crate) seen: Arc<Mutex<String>>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Tunnels that have ended.
    pub(crate) ends: Arc<AtomicUsize>,
    /// What it answers to a handshake; 200 opens a tunnel.
    pub(crate) answer: StatusCode,
    /// Whether its settings allow an extended CONNECT.
    pub(crate) extended: bool,
    /// How many streams it takes on a connection.
    pub(crate) streams: u32,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self {
            seen: Arc::default(),
            connections: Arc::default(),
            ends: Arc::default(),
            answer: StatusCode::OK,
            extended: true,
            streams: 200,
        }
    }

    pub(crate) async fn listen(&self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(service.clone().attend(stream));
            }
        });
        address
    }

    pub(crate) async fn attend(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.max_concurrent_streams(self.streams);
        if self.extended {
            http.enable_connect_protocol();
        }
        let answer = service_fn(move |request| std::future::ready(self.clone().answer(request)));
        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
    }

    fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, std::convert::Infallible> {
        let protocol = request.extensions().get::<Protocol>();
        let protocol = protocol.map(Protocol::as_str).unwrap_or_default().to_owned();
        let mut told = format!("{} {} :protocol={protocol}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            told += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        self.tell(&told);
        let mut response = Response::new(Body::from("no"));
        *response.status_mut() = self.answer;
        let headers = response.headers_mut();
        headers.insert("x-user-id", "leak".parse().unwrap());
        headers.insert("set-cookie", "own=1".parse().unwrap());
        if self.answer == StatusCode::OK && !protocol.is_empty() {
            headers.insert("sec-websocket-protocol", "chat".parse().unwrap());
            *response.body_mut() = Body::empty();
            let switched = hyper::upgrade::on(&mut request);
            tokio::spawn(async move { self.echo(TokioIo::new(switched.await.unwrap())).await });
        }
        Ok(response)
    }

    async fn echo(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            self.tell(&String::from_utf8_lossy(&bytes[..count]));
            if stream.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
        self.tell("<the end>");
        self.ends.fetch_add(1, Ordering::SeqCst);
    }

    fn tell(&self, what: &str) {
        self.seen.lock().unwrap().push_str(what);
    }

    pub(crate) fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn ended(&self) {
        soon(async {
            while !self.seen().ends_with("<the end>") {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A gateway in front of these servers.
pub(crate) async fn harness(urls: &[String], more: &str) -> Harness {
    let text = format!(
        r#"
        [admin]
        address = "127.0.0.1:0"
        [headers]
        own_cookies = ["own"]
        [[upstreams]]
        name = "echo"
        urls = {urls:?}
        protocol = "http2"
        {more}
        [[routes]]
        path = "/ws"
        upstream = "echo"
        websocket = true
        websocket_origins = ["https://app.test"]
        [[routes]]
        path = "/open"
        upstream = "echo"
        public = true
        "#
    );
    Harness::with(&text, mirror().await).await
}

pub(crate) async fn before(service: &Service) -> Harness {
    harness(&[format!("http://{}", service.listen().await)], "").await
}

/// A client of HTTP/1.1 that asks for a WebSocket.
pub(crate) async fn open(harness: &Harness, more: &str) -> (TcpStream, String) {
    let token = harness.issuer.token(&json!({}));
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let text = HANDSHAKE
        .replace("Key: x", "Key: dGhlIHNhbXBsZSBub25jZQ==")
        .replace("/ws", "/ws?a=b");
    let request = format!("{text}Authorization: Bearer {token}\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await.to_ascii_lowercase();
    (stream, head)
}

pub(crate) async fn is_echoed(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    for word in ["\x01frame", "\0\n\n"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut back = vec![0; word.len()];
        soon(stream.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, word.as_bytes());
    }
}

/// What a service is asked in (RFC 8441 §5), and nothing of HTTP/1.1 or of what clients may not say.
fn is_extended_connect(seen: &str, authority: &str) {
    let target = format!("CONNECT http://{authority}/ws?a=b :protocol=websocket\n");
    assert!(seen.contains(&target), "{target} {seen}");
    for line in [
        "x-user-id: user_1\n",
        "sec-websocket-version: 13\n",
        "sec-websocket-protocol: chat\n",
        "origin: https://app.test\n",
        "cookie: lang=de\n",
        "x-forwarded-host: api.test\n",
    ] {
        assert!(seen.contains(line), "{line} {seen}");
    }
    for word in [
        "spoof",
        "Bearer",
        "secret",
        "connection:",
        "upgrade:",
        "sec-websocket-key",
        "\nhost:",
    ] {
        assert!(!seen.contains(word), "{word} {seen}");
    }
}

const SAID: &str = "X_User_ID: spoof\r\nCookie: own=secret; lang=de\r\nOrigin: https://app.test\r\nSec-WebSocket-Protocol: chat\r\n";

#[tokio::test]
async fn a_client_of_h1_has_a_websocket_with_a_service_of_h2() {
    let service = Service::new();
    let address = service.listen().await;
    let harness = harness(&[format!("http://{address}")], "").await;
    let (mut stream, head) = open(&harness, SAID).await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    for line in [
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        // RFC 6455 §1.3, of the key there.
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
        "sec-websocket-protocol: chat\r\n",
    ] {
        assert!(head.contains(line), "{line} {head}");
    }
    assert!(
        !head.contains("leak") && !head.contains("own=1") && !head.contains("content-length"),
        "{head}"
    );
    is_echoed(&mut stream).await;
    is_extended_connect(&service.seen(), &address);
    // Its end is told to the service.
    drop(stream);
    service.ended().await;
}

#[tokio::test]
async fn a_client_of_h2_has_a_websocket_with_a_service_of_h2() {
    let service = Service::new();
    let address = service.listen().await;
    let harness = harness(&[format!("http://{address}")], "").await;
    let more = [
        ("x_user_id", "spoof"),
        ("cookie", "own=secret; lang=de"),
        ("sec-websocket-key", "spoof"),
        ("origin", "https://app.test"),
    ];
    let response = harness
        .h2(handshake(&harness, "/ws?a=b", (&json!({}), &more)))
        .await;
    assert_eq!(response.status(), 200);
    let headers: &HeaderMap = response.headers();
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    for name in [
        "sec-websocket-accept",
        "x-user-id",
        "set-cookie",
        "upgrade",
        "connection",
    ] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
    let mut stream = stream(response).await;
    is_echoed(&mut stream).await;
    is_extended_connect(&service.seen(), &address);
    drop(stream);
    service.ended().await;
}

#[tokio::test]
async fn a_websocket_with_a_service_of_h2_ends_with_the_token() {
    let service = Service::new();
    let harness = before(&service).await;
    let request = handshake(&harness, "/ws", (&json!({ "exp": NOW - 5 }), &[]));
    let mut extended = stream(harness.h2(request).await).await;
    let token = harness.issuer.token(&json!({ "exp": NOW - 5 }));
    let mut switched = TcpStream::connect(harness.gateway.address).await.unwrap();
    let request = format!("{HANDSHAKE}Authorization: Bearer {token}\r\n\r\n");
    switched.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut switched).await.starts_with("HTTP/1.1 101"));
    let (mut one, mut other) = (Vec::new(), Vec::new());
    soon(extended.read_to_end(&mut one)).await.unwrap();
    soon(switched.read_to_end(&mut other)).await.unwrap();
    for rest in [one, other] {
        assert_eq!(rest, [b"\x88\x0f\x11\x31".as_slice(), b"token expired"].concat());
    }
    service.ended().await;
}

#[tokio::test]
async fn gw_13_a_websocket_with_a_service_of_h2_ends_with_the_session_that_opened_it() {
    let service = Service::new();
    let address = service.listen().await;
    let running = Running {
        address: address.parse().unwrap(),
        _stop: oneshot::channel().0,
    };
    let scene = Scene::set("", running).await;
    let open = async |sid: &str| {
        let token = scene.token(sid);
        let request = HANDSHAKE.replace("/ws", "/grpc/ws");
        let (stream, head) = scene
            .opens(format!("{request}Authorization: Bearer {token}\r\n\r\n"))
            .await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        stream
    };
    let (mut ended, mut other) = (open("s1").await, open("s2").await);
    let begun = Instant::now();
    scene.ends_session("s1");
    let mut rest = Vec::new();
    soon(ended.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, [b"\x88\x0f\x11\x31".as_slice(), b"token revoked"].concat());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    service.ended().await;
    is_echoed(&mut other).await;
}

#[tokio::test]
async fn rules_hold_before_a_service_of_h2_is_asked() {
    let service = Service::new();
    let harness = before(&service).await;
    for (path, claims, more, expected) in [
        (
            "/ws",
            json!({}),
            vec![("origin", "https://evil.test")],
            (403, "origin_refused"),
        ),
        (
            "/ws",
            json!({}),
            vec![("sec-websocket-version", "8")],
            (400, "websocket_invalid"),
        ),
        ("/ws", json!({ "exp": NOW - 60 }), vec![], (401, "token_expired")),
        ("/open", json!({}), vec![], (501, "protocol_unknown")),
    ] {
        let (status, code) = refusal(&harness, handshake(&harness, path, (&claims, &more))).await;
        assert_eq!((status, code.as_str()), expected, "{path} {more:?}");
    }
    let (_, head) = open(&harness, "Origin: https://evil.test\r\n").await;
    assert!(head.starts_with("http/1.1 403"), "{head}");
    assert_eq!((service.connections(), service.seen()), (0, String::new()));
}

#[tokio::test]
async fn only_a_service_that_takes_the_connect_grants_a_tunnel() {
    for (answer, expected) in [
        (StatusCode::FORBIDDEN, 403),
        (StatusCode::UPGRADE_REQUIRED, 426),
        // A CONNECT is granted by any success: this is another thing than was asked for.
        (StatusCode::NO_CONTENT, 502),
        (StatusCode::CREATED, 502),
    ] {
        let service = Service {
            answer,
            ..Service::new()
        };
        let harness = before(&service).await;
        let response = harness.h2(handshake(&harness, "/ws", (&json!({}), &[]))).await;
        assert_eq!(response.status().as_u16(), expected, "{answer}");
        let (_, head) = open(&harness, "").await;
        assert!(
            head.starts_with(&format!("http/1.1 {expected}")),
            "{answer} {head}"
        );
        assert!(!head.contains("upgrade: websocket"), "{head}");
    }
}

#[tokio::test]
async fn a_service_whose_settings_do_not_allow_it_is_not_asked_and_not_taken_for_ill() {
    let service = Service {
        extended: false,
        ..Service::new()
    };
    let urls = [service.listen().await, service.listen().await].map(|address| format!("http://{address}"));
    let harness = harness(&urls, "eject_after = 1").await;
    for _ in 0..3 {
        let (status, code) = refusal(&harness, handshake(&harness, "/ws", (&json!({}), &[]))).await;
        assert_eq!((status, code.as_str()), (502, "upstream_no_websocket"));
        let (_, head) = open(&harness, "").await;
        assert!(head.starts_with("http/1.1 502"), "{head}");
    }
    assert_eq!(service.seen(), "");
    // What each has said is believed for a while.
    assert_eq!(service.connections(), 2);
    let metrics = harness.metrics().await;
    assert_eq!(metrics.matches("carnet_gateway_server_asked{").count(), 2);
    assert!(
        !metrics
            .lines()
            .any(|line| line.starts_with("carnet_gateway_server_asked{") && line.ends_with(" 0"))
    );
    assert_eq!(harness.get("/open", "").await.status, 200);
}
