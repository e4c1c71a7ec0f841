//! What becomes of a connection whose answer was read before the body of its request was sent.

use super::*;

/// Something that is served for so long, its meter, and whether it came to its end.
async fn settled(lasts: Duration, sends: impl Fn(&Sent)) -> bool {
    let patience = Sending::default().patience(true);
    let sent = Sent::default();
    let served = tokio::spawn(tokio::time::sleep(lasts));
    let ended = tokio::spawn(settle(Sending::default(), served.abort_handle(), sent.clone()));
    while !ended.is_finished() {
        tokio::time::sleep(patience / 2).await;
        sends(&sent);
    }
    served.await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_last_bytes_are_waited_for_as_long_as_some_are_taken() {
    let patience = Sending::default().patience(true);
    let (nothing, some) = (|_: &Sent| {}, |sent: &Sent| sent.add(1));
    assert!(settled(patience - patience / 4, nothing).await);
    assert!(!settled(patience * 2, nothing).await);
    assert!(settled(patience * 10, some).await);
}
