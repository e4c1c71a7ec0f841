//! The keys of clients that lie elsewhere: one cache for each address, which outlives every change of the clients that name it.
//!
//! Spec: RFC 7591 §2 (jwks_uri) · OpenID Connect Core §10.1.1 (rotation)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use carnet_client::clock;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};

use crate::clock::Clock;
use crate::config::{ASSERTION_ALGORITHMS, Config};
use crate::outbound;

/// The caches, by address.
pub struct KeyShelf {
    clock: Arc<dyn Clock>,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// Made when the first client needs it.
    http: Option<HttpClient>,
    known: HashMap<String, Weak<RemoteKeys>>,
}

impl KeyShelf {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            shelf: Mutex::default(),
        }
    }

    /// The keys at this address. Nothing is fetched yet; whoever registers the address anew does not make anybody fetch sooner.
    pub fn at(&self, config: &Config, uri: &str) -> Result<Arc<RemoteKeys>, String> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = shelf.known.get(uri).and_then(Weak::upgrade) {
            return Ok(keys);
        }
        let http = match &shelf.http {
            Some(http) => http.clone(),
            None => outbound::http_client(config).map_err(|error| error.to_string())?,
        };
        shelf.http = Some(http.clone());
        let location = Location::Jwks(uri.to_owned());
        let clock = OurClock(self.clock.clone());
        let keys = Arc::new(RemoteKeys::with_clock(
            http,
            location,
            ASSERTION_ALGORITHMS,
            clock,
        ));
        shelf.known.retain(|_, keys| keys.strong_count() > 0);
        shelf.known.insert(uri.to_owned(), Arc::downgrade(&keys));
        Ok(keys)
    }
}

struct OurClock(Arc<dyn Clock>);

impl clock::Clock for OurClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now()).unwrap_or_default())
    }
}
