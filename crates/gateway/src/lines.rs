//! Connections to one server, HTTP/1.1: kept open, and lent to one request at a time.
//!
//! Spec: RFC 9112 §9.3 (persistence), §9.3.1 (retrying)

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;
use std::{fmt, io, mem};

use axum::body::Body;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};
use tower::{Service, ServiceExt as _};

use crate::lent::{Sending, moves_until};
use crate::metered::{Metered, Sent};

/// How connections are made.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// A connection on which nothing was said yet.
pub(crate) type Stream = <Connector as Service<Uri>>::Response;

/// A connection that is lent.
#[derive(Debug)]
pub(crate) struct Line {
    sender: http1::SendRequest<Body>,
    /// Rings when an answer is overdue. It stays with the connection and is only ever put off, which costs next to nothing.
    alarm: Pin<Box<Sleep>>,
    /// What was sent on it last, and how much of anything.
    sending: Sending,
    sent: Sent,
    /// Whether the answer to what was asked last was read to its end.
    answered: bool,
    /// Whether it takes no other request.
    spent: bool,
    /// What hyper does on it.
    served: AbortHandle,
}

/// The connections of a server that wait for a request, the one that was used last at the end.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<Waiting>>);

struct Waiting {
    line: Line,
    since: Instant,
}

/// Why there is no answer.
pub(crate) enum Failed {
    /// Something broke.
    Broken {
        error: Box<dyn Error + Send + Sync>,
        /// Whether the server got nothing of the request.
        unsent: bool,
    },
    /// The server did not look at the request.
    Unseen {
        error: Box<dyn Error + Send + Sync>,
        /// Whether it is about to close the connection; else it has too much to do.
        closing: bool,
    },
    /// It is overdue.
    Late,
    /// The server takes no WebSockets.
    Socketless,
}

/// Whom a request is for, and for how long an answer is waited for.
pub(crate) struct Errand<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) scheme: &'a Scheme,
    pub(crate) authority: &'a Authority,
    pub(crate) patience: Duration,
}

impl Lines {
    /// Takes and sends a request whose head is whole and whose URI is a path, with this body, on a connection that waits or on a new one. When the answer is
    /// overdue, `more` says, told since when it is waited for, from when on to wait anew. The connection comes back by [`Lines::give_back`] once the
    /// answer was read to its end.
    pub(crate) async fn send(
        &self,
        errand: &Errand<'_>,
        (request, sending): (&mut Option<Request<Body>>, Sending),
        more: impl Fn(Instant) -> Option<Instant>,
    ) -> Result<(Response<Incoming>, Line), Failed> {
        loop {
            let (mut line, used) = match self.take() {
                Some(line) => (line, true),
                None => match Box::pin(errand.connect()).await {
                    Ok(line) => (line, false),
                    // In a rush of requests a server may be slow to take another connection, and done with one that it has.
                    Err(failed) => (self.take().ok_or(failed)?, true),
                },
            };
            (line.answered, line.sending) = (false, sending.clone());
            let mut since = Instant::now();
            line.alarm.as_mut().reset(since + errand.patience);
            let mut asked = pin!(line.sender.try_send_request(request.take().unwrap_or_default()));
            let alarm = &mut line.alarm;
            let answered = poll_fn(|cx| {
                loop {
                    if let Poll::Ready(answered) = asked.as_mut().poll(cx) {
                        return Poll::Ready(Some(answered));
                    }
                    ready!(alarm.as_mut().poll(cx));
                    match more(since) {
                        Some(moved) => since = moved,
                        None => return Poll::Ready(None),
                    }
                    alarm.as_mut().reset(since + errand.patience);
                }
            });
            match answered.await {
                None => return Err(Failed::Late),
                Some(Ok(response)) => return Ok((response, line)),
                Some(Err(mut failure)) => {
                    // It may go on elsewhere.
                    line.sending = Sending::default();
                    match failure.take_message() {
                        // §9.3.1: the server closed it while nobody asked anything.
                        Some(unsent) if used => *request = Some(unsent),
                        message => {
                            return Err(Failed::Broken {
                                unsent: message.is_some(),
                                error: Box::new(failure.into_error()),
                            });
                        }
                    }
                }
            }
        }
    }

    /// Keeps a connection that is ready for the next request.
    pub(crate) fn give_back(&self, line: Line) {
        let since = Instant::now();
        self.waiting().push(Waiting { line, since });
    }

    /// Closes what has waited too long.
    pub(crate) fn sweep(&self) {
        self.waiting()
            .retain(|waiting| waiting.since.elapsed() < IDLE && !waiting.line.is_closed());
    }

    fn take(&self) -> Option<Line> {
        let mut waiting = self.waiting();
        while let Some(last) = waiting.pop() {
            if last.since.elapsed() >= IDLE {
                // All others have waited longer.
                waiting.clear();
                return None;
            }
            if last.line.is_ready() {
                return Some(last.line);
            }
        }
        None
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Errand<'_> {
    /// Makes a connection.
    pub(crate) fn dial(&self) -> impl Future<Output = Result<Stream, Failed>> + Send + use<> {
        let unsent = |error: Box<dyn Error + Send + Sync>| Failed::Broken { error, unsent: true };
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query("/")
            .build();
        let (connector, end) = (self.connector.clone(), Instant::now() + self.patience);
        async move {
            let uri = uri.map_err(|error| unsent(Box::new(error)))?;
            timeout_at(end, connector.oneshot(uri))
                .await
                .map_err(|_| unsent(Box::new(io::Error::from(io::ErrorKind::TimedOut))))?
                .map_err(unsent)
        }
    }

    async fn connect(&self) -> Result<Line, Failed> {
        let stream = self.dial().await?;
        not_far_ahead(&stream);
        let (stream, sent) = Metered::new(stream);
        let mut one = http1::Builder::new();
        let shaken = one.max_buf_size(HEAD_BYTES).handshake(stream).await;
        let (sender, connection) = shaken.map_err(|error| Failed::Broken {
            error: Box::new(error),
            unsent: true,
        })?;
        // What goes wrong on it, the request on it is told.
        let served = tokio::spawn(connection.with_upgrades()).abort_handle();
        Ok(Line {
            sender,
            alarm: Box::pin(sleep_until(Instant::now() + self.patience)),
            sending: Sending::default(),
            sent,
            answered: true,
            spent: false,
            served,
        })
    }
}

/// Lets the system take little more than what the server has room for: it would take megabytes, and tell nobody when a slow server has some of them.
#[cfg(target_os = "linux")]
fn not_far_ahead(stream: &Stream) {
    let tcp = match stream {
        Stream::Http(tcp) => tcp,
        Stream::Https(tls) => tls.inner().get_ref().0.inner(),
    };
    let _ = socket2::SockRef::from(tcp.inner()).set_tcp_notsent_lowat(AHEAD);
}

#[cfg(not(target_os = "linux"))]
fn not_far_ahead(_: &Stream) {}

impl Drop for Line {
    fn drop(&mut self) {
        let (sending, served) = (mem::take(&mut self.sending), self.served.clone());
        match Handle::try_current().ok().filter(|_| self.answered) {
            Some(_) if served.is_finished() => {}
            Some(runtime) => drop(runtime.spawn(settle(sending, served, self.sent.clone()))),
            None => {
                // Nobody waits for it any more.
                sending.cut();
                served.abort();
            }
        }
    }
}

/// Lets a server have the rest of a body as long as it takes some. hyper ends a connection that nobody uses any more when all is sent; but it would wait for a
/// server that takes nothing as long as that lives, and keep what its client has sent.
async fn settle(sending: Sending, served: AbortHandle, sent: Sent) {
    let (moved, patience) = (|| (sending.moved(), sent.bytes()), || sending.patience(true));
    if !moves_until(|| served.is_finished(), moved, patience).await {
        sending.cut();
        served.abort();
    }
}

impl Line {
    /// Whether nothing can be sent on it any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.spent || self.sender.is_closed()
    }

    /// Whether it takes a request.
    pub(crate) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Waits until it takes a request; says whether it ever will.
    pub(crate) async fn becomes_ready(&mut self) -> bool {
        matches!(timeout(IDLE, self.sender.ready()).await, Ok(Ok(())))
    }

    /// It takes no other request.
    pub(crate) fn spend(&mut self) {
        self.spent = true;
    }

    /// The answer was read to its end.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("waiting", &self.waiting().len())
            .finish()
    }
}

/// When so much of an answer is there and its head has no end yet, it gets none. hyper asks before it reads more, and reads up to as much again: a head
/// of twice this length may pass, and a longer one never does. No more is read ahead either of what a client is slow to take.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Services close connections on which nobody asks, Node and Apache after five seconds. We must be first: what was sent into a connection that is
/// being closed may have been done, and is not sent again.
pub(crate) const IDLE: Duration = Duration::from_secs(4);
/// So many bytes the system takes that it cannot send yet.
#[cfg(target_os = "linux")]
const AHEAD: u32 = 128 * 1024;

#[cfg(test)]
mod tests;
