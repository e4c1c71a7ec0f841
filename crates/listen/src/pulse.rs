//! What a connection is doing, so that one that does nothing, or too slowly, can be closed.
//!
//! hyper's own header timer would also end idle connections, and does not run before the first byte.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::Instant,
};

use super::config::ListenConfig;
use super::crowd::Seat;
use super::phase::Phase;
use super::streams;

/// The state of one connection. Moments are milliseconds since it began, plus one; zero is never.
pub(super) struct Pulse {
    began: Instant,
    /// How far the life of the listener is.
    phase: watch::Receiver<Phase>,
    open_requests: AtomicUsize,
    multiplexed: AtomicBool,
    /// How many requests of HTTP/2 have come.
    streams: AtomicUsize,
    switched: AtomicBool,
    /// Whether the last byte that came was inside a body.
    in_body: AtomicBool,
    /// Bodies of requests that somebody may still read: an answer may end before its request.
    uploads: AtomicUsize,
    last_answered: AtomicU64,
    head_begun: AtomicU64,
    write_refused: AtomicU64,
    /// The same for what waits behind TLS. By itself: a plain stream has nothing to flush, and says so while writes are refused.
    flush_refused: AtomicU64,
}

/// When a connection has waited long enough, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// A request, or the peer's taking of an answer, is overdue: drop the connection.
    Overdue(Instant),
    /// Nothing was asked for a moment: keep no buffers.
    Rest(Instant),
    /// Nothing was asked for a while: say goodbye.
    Idle(Instant),
}

impl Pulse {
    pub(super) fn new(phase: watch::Receiver<Phase>) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            phase,
            open_requests: AtomicUsize::new(0),
            multiplexed: AtomicBool::new(false),
            streams: AtomicUsize::new(0),
            switched: AtomicBool::new(false),
            in_body: AtomicBool::new(false),
            uploads: AtomicUsize::new(0),
            last_answered: AtomicU64::new(0),
            head_begun: AtomicU64::new(0),
            write_refused: AtomicU64::new(0),
            flush_refused: AtomicU64::new(0),
        })
    }

    /// The word that it is time to go.
    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }

    /// A request has arrived; it is open until the returned guard, which travels with the answer's body, is dropped.
    pub(super) fn open(self: &Arc<Self>, multiplexed: bool) -> Open {
        self.multiplexed.store(multiplexed, Relaxed);
        self.streams.fetch_add(usize::from(multiplexed), Relaxed);
        self.head_begun.store(0, Relaxed);
        self.open_requests.fetch_add(1, Relaxed);
        Open(Arc::clone(self))
    }

    /// How many requests of HTTP/2 have come.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// Another protocol was granted to the peer: what comes from now on is no HTTP.
    pub(super) fn switch(&self) {
        self.switched.store(true, Relaxed);
    }

    pub(super) fn has_switched(&self) -> bool {
        self.switched.load(Relaxed)
    }

    /// Bytes came in, and the next one is inside a body, or is not.
    pub(super) fn note_body(&self, in_body: bool) {
        self.in_body.store(in_body, Relaxed);
    }

    /// The next moment at which this connection must end unless something happens, or, when it `can_rest`, at which it is to do so.
    pub(super) fn deadline(&self, config: &ListenConfig, can_rest: bool) -> Option<Deadline> {
        let refused = [&self.write_refused, &self.flush_refused];
        if let Some(since) = refused.into_iter().filter_map(|mark| self.moment(mark)).min() {
            return Some(Deadline::Overdue(since + config.write_timeout));
        }
        if self.open_requests.load(Relaxed) > 0 {
            return None;
        }
        let Some(answered) = self.moment(&self.last_answered) else {
            return Some(Deadline::Overdue(self.began + config.header_timeout));
        };
        match self.moment(&self.head_begun) {
            Some(begun) => Some(Deadline::Overdue(begun + config.header_timeout)),
            None if can_rest && config.rest_after < config.idle_timeout && self.is_between_requests() => {
                Some(Deadline::Rest(answered + config.rest_after))
            }
            None => Some(Deadline::Idle(answered + config.idle_timeout)),
        }
    }

    fn is_between_requests(&self) -> bool {
        let flags = [&self.multiplexed, &self.switched, &self.in_body];
        flags.into_iter().all(|flag| !flag.load(Relaxed)) && self.uploads.load(Relaxed) == 0
    }

    /// Bytes came in. Between two requests of HTTP/1.1 they begin a head, unless a body is not at its end; in HTTP/2 they may be a mere ping.
    fn heard(&self) {
        let is_between = self.open_requests.load(Relaxed) == 0 && !self.in_body.load(Relaxed);
        if is_between && !self.multiplexed.load(Relaxed) {
            let _ = self.head_begun.compare_exchange(0, self.now(), Relaxed, Relaxed);
        }
    }

    fn wrote(&self, taken: bool) {
        self.mark(&self.write_refused, taken);
    }

    /// Since when something is refused, or that it is taken again.
    fn mark(&self, refused: &AtomicU64, taken: bool) {
        if taken {
            refused.store(0, Relaxed);
        } else {
            let _ = refused.compare_exchange(0, self.now(), Relaxed, Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).map_or(u64::MAX, |millis| millis + 1)
    }

    fn moment(&self, mark: &AtomicU64) -> Option<Instant> {
        let millis = mark.load(Relaxed).checked_sub(1)?;
        Some(self.began + Duration::from_millis(millis))
    }
}

/// Keeps a request open.
pub(super) struct Open(Arc<Pulse>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.last_answered.store(self.0.now(), Relaxed);
        self.0.open_requests.fetch_sub(1, Relaxed);
    }
}

/// In the extensions of a CONNECT: as long as one of its copies is there, the request counts as open.
#[derive(Clone)]
pub struct Hold {
    pub(super) _open: Arc<Open>,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}

/// Somebody may still read the body of a request.
pub(super) struct Uploading(Arc<Pulse>);

impl Uploading {
    pub(super) fn new(pulse: &Arc<Pulse>) -> Self {
        pulse.uploads.fetch_add(1, Relaxed);
        Self(Arc::clone(pulse))
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.uploads.fetch_sub(1, Relaxed);
    }
}

/// A body with which its request ends.
pub(super) struct Answer<B, G> {
    body: B,
    /// Comes when it is to end, of one that has no end of its own.
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// What of the last piece was not sent yet.
    rest: Bytes,
    /// Dropped with it.
    _open: G,
}

impl<B, G> Answer<B, G> {
    pub(super) fn new(body: B, open: G, closing: Option<impl Future<Output = ()> + Send + 'static>) -> Self {
        Self {
            body,
            closing: closing.map(|closing| -> Pin<Box<dyn Future<Output = ()> + Send>> { Box::pin(closing) }),
            rest: Bytes::new(),
            _open: open,
        }
    }
}

impl<B: Body, G> Answer<B, G> {
    /// Whether so much of what is at hand may be the end. Then a byte of it has to wait: what is given last nobody sees taken, and with the
    /// byte after it one does. Of what is no more than a stream takes anyway that is not worth a frame.
    fn may_be_last(&self, count: usize) -> bool {
        count == self.rest.len() && count > LITTLE && self.body.size_hint().lower() == 0
    }
}

impl<B: Body<Data = Bytes> + Unpin, G: Unpin> Body for Answer<B, G> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        streams::taken();
        if self.rest.is_empty() {
            let closing = self.closing.as_mut();
            if closing.is_some_and(|closing| closing.as_mut().poll(cx).is_ready()) {
                // Nobody asks again, and a future that is over is not asked either.
                self.closing = None;
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? {
                None => return Poll::Ready(None),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
            }
        }
        let piece = match streams::offered() {
            // Small ones, so that a peer that is slow is seen to take something.
            true => {
                let count = self.rest.len().min(PIECE);
                let held = usize::from(self.may_be_last(count));
                self.rest.split_to(count - held)
            }
            false => std::mem::take(&mut self.rest),
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, of_body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower().saturating_add(rest));
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

/// RFC 9113 §4.2: the largest frame of HTTP/2 that every peer takes.
const PIECE: usize = 16 * 1024;
/// What may stay with a peer that takes nothing of it.
const LITTLE: usize = 1024;

/// A stream that tells the pulse what passes.
pub(super) struct Watched<S> {
    stream: S,
    pub(super) pulse: Arc<Pulse>,
    _seat: Seat,
}

impl<S> Watched<S> {
    /// Keeps its seat for as long as it is open.
    pub(super) fn new(stream: S, pulse: Arc<Pulse>, seat: Seat) -> Self {
        Self {
            stream,
            pulse,
            _seat: seat,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.pulse.wrote(outcome.is_ready());
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.pulse.wrote(outcome.is_ready());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.pulse.mark(&self.pulse.flush_refused, outcome.is_ready());
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.pulse.wrote(outcome.is_ready());
        outcome
    }
}
