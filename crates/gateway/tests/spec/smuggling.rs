//! Requests that two programs could read in two ways: answered 400, and no byte of them goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
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

/// Requests for these paths, whose bytes are in Huffman's code or not; then for the last of them once more.
async fn h2_by_hand(address: std::net::SocketAddr, paths: &[(&[u8], bool)]) {
    let mut sent = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat();
    for (at, (path, huffman)) in paths.iter().enumerate() {
        let length = u8::try_from(path.len()).unwrap() | if *huffman { 0x80 } else { 0 };
        // GET, http, the path as one to be remembered, the authority.
        let block = [&[0x82, 0x86, 0x44, length][..], path, &[0x01, 1, b'x']].concat();
        sent.extend(frame(1, 5, u8::try_from(2 * at + 1).unwrap(), &block));
    }
    // From the table.
    let again = u8::try_from(2 * paths.len() + 1).unwrap();
    sent.extend(frame(1, 5, again, &[0x82, 0x86, 0x80 | 62, 0x01, 1, b'x']));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&sent).await.unwrap();
    let mut left = paths.len() + 1;
    while left > 0 {
        let mut head = [0; 9];
        soon(stream.read_exact(&mut head)).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        soon(stream.read_exact(&mut vec![0; length as usize]))
            .await
            .unwrap();
        match head[3] {
            // Headers, or a reset.
            1 | 3 => left -= 1,
            7 => panic!("the whole connection was refused"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn cve_2021_32779_ghsa_pxq7_of_a_path_of_http2_with_a_fragment_is_forwarded_what_was_judged() {
    let targets = Arc::new(Mutex::new(Vec::new()));
    let seen = targets.clone();
    let router = Router::new().fallback(async move |request: Request| {
        seen.lock().unwrap().push(request.uri().to_string());
    });
    let harness = Harness::with(USUAL, Running::start(router).await).await;
    // `/open#/../admin` by itself and by Huffman's code (RFC 7541 Appendix B), and a fragment in the query.
    let huffman = [
        0x60, 0xf5, 0x96, 0xaf, 0xfa, 0x61, 0x75, 0xd8, 0x1c, 0x94, 0x9a, 0xaf,
    ];
    let paths: [(&[u8], bool); 7] = [
        (b"/open/?a=b#c", false),
        (b"#", false),
        (b"#/open", false),
        (b"/admin#/open", false),
        (b"/admin#/../open", false),
        (b"/open#/../admin", false),
        (&huffman, true),
    ];
    h2_by_hand(harness.gateway.address, &paths).await;
    let mut targets = targets.lock().unwrap().clone();
    targets.sort();
    assert_eq!(targets, ["/open", "/open", "/open", "/open/?a=b"]);
}

#[tokio::test]
async fn a_known_method_in_another_case_is_a_400_and_passes_no_rule() {
    let (service, asked) = counting().await;
    let rules = r#"
        [[routes]]
        path = "/things"
        require = ["scope:read:orders"]
        upstream = "service"
        [[routes]]
        path = "/things"
        methods = ["DELETE", "PURGE"]
        require = ["scope:write:orders"]
        upstream = "service"
    "#;
    let harness = Harness::with(&format!("{USUAL}{rules}"), service).await;
    let token = harness.issuer.token(&serde_json::json!({}));
    for (method, path) in [
        ("delete", "/things"),
        ("Delete", "/things/7"),
        ("dELETE", "/things"),
        ("purge", "/things"),
        ("get", "/open"),
        ("post", "/open"),
        ("patch", "/nowhere"),
        ("trace", "/open"),
        ("connect", "/open"),
        ("options", "/open"),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = Answer::read(&harness.talk(&head).await);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "method_invalid"),
            "{method}"
        );
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://x{path}"))
            .header("authorization", format!("Bearer {token}"));
        let answer = harness.h2(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 400, "{method}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // A method that nothing here knows is one of its own.
    let head = format!(
        "Purge2 /things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(Answer::read(&harness.talk(&head).await).status, 204);
}
