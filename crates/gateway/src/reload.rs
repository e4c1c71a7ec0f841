//! Another configuration while the gateway runs: read, checked, made ready, and only then taken.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
    /// The files that it named when it was read last.
    named: Vec<PathBuf>,
    /// What was read last.
    read: Seen,
    /// What was there at the last look.
    seen: Seen,
    /// What came of it.
    outcome: Outcome,
}

enum Outcome {
    InUse,
    /// It can be used as soon as somebody who was asked has answered.
    Waiting(Box<Site>),
    /// It cannot be used, for this reason. What puts that right may be no change of a file that is named: it is read once more in so many looks.
    Refused(ConfigError, u32),
}

/// What tells one version of a file from another without reading it: when it or who may read it was changed, which file it is, and how long. A folder
/// is there or it is not.
type Version = (i64, i64, u64, u64);

type Seen = HashMap<PathBuf, Option<Version>>;

impl Reload {
    /// For a gateway that was made of this file a moment ago.
    pub fn new(gateway: Gateway, file: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let named = named(&gateway.site().config);
        let mut new = Self {
            gateway,
            file,
            clock,
            named,
            read: Seen::new(),
            seen: Seen::new(),
            outcome: Outcome::InUse,
        };
        new.read = new.look();
        new.seen = new.read.clone();
        new
    }

    /// Never ends: looks at the file, and every file that it names, every two seconds, and reads what two looks have found the same; SIGHUP reads
    /// them at once. What cannot be used because somebody does not answer is in use as soon as they do; what cannot be used for another reason is
    /// read again every ten seconds.
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
                () = told => drop(self.read_again(self.look(), None).await),
            }
        }
    }

    /// Reads everything again when a file is another one than was read last, and the same as at the look before: one that is being written may end
    /// between any two of its lines, and be whole as far as anybody can tell. Says whether something else is in use from now on.
    pub async fn look_again(&mut self) -> bool {
        let seen = self.look();
        let stands_still = seen == self.seen;
        self.seen.clone_from(&seen);
        match (stands_still, seen == self.read) {
            (false, _) => false,
            (true, false) => self.read_again(seen, None).await,
            (true, true) => self.try_again(seen).await,
        }
    }

    async fn try_again(&mut self, seen: Seen) -> bool {
        match std::mem::replace(&mut self.outcome, Outcome::InUse) {
            Outcome::InUse => false,
            // It goes on asking by itself: what comes slowly comes in the end.
            Outcome::Waiting(site) if nothing_is_lost(&self.gateway.site(), &site).is_ok() => {
                self.put_in_use(*site);
                true
            }
            Outcome::Refused(why, looks) if looks <= 1 => self.read_again(seen, Some(&why)).await,
            Outcome::Refused(why, looks) => {
                self.outcome = Outcome::Refused(why, looks.saturating_sub(1));
                false
            }
            waiting @ Outcome::Waiting(_) => {
                self.outcome = waiting;
                false
            }
        }
    }

    /// `said` was said already of what was seen.
    async fn read_again(&mut self, seen: Seen, said: Option<&ConfigError>) -> bool {
        let config = load(&self.file);
        if let Ok(config) = &config {
            self.named = named(config);
        }
        // Before it is read: what changes meanwhile is found at the next look.
        self.read = self.look();
        for (file, version) in &mut self.read {
            if let Some(seen) = seen.get(file) {
                version.clone_from(seen);
            }
        }
        self.seen.clone_from(&self.read);
        self.outcome = self.take(config, said).await;
        matches!(self.outcome, Outcome::InUse)
    }

    fn look(&self) -> Seen {
        let all = std::iter::once(&self.file).chain(&self.named);
        all.map(|file| (file.clone(), version(file))).collect()
    }

    /// Takes what the file says now. What cannot be used changes nothing, and is named in the log.
    pub async fn read(&self) -> bool {
        matches!(self.take(load(&self.file), None).await, Outcome::InUse)
    }

    async fn take(&self, config: Result<Config, ConfigError>, said: Option<&ConfigError>) -> Outcome {
        let before = self.gateway.site();
        let site = match config {
            Ok(config) => {
                if said.is_none() {
                    waits_for_a_restart(&config, &before.config);
                }
                let site = Site::build(&config, self.clock.clone(), Some(&before)).await;
                site.map_err(|error| error.in_file(&self.file))
            }
            Err(error) => Err(error),
        };
        let site = match site {
            Ok(site) => site,
            Err(error) => {
                if said != Some(&error) {
                    self.refuse(
                        &error,
                        "the new configuration cannot be used; the one before it stays",
                    );
                }
                return Outcome::Refused(error, LOOKS_UNTIL_AGAIN);
            }
        };
        match nothing_is_lost(&before, &site) {
            Ok(()) => {
                self.put_in_use(site);
                Outcome::InUse
            }
            Err(error) => {
                let message = "the new configuration cannot be used yet; the one before it stays until then";
                self.refuse(&error, message);
                Outcome::Waiting(Box::new(site))
            }
        }
    }

    fn refuse(&self, error: &ConfigError, message: &str) {
        self.gateway.metrics().reloaded(false);
        let ConfigError { place, what, todo } = error;
        tracing::error!(place, error = what, todo, "{message}");
    }

    fn put_in_use(&self, site: Site) {
        for missing in site.needed().filter(|needed| !needed.there) {
            tracing::warn!(
                table = missing.table,
                what = %missing,
                "not there: tokens that are checked with it are answered 503 until it comes"
            );
        }
        self.gateway.metrics().reloaded(true);
        self.gateway.change(site);
        tracing::info!(file = %self.file.display(), "the configuration was read again and is in use");
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
            "see that whoever publishes it answers, and that its URL and root_certificates_file are right; what is written is in use as soon as it comes",
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
            "see that it answers and knows client_id and secret of its `revocations`; what is written is in use as soon as it is heard",
        )),
    }
}

/// All that is looked at, beside the file itself.
fn named(config: &Config) -> Vec<PathBuf> {
    let folder = config.tokens.key_folder.as_deref();
    contents::named(config)
        .chain(folder)
        .map(Path::to_owned)
        .collect()
}

fn version(file: &Path) -> Option<Version> {
    let metadata = std::fs::metadata(file).ok()?;
    Some(match metadata.is_dir() {
        true => Version::default(),
        false => (
            metadata.ctime(),
            metadata.ctime_nsec(),
            metadata.ino(),
            metadata.len(),
        ),
    })
}

/// Says what of it counts only for a gateway that begins with it.
fn waits_for_a_restart(config: &Config, before: &Config) {
    let side = |config: &Config| {
        let side = config.forward_auth.as_ref();
        side.map(|side| (side.address.clone(), side.tls))
    };
    let kept = config.listen == before.listen && config.admin == before.admin;
    if !kept || side(config) != side(before) {
        tracing::warn!(
            "what is new in [listen] and [admin], and in address and tls of [forward_auth], is taken at the next restart"
        );
    }
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
