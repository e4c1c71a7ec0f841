//! What goes well, and what is refused for its size.

use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

#[tokio::test]
async fn a_request_is_answered_and_knows_its_peer() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let text = soon(served.talk(GET_AND_CLOSE)).await;
    assert!(
        text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n127.0.0.1"),
        "{text}"
    );
}

#[tokio::test]
async fn an_ipv4_peer_of_an_ipv6_socket_is_an_ipv4_peer() {
    let config = ListenConfig {
        address: "[::]:0".parse().unwrap(),
        ..ListenConfig::default()
    };
    let Ok(listener) = Listener::bind(config).await else {
        return;
    };
    let port = listener.local_addr().tcp().unwrap().port();
    tokio::spawn(listener.serve(plain(), std::future::pending()));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(GET_AND_CLOSE.as_bytes()).await.unwrap();
    assert!(soon(rest(&mut stream)).await.ends_with("\r\n\r\n127.0.0.1"));
}

#[tokio::test]
async fn http_2_is_spoken_to_who_speaks_it() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let stream = TokioIo::new(served.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = ::http::Request::get("http://x/peer")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = soon(client.send_request(request)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, ::http::Version::HTTP_2)
    );
}

#[tokio::test]
async fn ds_02_large_heads_are_refused_early() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let refused = |text: String| text.starts_with("HTTP/1.1 431 ") || text.starts_with("HTTP/1.1 414 ");
    let cookie = format!(
        "GET /peer HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n",
        "c".repeat(1 << 20)
    );
    let mut stream = served.connect().await;
    let (mut reads, mut writes) = stream.split();
    // The server may close before it has read everything.
    let (_, text) = soon(async { tokio::join!(writes.write_all(cookie.as_bytes()), rest(&mut reads)) }).await;
    assert!(text.is_empty() || refused(text));
    let query = format!("GET /peer?{} HTTP/1.1\r\nHost: x\r\n\r\n", "q".repeat(17 * 1024));
    let text = soon(served.talk(&query)).await;
    assert!(text.is_empty() || refused(text));
    let many = format!("GET /peer HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(101));
    assert!(refused(soon(served.talk(&many)).await));
    let enough = format!(
        "GET /peer HTTP/1.1\r\nConnection: close\r\nHost: x\r\n{}\r\n",
        "A: b\r\n".repeat(90)
    );
    assert!(soon(served.talk(&enough)).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let error = Listener::bind(ListenConfig {
        address: served.address.into(),
        ..ListenConfig::default()
    })
    .await
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {}: ", served.address)),
        "{error}"
    );
}
