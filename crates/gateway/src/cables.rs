//! Connections to one server over HTTP/2: kept open, each with several requests at a time.
//!
//! No more requests than it has room for: what clients do not take fills a connection's window (RFC 9113 §5.2.1), and nobody else would get an answer on
//! it; and a server that allows so many at once has the next one wait for as long as one of them lasts.
//!
//! Spec: RFC 9113 §5.1.2 (concurrency), §5.2 (flow control), §6.8 and §8.7 (what was not processed)

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use axum::body::Body;
use carnet_client::flight::Flight;
use http::request::Parts;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use hyper::rt::Executor;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::lent::{Lent, Sending};
use crate::lines::{Errand, Failed, IDLE, Stream};
use crate::negotiated::{self, Negotiated, Tasks, Windows};

/// The connections of a server.
#[derive(Clone, Default)]
pub(crate) struct Cables(Arc<Shared>);

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    /// A place has become free.
    freed: Notify,
}

#[derive(Default)]
struct Known {
    open: Vec<Arc<Cable>>,
    /// The next one, on its way.
    dialled: Option<Flight<Result<(), Lost>>>,
}

struct Cable {
    sender: http2::SendRequest<Body>,
    /// Requests on it.
    taken: AtomicUsize,
    /// How many there may be.
    places: AtomicUsize,
    /// Whether the server takes nothing on one of its streams whose client is gone: that counts there for as long as the connection lasts (hyper keeps it),
    /// so, when that does not change soon, no other request is sent on it, and it ends with the last of those that it has.
    clogged: AtomicBool,
    /// When it began to wait for a request.
    since: Mutex<Instant>,
    tasks: Tasks,
}

/// A place on a connection, for as long as the answer lasts.
pub(crate) struct Place {
    cable: Arc<Cable>,
    all: Cables,
    /// What was sent on it.
    sending: Option<Sending>,
    /// Whether the answer was read to its end.
    answered: bool,
}

/// Why there is no connection; told to all who wait for one.
#[derive(Clone, Debug)]
struct Lost(io::ErrorKind, Arc<dyn Error + Send + Sync>);

impl Cables {
    /// Sends a request whose URI is a path, with this body. When the answer is overdue, `more` says, told since when it is waited for, from when on to wait
    /// anew.
    pub(crate) async fn send(
        &self,
        errand: &Errand<'_>,
        (mut head, body): (Parts, &Lent),
        more: impl Fn(Instant) -> Option<Instant>,
    ) -> Result<(Response<Incoming>, Place), Failed> {
        head.uri = negotiated::target(errand, &head.uri, &mut head.headers)
            .ok_or_else(|| Lost::from(io::ErrorKind::InvalidInput))?;
        head.version = Version::HTTP_2;
        let mut since = Instant::now();
        let late = |_| Lost::from(io::ErrorKind::TimedOut);
        let place = timeout_at(since + errand.patience, self.place(errand)).await;
        let mut place = place.map_err(late)??;
        since = Instant::now();
        let request = Request::from_parts(head, body.again());
        place.sending = Some(body.sending());
        let mut sender = place.cable.sender.clone();
        let mut asked = pin!(sender.try_send_request(request));
        loop {
            match timeout_at(since + errand.patience, &mut asked).await {
                Ok(Ok(response)) => return Ok((response, place)),
                Ok(Err(failure)) => return Err(broken(failure)),
                Err(_) => since = more(since).ok_or(Failed::Late)?,
            }
        }
    }

    /// On a connection that has one, or on the next; where there will be none, the first that becomes free.
    async fn place(&self, errand: &Errand<'_>) -> Result<Place, Failed> {
        loop {
            let freed = self.0.freed.notified();
            let dialled = {
                let mut known = self.known();
                if let Some(place) = self.take(&mut known) {
                    return Ok(place);
                }
                match &known.dialled {
                    Some(dialled) if !dialled.is_over() => dialled.clone(),
                    _ => known
                        .dialled
                        .insert(Flight::start(self.clone().dial(errand)))
                        .clone(),
                }
            };
            let mut freed = pin!(freed);
            let lost = tokio::select! {
                dialled = dialled.wait() => match dialled {
                    Some(Ok(())) => continue,
                    Some(Err(lost)) => lost,
                    None => io::ErrorKind::Interrupted.into(),
                },
                () = &mut freed => continue,
            };
            let taken = {
                let mut known = self.known();
                let taken = self.take(&mut known);
                taken.ok_or(known.open.is_empty())
            };
            match taken {
                Ok(place) => return Ok(place),
                Err(true) => {
                    // There is nothing left that others could wait for.
                    self.0.freed.notify_waiters();
                    return Err(lost.into());
                }
                Err(false) => freed.await,
            }
        }
    }

    fn take(&self, known: &mut Known) -> Option<Place> {
        known.open.retain(|cable| !cable.is_over());
        let cable = known.open.iter().find(|cable| cable.is_taken())?;
        Some(Place {
            cable: Arc::clone(cable),
            all: self.clone(),
            sending: None,
            answered: false,
        })
    }

    /// One more connection, for whoever waits.
    fn dial(self, errand: &Errand<'_>) -> impl Future<Output = Result<(), Lost>> + Send + use<> {
        let (dialled, patience) = (errand.dial(), errand.patience);
        async move {
            let stream = dialled.await.map_err(Lost::of)?;
            let cable = timeout(patience, Cable::lay(stream)).await;
            let cable = cable.map_err(|_| Lost::from(io::ErrorKind::TimedOut))??;
            self.known().open.push(cable);
            // Also those who had given up hope of one.
            self.0.freed.notify_waiters();
            Ok(())
        }
    }

    /// Closes what has waited too long.
    pub(crate) fn sweep(&self) {
        let waits = |cable: &Arc<Cable>| {
            cable.is_over() || cable.taken.load(Relaxed) == 0 && cable.since().elapsed() >= IDLE
        };
        self.known().open.retain(|cable| !waits(cable));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cable {
    async fn lay(stream: Stream) -> Result<Arc<Self>, Lost> {
        let windows = Windows {
            stream: STREAM_BYTES,
            connection: STREAM_BYTES * MOST_PLACES as u32 * SMALL_FRAMES,
        };
        let negotiated = Negotiated::open(stream, windows).await;
        let Negotiated {
            sender,
            mut connection,
            tasks,
        } = negotiated.map_err(|error| Lost(io::ErrorKind::Other, error.into()))?;
        let cable = Arc::new(Self {
            sender,
            taken: AtomicUsize::new(0),
            places: AtomicUsize::new(MOST_PLACES.min(connection.current_max_send_streams())),
            clogged: AtomicBool::new(false),
            since: Mutex::new(Instant::now()),
            tasks: tasks.clone(),
        });
        let laid = Arc::downgrade(&cable);
        let served = poll_fn(move |cx| {
            // What goes wrong on it, the requests on it are told.
            let ended = Pin::new(&mut connection).poll(cx).map(drop);
            if let Some(cable) = laid.upgrade() {
                let allowed = MOST_PLACES.min(connection.current_max_send_streams());
                cable.places.store(allowed, Relaxed);
            }
            ended
        });
        Executor::execute(&tasks, served);
        Ok(cable)
    }

    /// Takes a place.
    fn is_taken(&self) -> bool {
        let one_more = |taken: usize| (taken < self.places.load(Relaxed)).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    fn is_over(&self) -> bool {
        self.sender.is_closed() || self.clogged.load(Relaxed)
    }

    fn since(&self) -> MutexGuard<'_, Instant> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The answer was read to its end.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }

    async fn settle(self, sending: Sending) {
        if !sending.settles(self.answered).await {
            self.cable.clogged.store(true, Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take().filter(Sending::is_under_way) {
            if let Ok(runtime) = Handle::try_current() {
                // It is not free yet.
                let same = Self {
                    cable: Arc::clone(&self.cable),
                    all: self.all.clone(),
                    sending: None,
                    answered: self.answered,
                };
                runtime.spawn(same.settle(sending));
                return;
            }
            self.cable.clogged.store(true, Relaxed);
        }
        *self.cable.since() = Instant::now();
        self.cable.taken.fetch_sub(1, Relaxed);
        self.all.0.freed.notify_one();
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.tasks.end();
    }
}

impl Lost {
    fn of(failed: Failed) -> Self {
        match failed {
            Failed::Broken { error, .. } | Failed::Unseen { error, .. } => {
                let kind = error.downcast_ref().map_or(io::ErrorKind::Other, io::Error::kind);
                Self(kind, error.into())
            }
            Failed::Late | Failed::Socketless => io::ErrorKind::TimedOut.into(),
        }
    }
}

impl From<io::ErrorKind> for Lost {
    fn from(kind: io::ErrorKind) -> Self {
        Self(kind, Arc::new(io::Error::from(kind)))
    }
}

impl From<Lost> for Failed {
    fn from(Lost(kind, error): Lost) -> Self {
        Self::Broken {
            error: Box::new(io::Error::new(kind, error)),
            unsent: true,
        }
    }
}

/// What a server was beyond when it said what it still does before it closes (§6.8), and what it refuses (§8.7), it has not looked at.
fn broken(mut failure: TrySendError<Request<Body>>) -> Failed {
    let unsent = failure.take_message().is_some();
    let error = failure.into_error();
    let cause = error.source().and_then(|error| error.downcast_ref::<h2::Error>());
    let cause = cause.filter(|error| error.is_remote());
    let closing = unsent || cause.is_some_and(h2::Error::is_go_away);
    let refused = cause.and_then(h2::Error::reason) == Some(h2::Reason::REFUSED_STREAM);
    let error = Box::new(error);
    match closing || refused {
        true => Failed::Unseen { error, closing },
        false => Failed::Broken { error, unsent: false },
    }
}

impl fmt::Debug for Cables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cables")
            .field("open", &self.known().open.len())
            .finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

/// What a client does not take waits here.
const STREAM_BYTES: u32 = 256 * 1024;
const MOST_PLACES: usize = 64;
/// The windows of the streams bound what waits; h2 takes half of the connection's for the most that many small frames may cost it, and breaks the connection
/// beyond that.
const SMALL_FRAMES: u32 = 16;
