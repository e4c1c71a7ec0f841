//! The certificate that we show to servers which ask for one: two PEM files, read again when they change.
//!
//! Spec: RFC 8446 §4.4.2 (Certificate) · RFC 7468 (PEM) · RFC 5280 §4.1.2.5 (validity)

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use carnet_jose::primitive::sha256;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::time::{MissedTickBehavior, interval};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::error::ClientError;
use crate::key_file;

/// A certificate and its key.
pub struct ShownCertificate {
    files: Files,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Dated>,
    /// A digest of the files last read, good or not.
    seen: Mutex<[u8; 32]>,
    /// Whether it was said that `current` is not valid now.
    said: AtomicBool,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What is shown, and from when to when it is valid, in seconds since 1970.
struct Dated {
    shown: Arc<CertifiedKey>,
    valid: std::ops::RangeInclusive<u64>,
}

impl ShownCertificate {
    /// Reads both files: the certificate with its chain, and the key, which must be its owner's alone. A certificate that is not valid now is
    /// taken, and named in the log.
    ///
    /// # Errors
    /// [`ClientError::File`] says which file is wrong, and why.
    pub fn load(certificate: &Path, key: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>, ClientError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let pair = files.read()?;
        let shown = Self {
            seen: Mutex::new(pair.digest()),
            current: ArcSwap::from_pointee(files.dated(&pair)?),
            said: AtomicBool::new(false),
            files,
            clock,
        };
        shown.note_validity();
        Ok(Arc::new(shown))
    }

    /// Never ends: looks at the files every ten seconds.
    pub async fn keep_fresh(self: Arc<Self>) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let certificate = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || certificate.look()).await;
        }
    }

    /// Takes what is new in the files, for connections that are made from now on. A pair that cannot be used changes nothing and is named in the
    /// log once.
    pub fn look(&self) {
        match self.take_new() {
            Ok(false) => {}
            Ok(true) => {
                self.said.store(false, Ordering::Relaxed);
                tracing::info!(certificate = %self.files.certificate.display(), "the client certificate was renewed");
            }
            Err(error) => {
                tracing::error!(%error, "the new files of a client certificate cannot be used; the certificate before them stays")
            }
        }
        self.note_validity();
    }

    fn take_new(&self) -> Result<bool, ClientError> {
        let pair = self.files.read();
        // Files that cannot be read have a digest too: that of their error.
        let digest = pair
            .as_ref()
            .map_or_else(|error| sha256(error.to_string().as_bytes()), Pair::digest);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == digest {
            return Ok(false);
        }
        *seen = digest;
        self.current.store(Arc::new(self.files.dated(&pair?)?));
        Ok(true)
    }

    /// Says once when servers will refuse it for its dates.
    fn note_validity(&self) {
        let now = self.clock.since_epoch().as_secs();
        let current = self.current.load();
        if current.valid.contains(&now) || self.said.swap(true, Ordering::Relaxed) {
            return;
        }
        let certificate = self.files.certificate.display();
        match now < *current.valid.start() {
            true => {
                tracing::warn!(%certificate, "the client certificate is not valid yet: servers will refuse it")
            }
            false => {
                tracing::warn!(%certificate, "the client certificate has expired: servers will refuse it")
            }
        }
    }
}

impl ResolvesClientCert for ShownCertificate {
    // One certificate: whether it is of an authority that the server trusts, the server says.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().shown.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Both files as they were at one moment.
struct Pair {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Pair {
    fn digest(&self) -> [u8; 32] {
        sha256(&[sha256(&self.certificate), sha256(&self.key)].concat())
    }
}

impl Files {
    fn read(&self) -> Result<Pair, ClientError> {
        let certificate =
            std::fs::read(&self.certificate).map_err(|error| unusable(&self.certificate, error))?;
        let key = key_file::secret(&self.key)?;
        Ok(Pair { certificate, key })
    }

    fn dated(&self, pair: &Pair) -> Result<Dated, ClientError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.certificate).collect();
        let chain =
            chain.map_err(|error| unusable(&self.certificate, format_args!("is not PEM: {error}")))?;
        let first = chain
            .first()
            .ok_or_else(|| unusable(&self.certificate, "holds no certificate (BEGIN CERTIFICATE)"))?;
        let parsed = Certificate::from_der(first).map_err(|error| unusable(&self.certificate, error))?;
        let validity = parsed.tbs_certificate.validity;
        let (from, until) = (validity.not_before, validity.not_after);
        let valid = from.to_unix_duration().as_secs()..=until.to_unix_duration().as_secs();
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|_| {
            let why = "holds no private key in PEM (BEGIN PRIVATE KEY), or an encrypted one";
            unusable(&self.key, why)
        })?;
        let made = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let shown = made.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = self.certificate.display();
                let why = format!("is not the key of the certificate in {certificate}");
                unusable(&self.key, why)
            }
            error => unusable(&self.certificate, error),
        })?;
        Ok(Dated {
            shown: Arc::new(shown),
            valid,
        })
    }
}

fn unusable(file: &Path, why: impl Display) -> ClientError {
    ClientError::File(format!("{}: {why}", file.display()))
}

impl std::fmt::Debug for ShownCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownCertificate")
            .field("certificate", &self.files.certificate)
            .finish_non_exhaustive()
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(10);
