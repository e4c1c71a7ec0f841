//! Certificate and key from files, read again when they change.
//!
//! Spec: RFC 8446 (TLS 1.3) · RFC 7301 (ALPN)

use std::{
    fmt::Display,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use carnet_jose::primitive::sha256;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::time::{MissedTickBehavior, interval};
use zeroize::Zeroizing;

use super::config::TlsFiles;

/// What the TLS side of a listener presents right now.
#[derive(Debug)]
pub(super) struct Certificate {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    /// A digest of the files last read, good or not.
    seen: Mutex<[u8; 32]>,
}

/// Both files as they were at one moment.
struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Certificate {
    /// Reads the files, or says which of them is wrong and why.
    pub(super) fn load(files: TlsFiles) -> io::Result<Arc<Self>> {
        let pair = Pair::read(&files)?;
        let current = ArcSwap::from(pair.server_config(&files)?);
        Ok(Arc::new(Self {
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
        self.current.store(pair?.server_config(&self.files)?);
        Ok(true)
    }
}

impl Pair {
    fn read(files: &TlsFiles) -> io::Result<Self> {
        let certificate =
            fs::read(&files.certificate).map_err(|error| unusable(&files.certificate, error))?;
        check_private(&files.key)?;
        let key = fs::read(&files.key).map_err(|error| unusable(&files.key, error))?;
        Ok(Self {
            certificate,
            key: Zeroizing::new(key),
        })
    }

    fn digest(&self) -> [u8; 32] {
        sha256(&[sha256(&self.certificate), sha256(&self.key)].concat())
    }

    fn server_config(&self, files: &TlsFiles) -> io::Result<Arc<ServerConfig>> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain =
            chain.map_err(|error| unusable(&files.certificate, format_args!("is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(unusable(
                &files.certificate,
                "holds no certificate (BEGIN CERTIFICATE)",
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| {
            unusable(
                &files.key,
                "holds no private key in PEM (BEGIN PRIVATE KEY), or an encrypted one",
            )
        })?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => unusable(
                &files.key,
                format_args!(
                    "is not the key of the certificate in {}",
                    files.certificate.display()
                ),
            ),
            error => unusable(&files.certificate, error),
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[cfg(unix)]
fn check_private(key: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(key)
        .map_err(|error| unusable(key, error))?
        .permissions()
        .mode();
    if mode & 0o007 != 0 {
        return Err(unusable(
            key,
            format_args!(
                "can be read by everybody on this machine; chmod 600 {}",
                key.display()
            ),
        ));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> io::Result<()> {
    Ok(())
}

fn unusable(file: &Path, why: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", file.display()))
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
