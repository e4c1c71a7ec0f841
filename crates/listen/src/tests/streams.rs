//! Streams of HTTP/2 whose peers take little, or nothing.

use ::http::Request;
use axum::body::Body;
use axum::body::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

fn config() -> ListenConfig {
    ListenConfig {
        header_timeout: SHORT,
        write_timeout: SHORT,
        ..ListenConfig::default()
    }
}

/// A connection whose streams have room for so many bytes that nobody has read.
pub(super) async fn connect(served: &Served, window: u32) -> SendRequest<Body> {
    let stream = TokioIo::new(served.connect().await);
    let (client, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

pub(super) async fn get(client: &mut SendRequest<Body>, path: &str) -> Incoming {
    let request = Request::get(format!("http://x{path}"))
        .body(Body::empty())
        .unwrap();
    soon(client.send_request(request)).await.unwrap().into_body()
}

/// Bodies that nobody wants, of requests whose answers take long: they take no room from those of others on the connection.
#[tokio::test]
async fn what_nobody_reads_holds_up_no_other_upload() {
    let release = Arc::new(Notify::new());
    let sized = any(|body: Bytes| async move { body.len().to_string() });
    let served = Served::start(ListenConfig::default(), router(&release).route("/sized", sized)).await;
    let client = connect(&served, 64 * 1024).await;
    let post = |path: &str| {
        let request = Request::post(format!("http://x{path}")).body(Body::from(vec![0; 100_000]));
        let mut client = client.clone();
        async move { client.send_request(request.unwrap()).await }
    };
    let slow: Vec<_> = (0..8).map(|_| tokio::spawn(post("/slow"))).collect();
    let answer = soon(post("/sized")).await.unwrap();
    let said = soon(answer.into_body().collect()).await.unwrap();
    assert_eq!(said.to_bytes(), "100000");
    for one in slow {
        release.notify_one();
        assert_eq!(soon(one).await.unwrap().unwrap().status(), 200);
    }
}

/// A connection on which nobody asked for long is told goodbye; who has asked before it hears that is answered all the same.
#[tokio::test]
async fn who_asks_while_the_goodbye_is_under_way_gets_all_of_the_answer() {
    let release = Arc::new(Notify::new());
    let config = ListenConfig {
        idle_timeout: SHORT,
        ..ListenConfig::default()
    };
    let served = Served::start(config, router(&release)).await;
    let mut raw = floods::Raw::connect(&served).await;
    raw.asks(1, false).await;
    raw.until_goodbye().await;
    // Its PING is not answered yet.
    raw.asks(3, true).await;
    tokio::time::sleep(crate::connection::GOODBYE + SHORT).await;
    release.notify_one();
    raw.until_answered(b"slow").await;
}

#[tokio::test]
async fn ds_01_a_stream_of_which_nothing_is_taken_is_reset_and_its_connection_goes_on() {
    let big = plain().route("/big", any(|| async { "b".repeat(1 << 20) }));
    let served = Served::start(config(), big).await;
    let mut client = connect(&served, 16 * 1024).await;
    let mut body = get(&mut client, "/big").await;
    // By the time that silent connections were closed every timeout has passed.
    for _ in 0..3 {
        soon(served.talk("")).await;
    }
    let mut read = 0;
    let error = loop {
        match soon(body.frame()).await.expect("a whole answer") {
            Ok(frame) => read += frame.into_data().unwrap().len(),
            Err(error) => break error,
        }
    };
    assert!(format!("{error:?}").contains("CANCEL"), "{error:?}");
    assert!(read <= 16 * 1024, "{read}");
    let peer = soon(get(&mut client, "/peer").await.collect()).await.unwrap();
    assert_eq!(peer.to_bytes(), "127.0.0.1");
}

#[tokio::test]
async fn ds_01_a_stream_is_reset_of_which_nothing_but_the_last_piece_is_left() {
    // With a length, and as a piece of which nobody knows whether another one follows.
    let last = plain()
        .route("/whole", any(|| async { "b".repeat(12_000) }))
        .route(
            "/piece",
            any(|| async {
                let piece = Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from("b".repeat(12_000))));
                Body::new(StreamBody::new(futures_util::stream::iter([piece])))
            }),
        );
    let served = Served::start(config(), last).await;
    for path in ["/whole", "/piece"] {
        let mut client = connect(&served, 2_000).await;
        let mut body = get(&mut client, path).await;
        // By the time that silent connections were closed every timeout has passed.
        for _ in 0..3 {
            soon(served.talk("")).await;
        }
        let mut read = 0;
        let error = loop {
            match soon(body.frame()).await.expect("a whole answer") {
                Ok(frame) => read += frame.into_data().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert!(format!("{error:?}").contains("CANCEL"), "{path}: {error:?}");
        assert!(read <= 2_000, "{path}: {read}");
    }
}

#[tokio::test]
async fn an_answer_for_which_there_is_just_room_arrives_whole() {
    let whole = plain().route("/whole", any(|| async { "b".repeat(12_000) }));
    let served = Served::start(config(), whole).await;
    let mut client = connect(&served, 12_000).await;
    let mut body = get(&mut client, "/whole").await;
    // Whoever has room for all of it need take none of it.
    for _ in 0..3 {
        soon(served.talk("")).await;
    }
    let mut read = 0;
    while let Some(frame) = soon(body.frame()).await {
        read += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(read, 12_000);
}

#[tokio::test]
async fn a_peer_that_takes_a_little_now_and_then_gets_everything() {
    let big = plain().route("/big", any(|| async { "b".repeat(20 * 16 * 1024) }));
    let served = Served::start(config(), big).await;
    let mut client = connect(&served, 16 * 1024).await;
    let mut body = get(&mut client, "/big").await;
    let mut read = 0;
    while let Some(frame) = soon(body.frame()).await {
        read += frame.unwrap().into_data().unwrap().len();
        tokio::time::sleep(SHORT / 4).await;
    }
    assert_eq!(read, 20 * 16 * 1024);
}

#[tokio::test]
async fn an_answer_that_has_nothing_to_say_for_a_while_is_waited_for() {
    let (say, said) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let said = Arc::new(tokio::sync::Mutex::new(said));
    let events = move || {
        let said = Arc::clone(&said);
        let body = futures_util::stream::unfold(said, async |said| {
            let event = said.lock().await.recv().await?;
            Some((
                Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(event))),
                said,
            ))
        });
        async move { Body::new(StreamBody::new(Box::pin(body))) }
    };
    let served = Served::start(config(), plain().route("/events", any(events))).await;
    let mut client = connect(&served, 16 * 1024).await;
    let mut body = get(&mut client, "/events").await;
    for event in ["one", "two"] {
        say.send(event).unwrap();
        let frame = soon(body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
        for _ in 0..3 {
            soon(served.talk("")).await;
        }
    }
}
