//! Connections to services over HTTP/2 of which the settings are known.
//!
//! Spec: RFC 9113 §3.4 (preface), §5.2 (flow control), §6.5.2 (settings), §8.3.1 (target)

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use hyper::client::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::lines::{Errand, HEAD_BYTES, Stream};

/// A connection whose service has said what it allows.
pub(crate) struct Negotiated {
    pub(crate) sender: http2::SendRequest<Body>,
    /// To be polled for as long as it is used.
    pub(crate) connection: http2::Connection<Stream, Body, Tasks>,
    pub(crate) tasks: Tasks,
}

/// How much of answers may wait here that clients do not take: of one, and of all on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    pub(crate) stream: u32,
    pub(crate) connection: u32,
}

impl Negotiated {
    /// Nobody is asked before the settings are here.
    pub(crate) async fn open(stream: Stream, windows: Windows) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let tasks = Tasks::default();
        let (sender, mut connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_max_send_streams(0)
            .initial_stream_window_size(windows.stream)
            .initial_connection_window_size(windows.connection)
            .max_send_buf_size(SENT_AHEAD)
            .max_header_list_size(HEAD_BYTES as u32)
            // Answers that nobody wants any more are no attack: the service is ours.
            .max_local_error_reset_streams(None)
            .max_concurrent_reset_streams(REMEMBERED_RESETS)
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
        Ok(Self {
            sender,
            connection,
            tasks,
        })
    }
}

/// Whom a request is for: HTTP/2 has that in its target, and in no field beside it (RFC 9113 §8.3.1).
pub(crate) fn target(errand: &Errand<'_>, uri: &Uri, headers: &mut HeaderMap) -> Option<Uri> {
    let authority = match headers.remove(header::HOST) {
        Some(host) => Authority::try_from(host.as_bytes()).ok()?,
        None => errand.authority.clone(),
    };
    let mut target = uri.clone().into_parts();
    target.scheme = Some(errand.scheme.clone());
    target.authority = Some(authority);
    Uri::from_parts(target).ok()
}

/// What serves a connection. Tells whenever something may have happened on it: hyper says what the settings are, but not when they come.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    polled: Arc<Notify>,
    running: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Tasks {
    /// Ends them after a moment, wherever they are: what is still on its way may arrive, and a server that does not take it is not waited for.
    pub(crate) fn end(&self) {
        let tasks = self.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep(GOODBYE).await;
                let mut running = tasks.running.lock().unwrap_or_else(PoisonError::into_inner);
                running.drain(..).for_each(|task| task.abort());
            });
        }
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
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Each body of a request is one of them.
        running.retain(|task| !task.is_finished());
        running.push(task.abort_handle());
    }
}

const SENT_AHEAD: usize = 64 * 1024;
const REMEMBERED_RESETS: usize = 1024;
/// A server that is gone is noticed although nobody says anything.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_ANSWER: Duration = Duration::from_secs(5);
/// How long the end of a connection may take.
const GOODBYE: Duration = Duration::from_secs(5);
