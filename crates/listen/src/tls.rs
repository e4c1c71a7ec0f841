//! Certificate and key from files, read again when they change.
//!
//! Spec: RFC 8446 (TLS 1.3)

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use carnet_jose::primitive::sha256;
use rustls::ServerConfig;
use tokio::time::{MissedTickBehavior, interval};

use crate::tls_pair::{Pair, TlsFiles};

/// What the TLS side of a listener presents right now.
#[derive(Debug)]
pub(super) struct Certificate {
    files: TlsFiles,
    /// Whether clients are asked for theirs.
    asks: bool,
    current: ArcSwap<ServerConfig>,
    /// A digest of the files last read, good or not.
    seen: Mutex<[u8; 32]>,
}

impl Certificate {
    /// Reads the files, or says which of them is wrong and why.
    pub(super) fn load(files: TlsFiles, asks: bool) -> io::Result<Arc<Self>> {
        let pair = Pair::read(&files)?;
        let current = ArcSwap::from(pair.presented(&files, asks)?);
        Ok(Arc::new(Self {
            asks,
            seen: Mutex::new(pair.digest()),
            files,
            current,
        }))
    }

    /// For the next handshake; connections keep what they began with.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Never ends: looks at the files every ten seconds, and at once on SIGHUP.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangup = Hangup::new();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = hangup.recv() => {}
            }
            let certificate = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || certificate.look()).await;
        }
    }

    /// Takes what is new in the files. A pair that cannot be used changes nothing and is named in the log once.
    pub(super) fn look(&self) {
        match self.take_new() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(certificate = %self.files.certificate.display(), "the TLS certificate was renewed")
            }
            Err(error) => {
                tracing::error!(%error, "the new TLS files cannot be used; the certificate before them stays")
            }
        }
    }

    fn take_new(&self) -> io::Result<bool> {
        let pair = Pair::read(&self.files);
        // Files that cannot be read have a digest too: that of their error.
        let digest = pair
            .as_ref()
            .map_or_else(|error| sha256(error.to_string().as_bytes()), Pair::digest);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == digest {
            return Ok(false);
        }
        *seen = digest;
        self.current.store(pair?.presented(&self.files, self.asks)?);
        Ok(true)
    }
}

/// SIGHUP, where there is such a thing.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn recv(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(10);
