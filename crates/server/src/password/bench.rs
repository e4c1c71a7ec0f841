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
    /// The schemes seen in the store that are not ours.
    foreign: Arc<Mutex<Vec<Scheme>>>,
    memory: Memory,
}

impl Bench {
    pub(super) fn new(current: Scheme, foreign: Arc<Mutex<Vec<Scheme>>>) -> Self {
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
        let foreign = lock(&self.foreign).clone();
        for scheme in owed(self.current, &foreign, paid) {
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
        remember(&self.foreign, scheme);
    }

    fn outdated(&self, stored: &Stored, password: &Password) -> bool {
        match stored.scheme {
            // bcrypt saw 72 bytes only: what follows was never checked and must not become the password.
            Scheme::Bcrypt { .. } => password.bytes().len() <= BCRYPT_BYTES,
            scheme => scheme != self.current || stored.digest.len() != DIGEST_BYTES,
        }
    }
}

/// Remembers a scheme that is in use; of very many, the costliest.
pub(super) fn remember(foreign: &Mutex<Vec<Scheme>>, scheme: Scheme) {
    let mut foreign = lock(foreign);
    if foreign.contains(&scheme) {
        return;
    }
    foreign.push(scheme);
    foreign.sort_by_key(|scheme| std::cmp::Reverse(scheme.weight()));
    if foreign.len() > MOST_FOREIGN {
        foreign.truncate(MOST_FOREIGN);
        tracing::warn!(
            kept = MOST_FOREIGN,
            "imported password hashes of too many kinds: the time of a failed login may tell the cheapest kinds apart"
        );
    }
}

/// PW-02, PW-03: whoever fails has paid for our scheme and for every foreign one in use, so that the time tells neither
/// whether there is such a user nor where the hash came from.
fn owed(current: Scheme, foreign: &[Scheme], paid: Option<Scheme>) -> impl Iterator<Item = Scheme> {
    std::iter::once(current)
        .chain(foreign.iter().copied())
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
/// Each makes every failure dearer, so there is an end to it.
const MOST_FOREIGN: usize = 8;
const MEMORY_KEPT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pw_02_pw_03_every_failure_costs_the_same() {
        let current = Scheme::Bcrypt { cost: 9 };
        let scrypt = Scheme::Scrypt {
            log_n: 14,
            r: 8,
            p: 1,
        };
        let foreign = [scrypt, Scheme::Bcrypt { cost: 10 }, Scheme::Bcrypt { cost: 12 }];
        let cost = |foreign: &[Scheme], paid: Option<Scheme>| {
            let owed: u64 = owed(current, foreign, paid).map(Scheme::weight).sum();
            owed + paid.map_or(0, Scheme::weight)
        };
        assert_eq!(cost(&[], None), cost(&[], Some(current)));
        let nobody = cost(&foreign, None);
        for paid in foreign.into_iter().chain([current]) {
            assert_eq!(cost(&foreign, Some(paid)), nobody, "{paid:?}");
        }
    }

    #[test]
    fn foreign_schemes_are_remembered_once_and_of_many_the_costliest() {
        let current = Scheme::Bcrypt { cost: 9 };
        let foreign = Arc::new(Mutex::new(Vec::new()));
        let bench = Bench {
            current,
            foreign: Arc::clone(&foreign),
            memory: Memory::new(0),
        };
        bench.notice(current);
        assert_eq!(*lock(&foreign), []);
        for _ in 0..2 {
            for cost in [11, 12, 10] {
                bench.notice(Scheme::Bcrypt { cost });
            }
        }
        let known = [12, 11, 10].map(|cost| Scheme::Bcrypt { cost });
        assert_eq!(*lock(&foreign), known);
        for cost in 13..30 {
            bench.notice(Scheme::Bcrypt { cost });
        }
        assert_eq!(lock(&foreign).len(), MOST_FOREIGN);
        assert_eq!(lock(&foreign).first(), Some(&Scheme::Bcrypt { cost: 29 }));
    }
}
