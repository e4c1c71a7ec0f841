//! Spec tests of consumers of the revocation feed that take nothing: real sockets, and nobody reads.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use carnet_store::Reason;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Server, secret_of};
use crate::revocations_followed::Node;

/// One place, and a set that is larger than the buffers of a connection.
async fn crowded(entries: usize) -> (Server, Node) {
    let server = Server::with("[revocation_feed]\nheartbeat = \"100ms\"\nmax_consumers = 1").await;
    let (store, cut) = (&server.app.store, &server.cut(Reason::Revoked));
    for batch in 0..entries / 100 {
        let revoked = (0..100).map(|n| {
            let value = format!("{batch:0>400}.{n:0>22}");
            async move { store.revoke_token(&value, cut).await.unwrap() }
        });
        futures_util::future::join_all(revoked).await;
    }
    let node = Node::start(&server, 0).await;
    (server, node)
}

fn credentials() -> String {
    let basic = format!("orders-api:{}", secret_of("orders.secret"));
    format!("Basic {}", data_encoding::BASE64.encode(basic.as_bytes()))
}

fn asks() -> String {
    format!(
        "GET /revocations HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: {}\r\n\r\n",
        credentials()
    )
}

/// What somebody else is answered who wants to follow.
async fn status(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(asks().as_bytes()).await.unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.unwrap();
    String::from_utf8(line.to_vec()).unwrap()
}

/// How long the place stays taken.
async fn freed(node: &Node) -> Duration {
    let begun = Instant::now();
    assert_eq!(status(node.address).await, "HTTP/1.1 503");
    while status(node.address).await != "HTTP/1.1 200" {
        assert!(begun.elapsed() < SOON, "the place is still taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn ds_01_a_consumer_that_reads_nothing_loses_its_place() {
    let (_server, node) = crowded(10_000).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut unread = socket.connect(node.address).await.unwrap();
    unread.write_all(asks().as_bytes()).await.unwrap();
    unread.readable().await.unwrap();
    let waited = freed(&node).await;
    assert!(waited > Duration::from_secs(3), "{waited:?}: a moment is nothing");
}

#[tokio::test]
async fn ds_01_a_consumer_of_h2_that_takes_nothing_loses_its_place() {
    let (_server, node) = crowded(0).await;
    let stream = TokioIo::new(TcpStream::connect(node.address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(16)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get(node.url())
        .header("accept", "text/event-stream")
        .header("authorization", credentials())
        .body(Body::empty());
    let _untaken = client.send_request(request.unwrap()).await.unwrap();
    let waited = freed(&node).await;
    assert!(waited > Duration::from_secs(3), "{waited:?}: a moment is nothing");
}

/// What a consumer may leave lying is five seconds old at most; the rest is for slow machines.
const SOON: Duration = Duration::from_secs(9);
