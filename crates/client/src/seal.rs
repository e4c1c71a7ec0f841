//! What the cookies hold, sealed: a browser carries it and cannot read it, change it, or move it to another place.
//!
//! Spec: RFC 10017 §6.1.3.2 (encrypted sessions at the client) · RFC 5869 (HKDF)

use carnet_jose::{base64url, primitive};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ClientError;

/// The keys of an app: the first seals, all of them open.
pub struct Keys {
    pairs: Vec<Pair>,
    /// The app and the client: what one has sealed another does not open, whatever secret they share.
    place: String,
}

struct Pair {
    seal: [u8; 32],
    csrf: [u8; 32],
}

impl Keys {
    /// From secrets of 32 bytes or more; `place` names the app and the client.
    pub fn new(secrets: &[Vec<u8>], place: &[&str]) -> Result<Self, ClientError> {
        let derive = |secret: &[u8], purpose: &[u8]| {
            let mut key = [0; 32];
            primitive::hkdf_sha256(secret, b"carnet-guard web", purpose, &mut key)
                .map_err(|error| ClientError::Invalid(format!("the key of the cookies: {error}")))?;
            Ok::<_, ClientError>(key)
        };
        let pairs = secrets.iter().map(|secret| {
            Ok(Pair {
                seal: derive(secret, b"seal")?,
                csrf: derive(secret, b"csrf")?,
            })
        });
        Ok(Self {
            pairs: pairs.collect::<Result<_, ClientError>>()?,
            place: place.join("\0"),
        })
    }

    /// The value of a cookie with this purpose; `None` when there is no randomness.
    pub fn seal(&self, purpose: &str, content: &impl Serialize) -> Option<String> {
        let plain = serde_json::to_vec(content).ok()?;
        let mut salt = [0; SALT_BYTES];
        primitive::fill_random(&mut salt).ok()?;
        let key = self.pairs.first()?.key_of(&salt)?;
        let sealed = primitive::seal(&key, self.associated(purpose).as_bytes(), &plain).ok()?;
        Some(base64url::encode(&[salt.as_slice(), &sealed].concat()))
    }

    /// What was sealed for this purpose, by us.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, value: &str) -> Option<T> {
        let whole = base64url::decode(value).ok()?;
        let (salt, sealed) = whole.split_first_chunk::<SALT_BYTES>()?;
        let associated = self.associated(purpose);
        let mut opened = self
            .pairs
            .iter()
            .filter_map(|pair| primitive::open(&pair.key_of(salt)?, associated.as_bytes(), sealed).ok());
        serde_json::from_slice(&opened.next()?).ok()
    }

    /// The proofs that a form of this session with this nonce may carry; the first is what new ones get.
    pub fn proofs(&self, session: &str, nonce: &str) -> impl Iterator<Item = String> {
        let parts: [&[u8]; 3] = [session.as_bytes(), b"\0", nonce.as_bytes()];
        let macs = self
            .pairs
            .iter()
            .map(move |pair| primitive::hmac_sha256(&pair.csrf, &parts));
        macs.map(|mac| base64url::encode(&mac))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn associated(&self, purpose: &str) -> String {
        format!("{purpose}\0{}", self.place)
    }
}

impl Pair {
    /// Each cookie has a key of its own: AES-GCM with random nonces is worn out after 2^32 uses of one (SP 800-38D §8.3).
    fn key_of(&self, salt: &[u8]) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        primitive::hkdf_sha256(&self.seal, salt, b"cookie", &mut key).ok()?;
        Some(key)
    }
}

const SALT_BYTES: usize = 16;

/// A name that nobody guesses; `None` when there is no randomness.
pub fn random() -> Option<String> {
    let mut bytes = [0; 16];
    primitive::fill_random(&mut bytes).ok()?;
    Some(base64url::encode(&bytes))
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str], place: &str) -> Keys {
        let secrets: Vec<_> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        Keys::new(&secrets, &[place]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_at_its_place_alone() {
        let here = keys(&["one"], "here");
        let sealed = here.seal("access", &"secret").unwrap();
        assert_eq!(here.open::<String>("access", &sealed).unwrap(), "secret");
        assert_eq!(here.open::<String>("refresh", &sealed), None);
        assert_eq!(keys(&["one"], "there").open::<String>("access", &sealed), None);
        assert_eq!(keys(&["two"], "here").open::<String>("access", &sealed), None);
        assert_eq!(here.open::<String>("access", &sealed[1..]), None);
        assert_eq!(here.open::<String>("access", ""), None);
    }

    #[test]
    fn a_new_key_in_front_still_opens_what_the_old_one_sealed() {
        let sealed = keys(&["old"], "here").seal("access", &1).unwrap();
        assert_eq!(
            keys(&["new", "old"], "here").open::<u8>("access", &sealed),
            Some(1)
        );
        let sealed = keys(&["new", "old"], "here").seal("access", &1).unwrap();
        assert_eq!(keys(&["new"], "here").open::<u8>("access", &sealed), Some(1));
    }
}
