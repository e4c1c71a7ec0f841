//! The hashing threads: few, bounded, polite, and as slow for a stranger as for a friend.
//!
//! Spec: RFC 9106 §4 · OWASP ASVS 5.0 §6.3.8

use std::{
    collections::VecDeque,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use argon2::{Algorithm, Params, Version};
use carnet_jose::primitive;
use data_encoding::BASE64_NOPAD;
use thiserror::Error;
use tokio::sync::oneshot;

use super::{
    derivation::Memory,
    stored::{Scheme, Stored},
    typed::Password,
};

/// How passwords are hashed, and by how many threads.
#[derive(Clone, Debug)]
pub struct PasswordConfig {
    /// argon2id memory in KiB.
    pub memory_kib: u32,
    /// argon2id passes.
    pub iterations: u32,
    /// argon2id lanes.
    pub parallelism: u32,
    /// Hashing threads; 0 means one for each core.
    pub threads: usize,
    /// How many calls may wait for each thread before more are turned away.
    pub queue: usize,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1, threads: 0, queue: 64 }
    }
}

/// Hashes and checks passwords on threads of its own, so that a login storm leaves the async workers alone.
///
/// A thread keeps its argon2 memory while there is work and gives it back after some idle seconds.
pub struct Hasher {
    queue: Arc<Queue>,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The password is the one that was hashed.
    pub matches: bool,
    /// It is, and its hash should be replaced by one with today's algorithm and parameters.
    pub rehash: bool,
}

/// Too many passwords wait to be hashed: answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many logins at once")]
pub struct Overloaded {
    /// When to try again, in seconds.
    pub retry_after: u64,
}

/// Why the hashing threads cannot be started.
#[derive(Debug, Error)]
pub enum HasherError {
    /// argon2 does not allow these parameters.
    #[error("argon2id allows no such parameters: {0}")]
    Parameters(argon2::Error),
    /// The system gives no thread.
    #[error("cannot start the password-hashing threads: {0}")]
    Threads(#[from] io::Error),
}

impl Hasher {
    /// Starts the threads.
    pub fn new(config: PasswordConfig) -> Result<Self, HasherError> {
        let PasswordConfig { memory_kib, iterations, parallelism, .. } = config;
        Params::new(memory_kib, iterations, parallelism, Some(DIGEST_BYTES)).map_err(HasherError::Parameters)?;
        let threads = match config.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let current =
            Scheme::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, memory_kib, iterations, parallelism };
        let hasher = Self { queue: Arc::new(Queue::new(threads * config.queue.max(1))) };
        let foreign = Arc::new(Mutex::new(None));
        for _ in 0..threads {
            let queue = Arc::clone(&hasher.queue);
            let bench = Bench { current, foreign: Arc::clone(&foreign), memory: Memory::new(memory_kib) };
            thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || bench.serve(&queue))?;
        }
        Ok(hasher)
    }

    /// The argon2id hash to store for this password, as a PHC string.
    pub async fn hash(&self, password: Password) -> Result<String, Overloaded> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Task::Hash { password, answer })?;
        answered.await.map_err(|_| OVERLOADED)
    }

    /// Whether this password is the stored one. Without a stored hash (no such user, or a user without a password)
    /// the answer is no, at the same cost.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verdict, Overloaded> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Task::Verify { password, stored, answer })?;
        answered.await.map_err(|_| OVERLOADED)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hasher").finish_non_exhaustive()
    }
}

enum Task {
    Hash { password: Password, answer: oneshot::Sender<String> },
    Verify { password: Password, stored: Option<String>, answer: oneshot::Sender<Verdict> },
}

enum Next {
    Task(Task),
    Quiet,
    Closed,
}

/// Waiting tasks, first come first served, at most `limit`.
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    limit: usize,
}

struct Waiting {
    tasks: VecDeque<Task>,
    open: bool,
}

impl Queue {
    fn new(limit: usize) -> Self {
        let waiting = Mutex::new(Waiting { tasks: VecDeque::new(), open: true });
        Self { waiting, arrived: Condvar::new(), limit }
    }

    fn push(&self, task: Task) -> Result<(), Overloaded> {
        let mut waiting = lock(&self.waiting);
        if waiting.tasks.len() >= self.limit {
            return Err(OVERLOADED);
        }
        waiting.tasks.push_back(task);
        self.arrived.notify_one();
        Ok(())
    }

    fn next(&self, patience: Option<Duration>) -> Next {
        let mut waiting = lock(&self.waiting);
        loop {
            if !waiting.open {
                return Next::Closed;
            }
            if let Some(task) = waiting.tasks.pop_front() {
                return Next::Task(task);
            }
            waiting = match patience {
                None => self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let (woken, timeout) =
                        self.arrived.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && woken.open && woken.tasks.is_empty() {
                        return Next::Quiet;
                    }
                    woken
                }
            };
        }
    }

    fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.open = false;
        waiting.tasks.clear();
        self.arrived.notify_all();
    }
}

/// One thread's place of work.
struct Bench {
    current: Scheme,
    /// The costliest scheme seen in the store that is not ours.
    foreign: Arc<Mutex<Option<Scheme>>>,
    memory: Memory,
}

impl Bench {
    fn serve(mut self, queue: &Queue) {
        step_back();
        let mut patience = None;
        loop {
            match queue.next(patience) {
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

    /// Answers nobody whose caller has gone: in a storm that is most of the queue.
    fn work(&mut self, task: Task) {
        match task {
            Task::Hash { password, answer } if !answer.is_closed() => {
                if let Some(hash) = self.hash(&password) {
                    let _ = answer.send(hash);
                }
            }
            Task::Verify { password, stored, answer } if !answer.is_closed() => {
                let verdict = self.verify(&password, stored.as_deref());
                let _ = answer.send(verdict);
            }
            Task::Hash { .. } | Task::Verify { .. } => {}
        }
    }

    fn hash(&mut self, password: &Password) -> Option<String> {
        let Scheme::Argon2 { memory_kib, iterations, parallelism, .. } = self.current else { return None };
        let mut salt = [0; 16];
        primitive::fill_random(&mut salt).ok()?;
        let digest = self.memory.derive(self.current, password.bytes(), &salt, DIGEST_BYTES)?;
        let (salt, digest) = (BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&digest));
        Some(format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${digest}"))
    }

    fn verify(&mut self, password: &Password, stored: Option<&str>) -> Verdict {
        let mut paid = None;
        if let Some(Ok(stored)) = stored.map(Stored::parse) {
            self.notice(stored.scheme);
            let digest = self.memory.derive(stored.scheme, password.bytes(), &stored.salt, stored.digest.len());
            if digest.is_some_and(|digest| primitive::verify_equal(&digest, &stored.digest)) {
                return Verdict { matches: true, rehash: self.outdated(&stored, password) };
            }
            paid = Some(stored.scheme);
        }
        self.pay(password, paid);
        Verdict::default()
    }

    /// PW-02, PW-03: whoever fails has paid for our scheme and for the costliest foreign one in use, so that the time
    /// tells neither whether there is such a user nor where the hash came from.
    fn pay(&mut self, password: &Password, paid: Option<Scheme>) {
        let foreign = *lock(&self.foreign);
        for scheme in [Some(self.current), foreign].into_iter().flatten() {
            if Some(scheme) != paid {
                std::hint::black_box(self.memory.derive(scheme, password.bytes(), &DECOY_SALT, DIGEST_BYTES));
            }
        }
    }

    fn notice(&self, scheme: Scheme) {
        if scheme == self.current {
            return;
        }
        let mut foreign = lock(&self.foreign);
        if foreign.is_none_or(|known| known.weight() < scheme.weight()) {
            *foreign = Some(scheme);
        }
    }

    fn outdated(&self, stored: &Stored, password: &Password) -> bool {
        match stored.scheme {
            // bcrypt saw 72 bytes only: what follows was never checked and must not become the password.
            Scheme::Bcrypt { .. } => password.bytes().len() <= BCRYPT_BYTES,
            scheme => scheme != self.current || stored.digest.len() != DIGEST_BYTES,
        }
    }
}

/// As many threads as cores, each yielding to the threads that answer requests.
fn step_back() {
    // On Linux a process id of none means the calling thread alone; elsewhere it would slow the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "the password-hashing threads keep the priority of the others");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const THREAD_NAME: &str = "password-hash";
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
const DIGEST_BYTES: usize = 32;
const BCRYPT_BYTES: usize = 72;
const DECOY_SALT: [u8; 16] = *b"carnet decoysalt";
const MEMORY_KEPT: Duration = Duration::from_secs(5);
/// A full queue of the default length drains in about this time.
const OVERLOADED: Overloaded = Overloaded { retry_after: 2 };
