//! The body of a request. What nobody reads of it is read here, so that the next request on its connection is heard; or the answer says that none will be.
//!
//! Spec: RFC 9112 §9.3, §9.6 · RFC 9110 §10.1.1 (100-continue)

use std::{
    mem,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{runtime::Handle, time::timeout};

use super::pulse::{Pulse, Uploading};

/// What a body must be to be read here.
pub(super) trait Readable: Body<Data = Bytes> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Readable for B {}

/// The body of a request, which counts for as long as somebody has it.
pub(super) struct Upload<B: Readable> {
    body: Option<(B, Uploading)>,
    /// The client waits to be asked for it, which the first look at it does.
    waits: bool,
    rest: Option<Arc<Rest<B>>>,
}

/// What becomes of a body that nobody has read to its end.
pub(super) struct Rest<B: Readable>(Mutex<Fate<B>>);

enum Fate<B> {
    /// There is no answer yet.
    Open,
    /// The same, and nobody wants the rest.
    Left {
        body: B,
        counted: Uploading,
        waits: bool,
    },
    /// The answer was sent.
    Answered,
    /// The connection ends with the answer.
    Closing,
}

/// As long as an answer is being sent.
pub(super) struct Answering<B: Readable>(Arc<Rest<B>>);

impl<B: Readable> Upload<B> {
    /// The body of this request.
    pub(super) fn of(request: Request<B>, pulse: &Arc<Pulse>) -> (Request<Self>, Option<Arc<Rest<B>>>) {
        let (head, body) = request.into_parts();
        let rest = goes_on(&head).then(|| Arc::new(Rest(Mutex::new(Fate::Open))));
        let upload = Self {
            body: Some((body, Uploading::new(pulse))),
            waits: head.headers.contains_key(header::EXPECT),
            rest: rest.clone(),
        };
        (Request::from_parts(head, upload), rest)
    }
}

/// Whether another request can follow on the connection, behind the body of this one.
fn goes_on(head: &http::request::Parts) -> bool {
    head.version == Version::HTTP_11 && !head.headers.contains_key(header::UPGRADE) && !ends(&head.headers)
}

fn ends(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::CONNECTION).iter();
    let said = said.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    said.map(<[u8]>::trim_ascii)
        .any(|word| word.eq_ignore_ascii_case(b"close"))
}

impl<B: Readable> Rest<B> {
    /// An answer goes out, and says so when no request can follow it.
    pub(super) fn answer<T>(self: Arc<Self>, answer: &mut Response<T>) -> Answering<B> {
        {
            let mut fate = self.fate();
            let unreadable = match &*fate {
                Fate::Left { body, waits, .. } => *waits || body.size_hint().lower() > MOST,
                _ => false,
            };
            if unreadable {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            if ends(answer.headers()) {
                *fate = Fate::Closing;
            }
        }
        Answering(self)
    }

    fn leave(&self, (body, counted): (B, Uploading), waits: bool) {
        let mut fate = self.fate();
        match *fate {
            Fate::Open => *fate = Fate::Left { body, counted, waits },
            Fate::Answered if !waits => read(body, counted),
            _ => {}
        }
    }

    fn fate(&self) -> MutexGuard<'_, Fate<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads it, unless it is much or slow. hyper closes the connection when it is let go of before its end.
fn read<B: Readable>(body: B, counted: Uploading) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let (mut body, mut left) = (pin!(body), MOST);
        let all = std::future::poll_fn(|cx| {
            // Asked for its end, hyper may well begin with the next request before it tells.
            while !body.is_end_stream() {
                let frame = ready!(body.as_mut().poll_frame(cx)).and_then(Result::ok);
                let count = frame.map(|frame| frame.data_ref().map_or(0, Bytes::len));
                match count.and_then(|count| left.checked_sub(count as u64)) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
            Poll::Ready(())
        });
        let _ = timeout(PATIENCE, all).await;
        // What has come since the answer was no head.
        counted.ends();
    });
}

impl<B: Readable> Drop for Answering<B> {
    fn drop(&mut self) {
        let mut fate = self.0.fate();
        match mem::replace(&mut *fate, Fate::Answered) {
            Fate::Left { body, counted, .. } => read(body, counted),
            Fate::Closing => *fate = Fate::Closing,
            Fate::Open | Fate::Answered => {}
        }
    }
}

impl<B: Readable> Drop for Upload<B> {
    fn drop(&mut self) {
        if let (Some(rest), Some(left)) = (&self.rest, self.body.take())
            && !left.0.is_end_stream()
        {
            rest.leave(left, self.waits);
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
        self.waits = false;
        let Some((body, _)) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
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

/// Bytes of a body. Whoever has more to send can as well connect anew.
const MOST: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(3);
