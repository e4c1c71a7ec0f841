//! What the operator's commands share: the configuration, and the store beside a running server.

use std::path::PathBuf;

use carnet_server::app::App;
use carnet_server::clock::{Clock as _, SystemClock};
use carnet_server::config::{self, Config};
use carnet_server::email::Email;
use carnet_server::master_key::MasterKeys;
use carnet_store::{
    AuditAction, Cut, Ended, LiveSession, NewAudit, ON_ITS_WAY_MS, Reason, Store, Strength, User,
};

use carnet_jose::{base64url, primitive};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::moment;
use crate::output::Output;

/// `--config`, as every operator's command takes it.
#[derive(clap::Args, Debug)]
pub(crate) struct ConfigFile {
    /// The configuration file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "CARNET_CONFIG",
        default_value = "carnet.toml"
    )]
    pub(crate) config: PathBuf,
}

impl ConfigFile {
    /// Reads and checks it.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        self.load_with_warnings().map(|(config, _)| config)
    }

    /// As [`ConfigFile::load`], with what works but should not surprise anybody later.
    pub(crate) fn load_with_warnings(&self) -> Result<(Config, Vec<config::Warning>), Failure> {
        config::load(&self.config, std::env::vars()).map_err(|error| {
            Failure::usage("config_invalid", format!("{}: {}", error.place, error.what))
                .because("the server does not start with it")
                .todo(error.todo)
        })
    }

    /// Opens the store that the configuration names; a running server may have it open as well.
    pub(crate) async fn open(&self) -> Result<Operator, Failure> {
        let config = self.load()?;
        let store = App::open_store(&config).await.map_err(broken)?;
        Ok(Operator {
            config,
            store,
            now: SystemClock.now(),
        })
    }
}

/// An operator's hands: the store, and the moment of the command.
pub(crate) struct Operator {
    pub(crate) config: Config,
    pub(crate) store: Store,
    /// UTC milliseconds.
    pub(crate) now: i64,
}

impl Operator {
    /// The user of this address or `sub`.
    pub(crate) async fn user(&self, name: &str) -> Result<User, Failure> {
        let found = match Email::parse(name) {
            Some(email) => self
                .store
                .find_login(&email.canonical)
                .await
                .map_err(broken)?
                .map(|record| record.user),
            None => self.store.user_by_sub(name).await.map_err(broken)?,
        };
        found.ok_or_else(|| {
            Failure::refused("user_unknown", format!("there is no user {name}"))
                .because("neither an e-mail address nor a sub of an account")
                .todo("list them: carnet user list")
        })
    }

    /// Whether there is a role of this name.
    pub(crate) async fn knows_role(&self, name: &str) -> Result<bool, Failure> {
        let roles = self.store.list_roles().await.map_err(broken)?;
        Ok(roles.iter().any(|role| role.name == name))
    }

    /// Ends one session, with its tokens; says so.
    pub(crate) async fn end_session(&self, sid: &str, out: &Output) -> Result<(), Failure> {
        let cut = self.cut(Reason::Revoked, AuditAction::Revoke, sid);
        let ended = self.store.end_session(sid, Strength::DenyList, None, &cut).await;
        let (count, what) = match ended.map_err(broken)? {
            Ended::Now => (1, "Ended the session"),
            Ended::Before => (0, "It had ended before, the session"),
            Ended::Unknown => {
                return Err(
                    Failure::refused("session_unknown", format!("there is no session {sid}"))
                        .because("it never was, or ended long ago")
                        .todo("list sessions: carnet session list --user EMAIL"),
                );
            }
        };
        show(out, &serde_json::json!({ "sessions": count }), || {
            format!("{what} {sid}; its tokens are revoked.")
        });
        Ok(())
    }

    /// The sessions of a user that can still be used.
    pub(crate) async fn live_sessions_of(&self, user: &User) -> Result<Vec<LiveSession>, Failure> {
        let tokens = &self.config.tokens;
        let life = (tokens.refresh_idle.millis(), tokens.refresh_absolute.millis());
        let live = self.store.live_sessions_of(user.id, self.now, life).await;
        live.map_err(broken)
    }

    /// Ends every session of a user, with all of their tokens; says so.
    pub(crate) async fn end_sessions_of(&self, user: &User, out: &Output) -> Result<(), Failure> {
        let cut = self.cut(Reason::Revoked, AuditAction::Revoke, &user.sub);
        let ended = self.store.revoke_user((user.id, &user.sub), &cut).await;
        let ended = ended.map_err(broken)?;
        show(out, &serde_json::json!({ "sessions": ended }), || {
            format!(
                "Ended {ended} sessions of {}; their tokens are revoked.",
                user.email
            )
        });
        Ok(())
    }

    /// The keys that seal.
    pub(crate) fn master(&self) -> Result<MasterKeys, Failure> {
        MasterKeys::load(&self.config.keys.master_key_file).map_err(|error| {
            let todo = "bring back the file that the server was started with";
            Failure::usage("master_key_unusable", error.to_string())
                .because("private keys cannot be opened without it")
                .todo(todo)
        })
    }

    /// An audit row of this command.
    pub(crate) fn did(&self, action: AuditAction, object: &str) -> NewAudit {
        NewAudit::success("cli", action, object)
    }

    /// Writes an audit row for a change that has none of its own.
    pub(crate) async fn record(&self, action: AuditAction, object: &str) -> Result<(), Failure> {
        self.store
            .record_audit(&self.did(action, object), self.now)
            .await
            .map_err(broken)
    }

    /// How a command takes something back.
    pub(crate) fn cut(&self, reason: Reason, action: AuditAction, object: &str) -> Cut {
        let longest = self
            .config
            .clients
            .iter()
            .filter_map(|client| client.access_ttl)
            .chain([self.config.tokens.access_ttl])
            .max();
        let life = longest.map_or(0, config::Ttl::millis);
        Cut {
            at: self.now,
            entry_ttl_ms: life + self.config.keys.clock_skew.millis(),
            reason,
            audit: self.did(action, object),
        }
    }
}

/// One JSON value for programs, words for people.
pub(crate) fn show(out: &Output, json: &serde_json::Value, words: impl FnOnce() -> String) {
    if out.is_json() {
        out.value(json)
    } else {
        out.line(&words())
    }
}

/// One JSON value for programs, a table for people; without rows, what this is and how to make the first one.
pub(crate) fn list(
    out: &Output,
    json: &serde_json::Value,
    headings: &[&str],
    (rows, empty): (Vec<Vec<String>>, &str),
) {
    match (out.is_json(), rows.is_empty()) {
        (true, _) => out.value(json),
        (false, true) => out.line(empty),
        (false, false) => out.listing(headings, &rows),
    }
}

/// A moment of the store (milliseconds) in words.
pub(crate) fn when(millis: i64, now: i64) -> String {
    moment::said(millis.div_euclid(1000), now.div_euclid(1000))
}

/// Tokens that were made while the client was being disabled are refused by their time: new ones must be younger.
pub(crate) async fn wait_for_what_was_on_its_way(disabled_at: i64, out: &Output) {
    let until = disabled_at.saturating_add(ON_ITS_WAY_MS + 1_000);
    let left = u64::try_from(until.saturating_sub(SystemClock.now())).unwrap_or_default();
    if (1..=10_000).contains(&left) {
        out.progress("waiting until what was on its way when the client was disabled has come to nothing");
        tokio::time::sleep(std::time::Duration::from_millis(left)).await;
        out.progress("");
    }
}

/// A password that is shown once: 192 random bits in characters that no shell and no JSON quotes.
pub(crate) fn made_password() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; 24]);
    primitive::fill_random(bytes.as_mut_slice()).map_err(|error| Failure::broken(error.to_string()))?;
    Ok(Zeroizing::new(base64url::encode(bytes.as_slice())))
}

/// A store error as the operator sees it.
pub(crate) fn broken(error: impl Into<carnet_server::open_error::OpenError>) -> Failure {
    use carnet_server::open_error::OpenError;
    use carnet_store::StoreError;
    match error.into() {
        OpenError::Store(StoreError::Schema(what)) => Failure::refused("schema_outdated", what)
            .because("this program needs the schema of its own version")
            .todo("run: carnet migrate"),
        OpenError::Store(StoreError::Foreign(what)) => Failure::refused("schema_foreign", what)
            .because("this program could only damage it")
            .todo("run the carnet that wrote it, of that version or a newer one"),
        OpenError::Store(StoreError::Unavailable(what)) => Failure::unreachable("store_unavailable", what)
            .because("the database does not answer, or its file cannot be used")
            .todo("start it, or correct [storage]"),
        OpenError::Store(StoreError::Full(what)) => Failure::unreachable("store_unavailable", what)
            .because("the disk of the database is full; nothing was changed")
            .todo("make room on it, and run the command again"),
        OpenError::Store(StoreError::NoDatabase(what)) => Failure::refused("database_unusable", what)
            .because("the file holds something else, or is damaged or encrypted")
            .todo("correct storage.sqlite_file, or bring back a backup"),
        OpenError::Store(StoreError::Conflict("email_taken")) => {
            Failure::conflict("email_taken", "another user has this e-mail address")
                .because("an address belongs to one account")
                .todo("look at it: carnet user show EMAIL")
        }
        OpenError::Store(StoreError::Conflict("key_staged")) => {
            Failure::conflict("key_staged", "the next key is published already")
                .because("a rotation is under way; nothing was changed")
                .todo("see when it signs: carnet key list; in an emergency: carnet key revoke KID")
        }
        OpenError::Store(StoreError::Conflict(code)) => {
            Failure::conflict(code, format!("this contradicts what is stored: {code}"))
                .because("nothing was changed")
                .todo("look at what is there first")
        }
        OpenError::Config(what) => {
            // Some say themselves what to do, on a line of its own.
            let (what, todo) = what.split_once('\n').unwrap_or((&what, "correct the file"));
            Failure::usage("config_invalid", what)
                .because("a file that the configuration names is not usable")
                .todo(todo)
        }
        other => Failure::broken(other.to_string()),
    }
}
