//! Password hashes as they are stored: our own, and those other systems left us.
//!
//! Spec: PHC string format · RFC 9106 (argon2) · RFC 7914 (scrypt) · RFC 8018 §5.2 (PBKDF2) · Django's `pbkdf2_sha256$`

use std::str::FromStr;

use argon2::{Algorithm, Version};
use data_encoding::BASE64_NOPAD;

/// Whether a hash from another system can be imported: known, well formed, and no more costly than this server
/// can bear at every failed login.
pub fn check_importable(text: &str) -> Result<(), &'static str> {
    Stored::parse(text).map(drop)
}

/// How a password was turned into a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        memory_kib: u32,
        iterations: u32,
        parallelism: u32,
    },
    Bcrypt {
        cost: u32,
    },
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
    },
    Pbkdf2 {
        digest: Digest,
        iterations: u32,
    },
}

/// The hash function under PBKDF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha512,
}

/// A stored hash, taken apart. For bcrypt the digest is its 31 characters.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) scheme: Scheme,
    pub(super) salt: Vec<u8>,
    pub(super) digest: Vec<u8>,
}

impl Stored {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_TEXT || !text.is_ascii() {
            return Err(MALFORMED);
        }
        let stored = match text.split('$').collect::<Vec<_>>().as_slice() {
            ["", name @ ("argon2id" | "argon2i" | "argon2d"), rest @ ..] => argon2(name, rest)?,
            ["", "2a" | "2b" | "2y", ..] => bcrypt(text)?,
            ["", "scrypt", settings, salt, digest] => scrypt(settings, salt, digest)?,
            ["", "pbkdf2-sha256", rounds, salt, digest] => pbkdf2(Digest::Sha256, rounds, (salt, digest))?,
            ["", "pbkdf2-sha512", rounds, salt, digest] => pbkdf2(Digest::Sha512, rounds, (salt, digest))?,
            ["pbkdf2_sha256", rounds, salt, digest] => django(Digest::Sha256, rounds, (salt, digest))?,
            ["pbkdf2_sha512", rounds, salt, digest] => django(Digest::Sha512, rounds, (salt, digest))?,
            _ => {
                return Err(
                    "the hash is of no kind this server knows (argon2, bcrypt $2a/$2b/$2y, scrypt, PBKDF2)",
                );
            }
        };
        stored.scheme.check()?;
        if !(MIN_DIGEST..=MAX_DIGEST).contains(&stored.digest.len()) {
            return Err("the digest in the hash must have 16 to 64 bytes");
        }
        Ok(stored)
    }
}

impl Scheme {
    /// A rough time in microseconds, to tell the costlier of two schemes.
    pub(super) fn weight(self) -> u64 {
        match self {
            Self::Argon2 {
                memory_kib,
                iterations,
                ..
            } => u64::from(memory_kib) * u64::from(iterations) / 2,
            Self::Bcrypt { cost } => 50 << cost,
            Self::Scrypt { log_n, r, p } => ((u64::from(r) * u64::from(p)) << log_n) / 3,
            Self::Pbkdf2 { iterations, .. } => u64::from(iterations) / 3,
        }
    }

    /// Refuses settings with which every login would cost seconds or gigabytes, or next to nothing.
    fn check(self) -> Result<(), &'static str> {
        let sane = match self {
            Self::Argon2 {
                memory_kib,
                iterations,
                parallelism,
                ..
            } => {
                argon2::Params::new(memory_kib, iterations, parallelism, None).is_ok()
                    && memory_kib <= MAX_MEMORY_KIB
                    && parallelism <= 16
                    && u64::from(memory_kib) * u64::from(iterations) <= MAX_ARGON2_WORK
            }
            Self::Bcrypt { cost } => (4..=14).contains(&cost),
            Self::Scrypt { log_n, r, p } => {
                (1..=20).contains(&log_n)
                    && (1..=32).contains(&r)
                    && (1..=16).contains(&p)
                    && u64::from(r) << log_n <= u64::from(MAX_MEMORY_KIB) * 8
                    && (u64::from(r) * u64::from(p)) << log_n <= MAX_SCRYPT_WORK
            }
            Self::Pbkdf2 { iterations, .. } => (1000..=2_000_000).contains(&iterations),
        };
        if sane { Ok(()) } else { Err(ABSURD) }
    }
}

fn argon2(name: &str, rest: &[&str]) -> Result<Stored, &'static str> {
    let (version, fields) = match rest {
        ["v=19", fields @ ..] => (Version::V0x13, fields),
        // The first version of the format had no `v=` and meant 1.0.
        ["v=16", fields @ ..] | fields => (Version::V0x10, fields),
    };
    let [settings, salt, digest] = fields else {
        return Err(MALFORMED);
    };
    let [memory_kib, iterations, parallelism] = numbers(settings, ["m", "t", "p"])?;
    let algorithm = match name {
        "argon2id" => Algorithm::Argon2id,
        "argon2i" => Algorithm::Argon2i,
        _ => Algorithm::Argon2d,
    };
    let scheme = Scheme::Argon2 {
        algorithm,
        version,
        memory_kib,
        iterations,
        parallelism,
    };
    let salt = base64(salt)?;
    if salt.len() < argon2::MIN_SALT_LEN {
        return Err("the salt in the hash is shorter than 8 bytes");
    }
    Ok(Stored {
        scheme,
        salt,
        digest: base64(digest)?,
    })
}

fn bcrypt(text: &str) -> Result<Stored, &'static str> {
    let parts = bcrypt::HashParts::from_str(text).map_err(|_| MALFORMED)?;
    let digest = text
        .as_bytes()
        .get(BCRYPT_DIGEST_AT..)
        .unwrap_or_default()
        .to_vec();
    Ok(Stored {
        scheme: Scheme::Bcrypt {
            cost: parts.get_cost(),
        },
        salt: parts.get_salt_raw().to_vec(),
        digest,
    })
}

fn scrypt(settings: &str, salt: &str, digest: &str) -> Result<Stored, &'static str> {
    let [log_n, r, p] = numbers(settings, ["ln", "r", "p"])?;
    let log_n = u8::try_from(log_n).map_err(|_| ABSURD)?;
    Ok(Stored {
        scheme: Scheme::Scrypt { log_n, r, p },
        salt: base64(salt)?,
        digest: base64(digest)?,
    })
}

fn pbkdf2(digest: Digest, settings: &str, (salt, output): (&str, &str)) -> Result<Stored, &'static str> {
    // `i=600000`, `i=600000,l=32`, or passlib's bare `600000`.
    let settings = settings.strip_prefix("i=").unwrap_or(settings);
    let (rounds, length) = settings.split_once(",l=").unwrap_or((settings, ""));
    let iterations = number(rounds)?;
    let output = base64(output)?;
    if !length.is_empty() && usize::try_from(number(length)?) != Ok(output.len()) {
        return Err(MALFORMED);
    }
    Ok(Stored {
        scheme: Scheme::Pbkdf2 { digest, iterations },
        salt: base64(salt)?,
        digest: output,
    })
}

/// Django keeps the salt as plain text and pads its Base64.
fn django(digest: Digest, rounds: &str, (salt, output): (&str, &str)) -> Result<Stored, &'static str> {
    let scheme = Scheme::Pbkdf2 {
        digest,
        iterations: number(rounds)?,
    };
    let digest = base64(output.trim_end_matches('='))?;
    if salt.is_empty() {
        return Err("the hash has no salt");
    }
    Ok(Stored {
        scheme,
        salt: salt.as_bytes().to_vec(),
        digest,
    })
}

/// The values of `m=1,t=2,p=3`, these names in this order and nothing else.
fn numbers<const N: usize>(settings: &str, names: [&str; N]) -> Result<[u32; N], &'static str> {
    let mut values = [0; N];
    let mut given = settings.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        let (given_name, text) = given
            .next()
            .and_then(|one| one.split_once('='))
            .ok_or(MALFORMED)?;
        if given_name != name {
            return Err(MALFORMED);
        }
        *value = number(text)?;
    }
    if given.next().is_some() {
        Err(MALFORMED)
    } else {
        Ok(values)
    }
}

fn number(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    text.parse().map_err(|_| ABSURD)
}

/// Unpadded Base64; passlib writes `.` for `+`.
fn base64(text: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = BASE64_NOPAD
        .decode(text.replace('.', "+").as_bytes())
        .map_err(|_| MALFORMED)?;
    if bytes.is_empty() {
        Err("the hash has an empty salt or digest")
    } else {
        Ok(bytes)
    }
}

const MALFORMED: &str = "the hash is malformed";
const ABSURD: &str =
    "the hash asks for more work or memory than this server spends on a login, or for next to none";
const MAX_TEXT: usize = 512;
const MIN_DIGEST: usize = 16;
const MAX_DIGEST: usize = 64;
const BCRYPT_DIGEST_AT: usize = 29;
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ARGON2_WORK: u64 = 2 * 1024 * 1024;
const MAX_SCRYPT_WORK: u64 = 1 << 22;
