//! Streams of bytes, whole and one by one.

use super::*;

/// What is let through, fed in pieces of this size, and the state at the end.
fn fed(stream: &str, piece: usize) -> (String, State) {
    let mut framing = Framing::new(1024);
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(piece) {
        framing.take(piece, &mut out);
    }
    (String::from_utf8(out).unwrap(), framing.state)
}

/// The same for every size of pieces.
fn ends(stream: &str) -> (String, State) {
    let whole = fed(stream, usize::MAX);
    for piece in [1, 2, 3, 7] {
        assert_eq!(fed(stream, piece), whole, "{stream:?} in pieces of {piece}");
    }
    let mut framing = Framing::new(1024);
    if framing.is_one_head(stream.as_bytes()) {
        assert_eq!(
            (stream.to_owned(), framing.state),
            whole,
            "{stream:?} at one look"
        );
    }
    whole
}

#[test]
fn what_has_one_reading_passes_unchanged() {
    for (stream, state) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", State::Head),
        (
            "GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\nA: b\r\n\r\n",
            State::Head,
        ),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", State::Head),
        (
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na\nbGET / HTTP/1.1\r\n\r\n",
            State::Head,
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length:\t10 \r\n\r\nabc",
            State::Sized(7),
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\na\r\n\r\n0\r\n\r\n",
            State::Head,
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            State::Head,
        ),
        ("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", State::Asked),
        (
            "GET /ws HTTP/1.1\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            State::Head,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0 anything\n", State::Http2),
    ] {
        assert_eq!(ends(stream), (stream.to_owned(), state), "{stream:?}");
    }
}

#[test]
fn a_head_with_two_readings_is_none() {
    for head in [
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        "GET /#/../x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / x HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET /\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let refused = (String::from_utf8_lossy(NO_REQUEST).into_owned(), State::Refused);
        assert_eq!(
            ends(&format!("{head}GET /smuggled HTTP/1.1\r\n\r\n")),
            refused,
            "{head:?}"
        );
        // The request before it is not touched.
        let first = "GET /first HTTP/1.1\r\n\r\n";
        assert_eq!(
            ends(&format!("{first}{head}")).0,
            format!("{first}{}", refused.0),
            "{head:?}"
        );
    }
}

#[test]
fn a_chunk_with_two_readings_breaks_the_body() {
    for chunks in [
        "\r\n",
        "x\r\n",
        "3\n",
        "3 \r\n",
        " 3\r\n",
        "0x3\r\n",
        "-1\r\n",
        "3\rabc",
        "3;a\nb\r\n",
        "3;a\rb\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n",
        "3\r\nabc0\r\n",
        "1000000000000000\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\n A: b\r\n\r\n",
        "0\r\n\n",
        "0\r\nA: \0\r\n\r\n",
    ] {
        let stream = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(ends(&stream).1, State::Broken, "{chunks:?}");
    }
}

#[test]
fn a_head_without_end_is_left_to_the_parser_at_the_limit() {
    let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(2000));
    let (passed, state) = fed(&long, 100);
    assert_eq!(state, State::Refused);
    assert!(passed.len() >= 1024 && long.starts_with(&passed));
}

#[test]
fn another_protocol_begins_when_it_is_granted_and_not_before() {
    let ask = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    let mut framing = Framing::new(1024);
    let mut out = Vec::new();
    framing.take(ask, &mut out);
    assert_eq!(framing.state, State::Asked);
    framing.switch();
    framing.take(b"\x81\x00\n", &mut out);
    assert!(out.ends_with(b"\x81\x00\n"));

    let mut framing = Framing::new(1024);
    framing.take(ask, &mut out);
    framing.take(b"too early", &mut out);
    framing.switch();
    assert!(framing.is_broken());
}

#[test]
fn at_one_look_passes_one_whole_head_without_a_body_and_nothing_else() {
    let one_look = |stream: &str| Framing::new(64).is_one_head(stream.as_bytes());
    assert!(one_look("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(one_look("DELETE / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
    for stream in [
        "",
        "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "DELETE / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAccept: a/b, c/d, e/f, g/h, i/j, k/l\r\n\r\n",
    ] {
        assert!(!one_look(stream), "{stream:?}");
    }
}
