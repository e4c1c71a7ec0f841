//! The connections of WebSockets towards services over HTTP/2: how they begin, fill and end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::soon;
use crate::sockets::{handshake, refusal, stream};
use crate::sockets_h2::{Service, before, harness, is_echoed, open};

#[tokio::test]
async fn nothing_is_asked_before_the_settings_are_here() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (service, sent) = (Service::new(), Arc::new(Mutex::new(Vec::new())));
    let (release, held) = watch::channel(false);
    let (serving, heard) = (service.clone(), sent.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(between(stream, serving.clone(), (heard.clone(), held.clone())));
        }
    });
    let harness = harness(&[url], "answer_timeout = \"1s\"").await;
    let (status, code) = refusal(&harness, handshake(&harness, "/ws", (&json!({}), &[]))).await;
    assert_eq!((status, code.as_str()), (504, "upstream_slow"));
    // The preface, then frames.
    let bytes = sent.lock().unwrap().clone();
    let mut frames = bytes.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    assert!(!frames.is_empty());
    while let [high, middle, low, kind, ..] = frames {
        assert_ne!(*kind, 1, "HEADERS");
        let length = u32::from_be_bytes([0, *high, *middle, *low]);
        frames = &frames[9 + usize::try_from(length).unwrap()..];
    }
    release.send_replace(true);
    let response = harness.h2(handshake(&harness, "/ws", (&json!({}), &[]))).await;
    is_echoed(&mut stream(response).await).await;
}

/// Passes a connection on to a service, and what the service says only when it is released.
async fn between(
    client: TcpStream,
    service: Service,
    (heard, mut held): (Arc<Mutex<Vec<u8>>>, watch::Receiver<bool>),
) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(service.attend(theirs));
    let (mut reads, mut writes) = client.into_split();
    let (mut said, mut told) = tokio::io::split(ours);
    let up = async {
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = reads.read(&mut bytes).await {
            heard.lock().unwrap().extend_from_slice(&bytes[..count]);
            told.write_all(&bytes[..count]).await.unwrap();
        }
    };
    let down = async {
        held.wait_for(|released| *released).await.unwrap();
        let _ = tokio::io::copy(&mut said, &mut writes).await;
    };
    tokio::join!(up, down);
}

#[tokio::test]
async fn a_client_that_takes_nothing_keeps_no_websocket_and_no_other_waiting() {
    let service = Service {
        streams: 1,
        ..Service::new()
    };
    let url = format!("http://{}", service.listen().await);
    let harness = harness(&[url], "idle_timeout = \"1s\"").await;
    let (switched, head) = open(&harness, "").await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    let extended = stream(harness.h2(handshake(&harness, "/ws", (&json!({}), &[]))).await).await;
    // Whoever says nothing, and is told nothing, stays.
    let mut silent = stream(harness.h2(handshake(&harness, "/ws", (&json!({}), &[]))).await).await;
    let begun = Instant::now();
    let flooded = async { tokio::join!(flood(switched), flood(extended)) };
    let ended = async {
        while service.ends.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    };
    soon(async {
        tokio::select! { _ = flooded => {}, () = ended => {} }
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    is_echoed(&mut silent).await;
    assert_eq!(service.connections(), 3);
}

/// All of it comes back, and nobody reads it. Goes on for as long as the socket is open.
async fn flood(mut socket: impl AsyncWrite + Unpin) {
    while socket.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_full_websocket_leaves_nothing_behind() {
    let service = Service::new();
    let harness = before(&service).await;
    let (socket, head) = open(&harness, "").await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    let _ = tokio::time::timeout(Duration::from_secs(1), flood(socket)).await;
    soon(async {
        while service.ends.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_the_service_has_ended_is_not_asked_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = Service::new();
    let (ends, end) = watch::channel(0);
    let serving = service.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (service, mut end) = (serving.clone(), end.clone());
            end.mark_unchanged();
            tokio::spawn(async move {
                tokio::select! { () = service.attend(stream) => {}, _ = end.changed() => {} }
            });
        }
    });
    let harness = harness(&[url], "").await;
    for turn in 1..=3 {
        let response = harness.h2(handshake(&harness, "/ws", (&json!({}), &[]))).await;
        let mut socket = stream(response).await;
        is_echoed(&mut socket).await;
        assert_eq!(service.connections(), turn);
        ends.send_replace(turn);
        // Its clients are told at once.
        let mut rest = Vec::new();
        let _ = soon(socket.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"");
    }
}
