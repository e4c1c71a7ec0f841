//! Keeps Redis filled with what was taken back, and hears there what other nodes have taken back.
//!
//! Spec: RFC 7009 §2.1 (what is revoked is of no use any more)
//!
//! The store stays the truth: Redis may come, go and forget.

use std::pin::pin;
use std::time::Duration;

use carnet_store::{RevocationEntry, StoreError};
use futures_util::StreamExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::app::App;
use crate::feed::Position;
use crate::http::failure::Failure;
use crate::redis_keys::{Guard, RedisError, RedisKeys, Target};
use crate::token::code::random_secret;

/// How soon is seen that Redis has forgotten something, or that another process has taken something back.
const ROUND: Duration = Duration::from_millis(250);
/// How soon Redis is tried again after it did not answer.
const AGAIN: Duration = Duration::from_millis(500);
/// How often keys are looked for that somebody has deleted one by one.
const RESTORE: Duration = Duration::from_secs(300);
/// Entries that are written at once: Redis does nothing else meanwhile.
const AT_ONCE: usize = 256;
/// A subscription on which nothing came for so long may be dead without our knowing.
const SILENCE: Duration = Duration::from_secs(60);

/// Writes keys until the future is dropped. Nobody waits for it.
pub(crate) async fn write_keys(app: App) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut news = app.store.revocation_news();
    let mut writer = Writer {
        app,
        keys: None,
        reached: Position::default(),
    };
    let mut failing = false;
    let mut restored = Instant::now();
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            _ = news.changed() => {}
        }
        let mut outcome = writer.catch_up().await;
        if outcome.is_ok() && restored.elapsed() >= RESTORE {
            outcome = writer.restore().await;
            restored = Instant::now();
        }
        match outcome {
            Ok(()) if failing => {
                tracing::info!("what was taken back is in Redis again");
                failing = false;
            }
            Ok(()) => {}
            Err(trouble) => {
                // Once for each time that it lasts.
                if !failing {
                    tracing::error!(%trouble, "what is taken back does not reach Redis, and services that look there do not know; tried again until it works");
                    failing = true;
                }
                writer.keys = None;
                sleep(AGAIN).await;
            }
        }
    }
}

/// Reads the store whenever another node has written, until the future is dropped. A word that is lost costs one round of the feed.
pub(crate) async fn listen(app: App) {
    loop {
        if let Ok(target) = target(&app)
            && let Ok(wakes) = target.wakes().await
        {
            let mut wakes = pin!(wakes);
            while let Ok(Some(())) = timeout(SILENCE, wakes.next()).await {
                app.feed.wake();
            }
        }
        // The writer says what is wrong.
        sleep(AGAIN).await;
    }
}

struct Writer {
    app: App,
    keys: Option<RedisKeys>,
    /// How far the keys reached when we last looked.
    reached: Position,
}

/// Why keys are not written.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("redis.url_file: {0}")]
    Target(String),
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("{0:?}")]
    Random(Failure),
}

impl Writer {
    /// Until Redis has everything that the store has.
    async fn catch_up(&mut self) -> Result<(), Trouble> {
        while !self.step().await? {}
        Ok(())
    }

    /// Writes again what somebody has deleted key by key: no marker tells of that. What is there stays as it is.
    async fn restore(&mut self) -> Result<(), Trouble> {
        let mut at = Position::default();
        loop {
            // What is new comes first: the marker says that it is there.
            self.catch_up().await?;
            let Some(keys) = &mut self.keys else {
                return Ok(());
            };
            let page = self.app.feed.look(&at, at_once()).await?;
            let Some(marker) = keys.marker().await? else {
                return Ok(());
            };
            let (guard, now) = (Guard::marker(marker), self.app.now());
            if !keys.write(&guard, &page.entries, now, None).await? {
                // Another node has moved the marker in between.
                continue;
            }
            if !page.more {
                return Ok(());
            }
            at = page.end;
        }
    }

    /// From where the marker stands, or from the beginning; `false` when Redis, or another node, changed it on the way.
    async fn step(&mut self) -> Result<bool, Trouble> {
        let keys = match &mut self.keys {
            Some(keys) => keys,
            // The file is read again each time: a new password needs no restart.
            None => self
                .keys
                .insert(target(&self.app).map_err(Trouble::Target)?.connect().await?),
        };
        let marker = keys.marker().await?;
        let at = marker.as_deref().and_then(read).filter(|at| {
            // An older one is of a Redis that has lost something: a dump, a replica.
            at.epoch != self.reached.epoch || at.cursor >= self.reached.cursor
        });
        let at = at.unwrap_or_default();
        let mut page = self.app.feed.look(&at, at_once()).await?;
        let goes_on = at.epoch == page.end.epoch && at.cursor == page.since;
        if goes_on && page.is_no_news_at(&at) {
            self.reached = at;
            return Ok(true);
        }
        let mut guard = match marker.filter(|_| goes_on) {
            Some(marker) => Guard::marker(marker),
            None => {
                tracing::info!("Redis is empty or behind: everything that still counts is written anew");
                let name = random_secret().map_err(Trouble::Random)?;
                keys.begin_anew(&name).await?
            }
        };
        loop {
            // Whoever begins anew must be through before it says how far the keys reach.
            let marker = (goes_on || !page.more).then(|| written(&page.end));
            let now = self.app.now();
            if !keys.write(&guard, &page.entries, now, marker.as_deref()).await? {
                return Ok(false);
            }
            if let Some(marker) = marker.filter(|_| goes_on) {
                guard = Guard::marker(marker);
            }
            if !page.more {
                self.reached = page.end;
                return Ok(true);
            }
            let next = self.app.feed.look(&page.end, at_once()).await?;
            if next.end.epoch != page.end.epoch || next.since != page.end.cursor {
                return Ok(false);
            }
            page = next;
        }
    }
}

fn target(app: &App) -> Result<Target, String> {
    let redis = &app.config.redis;
    let file = redis.url_file.as_deref().ok_or("is not given")?;
    Target::read(file, redis.root_certificates_file.as_deref())
}

fn at_once() -> impl FnMut(&RevocationEntry) -> bool {
    let mut left = AT_ONCE;
    move |_| {
        left = left.saturating_sub(1);
        left > 0
    }
}

fn written(position: &Position) -> String {
    format!("{}.{}", position.epoch, position.cursor)
}

/// Of a marker that somebody else has broken, nothing is known.
fn read(marker: &str) -> Option<Position> {
    let (epoch, cursor) = marker.rsplit_once('.')?;
    Some(Position {
        epoch: epoch.to_owned(),
        cursor: cursor.parse().ok()?,
        services: None,
    })
}
