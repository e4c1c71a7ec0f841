//! HTTP/2 used as a weapon.

use super::*;

#[tokio::test]
async fn ds_07_rapid_reset_ends_the_connection() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut bytes = greeting();
    for stream in (1..20_001).step_by(2) {
        frame(&mut bytes, 1, 5, stream, HEAD);
        frame(&mut bytes, 3, 0, stream, &8_u32.to_be_bytes());
    }
    let end = soon(flood(&served, bytes)).await;
    assert_eq!(end, Some(CALM), "GOAWAY with ENHANCE_YOUR_CALM");
}

/// MadeYouReset: the server is brought to reset each stream itself, so that none counts as the client's.
#[tokio::test]
async fn cve_2025_8671_resets_that_the_client_provokes_end_the_connection() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut bytes = greeting();
    for stream in (1..20_001).step_by(2) {
        frame(&mut bytes, 1, 5, stream, HEAD);
        // RFC 9113 §6.9: an increment of zero is an error of the stream.
        frame(&mut bytes, 8, 0, stream, &0_u32.to_be_bytes());
    }
    assert!(soon(flood(&served, bytes)).await.is_some());
}

#[tokio::test]
async fn ds_07_endless_continuations_end_the_connection() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut bytes = greeting();
    frame(&mut bytes, 1, 0, 1, HEAD);
    for _ in 0..10_000 {
        frame(&mut bytes, 9, 0, 1, &[0x40, 1, b'a', 1, b'b']);
    }
    assert!(soon(flood(&served, bytes)).await.is_some());
}

#[tokio::test]
async fn ds_07_empty_data_without_end_ends_the_connection() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut bytes = greeting();
    frame(&mut bytes, 1, 4, 1, POST_SLOW);
    for _ in 0..200_000 {
        frame(&mut bytes, 0, 0, 1, &[]);
    }
    assert!(soon(flood(&served, bytes)).await.is_some());
}

#[tokio::test]
async fn ds_07_a_head_beyond_the_limit_is_refused() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut bytes = greeting();
    let mut head = HEAD.to_vec();
    for _ in 0..600 {
        head.extend([0, 1, b'a', 20]);
        head.extend([b'b'; 20]);
    }
    frame(&mut bytes, 1, 5, 1, &head);
    frame(&mut bytes, 7, 0, 0, &[0; 8]);
    let mut stream = served.connect().await;
    stream.write_all(&bytes).await.unwrap();
    let mut got = Vec::new();
    let _ = soon(stream.read_to_end(&mut got)).await;
    let heads = frames(&got).into_iter().filter(|(kind, _)| *kind == 1).count();
    let status_200 = frames(&got)
        .iter()
        .any(|(kind, payload)| *kind == 1 && payload.first() == Some(&0x88));
    assert!(heads <= 1 && !status_200, "431 or nothing");
}

/// RFC 9113 §5.1: who is answered before the body was read may have sent it by then, and has done nothing wrong.
#[tokio::test]
async fn bodies_that_come_after_their_answers_do_not_end_the_connection() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut stream = served.connect().await;
    let (mut bytes, mut got) = (greeting(), Vec::new());
    let posts = (1..201).step_by(2);
    for post in posts.clone() {
        frame(&mut bytes, 1, 4, post, HEAD);
    }
    stream.write_all(&bytes).await.unwrap();
    soon(heads(&mut stream, &mut got, 100)).await;
    bytes.clear();
    for post in posts {
        frame(&mut bytes, 0, 1, post, &[0; 1000]);
    }
    frame(&mut bytes, 1, 5, 201, HEAD);
    stream.write_all(&bytes).await.unwrap();
    soon(heads(&mut stream, &mut got, 101)).await;
    assert!(frames(&got).iter().all(|(kind, _)| *kind != 7), "no GOAWAY");
}

/// A proxy passes on what of a body came before its client went away, which is malformed (RFC 9113 §8.1.1): an error of that stream alone.
#[tokio::test]
async fn what_is_wrong_with_some_streams_does_not_end_the_others() {
    let served = Served::start(ListenConfig::default(), plain()).await;
    let mut stream = served.connect().await;
    let (mut bytes, mut got) = (greeting(), Vec::new());
    // `content-length: 5`, and one byte.
    let announced = [HEAD, &[0x0f, 0x0d, 1, b'5']].concat();
    let count = |got: &[u8], wanted| frames(got).iter().filter(|(kind, _)| *kind == wanted).count();
    let mut batch = 0;
    let away = loop {
        let posts = (0..50).map(|n| 2 * (50 * batch + n) + 1);
        for post in posts.clone() {
            frame(&mut bytes, 1, 4, post, &announced);
        }
        // Answered, and then gone.
        for (sent, kind) in [(vec![], 1), (posts.collect(), 3)] {
            for post in sent {
                frame(&mut bytes, 0, 1, post, b"x");
            }
            stream.write_all(&bytes).await.unwrap();
            bytes.clear();
            while count(&got, kind) < 50 && count(&got, 7) == 0 {
                assert!(soon(stream.read_buf(&mut got)).await.unwrap() > 0);
            }
        }
        if let Some((_, away)) = frames(&got).into_iter().find(|(kind, _)| *kind == 7) {
            break away;
        }
        got.clear();
        batch += 1;
    };
    assert_eq!(away[4..8], [0; 4], "NO_ERROR");
}

/// A client that does as it likes.
pub(super) struct Raw {
    stream: TcpStream,
    got: Vec<u8>,
}

impl Raw {
    pub(super) async fn connect(served: &Served) -> Self {
        let mut stream = served.connect().await;
        stream.write_all(&greeting()).await.unwrap();
        let got = Vec::new();
        Self { stream, got }
    }

    /// For something that is there at once, or that is not.
    pub(super) async fn asks(&mut self, stream: u32, slow: bool) {
        let mut bytes = Vec::new();
        frame(&mut bytes, 1, 5, stream, if slow { POST_SLOW } else { HEAD });
        self.stream.write_all(&bytes).await.unwrap();
    }

    pub(super) async fn until_goodbye(&mut self) {
        while frames(&self.got).iter().all(|(kind, _)| *kind != 7) {
            assert!(soon(self.stream.read_buf(&mut self.got)).await.unwrap() > 0);
        }
    }

    pub(super) async fn until_answered(&mut self, with: &[u8]) {
        while frames(&self.got)
            .iter()
            .all(|(kind, data)| *kind != 0 || data != with)
        {
            assert!(soon(self.stream.read_buf(&mut self.got)).await.unwrap() > 0);
        }
    }
}

/// Reads until so many answers have begun.
async fn heads(stream: &mut TcpStream, got: &mut Vec<u8>, count: usize) {
    while frames(got).iter().filter(|(kind, _)| *kind == 1).count() < count {
        assert!(
            stream.read_buf(got).await.unwrap() > 0,
            "{:?}",
            frames(got).last()
        );
    }
}

/// Writes while it reads; the error code of the GOAWAY that ended it.
async fn flood(served: &Served, bytes: Vec<u8>) -> Option<u32> {
    let (mut reads, mut writes) = served.connect().await.into_split();
    let writing = tokio::spawn(async move { writes.write_all(&bytes).await.map(|()| writes) });
    let mut got = Vec::new();
    let _ = reads.read_to_end(&mut got).await;
    drop(writing.await);
    let away = frames(&got).into_iter().find(|(kind, _)| *kind == 7)?;
    Some(u32::from_be_bytes(away.1.get(4..8)?.try_into().ok()?))
}

fn greeting() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, 4, 0, 0, &[]);
    bytes
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend(&u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            break;
        };
        frames.push((head[3], payload.to_vec()));
        bytes = rest;
    }
    frames
}

/// `GET http://x/` in HPACK.
const HEAD: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'x'];
/// `POST http://x/slow`.
const POST_SLOW: &[u8] = &[0x83, 0x86, 0x44, 5, b'/', b's', b'l', b'o', b'w', 0x41, 1, b'x'];
const CALM: u32 = 11;
