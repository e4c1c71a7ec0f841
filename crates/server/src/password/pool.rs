//! The hashing threads: few, bounded, and apart from those that answer requests.
//!
//! Spec: RFC 9106 §4 · OWASP ASVS 5.0 §6.3.8

use std::{
    fmt, io,
    sync::{Arc, Mutex},
    thread,
};

use argon2::{Algorithm, Params, Version};
use thiserror::Error;
use tokio::sync::oneshot;

use super::{
    bench::{Bench, DIGEST_BYTES, remember},
    queue::{OVERLOADED, Overloaded, Queue, Task},
    stored::{Scheme, Stored},
    typed::Password,
    verdict::Verdict,
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
    /// How many calls may wait for a thread before more are turned away.
    pub queue: usize,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            threads: 0,
            queue: 128,
        }
    }
}

/// Hashes and checks passwords on threads of its own, so that a login storm leaves the async workers alone.
///
/// A thread keeps its argon2 memory while there is work and gives it back after some idle seconds.
pub struct Hasher {
    queue: Arc<Queue>,
    /// The schemes of imported hashes.
    foreign: Arc<Mutex<Vec<Scheme>>>,
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
        let PasswordConfig {
            memory_kib,
            iterations,
            parallelism,
            ..
        } = config;
        Params::new(memory_kib, iterations, parallelism, Some(DIGEST_BYTES))
            .map_err(HasherError::Parameters)?;
        let threads = match config.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let current = Scheme::Argon2 {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            memory_kib,
            iterations,
            parallelism,
        };
        let hasher = Self {
            queue: Arc::new(Queue::new(config.queue.max(1))),
            foreign: Arc::default(),
        };
        for _ in 0..threads {
            let queue = Arc::clone(&hasher.queue);
            let bench = Bench::new(current, Arc::clone(&hasher.foreign));
            thread::Builder::new()
                .name(THREAD_NAME.to_owned())
                .spawn(move || bench.serve(&queue))?;
        }
        Ok(hasher)
    }

    /// A hash that is in the store: from now on every failure costs as much as one on it, from the first login on.
    pub fn expect(&self, stored: &str) {
        if let Ok(stored) = Stored::parse(stored) {
            remember(&self.foreign, stored.scheme);
        }
    }

    /// The argon2id hash to store for this password, as a PHC string.
    pub async fn hash(&self, password: Password) -> Result<String, Overloaded> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Task::Hash { password, answer })?;
        answered.await.map_err(|_| OVERLOADED)
    }

    /// Whether this password is the stored one. Without a stored hash (no such user, or a user without a password)
    /// the answer is no, at the same cost; and so it is for an account that may not be used.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
        usable: bool,
    ) -> Result<Verdict, Overloaded> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Task::Verify {
            password,
            stored,
            usable,
            answer,
        })?;
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

const THREAD_NAME: &str = "password-hash";
