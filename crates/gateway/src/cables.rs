//! Connections to one server over HTTP/2: kept open, each with several requests at a time.
//!
//! No more requests than it has room for: what clients do not take fills a connection's window (RFC 9113 §5.2.1), and nobody else would get an answer on
//! it; and a server that allows so many at once has the next one wait for as long as one of them lasts.
//!
//! Spec: RFC 9113 §5.1.2 (concurrency), §5.2 (flow control), §6.8 and §8.7 (what was not processed)

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use axum::body::Body;
use carnet_client::flight::Flight;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use tokio::time::{Instant, timeout, timeout_at};

use crate::lines::{Errand, Failed, IDLE, Stream};
use crate::negotiated::{self, Negotiated, Windows};

/// The connections of a server.
#[derive(Clone, Default)]
pub(crate) struct Cables(Arc<Mutex<Known>>);

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
    /// When it began to wait for one.
    since: Mutex<Instant>,
}

/// A place on a connection, for as long as the answer lasts.
pub(crate) struct Place(Arc<Cable>);

/// Why there is no connection; told to all who wait for one.
#[derive(Clone, Debug)]
struct Lost(io::ErrorKind, Arc<dyn Error + Send + Sync>);

impl Cables {
    /// Sends a request whose URI is a path. When the answer is overdue, `more` says, told since when it is waited for, from when on to wait anew.
    pub(crate) async fn send(
        &self,
        errand: &Errand<'_>,
        mut request: Request<Body>,
        more: impl Fn(Instant) -> Option<Instant>,
    ) -> Result<(Response<Incoming>, Place), Failed> {
        let uri = std::mem::take(request.uri_mut());
        *request.uri_mut() = negotiated::target(errand, &uri, request.headers_mut())
            .ok_or_else(|| Lost::from(io::ErrorKind::InvalidInput))?;
        *request.version_mut() = Version::HTTP_2;
        let place = self.place(errand).await?;
        let mut sender = place.0.sender.clone();
        let mut asked = pin!(sender.try_send_request(request));
        let mut since = Instant::now();
        loop {
            match timeout_at(since + errand.patience, &mut asked).await {
                Ok(Ok(response)) => return Ok((response, place)),
                Ok(Err(failure)) => return Err(broken(failure)),
                Err(_) => since = more(since).ok_or(Failed::Late)?,
            }
        }
    }

    /// On a connection that has one, or on the next.
    async fn place(&self, errand: &Errand<'_>) -> Result<Place, Failed> {
        loop {
            let dialled = {
                let mut known = self.known();
                known.open.retain(|cable| !cable.sender.is_closed());
                if let Some(place) = known.open.iter().find_map(Cable::take) {
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
            match dialled.wait().await {
                Some(Ok(())) => {}
                Some(Err(lost)) => return Err(lost.into()),
                None => return Err(Lost::from(io::ErrorKind::Interrupted).into()),
            }
        }
    }

    /// One more connection, for whoever waits.
    fn dial(self, errand: &Errand<'_>) -> impl Future<Output = Result<(), Lost>> + Send + use<> {
        let (dialled, patience) = (errand.dial(), errand.patience);
        async move {
            let stream = dialled.await.map_err(Lost::of)?;
            let cable = timeout(patience, Cable::lay(stream)).await;
            let cable = cable.map_err(|_| Lost::from(io::ErrorKind::TimedOut))??;
            self.known().open.push(cable);
            Ok(())
        }
    }

    /// Closes what has waited too long.
    pub(crate) fn sweep(&self) {
        let waits = |cable: &Arc<Cable>| {
            cable.taken.load(Relaxed) == 0 && cable.since().elapsed() >= IDLE || cable.sender.is_closed()
        };
        self.known().open.retain(|cable| !waits(cable));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cable {
    async fn lay(stream: Stream) -> Result<Arc<Self>, Lost> {
        let windows = Windows {
            stream: STREAM_BYTES,
            connection: STREAM_BYTES * MOST_PLACES as u32,
        };
        let negotiated = Negotiated::open(stream, windows).await;
        let Negotiated {
            sender,
            mut connection,
            ..
        } = negotiated.map_err(|error| Lost(io::ErrorKind::Other, error.into()))?;
        let cable = Arc::new(Self {
            sender,
            taken: AtomicUsize::new(0),
            places: AtomicUsize::new(MOST_PLACES.min(connection.current_max_send_streams())),
            since: Mutex::new(Instant::now()),
        });
        let laid = Arc::downgrade(&cable);
        tokio::spawn(poll_fn(move |cx| {
            // What goes wrong on it, the requests on it are told.
            let ended = Pin::new(&mut connection).poll(cx).map(drop);
            if let Some(cable) = laid.upgrade() {
                let allowed = MOST_PLACES.min(connection.current_max_send_streams());
                cable.places.store(allowed, Relaxed);
            }
            ended
        }));
        Ok(cable)
    }

    fn take(self: &Arc<Self>) -> Option<Place> {
        let one_more = |taken: usize| (taken < self.places.load(Relaxed)).then_some(taken + 1);
        let taken = self.taken.fetch_update(Relaxed, Relaxed, one_more);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    fn since(&self) -> MutexGuard<'_, Instant> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.since() = Instant::now();
        self.0.taken.fetch_sub(1, Relaxed);
    }
}

impl Lost {
    fn of(failed: Failed) -> Self {
        match failed {
            Failed::Broken { error, .. } | Failed::Refused(error) => {
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

/// §8.7: what a server refuses, or was beyond what it still does before it closes (§6.8), it has not looked at.
fn broken(mut failure: TrySendError<Request<Body>>) -> Failed {
    let unsent = failure.take_message().is_some();
    let error = failure.into_error();
    let cause = error.source().and_then(|error| error.downcast_ref::<h2::Error>());
    let refused = cause.is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    });
    match unsent || refused {
        true => Failed::Refused(Box::new(error)),
        false => Failed::Broken {
            error: Box::new(error),
            unsent: false,
        },
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
