//! Logins that are kept: a file each, for the eyes of one user of this machine.
//!
//! Spec: RFC 6749 §10.3, §10.4 · XDG Base Directory Specification

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use carnet_jose::{base64url, primitive};
use carnet_listen::secret_file;
use carnet_oauth::token_response::TokenResponse;
use serde::{Deserialize, Serialize};

use super::key::LoginKey;
use crate::failure::Failure;
use crate::moment;

/// What one login gives.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) access_token: String,
    /// Seconds since 1970.
    pub(crate) expires_at: i64,
    pub(crate) refresh_token: Option<String>,
    pub(crate) scope: String,
    /// The private JWK that the tokens are bound to; without one they are bearer tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dpop_key: Option<String>,
}

impl Login {
    pub(crate) fn of(issuer: &str, client_id: &str, tokens: TokenResponse) -> Self {
        let life = match tokens.expires_in {
            0 => UNSAID_SECONDS,
            said => i64::try_from(said).unwrap_or(i64::MAX),
        };
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            access_token: tokens.access_token,
            expires_at: moment::now().saturating_add(life),
            refresh_token: tokens.refresh_token,
            scope: tokens.scope.to_string(),
            dpop_key: None,
        }
    }

    /// The same login, renewed. A server that sends no new refresh token lets the old one go on (RFC 6749 §6).
    pub(crate) fn renewed(&self, tokens: TokenResponse) -> Self {
        let mut renewed = Self::of(&self.issuer, &self.client_id, tokens);
        renewed.refresh_token = renewed.refresh_token.or_else(|| self.refresh_token.clone());
        renewed.dpop_key = self.dpop_key.clone();
        renewed
    }

    /// Whether the access token lasts long enough to be of use.
    pub(crate) fn is_fresh(&self) -> bool {
        self.expires_at.saturating_sub(moment::now()) > SPARE_SECONDS
    }

    /// The key of its tokens, when they have one.
    pub(crate) fn key(&self) -> Result<Option<LoginKey>, Failure> {
        let Some(kept) = &self.dpop_key else {
            return Ok(None);
        };
        let key = LoginKey::read(kept);
        let key = key.ok_or_else(|| unreadable(Path::new(&self.file_name()), "its dpop_key is no key"))?;
        Ok(Some(key))
    }

    fn file_name(&self) -> String {
        file_name(&self.issuer, &self.client_id)
    }
}

fn file_name(issuer: &str, client_id: &str) -> String {
    let text = format!("{issuer}\0{client_id}");
    let digest = base64url::encode(&primitive::sha256(text.as_bytes()));
    format!("{}.json", digest.get(..22).unwrap_or_default())
}

/// How long an access token is believed whose server does not say.
const UNSAID_SECONDS: i64 = 300;
/// An access token that is handed out lives this much longer at least.
const SPARE_SECONDS: i64 = 30;

/// The folder of the logins, and a lock on it: two commands never renew one login at once.
pub(crate) struct Logins {
    folder: PathBuf,
    _locked: File,
}

impl Logins {
    /// Waits until no other command works on the logins.
    pub(crate) fn open() -> Result<Self, Failure> {
        let folder = folder()?;
        let unusable = |error: std::io::Error| unusable(&folder, &error);
        let mut made = DirBuilder::new();
        made.recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(unusable)?;
        // Made by hand with more rights, it is put right.
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&folder, private).map_err(unusable)?;
        let mut lock = OpenOptions::new();
        let lock = lock.write(true).create(true).truncate(false).mode(0o600);
        let lock = lock.open(folder.join("lock")).map_err(unusable)?;
        lock.lock().map_err(unusable)?;
        Ok(Self {
            folder: folder.clone(),
            _locked: lock,
        })
    }

    /// The one login that is meant. A file that cannot be read says so, unless another one is named.
    pub(crate) fn one(&self, issuer: Option<&str>, client_id: Option<&str>) -> Result<Login, Failure> {
        let meant = |login: &Login| {
            issuer.is_none_or(|issuer| issuer == login.issuer)
                && client_id.is_none_or(|id| id == login.client_id)
        };
        let kept = match (issuer, client_id) {
            (Some(issuer), Some(id)) => self.named(issuer, id)?.into_iter().collect(),
            _ => self.all()?,
        };
        let mut found: Vec<Login> = kept.into_iter().filter(meant).collect();
        match (found.pop(), found.is_empty()) {
            (Some(login), true) => Ok(login),
            (Some(login), false) => Err(Failure::usage("login_ambiguous", "more than one login is kept")
                .because("which one is meant?")
                .todo(format!(
                    "name it: --issuer {} --client-id {}",
                    login.issuer, login.client_id
                ))),
            (None, _) => Err(
                Failure::refused("login_missing", "no such login is kept on this machine")
                    .because(format!("logins are kept in {}", self.folder.display()))
                    .todo("log in: carnet login --issuer URL --client-id ID"),
            ),
        }
    }

    /// The login of this client at this issuer.
    pub(crate) fn named(&self, issuer: &str, client_id: &str) -> Result<Option<Login>, Failure> {
        let file = self.folder.join(file_name(issuer, client_id));
        match file.exists() {
            true => read(&file).map(Some),
            false => Ok(None),
        }
    }

    /// What is odd about the rights of a login's file: whoever could read it may have the tokens.
    pub(crate) fn exposed(&self, login: &Login) -> Option<String> {
        let file = self.folder.join(login.file_name());
        let odd = secret_file::check(&file).err()?;
        Some(format!("{}: {}; {}", file.display(), odd.what, odd.todo))
    }

    /// Every login.
    fn all(&self) -> Result<Vec<Login>, Failure> {
        let entries = std::fs::read_dir(&self.folder).map_err(|error| unusable(&self.folder, &error))?;
        let files = entries.flatten().map(|entry| entry.path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .map(|path| read(&path))
            .collect()
    }

    /// Keeps it, in place of what was kept for the same client at the same issuer. What stands there is whole at every moment.
    pub(crate) fn keep(&self, login: &Login) -> Result<(), Failure> {
        let written = || {
            // Mode 0600 from its first moment.
            let mut draft = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer(&mut draft, login)?;
            draft.flush()?;
            draft.as_file().sync_all()?;
            draft.persist(self.folder.join(login.file_name()))?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|error: std::io::Error| unusable(&self.folder, &error))
    }

    pub(crate) fn forget(&self, login: &Login) -> Result<(), Failure> {
        match std::fs::remove_file(self.folder.join(login.file_name())) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(&self.folder, &error)),
            _ => Ok(()),
        }
    }
}

fn read(file: &Path) -> Result<Login, Failure> {
    let text = std::fs::read(file).map_err(|error| unreadable(file, &error.to_string()))?;
    // What stands there may be a token: the error says where it is wrong, not what it says.
    serde_json::from_slice(&text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        unreadable(file, &format!("it is not as carnet login writes it, at {place}"))
    })
}

fn unreadable(file: &Path, why: &str) -> Failure {
    Failure::refused(
        "login_unreadable",
        format!("the login in {} cannot be read", file.display()),
    )
    .because(why)
    .todo("log in again with the same --issuer and --client-id, or remove the file")
}

/// `$XDG_STATE_HOME/carnet/logins`, or where that is when it is not set.
fn folder() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let state = state.ok_or_else(|| {
        Failure::usage("no_home", "there is no folder to keep logins in")
            .because("neither XDG_STATE_HOME nor HOME names one")
            .todo("set HOME")
    })?;
    Ok(state.join("carnet/logins"))
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::refused("folder_unusable", format!("{} cannot be used", folder.display()))
        .because(error.to_string())
        .todo("give this user the folder, or set XDG_STATE_HOME to another")
}
