//! What an issuer has taken back, followed as it happens and looked up in memory.
//!
//! Spec: RFC 7009 §2.1 · RFC 8725 §3.11 (explicit typing)

mod chain;
mod events;
mod filter;
mod follow;
mod known;
mod set;
mod source;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use carnet_oauth::revocation::RevocableToken;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::{Clock, SystemClock};
use crate::error::ClientError;
use crate::http::HttpClient;
use known::Known;
pub use known::{OnLoss, ToldOfServices};
use set::{Hashes, Set};
pub use source::{Keys, Source};

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing takes it back.
    Good,
    /// It was taken back.
    Revoked,
    /// Nobody can tell: the feed is lost, and [`OnLoss::Closed`].
    Unavailable,
}

/// How a feed is doing, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether tokens can be told good from taken back; always, with [`OnLoss::Open`].
    pub available: bool,
    /// Entries in memory.
    pub entries: usize,
    /// The last cursor that was followed.
    pub cursor: i64,
    /// Since when nothing was heard, by the time that only goes on; `None` before the set is whole for the first time.
    pub age: Option<Duration>,
    /// Whether messages come as a stream; otherwise one is asked for after another.
    pub streaming: bool,
}

/// The revocations of one issuer. Cheap to clone; following ends with the last clone.
///
/// ```no_run
/// use std::sync::Arc;
/// use carnet_client::http::HttpClient;
/// use carnet_client::jwks::{Location, RemoteKeys};
/// use carnet_client::revocations::{Keys, OnLoss, Revocations, Source, Verdict};
/// use carnet_jose::Algorithm;
/// use carnet_oauth::revocation::RevocableToken;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (http, issuer) = (HttpClient::new()?, "https://auth.example.com".to_owned());
/// let algorithms = vec![Algorithm::Es256];
/// let keys = RemoteKeys::new(http.clone(), Location::Discover(issuer.clone()), &algorithms);
/// let source = Source {
///     url: format!("{issuer}/revocations"),
///     id: "orders-api".to_owned(),
///     secret: "read from a file".to_owned(),
///     issuer,
///     keys: Keys::Remote(Arc::new(keys)),
///     algorithms,
/// };
/// let revocations = Revocations::follow(http, source, OnLoss::default())?;
/// let token = RevocableToken { jti: Some("bWJq"), sid: Some("08a5019c"), iat: Some(1_471_566_154), ..Default::default() };
/// let usable = revocations.check(&token) == Verdict::Good;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Revocations {
    known: Arc<Known>,
    _follower: Arc<Follower>,
}

/// Ends the following.
struct Follower(AbortHandle);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Revocations {
    /// Begins to follow, in the runtime that it is called in. Nothing is known yet: [`Revocations::prepare`] waits for it.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when the name and secret are no header or the policy for messages cannot be.
    pub fn follow(http: HttpClient, source: Source, on_loss: OnLoss) -> Result<Self, ClientError> {
        Self::with_clock(http, source, on_loss, SystemClock)
    }

    /// With a clock that tests hold still.
    pub fn with_clock(
        http: HttpClient,
        source: Source,
        on_loss: OnLoss,
        clock: impl Clock + 'static,
    ) -> Result<Self, ClientError> {
        let hashes = Hashes::default();
        let nothing = Arc::new(Set::new(hashes.clone(), Vec::new()));
        let known = Arc::new(Known {
            set: ArcSwap::new(nothing.clone()),
            inherited: Mutex::new(nothing),
            inherited_told: ArcSwap::default(),
            clock: Box::new(clock),
            on_loss,
            whole_at: AtomicU64::new(0),
            whole: watch::Sender::new(false),
            changes: watch::Sender::default(),
            cursor: AtomicI64::new(0),
            services: AtomicI64::new(0),
            connected_at: AtomicU64::new(0),
            streaming: AtomicBool::new(false),
        });
        let follower = follow::Follower::new(http, source, (known.clone(), hashes))?;
        let follower = tokio::spawn(follower.run()).abort_handle();
        Ok(Self {
            known,
            _follower: Arc::new(Follower(follower)),
        })
    }

    /// Takes over what another one knows to be taken back, and which bundle of services is too old, until this one has heard everything itself: for
    /// one that follows the same issuer in its place, with another secret or policy. Called once more it takes over what the other one has heard
    /// since. Who has heard everything, and whoever would succeed itself, stays as it is; of one that knows nothing there is nothing to take over.
    /// Nothing is said of the age of that: it does not make this one available.
    pub fn succeed(&self, before: &Self) {
        if self.has_heard() || self.is_same_as(before) {
            return;
        }
        let mut inherited = self
            .known
            .inherited
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (set, told) = (before.known.set.load_full(), before.of_services());
        if !before.has_heard() && set.len() == 0 && told == ToldOfServices::default() {
            return;
        }
        self.known.inherited_told.store(Arc::new(told));
        // What it hears itself at this very moment says everything.
        self.known.set.compare_and_swap(&*inherited, set.clone());
        *inherited = set;
        drop(inherited);
        self.known.changes.send_replace(());
    }

    /// Whether both are clones of one that is followed once.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known)
    }

    /// Whether everything was heard once.
    fn has_heard(&self) -> bool {
        self.known.connected_at.load(Ordering::Acquire) != 0
    }

    /// Whether a token was taken back: no network, no lock. To be asked at every use of a token.
    pub fn check(&self, token: &RevocableToken<'_>) -> Verdict {
        // What is known to be taken back stays so, whatever is lost.
        if self.known.set.load().takes_back(token) {
            Verdict::Revoked
        } else if self.is_available() {
            Verdict::Good
        } else {
            Verdict::Unavailable
        }
    }

    /// Whether tokens can be told good from taken back; always, with [`OnLoss::Open`].
    pub fn is_available(&self) -> bool {
        match self.known.on_loss {
            OnLoss::Open => true,
            OnLoss::Closed(after) => self.known.age().is_some_and(|age| age < after),
        }
    }

    /// Waits until a token is good no longer, and says why: for streams that its holder has opened, which would outlive it.
    pub async fn until_not_good(&self, token: &RevocableToken<'_>) -> Verdict {
        let mut changes = self.changes();
        loop {
            let verdict = self.check(token);
            if verdict != Verdict::Good {
                return verdict;
            }
            changes.next().await;
        }
    }

    /// Tells from now on when to look once more: for whoever goes by more than [`Revocations::check`].
    pub fn changes(&self) -> Changes {
        Changes {
            of: self.clone(),
            told: self.known.changes.subscribe(),
        }
    }

    /// What the feed says of the bundle of services.
    pub fn of_services(&self) -> ToldOfServices {
        match self.known.connected_at.load(Ordering::Acquire) {
            0 => **self.known.inherited_told.load(),
            connected_at => ToldOfServices {
                sequence: self.known.services.load(Ordering::Acquire),
                since: Duration::from_millis(connected_at),
            },
        }
    }

    /// Until nobody could tell any more if nothing were heard.
    async fn doubt(&self) {
        match self.known.on_loss {
            OnLoss::Open => std::future::pending().await,
            OnLoss::Closed(after) => sleep(after.saturating_sub(self.known.age().unwrap_or_default())).await,
        }
    }

    /// Waits until the set is whole for the first time, for so long at the most.
    pub async fn prepare(&self, patience: Duration) {
        let mut whole = self.known.whole.subscribe();
        let _ = tokio::time::timeout(patience, whole.wait_for(|whole| *whole)).await;
    }

    /// How the feed is doing.
    pub fn status(&self) -> Status {
        Status {
            available: self.is_available(),
            entries: self.known.set.load().len(),
            cursor: self.known.cursor.load(Ordering::Relaxed),
            age: self.known.age(),
            streaming: self.known.streaming.load(Ordering::Relaxed),
        }
    }
}

/// When to look once more: something was taken back, or the newest bundle of services is another one, or nobody can tell any more.
pub struct Changes {
    of: Revocations,
    told: watch::Receiver<()>,
}

impl Changes {
    /// Waits for the next one. Whatever came since the last does not wait.
    pub async fn next(&mut self) {
        let looked = Instant::now();
        tokio::select! {
            _ = self.told.changed() => {}
            () = self.of.doubt() => {}
        }
        // However much is taken back: thousands of streams do not look at each of it.
        sleep_until(looked + LOOK_EVERY).await;
        self.told.mark_unchanged();
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocations")
            .field("on_loss", &self.known.on_loss)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// How soon a stream looks once more.
const LOOK_EVERY: Duration = Duration::from_millis(100);
