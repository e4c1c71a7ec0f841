//! The body of a request. What nobody reads of it is read here, so that the next request is heard; or the answer says that none will be.
//!
//! Over HTTP/2 the stream would be reset instead. A peer that did not expect it goes on sending, and too much of that ends the connection, with the requests
//! of all others whom a proxy serves on it.
//!
//! Spec: RFC 9112 §9.3, §9.6 · RFC 9113 §5.1, §8.1 · RFC 9110 §10.1.1 (100-continue)

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use super::pulse::{Pulse, Uploading};

/// What a body must be to be read here.
pub(super) trait Readable: Body<Data = Bytes> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Readable for B {}

/// The body of a request, which counts for as long as somebody has it.
pub(super) struct Upload<B: Readable> {
    body: Option<(B, Uploading)>,
    /// The client waits until it hears that somebody wants it.
    awaits_continue: bool,
    unread: Option<Arc<Unread<B>>>,
}

/// What becomes of a body that nobody has read to its end.
pub(super) struct Unread<B: Readable> {
    fate: Mutex<Fate<B>>,
    /// HTTP/1.1: the next request stands behind it.
    in_turn: bool,
}

enum Fate<B> {
    /// There is no answer yet.
    Open,
    /// The same, and nobody wants the rest.
    Left {
        body: B,
        counted: Uploading,
        awaits_continue: bool,
    },
    /// The answer is on its way.
    Answered,
    /// The connection ends with the answer.
    Closing,
}

/// As long as an answer is being sent.
pub(super) struct Answering<B: Readable>(Arc<Unread<B>>);

impl<B: Readable> Upload<B> {
    /// The body of this request.
    pub(super) fn of(request: Request<B>, pulse: &Arc<Pulse>) -> (Request<Self>, Option<Arc<Unread<B>>>) {
        let (head, body) = request.into_parts();
        let in_turn = head.version == Version::HTTP_11;
        let unread = || Unread {
            fate: Mutex::new(Fate::Open),
            in_turn,
        };
        let unread = goes_on(&head).then(|| Arc::new(unread()));
        let upload = Self {
            body: Some((body, Uploading::new(pulse))),
            awaits_continue: in_turn && head.headers.contains_key(header::EXPECT),
            unread: unread.clone(),
        };
        (Request::from_parts(head, upload), unread)
    }
}

/// Whether another request can come on the connection.
fn goes_on(head: &http::request::Parts) -> bool {
    match head.version {
        Version::HTTP_11 => !says_close(&head.headers),
        version => version == Version::HTTP_2,
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::CONNECTION).iter();
    let said = said.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    said.map(<[u8]>::trim_ascii)
        .any(|word| word.eq_ignore_ascii_case(b"close"))
}

impl<B: Readable> Unread<B> {
    /// An answer goes out, and says so when no request can follow it.
    pub(super) fn answer<T>(self: Arc<Self>, answer: &mut Response<T>) -> Answering<B> {
        if self.in_turn {
            let mut fate = self.fate();
            let unreadable = match &*fate {
                Fate::Left {
                    body,
                    awaits_continue,
                    ..
                } => *awaits_continue || body.size_hint().lower() > self.most(),
                _ => false,
            };
            let closes = says_close(answer.headers());
            if unreadable && !closes {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().append(header::CONNECTION, close);
            }
            if unreadable || closes {
                *fate = Fate::Closing;
            }
        }
        Answering(self)
    }

    fn leave(&self, (body, counted): (B, Uploading), awaits_continue: bool) {
        let mut fate = self.fate();
        match *fate {
            // Over HTTP/2 it would take from the room of all others on the connection, for as long as the answer takes.
            Fate::Open if self.in_turn => {
                *fate = Fate::Left {
                    body,
                    counted,
                    awaits_continue,
                }
            }
            Fate::Open | Fate::Answered if !awaits_continue => read((body, counted), self.most()),
            _ => {}
        }
    }

    /// How many bytes of a body are read.
    fn most(&self) -> u64 {
        match self.in_turn {
            // Whoever has more to send can as well connect anew.
            true => 64 * 1024,
            false => 1024 * 1024,
        }
    }

    fn fate(&self) -> MutexGuard<'_, Fate<B>> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads it, unless it is much or slow. hyper closes the connection when it is let go of before its end.
fn read<B: Readable>((body, counted): (B, Uploading), most: u64) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let (mut body, mut left, last) = (body, most, Instant::now() + LONGEST);
        // Asked for its end, hyper may well begin with the next request before it tells.
        while !body.is_end_stream() {
            let until = last.min(Instant::now() + PATIENCE);
            let next = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let Ok(Some(Ok(frame))) = timeout_at(until, next).await else {
                break;
            };
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len) as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
        drop((body, counted));
    });
}

impl<B: Readable> Drop for Answering<B> {
    fn drop(&mut self) {
        let mut fate = self.0.fate();
        match mem::replace(&mut *fate, Fate::Answered) {
            Fate::Left { body, counted, .. } => read((body, counted), self.0.most()),
            Fate::Closing => *fate = Fate::Closing,
            Fate::Open | Fate::Answered => {}
        }
    }
}

impl<B: Readable> Drop for Upload<B> {
    fn drop(&mut self) {
        if let (Some(unread), Some(left)) = (&self.unread, self.body.take())
            && !left.0.is_end_stream()
        {
            unread.leave(left, self.awaits_continue);
        }
    }
}

impl<B: Readable> Body for Upload<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some((body, _)) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        // Now it has heard so: before that, hyper may not have said it.
        self.awaits_continue = false;
        if !matches!(frame, Some(Ok(_))) {
            // There is no rest.
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some((body, _)) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

/// For so long a peer that says nothing more is listened to,
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// … and one that goes on.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::watch;

    use super::*;
    use crate::phase::Phase;

    /// Comes in pieces of a KiB, so many at once; then it stops, and has no end.
    struct Endless {
        pieces: usize,
        taken: Arc<AtomicUsize>,
        over: Arc<tokio::sync::Notify>,
    }

    impl Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            if self.taken.load(Ordering::Relaxed) < self.pieces {
                self.taken.fetch_add(1, Ordering::Relaxed);
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 1024])))));
            }
            Poll::Pending
        }
    }

    impl Drop for Endless {
        fn drop(&mut self) {
            self.over.notify_one();
        }
    }

    /// How much is read of a body that was left unread, and how long it is kept.
    async fn read_of(pieces: usize, version: Version, expects: &str) -> (usize, Duration) {
        let (taken, over) = <(Arc<AtomicUsize>, Arc<tokio::sync::Notify>)>::default();
        let body = Endless {
            pieces,
            taken: Arc::clone(&taken),
            over: Arc::clone(&over),
        };
        let pulse = Pulse::new(watch::channel(Phase::Open).1);
        let request = Request::post("/")
            .version(version)
            .header(expects, "100-continue");
        let request = request.body(body).unwrap();
        let (request, unread) = Upload::of(request, &pulse);
        let begun = Instant::now();
        let answering = unread.unwrap().answer(&mut Response::new(()));
        drop(answering);
        // Whoever had it lets go of it after the answer.
        drop(request);
        over.notified().await;
        (taken.load(Ordering::Relaxed), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_is_read_for_a_while_and_not_without_end() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(read_of(0, one, "x").await, (0, PATIENCE));
        assert_eq!(read_of(64, one, "x").await, (64, PATIENCE));
        assert_eq!(read_of(100, one, "x").await, (65, Duration::ZERO));
        assert_eq!(read_of(100, two, "x").await, (100, PATIENCE));
        assert_eq!(read_of(2_000, two, "x").await, (1_025, Duration::ZERO));
        // The next bytes may be a request, but for HTTP/2, which says whose they are.
        assert_eq!(read_of(100, one, "expect").await, (0, Duration::ZERO));
        assert_eq!(read_of(100, two, "expect").await, (100, PATIENCE));
    }
}
