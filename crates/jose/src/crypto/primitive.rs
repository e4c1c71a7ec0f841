//! Hashes, MACs, derivation, sealing and randomness.
//!
//! Spec: FIPS 180-4 · FIPS 202 (SHA-3) · RFC 2104 · RFC 5869 · NIST SP 800-38D

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, hmac, rand};
use zeroize::Zeroizing;

use crate::error::Error;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashName {
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-512/256.
    Sha512_256,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
}

/// A hash in the making, for data that does not fit in memory.
pub struct Hasher(digest::Context);

impl Hasher {
    /// Nothing hashed yet.
    pub fn new(name: HashName) -> Self {
        Self(digest::Context::new(match name {
            HashName::Sha224 => &digest::SHA224,
            HashName::Sha256 => &digest::SHA256,
            HashName::Sha384 => &digest::SHA384,
            HashName::Sha512 => &digest::SHA512,
            HashName::Sha512_256 => &digest::SHA512_256,
            HashName::Sha3_256 => &digest::SHA3_256,
            HashName::Sha3_384 => &digest::SHA3_384,
            HashName::Sha3_512 => &digest::SHA3_512,
        }))
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// The digest of everything that can be read.
pub fn digest(name: HashName, mut reader: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut hasher = Hasher::new(name);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// SHA-224 (FIPS 180-4 §6.3).
pub fn sha224(data: &[u8]) -> [u8; 28] {
    whole(&digest::SHA224, data)
}

/// SHA-256 (FIPS 180-4 §6.2).
pub fn sha256(data: &[u8]) -> [u8; 32] {
    whole(&digest::SHA256, data)
}

/// SHA-384 (FIPS 180-4 §6.5).
pub fn sha384(data: &[u8]) -> [u8; 48] {
    whole(&digest::SHA384, data)
}

/// SHA-512 (FIPS 180-4 §6.4).
pub fn sha512(data: &[u8]) -> [u8; 64] {
    whole(&digest::SHA512, data)
}

/// SHA-512/256 (FIPS 180-4 §6.7).
pub fn sha512_256(data: &[u8]) -> [u8; 32] {
    whole(&digest::SHA512_256, data)
}

fn whole<const N: usize>(algorithm: &'static digest::Algorithm, data: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(digest::digest(algorithm, data).as_ref());
    out
}

/// HMAC-SHA-256 over the parts, one behind the other.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// HMAC with any of the SHA-2 family but SHA-512/256.
pub fn hmac(name: HashName, key: &[u8], message: &[u8]) -> Result<Vec<u8>, Error> {
    let algorithm = match name {
        HashName::Sha224 => hmac::HMAC_SHA224,
        HashName::Sha256 => hmac::HMAC_SHA256,
        HashName::Sha384 => hmac::HMAC_SHA384,
        HashName::Sha512 => hmac::HMAC_SHA512,
        HashName::Sha512_256 | HashName::Sha3_256 | HashName::Sha3_384 | HashName::Sha3_512 => {
            return Err(Error::KeyUnsupported);
        }
    };
    Ok(hmac::sign(&hmac::Key::new(algorithm, key), message)
        .as_ref()
        .to_vec())
}

/// Whether both are equal, in a time that does not depend on where they differ.
pub fn verify_equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// HKDF-SHA-256. `out` has 8,160 bytes at most.
pub fn hkdf_sha256(secret: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let output = key
        .expand(&info, Length(out.len()))
        .map_err(|_| Error::CryptoFailed)?;
    output.fill(out).map_err(|_| Error::CryptoFailed)
}

/// Random bytes from the system.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), Error> {
    rand::fill(bytes).map_err(|_| Error::CryptoFailed)
}

/// AES-256-GCM under a random nonce, which stands in front; `associated` must be the same to open.
pub fn seal(key: &[u8; 32], associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE_LEN];
    fill_random(&mut nonce)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::CryptoFailed)?);
    let mut body = plain.to_vec();
    let unique = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(unique, Aad::from(associated), &mut body)
        .map_err(|_| Error::CryptoFailed)?;
    Ok([nonce.as_slice(), &body].concat())
}

/// Opens what [`seal`] made; refused when a bit of it, of the key or of `associated` differs.
pub fn open(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (nonce, body) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(Error::CryptoFailed)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::CryptoFailed)?);
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key
        .open_in_place(nonce, Aad::from(associated), &mut body)
        .map_err(|_| Error::CryptoFailed)?
        .len();
    body.truncate(length);
    Ok(body)
}
