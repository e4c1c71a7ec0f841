//! The body of a request, lent to one attempt after the other.

use std::io;

use futures_util::stream;
use http_body_util::BodyExt as _;
use tokio::time::sleep;

use super::sending::{BRIEFLY, LOOK_EVERY, PATIENTLY, WITH_CLIENT};
use super::slot::{PIECE, REMEMBERED};
use super::*;

fn lent(pieces: Vec<String>) -> Lent {
    let pieces = pieces.into_iter().map(Ok::<_, io::Error>);
    Lent::new(Body::from_stream(stream::iter(pieces)), true)
}

fn words() -> Vec<String> {
    ["ab", "cd", "ef"].map(str::to_owned).to_vec()
}

async fn all(body: Body) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn each_attempt_gets_all_of_it_and_an_earlier_one_nothing_more() {
    let lent = lent(words());
    let mut first = lent.again();
    assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
    assert!(lent.is_whole());
    let second = lent.again();
    // Its answer has come: what it has not had yet is not forgotten.
    lent.forget();
    assert!(first.frame().await.unwrap().is_err());
    assert_eq!(all(second).await, "abcdef");
    assert!(!lent.is_whole() && lent.is_sent());
}

#[tokio::test]
async fn what_is_cut_is_never_whole_and_another_attempt_is_not_cut() {
    let lent = lent(words());
    let (_first, before) = (lent.again(), lent.sending());
    let (mut second, now) = (lent.again(), lent.sending());
    before.cut();
    assert_eq!(second.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
    assert!(lent.is_whole());
    now.cut();
    assert!(!second.is_end_stream() && second.frame().await.unwrap().is_err());
    assert!(!lent.is_whole());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_gets_all_of_it_and_one_that_takes_nothing_is_let_go() {
    let lent = lent(words());
    let (mut body, sending) = (lent.again(), lent.sending());
    let slow = tokio::spawn(async move {
        for _ in words() {
            sleep(PATIENTLY - LOOK_EVERY * 2).await;
            body.frame().await.unwrap().unwrap();
        }
    });
    assert!(sending.settles(true).await);
    slow.await.unwrap();
    let lent = self::lent(words());
    let (_body, sending) = (lent.again(), lent.sending());
    let began = Instant::now();
    assert!(!sending.settles(false).await);
    assert!(began.elapsed() < BRIEFLY * 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_more_has_longer_and_then_whoever_waits_for_it_is_told() {
    let silent = stream::pending::<io::Result<Bytes>>();
    let lent = Lent::new(Body::from_stream(silent), false);
    let (body, sending) = (lent.again(), lent.sending());
    drop(lent);
    let sent = tokio::spawn(async move { body.collect().await.is_ok() });
    let began = Instant::now();
    assert!(sending.settles(true).await, "nobody holds on to it");
    assert!((WITH_CLIENT..WITH_CLIENT * 2).contains(&began.elapsed()));
    assert!(!sent.await.unwrap());
}

#[tokio::test]
async fn it_is_under_way_until_the_last_piece_was_sent() {
    let lent = lent(vec!["x".repeat(PIECE + 1)]);
    let (mut body, sending) = (lent.again(), lent.sending());
    drop(lent);
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE, 1]);
    drop(body);
    assert!(sending.is_under_way());
    pieces.clear();
    assert!(!sending.is_under_way());
}

#[tokio::test]
async fn more_than_is_remembered_is_not_sent_again() {
    for (pieces, whole) in [
        (vec!["x".to_owned(); REMEMBERED], true),
        (vec!["x".repeat(REMEMBERED + 1)], false),
    ] {
        let lent = lent(pieces);
        let first = all(lent.again()).await;
        assert_eq!(lent.is_whole(), whole);
        if whole {
            assert_eq!(all(lent.again()).await, first);
        }
    }
}
