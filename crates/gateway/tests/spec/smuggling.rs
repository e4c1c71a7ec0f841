//! Requests that two programs could read in two ways: answered 400, and no byte of them goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, Harness, Running, USUAL, soon};

/// A service that counts what it is asked.
async fn counting() -> (Running, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::NO_CONTENT }
    });
    (Running::start(router).await, asked)
}

#[tokio::test]
async fn every_shape_of_the_corpus_is_a_400_and_never_forwarded() {
    let (service, asked) = counting().await;
    let harness = Harness::with(USUAL, service).await;
    const SMUGGLED: &str = "GET /open/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for head in [
        // Content-Length and Transfer-Encoding, either first, and what servers have taken for one of them.
        "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /open HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // CVE-2026-58055 (nghttpx): an upgrade with a body.
        "POST /open HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nGET ",
        "GET /open HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x\r\nA: b\r\n\tfolded\r\n\r\n",
        "GET /open HTTP/1.1\r\nX-User-ID : admin\r\nHost: x\r\n\r\n",
        "GET /open HTTP/1.1\nHost: x\n\n",
        "GET /open HTTP/1.1\r\nHost: x\r\nA: b\rX-User-ID: admin\r\n\r\n",
        // CVE-2021-32779 and GHSA-pxq7: a fragment hides the end of the path.
        "GET /open#/../admin HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: x, y\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: \r\n\r\n",
        "GET /open HTTP/1.1\r\n\r\n",
        "GET /open HTTP/1.0\r\n\r\n",
        "GET http://x/open HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://evil.test/open HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
        "GET /open HTTP/1.1\r\nHost: user@x\r\n\r\n",
    ] {
        let answer = Answer::read(&harness.talk(&format!("{head}{SMUGGLED}")).await);
        assert_eq!(answer.status, 400, "{head:?}: {answer:?}");
        assert!(
            !answer.body.contains("HTTP/1.1"),
            "{head:?} got two answers: {answer:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{head:?} was forwarded");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() {
    let (service, asked) = counting().await;
    let harness = Harness::with(USUAL, service).await;
    let many = "A: b\r\n".repeat(101);
    for fields in [format!("A: {}\r\n", "b".repeat(70_000)), many] {
        let answer = harness
            .talk(&format!("GET /open HTTP/1.1\r\nHost: x\r\n{fields}\r\n"))
            .await;
        assert_eq!(Answer::read(&answer).status, 431);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let fine = format!("A: {}\r\n", "b".repeat(60_000));
    assert_eq!(harness.get("/open", &fine).await.status, 204);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_no_body_reaches_no_end_at_the_service() {
    // The service answers only what it has read to the end.
    let harness = Harness::start().await;
    for chunks in [
        "5\r\nabc",
        "x\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0\r\nA: b\n\r\n",
    ] {
        let head = "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
        stream
            .write_all(format!("{head}{chunks}").as_bytes())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let _ = soon(stream.read_to_string(&mut answer)).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{chunks:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn two_requests_in_one_piece_are_two() {
    let harness = Harness::start().await;
    let first = "POST /open/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let second = "POST /open/2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nde";
    let answers = harness.talk(&format!("{first}{second}")).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert!(
        answers.contains("\"body\":\"abc\"") && answers.contains("\"body\":\"de\""),
        "{answers}"
    );
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A request for this path, whose bytes are in Huffman's code or not, and how its stream ends: `Ok` with headers, `Err` with a reset.
async fn h2_by_hand(address: std::net::SocketAddr, paths: &[(&[u8], bool)]) -> Vec<Result<(), u32>> {
    let mut sent = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
    for (at, (path, huffman)) in paths.iter().enumerate() {
        let length = u8::try_from(path.len()).unwrap() | if *huffman { 0x80 } else { 0 };
        // GET, http, the path as one to be remembered, the authority.
        let block = [&[0x82, 0x86, 0x44, length][..], path, &[0x01, 1, b'x']].concat();
        sent.extend(frame(1, 5, u8::try_from(2 * at + 1).unwrap(), &block));
    }
    // The last path once more, from the table.
    let again = u8::try_from(2 * paths.len() + 1).unwrap();
    sent.extend(frame(1, 5, again, &[0x82, 0x86, 0x80 | 62, 0x01, 1, b'x']));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&sent).await.unwrap();
    let mut ends = vec![None; paths.len() + 1];
    while ends.iter().any(Option::is_none) {
        let mut head = [0; 9];
        soon(stream.read_exact(&mut head)).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        soon(stream.read_exact(&mut payload)).await.unwrap();
        let at = usize::from(head[8]).saturating_sub(1) / 2;
        match head[3] {
            1 => ends[at] = Some(Ok(())),
            3 => ends[at] = Some(Err(u32::from_be_bytes(payload[..4].try_into().unwrap()))),
            7 => panic!("the whole connection was refused"),
            _ => {}
        }
    }
    ends.into_iter().flatten().collect()
}

#[tokio::test]
async fn cve_2021_32779_a_path_of_http2_with_a_fragment_is_malformed_and_never_forwarded() {
    let (service, asked) = counting().await;
    let harness = Harness::with(USUAL, service).await;
    const PROTOCOL_ERROR: u32 = 1;
    // `/open#/../admin` by itself and by Huffman's code (RFC 7541 Appendix B), and a fragment in the query.
    let huffman = [
        0x60, 0xf5, 0x96, 0xaf, 0xfa, 0x61, 0x75, 0xd8, 0x1c, 0x94, 0x9a, 0xaf,
    ];
    let malformed = Err(PROTOCOL_ERROR);
    let ends = h2_by_hand(
        harness.gateway.address,
        &[
            (b"/open/?a=b#c", false),
            (b"#", false),
            (b"/open#/../admin", false),
            (&huffman, true),
        ],
    )
    .await;
    assert_eq!(ends, [malformed; 5]);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // Other requests of the same connection do not suffer.
    let ends = h2_by_hand(
        harness.gateway.address,
        &[(b"/open#", false), (b"/open/x", false)],
    )
    .await;
    assert_eq!(ends, [malformed, Ok(()), Ok(())]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
