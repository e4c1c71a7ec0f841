//! WebSockets over HTTP/2: an extended CONNECT, under the rules that a handshake over HTTP/1.1 has (RFC 8441).

use std::sync::{Arc, Mutex};

use axum::body::Body;
use carnet_jose::{base64url, primitive};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Harness, NOW, mirror, soon};

/// A service that answers every handshake with this, tells what it got, and sends everything back. `{accept}` is the proof for the key.
async fn echo(answer: &'static str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(String::new()));
    let got = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, got.clone()));
        }
    });
    (address, seen)
}

pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &'static str,
    seen: Arc<Mutex<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push_str(&head.to_ascii_lowercase());
    let key = head.lines().find_map(|line| {
        line.split_once(": ")
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
    });
    let proof = primitive::sha1(format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.unwrap().1).as_bytes());
    let proof = base64url::encode(&proof).replace('-', "+").replace('_', "/") + "=";
    let answer = answer.replace("{accept}", &proof);
    stream.write_all(answer.as_bytes()).await.unwrap();
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        seen.lock()
            .unwrap()
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
        if stream.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    seen.lock().unwrap().push_str("<the end>");
}

const GRANTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nX-User-ID: leak\r\n\
                       Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: own=1\r\n\r\n";

async fn harness(address: &str) -> Harness {
    let text = format!(
        r#"
        [headers]
        own_cookies = ["own"]
        [[upstreams]]
        name = "echo"
        urls = ["http://{address}"]
        [[routes]]
        path = "/ws"
        upstream = "echo"
        websocket = true
        websocket_origins = ["https://app.test"]
        methods = ["GET"]
        [[routes]]
        path = "/posts"
        upstream = "echo"
        websocket = true
        methods = ["POST"]
        [[routes]]
        path = "/admin"
        upstream = "echo"
        websocket = true
        require = ["role:admin"]
        [[routes]]
        path = "/plain"
        upstream = "echo"
        public = true
        "#
    );
    Harness::with(&text, mirror().await).await
}

/// A connection to the gateway.
async fn connect(harness: &Harness) -> SendRequest<Body> {
    let stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

/// An extended CONNECT with a token of these claims, and these headers as well.
pub(crate) fn handshake(
    harness: &Harness,
    path: &str,
    (claims, more): (&Value, &[(&str, &str)]),
) -> Request<Body> {
    let token = harness.issuer.token(claims);
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://api.test{path}"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .header("authorization", format!("Bearer {token}"))
        .extension(Protocol::from_static("websocket"))
        .body(Body::empty())
        .unwrap();
    for (name, value) in more {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_str(value).unwrap();
        if name == "sec-websocket-version" {
            request.headers_mut().insert(name, value);
        } else {
            request.headers_mut().append(name, value);
        }
    }
    request
}

async fn answer(harness: &Harness, request: Request<Body>) -> Response<Incoming> {
    let mut sender = connect(harness).await;
    soon(sender.send_request(request)).await.unwrap()
}

/// The status, and the stable code of a refusal.
pub(crate) async fn refusal(harness: &Harness, request: Request<Body>) -> (u16, String) {
    let response = answer(harness, request).await;
    let status = response.status().as_u16();
    let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

pub(crate) async fn stream(response: Response<Incoming>) -> TokioIo<Upgraded> {
    TokioIo::new(soon(hyper::upgrade::on(response)).await.unwrap())
}

#[tokio::test]
async fn a_websocket_over_h2_goes_through_and_the_service_knows_who_asks() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    let more = [
        ("x_user_id", "spoof"),
        ("cookie", "own=secret; lang=de"),
        ("sec-websocket-key", "the client's"),
        ("origin", "https://app.test"),
    ];
    let response = answer(&harness, handshake(&harness, "/ws?a=b", (&json!({}), &more))).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers();
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    for name in ["sec-websocket-accept", "x-user-id", "set-cookie", "upgrade"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
    let mut socket = stream(response).await;
    for word in ["\x01frame", "\0\n\n"] {
        socket.write_all(word.as_bytes()).await.unwrap();
        let mut back = vec![0; word.len()];
        soon(socket.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, word.as_bytes());
    }
    let seen = seen.lock().unwrap().clone();
    assert!(seen.starts_with("get /ws?a=b http/1.1\r\n"), "{seen}");
    for line in [
        "x-user-id: user_1\r\n",
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        "sec-websocket-version: 13\r\n",
        "sec-websocket-protocol: chat\r\n",
        "cookie: lang=de\r\n",
    ] {
        assert!(seen.contains(line), "{line} {seen}");
    }
    for word in ["spoof", "bearer", "secret", "the client's", ":protocol"] {
        assert!(!seen.contains(word), "{word} {seen}");
    }
}

#[tokio::test]
async fn a_websocket_over_h2_ends_with_the_token() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    let request = handshake(&harness, "/ws", (&json!({ "exp": NOW - 5 }), &[]));
    let mut socket = stream(answer(&harness, request).await).await;
    let mut rest = Vec::new();
    soon(socket.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, [b"\x88\x0f\x11\x31".as_slice(), b"token expired"].concat());
    soon(async {
        while !seen.lock().unwrap().ends_with("<the end>") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_does_not_outlive_its_token() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    let request = handshake(&harness, "/ws", (&json!({ "exp": NOW + 1 }), &[]));
    let mut sender = connect(&harness).await;
    let mut socket = stream(soon(sender.send_request(request)).await.unwrap()).await;
    // All of it comes back and none of it is read, so that nothing else can be told to the client.
    let flood = async {
        while socket.write_all(&[b'x'; 1024]).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let ended = async {
        while !seen.lock().unwrap().ends_with("<the end>") {
            tokio::task::yield_now().await;
        }
    };
    soon(async {
        tokio::select! { () = flood => {}, () = ended => {} }
    })
    .await;
}

#[tokio::test]
async fn a_handshake_over_h2_is_whole_and_from_a_page_that_may() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
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
            vec![("origin", "null")],
            (403, "origin_refused"),
        ),
        (
            "/ws",
            json!({}),
            vec![("origin", "https://app.test"), ("origin", "https://evil.test")],
            (403, "origin_refused"),
        ),
        (
            "/ws",
            json!({}),
            vec![("sec-websocket-version", "8")],
            (400, "websocket_invalid"),
        ),
        ("/ws", json!({ "exp": NOW - 60 }), vec![], (401, "token_expired")),
        ("/admin", json!({}), vec![], (403, "insufficient_scope")),
        // It is a GET: what is for other methods does not take it.
        ("/posts", json!({}), vec![], (405, "method_not_allowed")),
        ("/nowhere", json!({}), vec![], (404, "route_unknown")),
        ("/ws/../admin/%2f", json!({}), vec![], (400, "path_invalid")),
        // Over HTTP/1.1 this would be a plain GET; the answer to one would grant a tunnel here.
        ("/plain", json!({}), vec![], (501, "protocol_unknown")),
    ] {
        let (status, code) = refusal(&harness, handshake(&harness, path, (&claims, &more))).await;
        assert_eq!((status, code.as_str()), expected, "{path} {more:?}");
    }
    let mut other = handshake(&harness, "/ws", (&json!({}), &[]));
    other
        .extensions_mut()
        .insert(Protocol::from_static("connect-udp"));
    assert_eq!(
        refusal(&harness, other).await,
        (501, "protocol_unknown".to_owned())
    );
    assert_eq!(*seen.lock().unwrap(), "");
}

#[tokio::test]
async fn gw_07_a_plain_connect_stays_refused_over_h2() {
    let harness = Harness::start().await;
    let request = Request::builder().method(Method::CONNECT).uri("api.test:80");
    let refused = refusal(&harness, request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused, (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn only_a_service_that_switches_grants_a_tunnel_over_h2() {
    for (said, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", 502),
        ("HTTP/1.1 204 No Content\r\n\r\n", 502),
        (
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno",
            426,
        ),
        // An answer to somebody else's handshake (RFC 6455 §4.1).
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            502,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            502,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
            502,
        ),
    ] {
        let (address, _) = echo(said).await;
        let harness = harness(&address).await;
        let response = answer(&harness, handshake(&harness, "/ws", (&json!({}), &[]))).await;
        assert_eq!(response.status().as_u16(), expected, "{said}");
    }
}

#[tokio::test]
async fn cve_2025_64763_what_follows_a_connect_at_once_reaches_no_service_that_does_not_switch() {
    let (address, seen) = echo("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let harness = harness(&address).await;
    let mut sender = connect(&harness).await;
    let mut request = handshake(&harness, "/ws", (&json!({}), &[]));
    *request.body_mut() = Body::from("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    // hyper sends no body with a CONNECT, or resets the stream: either way nothing arrives.
    let _ = soon(sender.send_request(request)).await;
    assert!(!seen.lock().unwrap().contains("smuggled"));
}

#[tokio::test]
async fn every_websocket_is_told_when_the_gateway_stops_and_none_holds_it_up() {
    let (address, seen) = echo(GRANTED).await;
    let harness = harness(&address).await;
    let mut over_h2 = stream(answer(&harness, handshake(&harness, "/ws", (&json!({}), &[]))).await).await;
    let mut over_h1 = TcpStream::connect(harness.gateway.address).await.unwrap();
    let token = harness.issuer.token(&json!({}));
    let request = format!(
        "{}Authorization: Bearer {token}\r\n\r\n",
        crate::streams::HANDSHAKE
    );
    over_h1.write_all(request.as_bytes()).await.unwrap();
    assert!(
        crate::streams::head(&mut over_h1)
            .await
            .starts_with("HTTP/1.1 101")
    );
    drop(harness.gateway);
    for socket in [&mut over_h2 as &mut (dyn AsyncRead + Unpin), &mut over_h1] {
        let mut rest = Vec::new();
        soon(socket.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, [b"\x88\x0c\x03\xe9".as_slice(), b"going away"].concat());
    }
    soon(async {
        while seen.lock().unwrap().matches("<the end>").count() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
