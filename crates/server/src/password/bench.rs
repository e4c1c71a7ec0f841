//! One hashing thread's work: as slow for a stranger as for a friend.
//!
//! Spec: RFC 9106 §4 · OWASP ASVS 5.0 §6.3.8

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use carnet_jose::primitive;
use data_encoding::BASE64_NOPAD;

use super::{
    derivation::Memory,
    queue::{Next, Queue, Task, lock},
    stored::{Scheme, Stored},
    typed::Password,
    verdict::Verdict,
};

/// One thread's place of work.
pub(super) struct Bench {
    current: Scheme,
    /// The costliest scheme seen in the store that is not ours.
    foreign: Arc<Mutex<Option<Scheme>>>,
    memory: Memory,
}

impl Bench {
    pub(super) fn new(current: Scheme, foreign: Arc<Mutex<Option<Scheme>>>) -> Self {
        let keep = if let Scheme::Argon2 { memory_kib, .. } = current {
            memory_kib
        } else {
            0
        };
        Self {
            current,
            foreign,
            memory: Memory::new(keep),
        }
    }

    /// Works until the queue is closed.
    pub(super) fn serve(mut self, queue: &Queue) {
        step_back();
        let mut patience = None;
        loop {
            match queue.next(patience) {
                Next::Task(task) if !task.is_wanted() => {}
                Next::Task(task) => {
                    // A panic in a hash function costs its caller the answer, not the server a thread.
                    let _ = catch_unwind(AssertUnwindSafe(|| self.work(task)));
                    patience = Some(MEMORY_KEPT);
                }
                Next::Quiet => {
                    self.memory.release();
                    patience = None;
                }
                Next::Closed => return,
            }
        }
    }

    fn work(&mut self, task: Task) {
        match task {
            Task::Hash { password, answer } => {
                if let Some(hash) = self.hash(&password) {
                    let _ = answer.send(hash);
                }
            }
            Task::Verify {
                password,
                stored,
                usable,
                answer,
            } => {
                let verdict = self.verify(&password, stored.as_deref(), usable);
                let _ = answer.send(verdict);
            }
        }
    }

    fn hash(&mut self, password: &Password) -> Option<String> {
        let Scheme::Argon2 {
            memory_kib,
            iterations,
            parallelism,
            ..
        } = self.current
        else {
            return None;
        };
        let mut salt = [0; 16];
        primitive::fill_random(&mut salt).ok()?;
        let digest = self
            .memory
            .derive(self.current, password.bytes(), &salt, DIGEST_BYTES)?;
        let (salt, digest) = (BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&digest));
        Some(format!(
            "$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${digest}"
        ))
    }

    fn verify(&mut self, password: &Password, stored: Option<&str>, usable: bool) -> Verdict {
        let mut paid = None;
        if let Some(Ok(stored)) = stored.map(Stored::parse) {
            self.notice(stored.scheme);
            let digest =
                self.memory
                    .derive(stored.scheme, password.bytes(), &stored.salt, stored.digest.len());
            let matches = digest.is_some_and(|digest| primitive::verify_equal(&digest, &stored.digest));
            // The right password of a disabled user is as wrong as any, and takes as long.
            if matches && usable {
                return Verdict {
                    matches: true,
                    rehash: self.outdated(&stored, password),
                };
            }
            paid = Some(stored.scheme);
        }
        self.pay(password, paid);
        Verdict::default()
    }

    fn pay(&mut self, password: &Password, paid: Option<Scheme>) {
        let foreign = *lock(&self.foreign);
        for scheme in owed(self.current, foreign, paid) {
            std::hint::black_box(
                self.memory
                    .derive(scheme, password.bytes(), &DECOY_SALT, DIGEST_BYTES),
            );
        }
    }

    fn notice(&self, scheme: Scheme) {
        if scheme == self.current {
            return;
        }
        costliest(&self.foreign, scheme);
    }

    fn outdated(&self, stored: &Stored, password: &Password) -> bool {
        match stored.scheme {
            // bcrypt saw 72 bytes only: what follows was never checked and must not become the password.
            Scheme::Bcrypt { .. } => password.bytes().len() <= BCRYPT_BYTES,
            scheme => scheme != self.current || stored.digest.len() != DIGEST_BYTES,
        }
    }
}

/// Remembers the scheme, when it costs more than the one that is known.
pub(super) fn costliest(foreign: &Mutex<Option<Scheme>>, scheme: Scheme) {
    let mut foreign = lock(foreign);
    if foreign.is_none_or(|known| known.weight() < scheme.weight()) {
        *foreign = Some(scheme);
    }
}

/// PW-02, PW-03: whoever fails has paid for our scheme and for the costliest foreign one in use, so that the time tells
/// neither whether there is such a user nor where the hash came from.
fn owed(current: Scheme, foreign: Option<Scheme>, paid: Option<Scheme>) -> impl Iterator<Item = Scheme> {
    [Some(current), foreign]
        .into_iter()
        .flatten()
        .filter(move |scheme| Some(*scheme) != paid)
}

/// As many threads as cores, each yielding to the threads that answer requests.
fn step_back() {
    // On Linux a process id of none means the calling thread alone; elsewhere it would slow the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "the password-hashing threads keep the priority of the others");
    }
}

#[cfg(target_os = "linux")]
const NICE: i32 = 10;
pub(super) const DIGEST_BYTES: usize = 32;
const BCRYPT_BYTES: usize = 72;
const DECOY_SALT: [u8; 16] = *b"carnet decoysalt";
const MEMORY_KEPT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pw_02_pw_03_every_failure_costs_the_same() {
        let current = Scheme::Bcrypt { cost: 9 };
        let foreign = Scheme::Scrypt {
            log_n: 14,
            r: 8,
            p: 1,
        };
        let cost = |foreign, paid: Option<Scheme>| {
            let owed: u64 = owed(current, foreign, paid).map(Scheme::weight).sum();
            owed + paid.map_or(0, Scheme::weight)
        };
        assert_eq!(cost(None, None), cost(None, Some(current)));
        let all = current.weight() + foreign.weight();
        for paid in [None, Some(current), Some(foreign)] {
            assert_eq!(cost(Some(foreign), paid), all, "{paid:?}");
        }
    }

    #[test]
    fn the_costliest_foreign_scheme_is_remembered() {
        let current = Scheme::Bcrypt { cost: 9 };
        let foreign = Arc::new(Mutex::new(None));
        let bench = Bench {
            current,
            foreign: Arc::clone(&foreign),
            memory: Memory::new(0),
        };
        bench.notice(current);
        assert_eq!(*lock(&foreign), None);
        for cost in [11, 12, 10] {
            bench.notice(Scheme::Bcrypt { cost });
        }
        assert_eq!(*lock(&foreign), Some(Scheme::Bcrypt { cost: 12 }));
    }
}
