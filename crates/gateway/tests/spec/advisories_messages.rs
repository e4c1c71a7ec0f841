//! Where other gateways lost count of a message's bytes, each by the name under which it is known.
//!
//! The whole corpus, against real servers, is in interop/gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Answer, Harness, Running, USUAL, mirror, soon};

/// A service that counts what it is asked.
async fn counting() -> (Harness, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(move |_: Request| {
        count.fetch_add(1, Ordering::SeqCst);
        async { "asked" }
    });
    (Harness::with(USUAL, Running::start(router).await).await, asked)
}

const HIDDEN: &str = "GET /open/hidden HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn cve_2026_58055_an_upgrade_has_no_body() {
    let (harness, asked) = counting().await;
    for fields in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let text = format!(
            "POST /open HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{fields}\r\nhello{HIDDEN}"
        );
        let answers = harness.talk(&text).await;
        assert_eq!(
            (
                Answer::read(&answers).status,
                answers.matches("HTTP/1.1 ").count()
            ),
            (400, 1),
            "{answers}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cve_2026_2835_pingora_945_a_body_has_one_length() {
    let (harness, asked) = counting().await;
    for (version, fields) in [
        ("1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        ("1.1", "Transfer-Encoding: chunked, identity"),
        ("1.1", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        ("1.0", "Transfer-Encoding: chunked"),
        ("1.0", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    ] {
        let answers = harness
            .talk(&format!(
                "POST /open HTTP/{version}\r\nHost: x\r\n{fields}\r\n\r\n0\r\n\r\n{HIDDEN}"
            ))
            .await;
        assert_eq!(
            (
                Answer::read(&answers).status,
                answers.matches("HTTP/1.1 ").count()
            ),
            (400, 1),
            "{fields}: {answers}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cve_2025_4366_a_body_that_was_not_read_is_no_request() {
    let (harness, asked) = counting().await;
    // Answered by the gateway itself, which needs no body for it.
    for path in ["/nowhere", "/orders"] {
        let chunks = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
        for (fields, body) in [
            (format!("Content-Length: {}", HIDDEN.len()), HIDDEN),
            ("Transfer-Encoding: chunked".to_owned(), chunks.as_str()),
        ] {
            let text = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{body}GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            );
            assert!(!harness.talk(&text).await.contains("asked"), "{path} {fields}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn cve_2025_64763_nothing_behind_a_connect_is_a_request() {
    let (harness, asked) = counting().await;
    for target in ["/open", "x:80", "x"] {
        let answers = harness
            .talk(&format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n{HIDDEN}"))
            .await;
        let refused = matches!(Answer::read(&answers).status, 400 | 405);
        assert!(
            refused && answers.matches("HTTP/1.1 ").count() == 1,
            "{target}: {answers}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

/// One request over HTTP/2 with these fields, exactly as they are; whether the service was asked.
async fn sent_raw(harness: &Harness, asked: &AtomicUsize, fields: &[(&str, &str)]) -> bool {
    let mut block = Vec::new();
    for (name, value) in fields {
        // RFC 7541 §6.2.2: a literal without indexing, with a new name; no Huffman.
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend(&u32::try_from(block.len()).unwrap().to_be_bytes()[1..]);
    // HEADERS, END_STREAM and END_HEADERS, stream 1; then a GOAWAY, so that the connection ends by itself.
    bytes.extend([1, 5, 0, 0, 0, 1]);
    bytes.extend(block);
    bytes.extend(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let before = asked.load(Ordering::SeqCst);
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    asked.load(Ordering::SeqCst) > before
}

#[tokio::test]
async fn cve_2023_27491_fields_of_h2_that_are_none_in_http_1_are_not_forwarded() {
    let (harness, asked) = counting().await;
    let usual = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", "/open"),
    ];
    assert!(sent_raw(&harness, &asked, &usual).await);
    for field in [
        ("a", "b\r\nx-user-id: spoof"),
        ("a", "b\nc"),
        ("a", "b\0c"),
        ("a\r\nx-user-id", "spoof"),
        ("a b", "c"),
        ("A", "b"),
        ("", "b"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        (":path", "/admin"),
        (":unknown", "x"),
        (":protocol", "websocket"),
    ] {
        let fields = [&usual[..], &[field]].concat();
        assert!(
            !sent_raw(&harness, &asked, &fields).await,
            "{field:?} was forwarded"
        );
    }
    for (at, value) in [
        (0, "GET /admin HTTP/1.1\r\n"),
        (0, "G T"),
        (1, "http://evil.test/ "),
        (2, "x\r\na: b"),
        (2, "user@x"),
        (2, "x/y"),
        (3, "/open HTTP/1.1\r\na: b"),
        (3, "/open x"),
        (3, ""),
        (3, "*"),
        (3, "http://x/open"),
    ] {
        let mut fields = usual;
        fields[at].1 = value;
        assert!(
            !sent_raw(&harness, &asked, &fields).await,
            "{value:?} was forwarded"
        );
    }
}

#[tokio::test]
async fn a_get_takes_its_body_along_however_its_length_is_said() {
    let harness = Harness::with(USUAL, mirror().await).await;
    for (fields, body) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let text = format!("GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n\r\n{body}");
        assert_eq!(
            Answer::read(&harness.talk(&text).await).seen().0["body"],
            "hello",
            "{fields}"
        );
    }
}

/// The gateway in front of a service that answers every piece that it reads with this, and goes on. `{nth}` counts on each connection.
async fn answering(answer: impl Into<String>) -> Harness {
    let answer = answer.into();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                for nth in 1.. {
                    let answer = answer.replace("{nth}", &format!("{nth:03}"));
                    if !matches!(stream.read(&mut bytes).await, Ok(1..))
                        || stream.write_all(answer.as_bytes()).await.is_err()
                    {
                        break;
                    }
                }
            });
        }
    });
    let text = USUAL.replace("{service}", &address.to_string());
    Harness::with(&text, mirror().await).await
}

#[tokio::test]
async fn an_answer_with_two_ends_is_a_502() {
    for (fields, expected) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 502),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 502),
        ("Content-Length: 5\r\nContent-Length: 6", 502),
        ("Content-Length: 5, 5", 502),
        ("Transfer-Encoding: gzip, chunked", 502),
        ("Content-Length: 5\r\nContent-Length: 5", 200),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        let harness = answering(answer).await;
        let answer = harness.get("/open", "").await;
        assert_eq!(answer.status, expected, "{fields}: {answer:?}");
        assert!(answer.head.matches("content-length").count() < 2, "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_to_a_service_that_did_not_wait_for_the_body_is_nobody_elses() {
    let harness = answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{nth}").await;
    let mut client = TcpStream::connect(harness.gateway.address).await.unwrap();
    for _ in 0..10 {
        let head = b"POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            answer.push(soon(client.read_u8()).await.unwrap());
        }
        soon(client.read_exact(&mut [0; 3])).await.unwrap();
        // What is left of the body gets an answer that nobody waits for.
        client.write_all(b"hello").await.unwrap();
        assert_eq!(
            harness.get("/open", "").await.body,
            "001",
            "on a connection of its own"
        );
    }
}
