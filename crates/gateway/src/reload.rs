//! Another configuration while the gateway runs: read, checked, made ready, and only then taken.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carnet_client::revocations::Status;
use carnet_guard::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::Gateway;
use crate::config::Config;
use crate::contents;
use crate::load::{ConfigError, load};
use crate::site::{Needed, Site};

/// Reads the configuration again when its file changes or one that it names, and when it is told to.
pub struct Reload {
    gateway: Gateway,
    file: PathBuf,
    clock: Arc<dyn Clock>,
    /// What was read last.
    read: Seen,
    /// What was there at the last look.
    seen: Seen,
    /// In how many looks what was refused for somebody's silence is read once more.
    again_in: Option<u32>,
}

/// Why the one before stays.
enum NotTaken {
    /// Somebody has to change what is written.
    Wrong(ConfigError),
    /// Somebody who is to be asked did not answer, and may do so in a moment.
    Unheard(ConfigError),
}

/// What tells one version of a file from another without reading it.
type Seen = HashMap<PathBuf, Option<(SystemTime, u64)>>;

impl Reload {
    /// For a gateway that was made of this file a moment ago.
    pub fn new(gateway: Gateway, file: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let mut new = Self {
            gateway,
            file,
            clock,
            read: Seen::new(),
            seen: Seen::new(),
            again_in: None,
        };
        new.read = new.look();
        new.seen = new.read.clone();
        new
    }

    /// Never ends: looks at the file, and every file that it names, every two seconds, and reads what two looks have found the same; SIGHUP reads
    /// them at once. What was refused because somebody did not answer is read again every ten seconds.
    pub async fn keep_fresh(mut self) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
        loop {
            let told = async {
                match &mut hangup {
                    Some(signal) => drop(signal.recv().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = tick.tick() => drop(self.look_again().await),
                () = told => drop(self.read_again(self.look()).await),
            }
        }
    }

    /// Reads everything again when a file is another one than was read last, and the same as at the look before: one that is being written may end
    /// between any two of its lines, and be whole as far as anybody can tell. Says whether it was read and taken.
    pub async fn look_again(&mut self) -> bool {
        let seen = self.look();
        let stands_still = seen == self.seen;
        self.seen.clone_from(&seen);
        self.again_in = self.again_in.map(|looks| looks.saturating_sub(1));
        let is_due = seen != self.read || self.again_in == Some(0);
        stands_still && is_due && self.read_again(seen).await
    }

    async fn read_again(&mut self, seen: Seen) -> bool {
        let outcome = self.take().await;
        self.again_in = matches!(outcome, Err(NotTaken::Unheard(_))).then_some(LOOKS_UNTIL_AGAIN);
        // What changed while it was read is another than was seen before; of files that are named only now there is nothing before.
        self.read = self.look();
        for (file, version) in &mut self.read {
            *version = seen.get(file).copied().unwrap_or(*version);
        }
        self.seen.clone_from(&self.read);
        outcome.is_ok()
    }

    fn look(&self) -> Seen {
        let site = self.gateway.site();
        let named = contents::named(&site.config);
        let all = std::iter::once(self.file.as_path()).chain(named);
        all.map(|file| (file.to_owned(), version(file))).collect()
    }

    /// Takes what the file says now. What cannot be used changes nothing, and is named in the log.
    pub async fn read(&self) -> bool {
        self.take().await.is_ok()
    }

    async fn take(&self) -> Result<(), NotTaken> {
        let outcome = self.build().await;
        self.gateway.metrics().reloaded(outcome.is_ok());
        match &outcome {
            Ok(_) => {
                tracing::info!(file = %self.file.display(), "the configuration was read again and is in use");
            }
            Err(NotTaken::Wrong(error) | NotTaken::Unheard(error)) => tracing::error!(
                place = error.place,
                error = error.what,
                todo = error.todo,
                "the new configuration cannot be used; the one before it stays"
            ),
        }
        outcome.map(|site| self.gateway.change(site))
    }

    async fn build(&self) -> Result<Site, NotTaken> {
        let config = load(&self.file).map_err(NotTaken::Wrong)?;
        let before = self.gateway.site();
        let side = |config: &Config| {
            config
                .forward_auth
                .as_ref()
                .map(|side| (side.address.clone(), side.tls))
        };
        let kept = config.listen == before.config.listen && config.admin == before.config.admin;
        if !kept || side(&config) != side(&before.config) {
            tracing::warn!(
                "what is new in [listen] and [admin], and in address and tls of [forward_auth], is taken at the next restart"
            );
        }
        let site = Site::build(&config, self.clock.clone(), Some(&before)).await;
        let site = site.map_err(|error| NotTaken::Wrong(error.in_file(&self.file)))?;
        nothing_is_lost(&before, &site).map_err(NotTaken::Unheard)?;
        for missing in site.needed().filter(|needed| !needed.there) {
            tracing::warn!(
                table = missing.table,
                what = %missing,
                "not there: tokens that are checked with it are answered 503 until it comes"
            );
        }
        Ok(site)
    }
}

/// Taking it would answer 503 to those who are answered now, or miss what is taken back from now on. What was not there before cannot be lost.
fn nothing_is_lost(before: &Site, site: &Site) -> Result<(), ConfigError> {
    let had: Vec<_> = before.needed().filter(|needed| needed.there).collect();
    let lost = |needed: &Needed| !needed.there && had.iter().any(|had| had.is_same_as(needed));
    if let Some(lost) = site.needed().find(lost) {
        return Err(ConfigError::at(
            lost.table,
            format!("{lost} would be lost: asked for under what is new, nothing came"),
            "see that whoever publishes it answers, and that its URL and root_certificates_file are right; it is tried again every ten seconds",
        ));
    }
    let known: HashMap<_, _> = before.revocations().collect();
    let unheard = |(issuer, now): &(&str, Status)| {
        let then = known.get(issuer);
        let was_heard = then.and_then(|then| then.age).is_some_and(|age| age < LATELY);
        let was_answered = then.is_none_or(|then| then.available) && had.iter().any(|had| had.of == *issuer);
        was_answered && !now.available || was_heard && now.age.is_none()
    };
    match site.revocations().find(unheard) {
        None => Ok(()),
        Some((issuer, _)) => Err(ConfigError::at(
            "issuers",
            format!("what {issuer} has taken back cannot be learned"),
            "see that it answers and knows client_id and secret of its `revocations`; it is tried again every ten seconds",
        )),
    }
}

fn version(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reload")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Ten seconds.
const LOOKS_UNTIL_AGAIN: u32 = 5;
/// A feed that was heard so long ago is not lost by a reload, but was before.
const LATELY: Duration = Duration::from_secs(30);
