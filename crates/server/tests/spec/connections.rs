//! Spec tests of the server as it listens: what `[listen]` says holds for real connections.

use std::time::Duration;

use carnet_server::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::harness::Server;

const ASK: &str = "GET /health/live HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n\r\n";

/// What is answered, or nothing when the connection is closed.
async fn ask(stream: &mut TcpStream, text: &str) -> String {
    let asked = async {
        // Whoever is turned away may find out while it writes.
        let _ = stream.write_all(text.as_bytes()).await;
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        String::from_utf8(told).unwrap()
    };
    tokio::time::timeout(Duration::from_secs(10), asked)
        .await
        .unwrap()
}

#[tokio::test]
async fn ds_01_one_address_holds_as_many_connections_as_listen_says() {
    let limit = "[listen]\naddress = \"127.0.0.1:0\"\nmax_connections_per_address = 2";
    let server = Server::replacing(&[("[listen]", limit)]).await;
    let bound = serve::Server::bind(server.app.clone()).await.unwrap();
    let address = bound.local_addr().tcp().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(bound.run(async { drop(stopped.await) }));
    let connect = async || TcpStream::connect(address).await.unwrap();
    let (mut first, mut second) = (connect().await, connect().await);
    assert_eq!(ask(&mut connect().await, ASK).await, "");
    assert!(
        ask(&mut first, ASK).await.starts_with("HTTP/1.1 200"),
        "it is unharmed"
    );
    assert!(ask(&mut second, ASK).await.starts_with("HTTP/1.1 200"));
    drop(stop);
    running.await.unwrap();
}
