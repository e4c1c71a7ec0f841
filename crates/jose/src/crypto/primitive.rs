//! Hashes, MACs, derivation, sealing and randomness.
//!
//! Spec: FIPS 180-4 · FIPS 202 (SHA-3) · RFC 2104 · RFC 5869 · NIST SP 800-38D

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, hmac, rand};
use zeroize::Zeroizing;

use crate::error::Error;

/// A hash function (FIPS 180-4, FIPS 202). The choice is our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashName {
    /// SHA-224 (FIPS 180-4 §6.3), 28 bytes.
    Sha224,
    /// SHA-256 (FIPS 180-4 §6.2), 32 bytes.
    Sha256,
    /// SHA-384 (FIPS 180-4 §6.5), 48 bytes.
    Sha384,
    /// SHA-512 (FIPS 180-4 §6.4), 64 bytes.
    Sha512,
    /// SHA-512/256 (FIPS 180-4 §6.7), 32 bytes.
    Sha512_256,
    /// SHA3-256 (FIPS 202 §6.1), 32 bytes.
    Sha3_256,
    /// SHA3-384 (FIPS 202 §6.1), 48 bytes.
    Sha3_384,
    /// SHA3-512 (FIPS 202 §6.1), 64 bytes.
    Sha3_512,
}

/// A hash in the making (FIPS 180-4 §6, FIPS 202 §6.1), for data that does not fit in memory.
///
/// ```
/// use carnet_jose::primitive::{HashName, Hasher, sha256};
///
/// let mut hasher = Hasher::new(HashName::Sha256);
/// hasher.update(b"a");
/// hasher.update(b"bc");
/// assert_eq!(hasher.finish(), sha256(b"abc"));
/// ```
pub struct Hasher(digest::Context);

impl Hasher {
    /// Nothing hashed yet: the initial value of this function (FIPS 180-4 §5.3, FIPS 202 §6.1).
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

    /// Adds data behind what was added before (FIPS 180-4 §6, FIPS 202 §6.1).
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest, as many bytes as [`HashName`] says (FIPS 180-4 §6, FIPS 202 §6.1).
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// The digest of everything that can be read (FIPS 180-4 §6, FIPS 202 §6.1), 64 KiB at a time.
///
/// ```
/// use carnet_jose::primitive::{HashName, digest, sha256};
///
/// assert_eq!(digest(HashName::Sha256, b"abc".as_slice())?, sha256(b"abc"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// What the reader answers.
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

/// SHA-1 (FIPS 180-4 §6.1), which proves nothing against anybody: for the handshake of WebSockets (RFC 6455 §4.2.2).
///
/// ```
/// assert_eq!(carnet_jose::primitive::sha1(b"abc")[..4], [0xa9, 0x99, 0x3e, 0x36]);
/// ```
pub fn sha1(data: &[u8]) -> [u8; 20] {
    whole(&digest::SHA1_FOR_LEGACY_USE_ONLY, data)
}

/// SHA-224 (FIPS 180-4 §6.3).
///
/// ```
/// assert_eq!(carnet_jose::primitive::sha224(b"abc")[..4], [0x23, 0x09, 0x7d, 0x22]);
/// ```
pub fn sha224(data: &[u8]) -> [u8; 28] {
    whole(&digest::SHA224, data)
}

/// SHA-256 (FIPS 180-4 §6.2).
///
/// ```
/// assert_eq!(carnet_jose::primitive::sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
/// ```
pub fn sha256(data: &[u8]) -> [u8; 32] {
    whole(&digest::SHA256, data)
}

/// SHA-384 (FIPS 180-4 §6.5).
///
/// ```
/// assert_eq!(carnet_jose::primitive::sha384(b"abc")[..4], [0xcb, 0x00, 0x75, 0x3f]);
/// ```
pub fn sha384(data: &[u8]) -> [u8; 48] {
    whole(&digest::SHA384, data)
}

/// SHA-512 (FIPS 180-4 §6.4).
///
/// ```
/// assert_eq!(carnet_jose::primitive::sha512(b"abc")[..4], [0xdd, 0xaf, 0x35, 0xa1]);
/// ```
pub fn sha512(data: &[u8]) -> [u8; 64] {
    whole(&digest::SHA512, data)
}

/// SHA-512/256 (FIPS 180-4 §6.7).
///
/// ```
/// assert_eq!(carnet_jose::primitive::sha512_256(b"abc")[..4], [0x53, 0x04, 0x8e, 0x26]);
/// ```
pub fn sha512_256(data: &[u8]) -> [u8; 32] {
    whole(&digest::SHA512_256, data)
}

fn whole<const N: usize>(algorithm: &'static digest::Algorithm, data: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(digest::digest(algorithm, data).as_ref());
    out
}

/// HMAC-SHA-256 (RFC 2104 §2) over the parts, one behind the other: where one ends and the next begins makes no difference.
///
/// ```
/// use carnet_jose::primitive::hmac_sha256;
///
/// // RFC 4231 §4.3
/// let tag = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
/// assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
/// ```
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// HMAC (RFC 2104 §2) with this function; as many bytes as [`HashName`] says.
///
/// ```
/// use carnet_jose::primitive::{HashName, hmac, hmac_sha256};
///
/// assert_eq!(hmac(HashName::Sha256, b"key", b"message"), hmac_sha256(b"key", &[b"message"]));
/// ```
pub fn hmac(name: HashName, key: &[u8], message: &[u8]) -> Vec<u8> {
    let by_library = |algorithm| {
        let tag = hmac::sign(&hmac::Key::new(algorithm, key), message);
        tag.as_ref().to_vec()
    };
    match name {
        HashName::Sha224 => by_library(hmac::HMAC_SHA224),
        HashName::Sha256 => by_library(hmac::HMAC_SHA256),
        HashName::Sha384 => by_library(hmac::HMAC_SHA384),
        HashName::Sha512 => by_library(hmac::HMAC_SHA512),
        // Blocks: FIPS 180-4 §1, FIPS 202 §7 table 3.
        HashName::Sha512_256 => by_hand(name, 128, key, message),
        HashName::Sha3_256 => by_hand(name, 136, key, message),
        HashName::Sha3_384 => by_hand(name, 104, key, message),
        HashName::Sha3_512 => by_hand(name, 72, key, message),
    }
}

/// RFC 2104 §2 with the block of a function that the library has no HMAC of.
fn by_hand(name: HashName, block: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
    let hash = |pad: u8, key: &[u8], text: &[u8]| {
        let padded = Zeroizing::new(key.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>());
        let mut hasher = Hasher::new(name);
        hasher.update(&padded);
        hasher.update(text);
        hasher.finish()
    };
    let mut whole = Zeroizing::new(match key.len() > block {
        true => hash(0, key, b""),
        false => key.to_vec(),
    });
    whole.resize(block, 0);
    let inner = hash(0x36, &whole, message);
    hash(0x5c, &whole, &inner)
}

/// Whether both are equal, in a time that does not depend on where they differ, as RFC 7518 §3.2 asks for MACs. Lengths are no secret.
///
/// ```
/// use carnet_jose::primitive::verify_equal;
///
/// assert!(verify_equal(b"tag", b"tag"));
/// assert!(!verify_equal(b"tag", b"tags"));
/// ```
pub fn verify_equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// HKDF-SHA-256 (RFC 5869 §2.2, §2.3). `out` has 8,160 bytes at most.
///
/// ```
/// use carnet_jose::{Error, primitive::hkdf_sha256};
///
/// let mut key = [0; 32];
/// hkdf_sha256(b"secret", b"salt", b"what it is for", &mut key)?;
/// assert_eq!(hkdf_sha256(b"secret", b"salt", b"", &mut [0; 8_161]), Err(Error::CryptoFailed));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// [`Error::CryptoFailed`] when `out` is longer.
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

/// Random bytes of the library's generator, which the system seeds. No spec is promised.
///
/// ```
/// let mut secret = [0; 32];
/// carnet_jose::primitive::fill_random(&mut secret)?;
/// assert_ne!(secret, [0; 32]);
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::CryptoFailed`] when the generator gives none.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), Error> {
    rand::fill(bytes).map_err(|_| Error::CryptoFailed)
}

/// AES-256-GCM (NIST SP 800-38D §7.1) under a random nonce (§8.2.2), which stands in front; `associated` must be the same to open.
///
/// 12 bytes of nonce, as many as `plain` has, 16 bytes of tag: the layout is our own. One key seals 2^32 times at most (§8.3).
///
/// ```
/// use carnet_jose::primitive::{open, seal};
///
/// let key = [7; 32];
/// let sealed = seal(&key, b"for alice", b"plain")?;
/// assert_eq!(sealed.len(), 12 + 5 + 16);
/// assert_eq!(open(&key, b"for alice", &sealed)?.as_slice(), b"plain");
/// assert!(open(&key, b"for bob", &sealed).is_err());
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::CryptoFailed`] when there is no randomness.
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

/// Opens what [`seal`] made (NIST SP 800-38D §7.2), where an example stands. The plain text is wiped when it is dropped.
///
/// # Errors
///
/// [`Error::CryptoFailed`] when a bit of it, of the key or of `associated` differs.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST, "HMAC-SHA3" examples: keys of 00, 01, 02, … shorter than a block, as long, and longer. Each MAC by its beginning and end.
    #[test]
    fn hmac_with_sha_3_is_that_of_the_examples() {
        let texts = ["keylen<blocklen", "keylen=blocklen", "keylen>blocklen"];
        for (name, lengths, macs) in [
            (
                HashName::Sha3_256,
                [32, 136, 168],
                [(0x4f, 0x05), (0x68, 0xaa), (0x9b, 0x58)],
            ),
            (
                HashName::Sha3_384,
                [48, 104, 152],
                [(0xd5, 0x42), (0xa2, 0x90), (0xe5, 0xac)],
            ),
            (
                HashName::Sha3_512,
                [64, 72, 136],
                [(0x4e, 0x96), (0x54, 0xda), (0x5f, 0x15)],
            ),
        ] {
            for ((text, length), mac) in texts.iter().zip(lengths).zip(macs) {
                let key: Vec<u8> = (0..length).collect();
                let made = hmac(name, &key, format!("Sample message for {text}").as_bytes());
                let ends = made.first().copied().zip(made.last().copied());
                assert_eq!(ends, Some(mac), "{name:?} {text}");
            }
        }
    }

    /// What OpenSSL computes; no RFC prints one.
    #[test]
    fn hmac_with_sha_512_256_is_that_of_others() {
        let made = hmac(HashName::Sha512_256, b"Jefe", b"what do ya want for nothing?");
        let start = [0x6d, 0xf7, 0xb2, 0x46, 0x30, 0xd5, 0xcc, 0xb2, 0xee, 0x33];
        assert!(made.starts_with(&start), "{made:02x?}");
    }
}
