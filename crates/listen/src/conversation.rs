//! What is spoken on a connection: the version of HTTP that its first bytes are of, and after a while nothing.
//!
//! Most connections of a server wait, and hyper's buffers are most of what one of them takes: one that waits keeps nothing but its stream.
//!
//! Spec: RFC 9112 §9.3 (persistence), §9.6 (the end) · RFC 9113 §3.3, §3.4 (prior knowledge, preface)

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::answers::Answers;
use super::desk::Desk;
use super::streams::Streams;
use super::strict::Strict;
use super::upload::{LONGEST, PATIENCE};

/// How each version is spoken.
pub(super) struct Tongues {
    pub(super) one: http1::Builder,
    pub(super) two: http2::Builder<Streams>,
}

/// A connection, whatever is spoken on it.
pub(super) struct Conversation<'h, S, A: Answers> {
    tongues: &'h Tongues,
    state: State<S, A>,
}

type Two<S, A> = http2::Connection<TokioIo<Strict<S>>, Desk<A>, Streams>;

/// What some connections need and others do not stands apart in memory.
enum State<S, A: Answers> {
    /// Nothing was asked yet, or nothing for a while.
    Rest(Box<(Strict<S>, Desk<A>)>),
    One(Box<http1::UpgradeableConnection<TokioIo<Strict<S>>, Desk<A>>>),
    Two(Pin<Box<Two<S, A>>>),
    /// Nothing will be asked any more. TLS has a word for that.
    Goodbye(Box<(Strict<S>, Desk<A>)>),
    /// The last answer was sent, and its request is still coming: were the connection closed now, the peer's system could throw the answer away.
    Last(Box<Last<S>>),
    Over,
}

/// The end of a connection, for as long as it takes.
struct Last<S> {
    stream: Strict<S>,
    alarm: Pin<Box<Sleep>>,
    end: Instant,
}

impl<'h, S, A> Conversation<'h, S, A>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answers,
{
    pub(super) fn new(tongues: &'h Tongues, stream: Strict<S>, desk: Desk<A>) -> Self {
        Self {
            tongues,
            state: State::Rest(Box::new((stream, desk))),
        }
    }

    /// Goes on; ready when it is over. Errors of a connection are the peer's: it left, or spoke no HTTP.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Rest(resting) = &mut self.state {
            let spoken = ready!(resting.0.poll_begin(cx));
            self.begin(spoken);
        }
        if let State::One(connection) = &mut self.state {
            ready!(Pin::new(connection.as_mut()).poll(cx)).ok();
            self.end();
        }
        match &mut self.state {
            State::Last(last) => {
                ready!(Pin::new(&mut last.stream).poll_shutdown(cx)).ok();
                while last.alarm.as_mut().poll(cx).is_pending() {
                    if !ready!(last.stream.poll_discard(cx)) {
                        break;
                    }
                    last.alarm.as_mut().reset(last.end.min(Instant::now() + PATIENCE));
                }
                Poll::Ready(())
            }
            State::Two(connection) => connection.as_mut().poll(cx).map(drop),
            State::Goodbye(left) => Pin::new(&mut left.0).poll_shutdown(cx).map(drop),
            State::One(_) | State::Rest(_) | State::Over => Poll::Ready(()),
        }
    }

    /// HTTP/1.1 is over (RFC 9112 §9.6).
    fn end(&mut self) {
        if let State::One(connection) = std::mem::replace(&mut self.state, State::Over)
            && let Some(parts) = connection.into_parts()
            && parts.io.inner().is_in_body()
        {
            let now = Instant::now();
            self.state = State::Last(Box::new(Last {
                stream: parts.io.into_inner(),
                alarm: Box::pin(sleep_until(now + PATIENCE)),
                end: now + LONGEST,
            }));
        }
    }

    /// `http2`: whether that is what was heard; `None` when the peer has left.
    fn begin(&mut self, http2: Option<bool>) {
        let State::Rest(resting) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let (stream, desk) = *resting;
        let stream = TokioIo::new(stream);
        match http2 {
            Some(true) => self.state = State::Two(Box::pin(self.tongues.two.serve_connection(stream, desk))),
            Some(false) => {
                let connection = self.tongues.one.serve_connection(stream, desk);
                self.state = State::One(Box::new(connection.with_upgrades()));
            }
            None => {}
        }
    }

    /// No further request is taken.
    pub(super) fn graceful_shutdown(&mut self) {
        match &mut self.state {
            State::One(connection) => Pin::new(connection.as_mut()).graceful_shutdown(),
            State::Two(connection) => connection.as_mut().graceful_shutdown(),
            State::Rest(_) => {
                if let State::Rest(resting) = std::mem::replace(&mut self.state, State::Over) {
                    self.state = State::Goodbye(resting);
                }
            }
            State::Last(last) => {
                last.end = Instant::now() + HURRY;
                last.alarm.as_mut().reset(last.end);
            }
            State::Goodbye(_) | State::Over => {}
        }
    }

    /// Whether it keeps what only a request needs, and could give it back.
    pub(super) fn can_rest(&self) -> bool {
        matches!(self.state, State::One(_))
    }

    /// Gives back what only a request needs. For when none is under way, nor a part of one, and everything was sent.
    pub(super) fn rest(&mut self) {
        let connection = match std::mem::replace(&mut self.state, State::Over) {
            State::One(connection) => connection,
            other => {
                self.state = other;
                return;
            }
        };
        // Bytes that were let through and that nobody has taken belong to something that is not at its end: nothing is made of them.
        if let Some(parts) = connection.into_parts()
            && parts.read_buf.is_empty()
            && parts.io.inner().is_drained()
        {
            self.state = State::Rest(Box::new((parts.io.into_inner(), parts.service)));
        }
    }
}

/// For so long a peer is listened to that has its answer, when the server stops.
const HURRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::sync::{Semaphore, watch};

    use super::*;
    use crate::config::ListenConfig;
    use crate::crowd::{Crowd, Seat};
    use crate::peer::PeerAddr;
    use crate::phase::Phase;
    use crate::pulse::{Deadline, Pulse, Uploading, Watched};

    #[tokio::test]
    async fn between_two_requests_nothing_is_kept_but_the_stream() {
        let (mut client, server) = duplex(4096);
        let peer = PeerAddr::of("192.0.2.1:1".parse().unwrap());
        let seat = Seat {
            _place: Crowd::new(1, Vec::new()).admit(peer).unwrap(),
            _permit: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
        };
        let pulse = Pulse::new(watch::channel(Phase::Open).1);
        let stream = Strict::new(Watched::new(server, Arc::clone(&pulse), seat), 8192);
        let desk = Desk {
            answers: Router::new().fallback(async || "hello"),
            peer,
            certificate: None,
            pulse: Arc::clone(&pulse),
        };
        let config = ListenConfig::default();
        let tongues = Tongues {
            one: http1::Builder::new(),
            two: http2::Builder::new(Streams {
                patience: config.write_timeout,
            }),
        };
        let mut conversation = Conversation::new(&tongues, stream, desk);
        for _ in 0..3 {
            assert!(!conversation.can_rest());
            let asked = client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let mut answer = Vec::new();
            asked.unwrap();
            while !answer.ends_with(b"hello") {
                tokio::select! {
                    () = std::future::poll_fn(|cx| conversation.poll(cx)) => panic!("it is over"),
                    count = client.read_buf(&mut answer) => assert!(count.unwrap() > 0),
                }
            }
            let can_rest = conversation.can_rest();
            assert!(matches!(
                pulse.deadline(&config, can_rest),
                Some(Deadline::Rest(_))
            ));
            conversation.rest();
        }
    }

    #[tokio::test]
    async fn whoever_may_still_read_a_body_keeps_its_connection_from_resting() {
        let pulse = Pulse::new(watch::channel(Phase::Open).1);
        drop(pulse.open(false));
        let rests = || pulse.deadline(&ListenConfig::default(), true);
        assert!(matches!(rests(), Some(Deadline::Rest(_))));
        let upload = Uploading::new(&pulse);
        assert!(matches!(rests(), Some(Deadline::Idle(_))));
        drop(upload);
        assert!(matches!(rests(), Some(Deadline::Rest(_))));
    }
}
