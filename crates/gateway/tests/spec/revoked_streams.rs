//! Streams end with what opened them: WebSockets, event streams and gRPC calls of a token that was taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::followed::Scene;
use crate::harness::{Running, soon};
use crate::streams::{GRANTED, HANDSHAKE, echo, head, speaking};

#[tokio::test]
async fn gw_13_a_websocket_ends_with_the_session_that_opened_it() {
    let (address, seen) = echo(GRANTED).await;
    let service = Running {
        address: address.parse().unwrap(),
        _stop: oneshot::channel().0,
    };
    let scene = Scene::set("", service).await;
    let open = async |sid: &str| {
        let token = scene.token(sid);
        let (stream, head) = scene
            .opens(format!("{HANDSHAKE}Authorization: Bearer {token}\r\n\r\n"))
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
    // What is said after that reaches nobody.
    let _ = ended.write_all(b"after").await;
    other.write_all(b"still").await.unwrap();
    soon(other.read_exact(&mut [0; 5])).await.unwrap();
    assert!(!seen.lock().unwrap().contains("after"));
}

#[tokio::test]
async fn gw_13_a_client_that_reads_nothing_keeps_no_websocket_open() {
    // A service that never stops talking, in the middle of a frame.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (over, ended) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let endless = [GRANTED.as_bytes(), b"\x82\x7f\x00\xff\xff\xff\xff\xff\xff\xff"].concat();
        stream.write_all(&endless).await.unwrap();
        while stream.write_all(&[0; 4096]).await.is_ok() {}
        let _ = over.send(());
    });
    let service = Running {
        address,
        _stop: oneshot::channel().0,
    };
    let scene = Scene::set("", service).await;
    let token = scene.token("s1");
    let (_unread, head) = scene
        .opens(format!("{HANDSHAKE}Authorization: Bearer {token}\r\n\r\n"))
        .await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let begun = Instant::now();
    scene.ends_session("s1");
    soon(ended).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn gw_13_an_event_stream_ends_with_the_session_that_opened_it() {
    let (service, _say) = speaking("text/event-stream").await;
    let scene = Scene::set("", service).await;
    let token = scene.token("s1");
    let request = format!("GET /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    let (mut stream, head) = scene.opens(request).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    scene.ends_session("s1");
    let mut end = [0; 5];
    soon(stream.read_exact(&mut end)).await.unwrap();
    assert_eq!(&end, b"0\r\n\r\n");
}

#[tokio::test]
async fn gw_13_a_grpc_call_is_broken_off_both_ways_when_its_session_ends() {
    // A service that answers at once, and tells when the request is broken off.
    let (tell, told) = oneshot::channel();
    let tell = Arc::new(std::sync::Mutex::new(Some(tell)));
    let service = Router::new().fallback(move |request: axum::extract::Request| {
        let tell = tell.lock().unwrap().take().unwrap();
        tokio::spawn(async move { tell.send(request.into_body().collect().await.is_err()) });
        let silence = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>,
        >());
        async move { ([("content-type", "application/grpc")], Body::new(silence)) }
    });
    let scene = Scene::set("", Running::start(service).await).await;
    let token = scene.token("s1");
    let request = Request::post("http://api.test/grpc/Greeter/Talk")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {token}"));
    let unending = http_body_util::StreamBody::new(futures_util::stream::pending::<
        Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>,
    >());
    let stream = TcpStream::connect(scene.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io)
            .await
            .unwrap();
    tokio::spawn(connection);
    let response = soon(sender.send_request(request.body(Body::new(unending)).unwrap()))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    scene.ends_session("s1");
    // The client can tell it from a whole answer.
    assert!(soon(response.into_body().collect()).await.is_err());
    assert!(soon(told).await.unwrap());
}
