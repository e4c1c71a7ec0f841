//! What goes on after the head of an answer: WebSockets, event streams, gRPC.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Frame;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::harness::{Answer, Harness, NOW, Running, mirror, soon};

/// A service that takes every handshake, tells what it got, and sends everything back.
pub(crate) async fn echo(answer: &'static str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(String::new()));
    let got = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(send_back(stream, answer, got.clone()));
        }
    });
    (address, seen)
}

async fn send_back(mut stream: TcpStream, answer: &str, got: Arc<Mutex<String>>) {
    let tell = |bytes: &[u8]| got.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
    tell(head(&mut stream).await.as_bytes());
    stream.write_all(answer.as_bytes()).await.unwrap();
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        tell(&bytes[..count]);
        if stream.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(crate) const GRANTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nX-User-ID: leak\r\n\r\n";
pub(crate) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: api.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n";

async fn harness(address: &str) -> Harness {
    let text = format!(
        r#"
        [[upstreams]]
        name = "echo"
        urls = ["http://{address}"]
        [[routes]]
        path = "/ws"
        upstream = "echo"
        websocket = true
        websocket_origins = ["https://app.test"]
        [[routes]]
        path = "/kept"
        upstream = "echo"
        websocket = true
        at_expiry = "keep"
        [[routes]]
        path = "/plain"
        upstream = "echo"
        public = true
        "#
    );
    Harness::with(&text, mirror().await).await
}

async fn open(harness: &Harness, more: &str) -> (TcpStream, String) {
    let token = harness.issuer.token(&json!({}));
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let request = format!("{HANDSHAKE}Authorization: Bearer {token}\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await.to_ascii_lowercase();
    (stream, head)
}

#[tokio::test]
async fn a_websocket_goes_through_and_the_service_knows_who_asks() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    let (mut stream, head) = open(&harness, "X_User_ID: spoof\r\n").await;
    assert!(
        head.starts_with("http/1.1 101") && head.contains("upgrade: websocket"),
        "{head}"
    );
    assert!(!head.contains("leak"));
    for word in ["\x01frame", "\0\n\n"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut back = vec![0; word.len()];
        soon(stream.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, word.as_bytes());
    }
    let seen = seen.lock().unwrap().to_ascii_lowercase();
    assert!(
        seen.contains("x-user-id: user_1") && !seen.contains("spoof") && !seen.contains("bearer"),
        "{seen}"
    );
    assert!(
        seen.contains("upgrade: websocket") && seen.contains("connection: upgrade"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_websocket_ends_with_the_token() {
    let (address, _) = echo(GRANTED).await;
    let harness = harness(&address).await;
    // Within what clocks may be apart, and yet over.
    let token = harness.issuer.token(&json!({ "exp": NOW - 5 }));
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let request = format!("{HANDSHAKE}Authorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 101"));
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    // A close frame (RFC 6455 §5.5.1): 4401.
    assert_eq!(rest, [b"\x88\x0f\x11\x31".as_slice(), b"token expired"].concat());
    // A route may keep it.
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    stream
        .write_all(request.replace("/ws", "/kept").as_bytes())
        .await
        .unwrap();
    head(&mut stream).await;
    stream.write_all(b"still").await.unwrap();
    soon(stream.read_exact(&mut [0; 5])).await.unwrap();
}

#[tokio::test]
async fn a_handshake_is_whole_and_from_a_page_that_may() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    for (origin, status) in [
        ("", "101"),
        ("Origin: http://api.test\r\n", "101"),
        ("Origin: https://app.test\r\n", "101"),
        ("Origin: https://evil.test\r\n", "403"),
        ("Origin: null\r\n", "403"),
        ("Origin: https://app.test\r\nOrigin: https://evil.test\r\n", "403"),
    ] {
        let (_, head) = open(&harness, origin).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status}")),
            "{origin}: {head}"
        );
    }
    for (from, to) in [
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"),
        ("Sec-WebSocket-Key: x\r\n", ""),
        ("GET", "POST"),
        ("keep-alive, Upgrade", "keep-alive"),
    ] {
        let answer = harness
            .talk(&format!("{}\r\n", HANDSHAKE.replacen(from, to, 1)))
            .await;
        let answer = Answer::read(&answer);
        assert_eq!(
            (answer.status, answer.code()),
            (400, "websocket_invalid".to_owned()),
            "{to}"
        );
    }
    // Without a token there is no socket.
    let answer = harness
        .talk(&format!(
            "{HANDSHAKE}\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let handshakes = seen.lock().unwrap().matches("GET /ws").count();
    assert_eq!(handshakes, 3);
}

#[tokio::test]
async fn cve_2026_2833_nothing_passes_before_the_service_has_switched() {
    let (address, seen) = echo("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    let harness = harness(&address).await;
    let (mut stream, head) = open(&harness, "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    soon(stream.read_exact(&mut [0; 2])).await.unwrap();
    // What follows is a request to the gateway, not to the service.
    stream
        .write_all(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut rest = String::new();
    soon(stream.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 404"), "{rest}");
    assert!(!seen.lock().unwrap().contains("nowhere"));
}

#[tokio::test]
async fn no_other_protocol_is_taken_up() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    // Neither one that the client asks for, nor one that the service grants unasked.
    for upgrade in ["h2c", "websocket"] {
        let request = format!(
            "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close, http2-settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: x\r\n\r\n"
        );
        assert_eq!(Answer::read(&harness.talk(&request).await).status, 502);
    }
    let seen = seen.lock().unwrap().to_ascii_lowercase();
    assert!(
        !seen.contains("upgrade") && !seen.contains("http2-settings"),
        "{seen}"
    );
}

/// A service whose answers go on for as long as somebody has something to say.
pub(crate) async fn speaking(kind: &'static str) -> (Running, mpsc::UnboundedSender<Frame<Bytes>>) {
    let (say, said) = mpsc::unbounded_channel::<Frame<Bytes>>();
    let said = Arc::new(tokio::sync::Mutex::new(said));
    let router = Router::new().fallback(move || {
        let said = said.clone();
        let frames = futures_util::stream::unfold(said, async |said| {
            let frame = said.lock().await.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(frame), said))
        });
        async move {
            (
                [("content-type", kind)],
                Body::new(http_body_util::StreamBody::new(Box::pin(frames))),
            )
                .into_response()
        }
    });
    (Running::start(router).await, say)
}

#[tokio::test]
async fn an_event_arrives_when_it_happens_and_the_stream_ends_with_the_token() {
    let (service, say) = speaking("text/event-stream").await;
    let harness = Harness::with(crate::harness::USUAL, service).await;
    let token = harness.issuer.token(&json!({}));
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let request = format!("GET /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        say.send(Frame::data(Bytes::from(event))).unwrap();
        let mut chunk = vec![0; format!("9\r\n{event}\r\n").len()];
        soon(stream.read_exact(&mut chunk)).await.unwrap();
        assert!(String::from_utf8_lossy(&chunk).contains(event));
    }
    let over = harness.issuer.token(&json!({ "exp": NOW - 5 }));
    let answer = harness
        .get("/orders", &format!("Authorization: Bearer {over}\r\n"))
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "0\r\n\r\n"));
}

/// In front of a service that goes on, and patient when it stops.
async fn patient(kind: &'static str) -> (Harness, mpsc::UnboundedSender<Frame<Bytes>>) {
    let (service, say) = speaking(kind).await;
    let text = format!("[listen]\nshutdown_grace = \"10m\"\n{}", crate::harness::USUAL);
    (Harness::with(&text, service).await, say)
}

#[tokio::test]
async fn a_gateway_that_stops_ends_streams_at_once_and_lets_any_other_answer_end() {
    for (kind, endless) in [
        ("text/event-stream; charset=utf-8", true),
        ("multipart/x-mixed-replace; boundary=x", true),
        ("application/octet-stream", false),
        ("application/grpc", false),
    ] {
        let (harness, say) = patient(kind).await;
        let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
        let request = "GET /open HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"), "{kind}");
        say.send(Frame::data(Bytes::from("data: 1\n\n"))).unwrap();
        soon(stream.read_exact(&mut [0; 14])).await.unwrap();
        drop(harness.gateway);
        let mut rest = String::new();
        if !endless {
            say.send(Frame::data(Bytes::from("more"))).unwrap();
            let mut chunk = [0; 9];
            soon(stream.read_exact(&mut chunk)).await.unwrap();
            assert_eq!(chunk, *b"4\r\nmore\r\n", "{kind}");
            drop(say);
        }
        soon(stream.read_to_string(&mut rest)).await.unwrap();
        assert_eq!(rest, "0\r\n\r\n", "{kind}");
    }
}

#[tokio::test]
async fn a_gateway_that_stops_ends_streams_over_http2_at_once() {
    let (harness, say) = patient("text/event-stream").await;
    let request = Request::get("http://api.test/open").body(Body::empty());
    let mut body = harness.h2(request.unwrap()).await.into_body();
    say.send(Frame::data(Bytes::from("data: 1\n\n"))).unwrap();
    let first = soon(body.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
    drop(harness.gateway);
    // END_STREAM, and no error.
    let rest = soon(body.collect()).await.unwrap();
    assert!(rest.to_bytes().is_empty());
}

#[tokio::test]
async fn grpc_goes_through_with_its_trailers_and_no_others() {
    let (service, say) = speaking("application/grpc").await;
    let text =
        crate::harness::USUAL.replace("name = \"service\"", "name = \"service\"\nprotocol = \"http2\"");
    let harness = Harness::with(&text, service).await;
    let mut trailers = HeaderMap::new();
    for (name, value) in [
        ("grpc-status", "5"),
        ("grpc-message", "not%20found"),
        ("x-user-id", "leak"),
        ("set-cookie", "own=1"),
    ] {
        trailers.insert(name, value.parse().unwrap());
    }
    say.send(Frame::data(Bytes::from_static(b"\0\0\0\0\0"))).unwrap();
    say.send(Frame::trailers(trailers)).unwrap();
    drop(say);
    let token = harness.issuer.token(&json!({}));
    let request = Request::post("http://api.test/grpc/Greeter/Hello")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::new(Full::new(Bytes::from_static(b"\0\0\0\0\0"))));
    let response = harness.h2(request.unwrap()).await;
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let collected = soon(response.into_body().collect()).await.unwrap();
    let trailers = collected.trailers().unwrap();
    assert_eq!(
        (trailers.len(), &trailers["grpc-status"]),
        (2, &"5".parse().unwrap())
    );
    assert_eq!(collected.to_bytes().as_ref(), b"\0\0\0\0\0");
}
