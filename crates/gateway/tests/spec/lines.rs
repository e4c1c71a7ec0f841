//! Connections to a service: kept, used again, and replaced when the service has closed them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use carnet_client::clock::{Clock, SystemClock};
use carnet_gateway::upstream::Upstream;
use futures_util::stream;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::harness::{Answer, Harness, mirror, soon};

/// A service that answers so many requests on each connection and then closes it. Counts connections, and tells when one is gone on both sides.
async fn service(
    each: usize,
    answer: &'static [u8],
) -> (Harness, Arc<AtomicUsize>, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (gone, ends) = mpsc::unbounded_channel();
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(attend(stream, each, answer, gone.clone()));
        }
    });
    let text = format!(
        "[[upstreams]]\nname = \"one\"\nurls = [\"http://{address}\"]\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"one\"\n"
    );
    (Harness::with(&text, mirror().await).await, connections, ends)
}

async fn attend(mut stream: TcpStream, each: usize, answer: &[u8], gone: mpsc::UnboundedSender<()>) {
    let mut buffer = vec![0; 4096];
    for _ in 0..each {
        let mut read = 0;
        while !buffer[..read].ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer[read..]).await.unwrap() {
                0 => return,
                count => read += count,
            }
        }
        stream.write_all(answer).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    while stream.read(&mut buffer).await.unwrap() > 0 {}
    gone.send(()).unwrap();
}

const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const TRAILED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";

#[tokio::test]
async fn one_connection_takes_one_request_after_another() {
    for answer in [SIZED, CHUNKED, TRAILED, EMPTY] {
        let (harness, connections, _ends) = service(100, answer).await;
        for _ in 0..5 {
            let answer = harness.get("/", "").await;
            assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_connection_that_the_service_ends_is_not_used_again() {
    let (harness, connections, mut ends) = service(1, LAST).await;
    for _ in 0..3 {
        assert_eq!(harness.get("/", "").await.body, "hello");
        soon(ends.recv()).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_costs_no_request() {
    let (harness, connections, mut ends) = service(2, SIZED).await;
    for turn in 1..=6 {
        let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let answer = Answer::read(&harness.talk(request).await);
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        if turn % 2 == 0 {
            soon(ends.recv()).await.unwrap();
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_ahead_than_twice_its_longest_head() {
    for (bytes, status) in [(60 * 1024, 200), (160 * 1024, 502)] {
        let long = "x".repeat(bytes);
        let answer = format!("HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Length: 5\r\n\r\nhello");
        let (harness, _connections, _ends) = service(1, answer.into_bytes().leak()).await;
        assert_eq!(harness.get("/", "").await.status, status, "{bytes}");
    }
}

#[tokio::test]
async fn lines_of_an_answer_may_end_in_line_feeds_alone_and_the_client_gets_them_as_they_should_be() {
    let answer = b"HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello";
    let (harness, _connections, _ends) = service(1, answer).await;
    let answer = harness
        .talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "hello");
    assert!(head.contains("x-a: b\r\n"), "{head}");
    assert!(!head.replace("\r\n", "").contains('\n'), "{head:?}");
}

#[tokio::test]
async fn of_a_service_that_does_not_answer_in_time_no_upload_is_kept() {
    let deaf = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = deaf.local_addr().unwrap();
    let text = format!(
        "[[upstreams]]\nname = \"one\"\nurls = [\"http://{address}\"]\nanswer_timeout = \"100ms\"\n\
         [[routes]]\npath = \"/\"\npublic = true\nupstream = \"one\"\n"
    );
    let harness = Harness::with(&text, mirror().await).await;
    let client = TcpStream::connect(harness.gateway.address).await.unwrap();
    let (mut answers, mut asks) = client.into_split();
    tokio::spawn(async move {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n";
        asks.write_all(head.as_bytes()).await.unwrap();
        let _ = asks.write_all(&vec![b'x'; 50_000_000]).await;
    });
    let mut answer = String::new();
    soon(answers.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let (mut service, _) = deaf.accept().await.unwrap();
    let mut got = Vec::new();
    let _ = soon(service.read_to_end(&mut got)).await;
}

#[tokio::test]
async fn of_an_upload_whose_client_leaves_before_the_answer_nothing_is_kept() {
    let deaf = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let urls = [format!("http://{}", deaf.local_addr().unwrap())];
    let config = serde_json::from_value(json!({ "name": "one", "urls": urls })).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let upstream = Upstream::new(&config, &clock).unwrap();
    let (kept, mut reads) = mpsc::unbounded_channel();
    let endless = stream::repeat_with(move || {
        let _ = kept.send(());
        Ok::<_, io::Error>(vec![b'x'; 64 * 1024])
    });
    let request = Request::post("/").header("host", "x");
    let request = request.body(Body::from_stream(endless)).unwrap();
    let some = async {
        for _ in 0..4 {
            reads.recv().await.unwrap();
        }
    };
    tokio::select! {
        _ = upstream.ask(request) => panic!("nobody answers"),
        () = some => {}
    }
    // One whose client has its answer is kept for longer.
    let let_go = timeout(Duration::from_secs(8), async {
        while reads.recv().await.is_some() {}
    });
    assert!(let_go.await.is_ok(), "the upload is kept");
}
