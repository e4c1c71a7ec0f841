//! From a password to a digest, with memory that a thread keeps for the next one.
//!
//! Spec: RFC 9106 (argon2) · RFC 7914 (scrypt) · RFC 8018 §5.2 (PBKDF2)

use argon2::{Argon2, Block, Params};
use pbkdf2::{
    pbkdf2_hmac,
    sha2::{Sha256, Sha512},
};
use zeroize::Zeroizing;

use super::stored::{Digest, Scheme};

/// What a hashing thread owns: argon2's blocks, allocated once and not for each login.
pub(super) struct Memory {
    blocks: Vec<Block>,
    keep: usize,
}

impl Memory {
    /// Keeps up to this many KiB between two hashes.
    pub(super) fn new(keep_kib: u32) -> Self {
        Self {
            blocks: Vec::new(),
            keep: keep_kib as usize,
        }
    }

    /// Gives everything back to the system.
    pub(super) fn release(&mut self) {
        self.blocks = Vec::new();
    }

    /// The digest of this password, or nothing when the scheme does not allow such a salt or length.
    pub(super) fn derive(
        &mut self,
        scheme: Scheme,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; length]);
        match scheme {
            Scheme::Argon2 {
                algorithm,
                version,
                memory_kib,
                iterations,
                parallelism,
            } => {
                let params = Params::new(memory_kib, iterations, parallelism, Some(length)).ok()?;
                let blocks = self.blocks(params.block_count());
                let argon2 = Argon2::new(algorithm, version, params);
                let outcome = argon2.hash_password_into_with_memory(password, salt, &mut out, blocks);
                self.shrink();
                outcome.ok()?;
            }
            Scheme::Bcrypt { cost } => {
                let salt = salt.try_into().ok()?;
                let text = Zeroizing::new(bcrypt::hash_with_salt(password, cost, salt).ok()?.to_string());
                out = Zeroizing::new(text.as_bytes().get(text.len() - BCRYPT_DIGEST..)?.to_vec());
            }
            Scheme::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).ok()?;
                scrypt::scrypt(password, salt, &params, &mut out).ok()?;
            }
            Scheme::Pbkdf2 {
                digest: Digest::Sha256,
                iterations,
            } => {
                pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out);
            }
            Scheme::Pbkdf2 {
                digest: Digest::Sha512,
                iterations,
            } => {
                pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out);
            }
        }
        Some(out)
    }

    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.blocks.len() < count {
            self.blocks.resize(count, Block::new());
        }
        &mut self.blocks
    }

    fn shrink(&mut self) {
        if self.blocks.len() > self.keep {
            self.blocks.truncate(self.keep);
            self.blocks.shrink_to_fit();
        }
    }
}

const BCRYPT_DIGEST: usize = 31;
