//! Connections to one server over HTTP/2, one for each WebSocket.
//!
//! They are not shared: hyper keeps a stream of which the server takes nothing open for as long as its connection, and a client could leave one such
//! stream after the other behind.
//!
//! Spec: RFC 8441 §3 (the setting), §4 (extended CONNECT)

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use tokio::time::Instant;

use crate::lines::{Errand, Failed, Stream};
use crate::negotiated::{Negotiated, Tasks, Windows};

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
        let windows = Windows {
            stream: STREAM_BYTES,
            connection: STREAM_BYTES,
        };
        let Negotiated {
            sender,
            connection,
            tasks,
        } = Negotiated::open(stream, windows).await?;
        if !connection.is_extended_connect_protocol_enabled() {
            return Ok(None);
        }
        Executor::execute(&tasks, async move {
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
    fn drop(&mut self) {
        self.tasks.end();
    }
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trunk")
    }
}

/// What a client does not take waits here.
const STREAM_BYTES: u32 = 64 * 1024;
/// How long a server that takes no WebSockets is not asked again.
const BELIEVED: Duration = Duration::from_secs(60);
