//! The keys of clients that lie elsewhere: one cache for each address, which outlives every change of the clients that name it.
//!
//! Spec: RFC 7591 §2 (jwks_uri) · OpenID Connect Core §10.1.1 (rotation)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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
    known: HashMap<String, Shelved>,
}

struct Shelved {
    keys: Arc<RemoteKeys>,
    /// Since when no client names the address, as far as was seen.
    unnamed_since: Option<Duration>,
}

/// How long an address is remembered that no client names any more: longer than any pause between two attempts after a failure, or clients
/// could make us fetch sooner by naming another one in between.
const REMEMBERED: Duration = Duration::from_secs(120);
/// How many of them.
const MOST_UNNAMED: usize = 256;

impl KeyShelf {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            shelf: Mutex::default(),
        }
    }

    /// The keys at this address. Nothing is fetched yet; whoever registers the address anew, also by way of another, does not make anybody
    /// fetch sooner.
    pub fn at(&self, config: &Config, uri: &str) -> Result<Arc<RemoteKeys>, String> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shelf.known.get_mut(uri) {
            known.unnamed_since = None;
            return Ok(known.keys.clone());
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
        shelf.tidy(clock::Clock::since_epoch(&OurClock(self.clock.clone())));
        let shelved = Shelved {
            keys: keys.clone(),
            unnamed_since: None,
        };
        shelf.known.insert(uri.to_owned(), shelved);
        Ok(keys)
    }
}

impl Shelf {
    /// Forgets addresses that nobody has named for a while; those first that were given up first, when there are too many.
    fn tidy(&mut self, now: Duration) {
        let mut unnamed = Vec::new();
        self.known.retain(|_, shelved| {
            if Arc::strong_count(&shelved.keys) > 1 {
                shelved.unnamed_since = None;
                return true;
            }
            let since = *shelved.unnamed_since.get_or_insert(now);
            let recent = now.saturating_sub(since) < REMEMBERED;
            if recent {
                unnamed.push(since);
            }
            recent
        });
        if unnamed.len() <= MOST_UNNAMED {
            return;
        }
        unnamed.sort_unstable();
        let newest = unnamed.len() - MOST_UNNAMED;
        let bound = unnamed.get(newest).copied();
        self.known
            .retain(|_, shelved| shelved.unnamed_since.is_none() || shelved.unnamed_since >= bound);
    }
}

struct OurClock(Arc<dyn Clock>);

impl clock::Clock for OurClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now()).unwrap_or_default())
    }
}
