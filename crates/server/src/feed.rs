//! What was taken back lately, read once for all who follow: the store is asked once a round, however many they are.
//!
//! Spec: RFC 7009 §2.1 (what is revoked is of no use any more)

mod places;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carnet_store::{RevocationClock, RevocationEntry, Store, StoreError};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use places::Full;
use places::{Place, Places};

/// How soon is seen what another process has written. What this one writes is seen at once.
const ROUND: Duration = Duration::from_millis(50);
/// What was read longer ago says nothing of now.
const CURRENT: Duration = Duration::from_secs(2);
/// The newest entries, kept for those who follow closely. Whoever is further behind reads the store.
const KEPT: usize = 4_096;
/// Consumers that read the store at the same time: after a restart all of them want everything.
const READERS: usize = 4;

/// The newest entries of the store, and a place for each consumer.
#[derive(Clone)]
pub struct Feed(Arc<Parts>);

struct Parts {
    store: Store,
    newest: watch::Sender<Arc<Newest>>,
    /// Held while the store is read, so that one reads for all; when it was last read.
    reading: tokio::sync::Mutex<()>,
    read_at: Mutex<Option<Instant>>,
    /// Whether somebody looks once a round.
    watched: Mutex<bool>,
    places: Places,
    readers: Semaphore,
    closing: watch::Sender<bool>,
    /// Another node has said that there is something to read.
    woken: Notify,
}

/// Where the order of commits stands, and the entries that lead there.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// The history that the cursors belong to.
    pub(crate) epoch: String,
    /// The newest cursor.
    pub(crate) last: i64,
    /// The settings epoch: the bundle of services of another one is of another time.
    services: i64,
    /// The cursor behind which every entry is in `entries`.
    from: i64,
    entries: VecDeque<RevocationEntry>,
}

/// Where a consumer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The history that it has followed; empty when none.
    pub(crate) epoch: String,
    /// Everything up to here is known to it.
    pub(crate) cursor: i64,
    /// The number of the bundle of services that it knows of; `None` when it does not say.
    pub(crate) services: Option<i64>,
}

/// What comes behind a position. Pages make a chain.
#[derive(Debug)]
pub(crate) struct Page {
    /// What it begins behind: the consumer's cursor, or 0 when it must begin anew.
    pub(crate) since: i64,
    /// Where it leads.
    pub(crate) end: Position,
    /// Whether more follows at once.
    pub(crate) more: bool,
    /// What was taken back.
    pub(crate) entries: Vec<RevocationEntry>,
}

/// One consumer that follows.
pub(crate) struct Following {
    feed: Feed,
    newest: watch::Receiver<Arc<Newest>>,
    closing: watch::Receiver<bool>,
    _place: Place,
}

impl Feed {
    /// A feed for so many at the same time, and for so many of one consumer. The store is not read before the first of them comes.
    pub(crate) fn new(store: Store, (max_consumers, share): (usize, usize)) -> Self {
        Self(Arc::new(Parts {
            store,
            newest: watch::Sender::default(),
            reading: tokio::sync::Mutex::default(),
            read_at: Mutex::default(),
            watched: Mutex::default(),
            places: Places::new(max_consumers, share),
            readers: Semaphore::new(READERS),
            closing: watch::Sender::new(false),
            woken: Notify::new(),
        }))
    }

    /// A place for this consumer, from which to follow.
    pub(crate) async fn follow(&self, consumer: &str) -> Result<Result<Following, Full>, StoreError> {
        let place = match self.0.places.take(consumer) {
            Ok(place) => place,
            Err(full) => return Ok(Err(full)),
        };
        let newest = self.watch();
        self.read().await?;
        Ok(Ok(Following {
            feed: self.clone(),
            newest,
            closing: self.0.closing.subscribe(),
            _place: place,
        }))
    }

    /// What comes behind a position now, as much as `fits`: it is asked about one entry after another.
    pub(crate) async fn look(
        &self,
        position: &Position,
        fits: impl FnMut(&RevocationEntry) -> bool,
    ) -> Result<Page, StoreError> {
        self.read().await?;
        self.page(position, fits).await
    }

    /// Another node has committed something: the store is read now, and not with the next round.
    pub(crate) fn wake(&self) {
        self.0.woken.notify_one();
    }

    /// Everybody who follows is told to come back later, to another node or to this one when it runs again.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Subscribes, and sees to it that somebody looks once a round.
    fn watch(&self) -> watch::Receiver<Arc<Newest>> {
        let mut watched = lock(&self.0.watched);
        let newest = self.0.newest.subscribe();
        if !*watched {
            *watched = true;
            tokio::spawn(self.clone().keep_looking());
        }
        newest
    }

    /// Until nobody follows any more.
    async fn keep_looking(self) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut news = self.0.store.revocation_news();
        let mut silent = true;
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                _ = news.changed() => {}
                () = self.0.woken.notified() => {}
            }
            {
                let mut watched = lock(&self.0.watched);
                if self.0.newest.receiver_count() == 0 {
                    *watched = false;
                    return;
                }
            }
            match self.read().await {
                Ok(()) => silent = true,
                // Once for each time that it lasts: consumers hear nothing meanwhile, and so know that they know nothing.
                Err(error) if silent => {
                    tracing::error!(%error, "revocations could not be read; consumers of the feed are not told that all is well");
                    silent = false;
                }
                Err(_) => {}
            }
        }
    }

    /// Reads where the order of commits stands, and what has come since.
    async fn read(&self) -> Result<(), StoreError> {
        let asked = Instant::now();
        let _one_for_all = self.0.reading.lock().await;
        if lock(&self.0.read_at).is_some_and(|read| read >= asked) {
            return Ok(());
        }
        let (begun, store) = (Instant::now(), &self.0.store);
        let clock = store.revocation_clock().await?;
        let known = self.0.newest.borrow().clone();
        if clock.epoch != known.epoch || clock.last < known.last {
            self.0.newest.send_replace(Arc::new(Newest {
                epoch: clock.epoch,
                last: clock.last,
                services: clock.settings,
                from: clock.last,
                entries: VecDeque::new(),
            }));
        } else if clock.last > known.last || clock.settings != known.services {
            let limit = i64::try_from(KEPT).unwrap_or(i64::MAX);
            let came = match clock.last > known.last {
                true => store.revocations_since(known.last, limit).await?,
                false => Vec::new(),
            };
            self.0.newest.send_replace(Arc::new(known.with(came, &clock)));
        }
        *lock(&self.0.read_at) = Some(begun);
        Ok(())
    }

    async fn page(
        &self,
        position: &Position,
        mut fits: impl FnMut(&RevocationEntry) -> bool,
    ) -> Result<Page, StoreError> {
        let newest = self.0.newest.borrow().clone();
        // A cursor that is ahead of ours was given out in a history that a restored backup knows nothing of.
        let known = position.epoch == newest.epoch && (0..=newest.last).contains(&position.cursor);
        let since = if known { position.cursor } else { 0 };
        let mut page = Page {
            since,
            end: Position {
                epoch: newest.epoch.clone(),
                cursor: newest.last,
                services: Some(newest.services),
            },
            more: false,
            entries: Vec::new(),
        };
        if since >= newest.from {
            let behind = newest.entries.iter().filter(|entry| entry.cursor > since);
            page.fill(behind, &mut fits);
            return Ok(page);
        }
        let Ok(_turn) = self.0.readers.acquire().await else {
            return Err(StoreError::Unavailable("the feed is closed".to_owned()));
        };
        let stored = self.0.store.revocations_since(since, READ_AT_ONCE).await?;
        if i64::try_from(stored.len()).is_ok_and(|read| read == READ_AT_ONCE)
            && let Some(last) = stored.last()
        {
            page.end.cursor = last.cursor.min(newest.last);
            page.more = last.cursor < newest.last;
        }
        // What was committed after the order was read comes with the next page.
        page.fill(
            stored.iter().filter(|entry| entry.cursor <= newest.last),
            &mut fits,
        );
        Ok(page)
    }
}

impl Position {
    /// Whether nothing lies between it and this place.
    fn is_at(&self, (epoch, cursor, services): (&str, i64, i64)) -> bool {
        self.epoch == epoch && self.cursor == cursor && self.services.is_none_or(|known| known == services)
    }
}

impl Page {
    /// Whether it has nothing for whoever stands there.
    pub(crate) fn is_no_news_at(&self, position: &Position) -> bool {
        let end = &self.end;
        position.is_at((&end.epoch, end.cursor, end.services.unwrap_or_default()))
    }

    /// Takes what fits; where it stops, more follows.
    fn fill<'e>(
        &mut self,
        behind: impl Iterator<Item = &'e RevocationEntry>,
        fits: &mut impl FnMut(&RevocationEntry) -> bool,
    ) {
        for entry in behind.filter(|entry| entry.value.len() <= LONGEST_VALUE) {
            if !fits(entry) && !self.entries.is_empty() {
                self.end.cursor = self.entries.last().map_or(self.since, |last| last.cursor);
                self.more = true;
                return;
            }
            self.entries.push(entry.clone());
        }
    }
}

impl Newest {
    fn with(&self, came: Vec<RevocationEntry>, clock: &RevocationClock) -> Self {
        let (last, services) = (clock.last, clock.settings);
        // As many as were asked for: there may be a hole behind them.
        if came.len() >= KEPT {
            return Self {
                epoch: self.epoch.clone(),
                last,
                services,
                from: last,
                entries: VecDeque::new(),
            };
        }
        let last = came.last().map_or(last, |entry| entry.cursor.max(last));
        let (mut from, mut entries) = (self.from, self.entries.clone());
        entries.extend(came);
        while entries.len() > KEPT {
            from = entries.pop_front().map_or(from, |entry| entry.cursor);
        }
        Self {
            epoch: self.epoch.clone(),
            last,
            services,
            from,
            entries,
        }
    }
}

impl Following {
    /// What comes behind a position, as much as `fits`.
    pub(crate) async fn page(
        &self,
        position: &Position,
        fits: impl FnMut(&RevocationEntry) -> bool,
    ) -> Result<Page, StoreError> {
        self.feed.page(position, fits).await
    }

    /// Until there is something behind the position.
    pub(crate) async fn news_behind(&self, position: &Position) {
        let behind = |newest: &Arc<Newest>| !position.is_at((&newest.epoch, newest.last, newest.services));
        if self.newest.clone().wait_for(behind).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Until the server goes.
    pub(crate) async fn closing(&self) {
        if self.closing.clone().wait_for(|closing| *closing).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the store was read a moment ago: only then may anybody say that nothing has happened.
    pub(crate) fn is_current(&self) -> bool {
        lock(&self.feed.0.read_at).is_some_and(|read| read.elapsed() < CURRENT)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The longest value that is told: a `sub`, a space and the longest name of a client have less. No token of ours matches a longer one.
const LONGEST_VALUE: usize = 512;
/// Entries that are read from the store at once for somebody who is far behind: what fits into a few messages.
const READ_AT_ONCE: i64 = 256;
