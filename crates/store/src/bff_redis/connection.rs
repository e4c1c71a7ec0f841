//! The one connection of an app's sessions, made when somebody needs it.
//!
//! A task of its own makes it: whoever has asked for it may stop asking, or turn to something else first, and holds nobody up.
//!
//! Spec: RFC 10017 §6.1 (tokens stay at the server's side)

use std::sync::{Mutex, PoisonError};

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use crate::error::StoreError;
use crate::redis_server::RedisServer;

/// The way to a server. All share one connection.
pub(super) struct Connections {
    server: RedisServer,
    /// Never held while anything is waited for.
    last: Mutex<Last>,
}

/// The last attempt to connect, and how many there were.
#[derive(Default)]
struct Last {
    number: u64,
    attempt: Option<watch::Receiver<Option<Made>>>,
}

type Made = Result<MultiplexedConnection, RedisError>;

/// A connection.
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    /// Whether it was not there when it was asked for.
    pub(super) fresh: bool,
    number: u64,
}

impl Connections {
    /// Nothing is asked of the server yet.
    pub(super) fn to(server: RedisServer) -> Self {
        Self {
            server,
            last: Mutex::default(),
        }
    }

    /// The connection, or the one that comes of the attempt under way: nobody begins another beside it.
    pub(super) async fn get(&self) -> Result<Connected, StoreError> {
        let (number, mut attempt, fresh) = self.attempt();
        let made = attempt.wait_for(Option::is_some).await;
        let made = made.ok().and_then(|made| made.clone());
        let gone = || StoreError::Unavailable("Redis: nobody connects any more".to_owned());
        let connection = made.ok_or_else(gone)?.map_err(|error| wrong(&error))?;
        Ok(Connected {
            connection,
            fresh,
            number,
        })
    }

    /// This one is of no use any more. One that somebody has made since stays.
    pub(super) fn lose(&self, lost: &Connected) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.number == lost.number {
            last.attempt = None;
        }
    }

    fn attempt(&self) -> (u64, watch::Receiver<Option<Made>>, bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempt) = &last.attempt
            && let Some(fresh) = promises(attempt)
        {
            return (last.number, attempt.clone(), fresh);
        }
        let (sender, attempt) = watch::channel(None);
        let server = self.server.clone();
        tokio::spawn(async move {
            sender.send_replace(Some(server.connect().await));
        });
        last.number += 1;
        last.attempt = Some(attempt.clone());
        (last.number, attempt, true)
    }
}

/// Whether the connection of an attempt is still to come; `None` when none will come: it has failed, or its runtime is gone.
fn promises(attempt: &watch::Receiver<Option<Made>>) -> Option<bool> {
    match &*attempt.borrow() {
        Some(Ok(_)) => Some(false),
        Some(Err(_)) => None,
        None => attempt.has_changed().is_ok().then_some(true),
    }
}

/// What went wrong, as the store says it.
pub(super) fn wrong(error: &RedisError) -> StoreError {
    match error.is_io_error() || error.is_unrecoverable_error() || error.is_timeout() {
        true => StoreError::Unavailable(format!("Redis: {error}")),
        false => StoreError::Broken(format!("Redis: {error}")),
    }
}
