//! The master key: what is sealed in the database is opened with it, and it is never in the database.
//!
//! The file has one line a key, `ID BASE64URL`, newest first. Older keys still open what they sealed.

use std::path::Path;

use carnet_jose::{base64url, primitive};
use zeroize::Zeroizing;

use carnet_listen::secret_file;

/// The keys of the master key file, the newest first.
pub struct MasterKeys(Vec<MasterKey>);

struct MasterKey {
    id: String,
    /// One for each purpose, in the order of [`Purpose::ALL`]; the secret itself is not kept.
    derived: [Zeroizing<[u8; 32]>; Purpose::ALL.len()],
}

/// What a derived key is for: one purpose's key opens nothing of another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Private signing keys in the database.
    SigningKey,
    /// The MAC of refresh tokens.
    RefreshToken,
    /// The cookie that recognises a device that has logged in before.
    DeviceCookie,
    /// The cookie of a signed-in browser.
    BrowserCookie,
    /// The MAC of the nonces that DPoP proofs carry.
    DpopNonce,
    /// Names of throttle counters, so that the database does not list who was attacked from where.
    ThrottleKey,
}

impl Purpose {
    const ALL: [Self; 6] = [
        Self::SigningKey,
        Self::RefreshToken,
        Self::DeviceCookie,
        Self::BrowserCookie,
        Self::DpopNonce,
        Self::ThrottleKey,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::SigningKey => "carnet signing key v1",
            Self::RefreshToken => "carnet refresh token v1",
            Self::DeviceCookie => "carnet device cookie v1",
            Self::BrowserCookie => "carnet browser cookie v1",
            Self::DpopNonce => "carnet dpop nonce v1",
            Self::ThrottleKey => "carnet throttle key v1",
        }
    }
}

impl MasterKeys {
    /// Reads the file; makes it, with one new key and mode 0600, when it is not there.
    pub fn load_or_create(file: &Path) -> Result<Self, MasterKeyError> {
        if !file.exists() {
            create(file)
                .map_err(|why| MasterKeyError(format!("{}: cannot be made: {why}", file.display())))?;
        }
        Self::load(file)
    }

    /// Reads the file, which must be there: a new key would open nothing that an old one has sealed.
    pub fn load(file: &Path) -> Result<Self, MasterKeyError> {
        let unusable = |what: String| MasterKeyError(format!("{}: {what}", file.display()));
        let text =
            secret_file::read(file).map_err(|error| unusable(format!("{}; {}", error.what, error.todo)))?;
        let text = std::str::from_utf8(&text).map_err(|_| unusable("is not text".to_owned()))?;
        let keys: Option<Vec<_>> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(parse_line)
            .collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(Self(keys)),
            _ => Err(unusable(
                "is not a master key file: each line is an id, a space and 32 bytes in base64url".to_owned(),
            )),
        }
    }

    /// The id of the key that seals from now on.
    pub fn current(&self) -> &str {
        self.0.first().map_or("", |key| key.id.as_str())
    }

    /// A key for one purpose, derived from the named master key (HKDF-SHA-256); `None` when the file does not have it.
    pub fn derive(&self, id: &str, purpose: Purpose) -> Option<&[u8; 32]> {
        let key = self.0.iter().find(|key| key.id == id)?;
        let position = Purpose::ALL.iter().position(|other| *other == purpose)?;
        key.derived.get(position).map(|derived| &**derived)
    }

    /// Seals under the current key. `owner` is what the secret belongs to: it opens for nobody else.
    pub fn seal(&self, purpose: Purpose, owner: &str, secret: &[u8]) -> Result<Vec<u8>, MasterKeyError> {
        let key = self
            .derive(self.current(), purpose)
            .ok_or_else(|| MasterKeyError("no current key".to_owned()))?;
        primitive::seal(key, &associated(purpose, owner), secret)
            .map_err(|error| MasterKeyError(error.to_string()))
    }

    /// Opens what [`MasterKeys::seal`] made under the named key, for the same purpose and owner.
    pub fn open(
        &self,
        id: &str,
        purpose: Purpose,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        let key = self
            .derive(id, purpose)
            .ok_or_else(|| MasterKeyError(format!("the master key {id} is not in the file")))?;
        let opened = primitive::open(key, &associated(purpose, owner), sealed);
        opened.map_err(|_| {
            MasterKeyError(format!(
                "what was sealed under the master key {id} does not open: another key or changed data"
            ))
        })
    }
}

fn create(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut secret = Zeroizing::new([0; 32]);
    let mut id = [0; 4];
    primitive::fill_random(secret.as_mut_slice())?;
    primitive::fill_random(&mut id)?;
    let line = Zeroizing::new(format!(
        "{} {}\n",
        base64url::encode(&id),
        base64url::encode(secret.as_slice())
    ));
    // When somebody else was faster, theirs is the key.
    secret_file::create(file, line.as_bytes())?;
    Ok(())
}

fn parse_line(line: &str) -> Option<MasterKey> {
    let (id, secret) = line.trim().split_once(' ')?;
    let bytes = Zeroizing::new(base64url::decode(secret).ok()?);
    let secret = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
    let mut derived: [Zeroizing<[u8; 32]>; Purpose::ALL.len()] = Default::default();
    for (purpose, key) in Purpose::ALL.iter().zip(&mut derived) {
        primitive::hkdf_sha256(
            secret.as_slice(),
            &[],
            purpose.label().as_bytes(),
            key.as_mut_slice(),
        )
        .ok()?;
    }
    (!id.is_empty()).then(|| MasterKey {
        id: id.to_owned(),
        derived,
    })
}

fn associated(purpose: Purpose, owner: &str) -> Vec<u8> {
    [purpose.label().as_bytes(), b"\0", owner.as_bytes()].concat()
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// Why nothing can be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKeyError(String);

impl std::fmt::Display for MasterKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MasterKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(name: &str) -> (std::path::PathBuf, MasterKeys) {
        let folder = std::env::temp_dir().join(format!("carnet-master-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("master.key");
        let _ = std::fs::remove_file(&file);
        let keys = MasterKeys::load_or_create(&file).unwrap();
        (file, keys)
    }

    #[test]
    fn the_file_is_made_once_with_mode_0600() {
        use std::os::unix::fs::PermissionsExt as _;
        let (file, first) = fresh("once");
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            MasterKeys::load_or_create(&file).unwrap().current(),
            first.current()
        );
    }

    #[test]
    fn a_world_readable_file_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (file, _) = fresh("open");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = MasterKeys::load_or_create(&file).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn what_is_sealed_opens_for_the_same_purpose_and_owner_alone() {
        let (_, keys) = fresh("seal");
        let sealed = keys.seal(Purpose::SigningKey, "kid-1", b"secret").unwrap();
        let id = keys.current().to_owned();
        assert_eq!(
            keys.open(&id, Purpose::SigningKey, "kid-1", &sealed)
                .unwrap()
                .as_slice(),
            b"secret"
        );
        assert!(keys.open(&id, Purpose::SigningKey, "kid-2", &sealed).is_err());
        assert!(keys.open(&id, Purpose::DeviceCookie, "kid-1", &sealed).is_err());
        assert!(keys.open("other", Purpose::SigningKey, "kid-1", &sealed).is_err());
    }
}
