//! Connections to one server over HTTP/2, one for each WebSocket.
//!
//! They are not shared: hyper keeps a stream of which the server takes nothing open for as long as its connection, and a client could leave one such
//! stream after the other behind.
//!
//! Spec: RFC 8441 §3 (the setting), §4 (extended CONNECT) · RFC 9113 §3.4 (preface), §6.5.2 (settings)

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::lines::{Errand, Failed, Stream};

/// What is known of the WebSockets of a server.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    /// When it said last that it takes none.
    refused: Mutex<Option<Instant>>,
}

/// A connection for one WebSocket, for as long as that lasts.
pub(crate) struct Trunk {
    sender: http2::SendRequest<Body>,
    tasks: Tasks,
}

impl Trunks {
    /// A connection; `None` when the server takes no WebSockets. What it said of that it is believed for a while, so that clients who ask in vain
    /// cost no connections.
    pub(crate) async fn open(&self, errand: &Errand<'_>) -> Result<Option<Trunk>, Failed> {
        if self.refused().is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(None);
        }
        let opened = Trunk::negotiate(errand.dial().await?).await;
        let trunk = opened.map_err(|error| Failed::Broken { error, unsent: true })?;
        if trunk.is_none() {
            *self.refused() = Some(Instant::now());
        }
        Ok(trunk)
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trunk {
    /// §3: nobody may be asked before the settings are here.
    async fn negotiate(stream: Stream) -> Result<Option<Self>, Box<dyn Error + Send + Sync>> {
        let tasks = Tasks::default();
        let (sender, mut connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_max_send_streams(0)
            .initial_stream_window_size(STREAM_BYTES)
            .max_send_buf_size(STREAM_BYTES as usize)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER)
            .handshake(stream)
            .await?;
        // None was allowed before they came.
        while connection.current_max_send_streams() == 0 {
            tokio::select! {
                ended = &mut connection => {
                    ended?;
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                () = tasks.polled.notified() => {}
            }
        }
        if !connection.is_extended_connect_protocol_enabled() {
            return Ok(None);
        }
        hyper::rt::Executor::execute(&tasks, async move {
            // What goes wrong on it, the request on it is told.
            let _ = connection.await;
        });
        Ok(Some(Self { sender, tasks }))
    }

    /// Sends an extended CONNECT. The connection is for as long as the WebSocket lasts.
    pub(crate) async fn send(mut self, request: Request<Body>) -> Result<(Response<Incoming>, Self), Failed> {
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok((response, self)),
            Err(mut failure) => Err(Failed::Broken {
                unsent: failure.take_message().is_some(),
                error: Box::new(failure.into_error()),
            }),
        }
    }
}

impl Drop for Trunk {
    /// What is still on its way may arrive; a server that does not take it is not waited for.
    fn drop(&mut self) {
        let tasks = self.tasks.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep(GOODBYE).await;
                tasks.running().drain(..).for_each(|task| task.abort());
            });
        }
    }
}

/// What serves a connection. Tells whenever something may have happened on it: hyper says what the settings are, but not when they come.
#[derive(Clone, Default)]
struct Tasks {
    polled: Arc<Notify>,
    running: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Tasks {
    fn running(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let polled = Arc::clone(&self.polled);
        let task = tokio::spawn(async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                let outcome = future.as_mut().poll(cx);
                polled.notify_one();
                outcome
            })
            .await;
        });
        self.running().push(task.abort_handle());
    }
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trunk")
    }
}

/// What a client does not take waits here.
const STREAM_BYTES: u32 = 64 * 1024;
/// A server that is gone is noticed although nobody says anything.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(10);
/// How long a server that takes no WebSockets is not asked again.
const BELIEVED: Duration = Duration::from_secs(60);
/// How long the end of a WebSocket may take.
const GOODBYE: Duration = Duration::from_secs(5);
