//! Down, without cutting anybody off who can be served.

use std::convert::Infallible;

use axum::body::Body;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;

use super::*;

#[tokio::test]
async fn open_requests_finish_and_idle_connections_end() {
    let release = Arc::new(Notify::new());
    let mut served = Served::start(ListenConfig::default(), router(&release)).await;
    let mut idle = served.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    soon(answer(&mut idle, "127.0.0.1")).await.unwrap();
    let mut slow = served.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    // A second request on the idle connection is answered: so the slow one has arrived as well.
    idle.write_all(GET.as_bytes()).await.unwrap();
    soon(answer(&mut idle, "127.0.0.1")).await.unwrap();

    served.ask_to_stop();
    assert_eq!(soon(rest(&mut idle)).await, "");
    assert!(!served.task.is_finished(), "it waits for the open request");
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "and takes no others"
    );
    release.notify_one();
    assert!(soon(rest(&mut slow)).await.ends_with("slow"));
    soon(&mut served.task).await.unwrap();
}

#[tokio::test]
async fn who_does_not_finish_in_time_is_dropped() {
    let mut served = Served::start(
        ListenConfig {
            shutdown_grace: SHORT,
            ..ListenConfig::default()
        },
        plain(),
    )
    .await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    soon(served.talk(GET_AND_CLOSE)).await;
    served.ask_to_stop();
    soon(&mut served.task).await.unwrap();
    assert_eq!(soon(rest(&mut slow)).await, "");
}

#[tokio::test]
async fn connections_that_never_asked_do_not_hold_the_server_up() {
    let mut served = Served::start(ListenConfig::default(), plain()).await;
    let mut silent = served.connect().await;
    soon(served.talk(GET_AND_CLOSE)).await;
    served.ask_to_stop();
    soon(&mut served.task).await.unwrap();
    assert_eq!(soon(rest(&mut silent)).await, "");
}

/// `/events` says one thing and then nothing, for ever; `/file` a half, and the other half once `release` is told. An answer without end says so.
fn streaming(release: &Arc<Notify>) -> Router {
    let events = || async {
        let body = futures_util::stream::once(async { Ok::<_, Infallible>("data: 1\n\n") });
        let body = body.chain(futures_util::stream::pending());
        let mut response = ::http::Response::new(Body::from_stream(body));
        response.extensions_mut().insert(Endless);
        response
    };
    let release = Arc::clone(release);
    let file = move || {
        let release = Arc::clone(&release);
        let half = futures_util::stream::once(async { Ok::<_, Infallible>("half") });
        let rest = futures_util::stream::once(async move {
            release.notified().await;
            Ok("whole")
        });
        async move { Body::from_stream(half.chain(rest)) }
    };
    plain().route("/events", any(events)).route("/file", any(file))
}

fn patient() -> ListenConfig {
    ListenConfig {
        shutdown_grace: Duration::from_secs(600),
        ..ListenConfig::default()
    }
}

#[tokio::test]
async fn an_answer_without_end_ends_at_once_and_any_other_is_waited_for() {
    let release = Arc::new(Notify::new());
    let mut served = Served::start(patient(), streaming(&release)).await;
    let (mut events, mut file) = (served.connect().await, served.connect().await);
    for (stream, path, first) in [
        (&mut events, "/events", "data: 1\n\n\r\n"),
        (&mut file, "/file", "half\r\n"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        soon(answer(stream, first)).await.unwrap();
    }
    served.ask_to_stop();
    // RFC 9112 §7.1: the last chunk.
    assert_eq!(soon(rest(&mut events)).await, "0\r\n\r\n");
    assert!(!served.task.is_finished(), "it waits for the file");
    release.notify_one();
    assert_eq!(soon(rest(&mut file)).await, "5\r\nwhole\r\n0\r\n\r\n");
    soon(&mut served.task).await.unwrap();
}

#[tokio::test]
async fn an_answer_without_end_ends_at_once_over_http2_as_well() {
    let mut served = Served::start(patient(), streaming(&Arc::default())).await;
    let mut client = streams::connect(&served, 64 * 1024).await;
    let mut events = streams::get(&mut client, "/events").await;
    let first = soon(events.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
    served.ask_to_stop();
    // END_STREAM, and no error.
    let rest = soon(events.collect()).await.unwrap();
    assert!(rest.to_bytes().is_empty());
    soon(&mut served.task).await.unwrap();
}
