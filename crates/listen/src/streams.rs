//! The streams of a connection over HTTP/2: one of which the peer takes nothing is reset, and the connection goes on.
//!
//! hyper asks an answer for more when the peer has room for what it has; while there is none it asks nothing, and nothing in the answer can end it.
//! What it runs a stream with is ours, though.
//!
//! Spec: RFC 9113 §5.2 (flow control), §5.4.2 (stream errors)

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

tokio::task_local! {
    /// Since when the peer may take a piece of the answer, and has not.
    static OFFERED: Cell<Option<Instant>>;
}

/// Runs streams, each for as long as its peer takes what is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    pub(super) patience: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let watched = Watched {
            stream: Box::pin(stream),
            patience: self.patience,
            alarm: None,
        };
        tokio::spawn(OFFERED.scope(Cell::new(None), watched));
    }
}

/// In the task of a stream: its answer is asked for more, so that the peer has taken what it had.
pub(super) fn taken() {
    let _ = OFFERED.try_with(|offered| offered.set(None));
}

/// In the task of a stream: the peer is given a piece. Says whether this is such a task.
pub(super) fn offered() -> bool {
    OFFERED
        .try_with(|offered| offered.set(Some(Instant::now())))
        .is_ok()
}

struct Watched<F> {
    stream: Pin<Box<F>>,
    patience: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Ok(Some(since)) = OFFERED.try_with(Cell::get) else {
            return Poll::Pending;
        };
        let end = since + self.patience;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if alarm.deadline() != end {
            alarm.as_mut().reset(end);
        }
        ready!(alarm.as_mut().poll(cx));
        // A stream that is dropped before its end is reset.
        tracing::debug!("a peer took nothing of an answer over HTTP/2");
        Poll::Ready(())
    }
}
