//! Slow, silent and greedy peers.

use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

/// Nothing ends but by the header timeout.
fn impatient() -> ListenConfig {
    let never = Duration::from_secs(3600);
    ListenConfig {
        header_timeout: SHORT,
        idle_timeout: never,
        write_timeout: never,
        ..ListenConfig::default()
    }
}

#[tokio::test]
async fn ds_01_a_silent_connection_is_closed() {
    let served = Served::start(impatient(), plain()).await;
    assert_eq!(soon(served.talk("")).await, "");
    assert_eq!(
        soon(served.talk("PRI * HTTP/2.0\r\n\r\nSM")).await,
        "",
        "nor may it stop inside HTTP/2's greeting"
    );
}

#[tokio::test]
async fn ds_01_a_head_that_never_ends_is_cut() {
    let served = Served::start(impatient(), plain()).await;
    assert_eq!(
        soon(served.talk("GET /peer HTTP/1.1\r\nHost: x\r\nX-Slow: a")).await,
        ""
    );
}

#[tokio::test]
async fn ds_01_a_second_head_that_never_ends_is_cut_too() {
    let served = Served::start(impatient(), plain()).await;
    let mut stream = served.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(
        soon(answer(&mut stream, "127.0.0.1"))
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200 ")
    );
    stream.write_all(b"GET /peer HT").await.unwrap();
    assert_eq!(soon(rest(&mut stream)).await, "");
}

#[tokio::test]
async fn ds_01_an_idle_connection_is_closed_after_its_answer() {
    let config = ListenConfig {
        idle_timeout: SHORT,
        ..ListenConfig::default()
    };
    let served = Served::start(config, plain()).await;
    assert!(soon(served.talk(GET)).await.ends_with("\r\n\r\n127.0.0.1"));
}

#[tokio::test]
async fn an_idle_http_2_connection_is_told_goodbye() {
    let config = ListenConfig {
        idle_timeout: SHORT,
        ..ListenConfig::default()
    };
    let served = Served::start(config, plain()).await;
    let stream = TokioIo::new(served.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = ::http::Request::get("http://x/peer")
        .body(axum::body::Body::empty())
        .unwrap();
    drop(soon(client.send_request(request)).await.unwrap());
    assert!(
        soon(connection).await.unwrap().is_ok(),
        "GOAWAY without an error, then the end"
    );
}

#[tokio::test]
async fn an_http_2_connection_with_a_tunnel_is_not_idle() {
    let kept: Arc<Mutex<Option<Hold>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let router = Router::new().fallback(move |request: axum::extract::Request| {
        if let Some(hold) = request.extensions().get::<Hold>() {
            *keeps.lock().unwrap() = Some(hold.clone());
        }
        async {}
    });
    let config = ListenConfig {
        idle_timeout: SHORT,
        extended_connect: true,
        ..ListenConfig::default()
    };
    let served = Served::start(config, router).await;
    let stream = TokioIo::new(served.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = ::http::Request::connect("http://x/tunnel")
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .body(axum::body::Body::empty())
        .unwrap();
    drop(soon(client.send_request(request)).await.unwrap());
    tokio::time::sleep(3 * SHORT).await;
    assert!(client.ready().await.is_ok(), "no goodbye while it is held");
    drop(kept.lock().unwrap().take());
    assert!(soon(connection).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let release = Arc::new(Notify::new());
    let config = ListenConfig {
        idle_timeout: SHORT,
        write_timeout: SHORT,
        ..impatient()
    };
    let served = Served::start(config, router(&release)).await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    // By the time a silent connection was closed, and another one, every timeout has passed.
    soon(served.talk("")).await;
    soon(served.talk("")).await;
    release.notify_one();
    assert!(soon(rest(&mut stream)).await.ends_with("slow"));
}

#[tokio::test]
async fn ds_01_who_does_not_take_the_answer_is_cut_off() {
    let big = Router::new().route("/big", any(|| async { "b".repeat(64 << 20) }));
    let served = Served::start(
        ListenConfig {
            write_timeout: SHORT,
            ..impatient()
        },
        big,
    )
    .await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    stream.readable().await.unwrap();
    for _ in 0..3 {
        soon(served.talk("")).await;
    }
    assert!(soon(rest(&mut stream)).await.len() < 64 << 20);
}

#[tokio::test]
async fn ds_01_one_address_holds_so_many_connections() {
    let served = Served::start(
        ListenConfig {
            max_connections_per_address: 1,
            ..ListenConfig::default()
        },
        plain(),
    )
    .await;
    let mut first = served.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    soon(answer(&mut first, "127.0.0.1")).await.unwrap();
    assert_eq!(soon(served.talk(GET_AND_CLOSE)).await, "");
    first.write_all(GET_AND_CLOSE.as_bytes()).await.unwrap();
    assert!(
        soon(rest(&mut first)).await.ends_with("127.0.0.1"),
        "the first is unharmed"
    );
}

#[tokio::test]
async fn a_trusted_proxy_holds_as_many_as_it_needs() {
    let config = ListenConfig {
        max_connections_per_address: 1,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..ListenConfig::default()
    };
    let served = Served::start(config, plain()).await;
    let _held = served.connect().await;
    assert!(soon(served.talk(GET_AND_CLOSE)).await.ends_with("127.0.0.1"));
}

#[tokio::test]
async fn ds_01_a_full_house_lets_others_in_when_one_leaves() {
    let served = Served::start(
        ListenConfig {
            max_connections: 1,
            ..ListenConfig::default()
        },
        plain(),
    )
    .await;
    let mut first = served.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    soon(answer(&mut first, "127.0.0.1")).await.unwrap();
    let mut second = served.connect().await;
    second.write_all(GET_AND_CLOSE.as_bytes()).await.unwrap();
    drop(first);
    assert!(soon(rest(&mut second)).await.ends_with("127.0.0.1"));
}
