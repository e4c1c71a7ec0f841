//! `carnet key`: the signing keys of the server.

use carnet_jose::{Algorithm, AnyVerifyingKey, Jwk};
use carnet_server::keys::{self, NewKey, stage, unseal};
use carnet_server::master_key::MasterKeys;
use carnet_store::{AuditAction, KeyState, Reason, SigningKeyRow};
use clap::Subcommand;

use super::operator::{ConfigFile, Operator, broken};
use super::operator::{list as listing, show as tell, when};
use crate::failure::Failure;
use crate::output::Output;

/// List, rotate, revoke and export signing keys
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  carnet key rotate\n  carnet key export --algorithm RS256 > public.pem")]
pub(crate) struct KeyCommand {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List the keys and what becomes of them next
    List {
        /// Removed keys too
        #[arg(long)]
        all: bool,
    },
    /// Publish the next key now; it signs when caches have seen it
    Rotate {
        /// One algorithm; every configured one when left out
        #[arg(long)]
        algorithm: Option<String>,
    },
    /// In an emergency: remove a key at once, with every token that it signed
    Revoke {
        /// The key's kid
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Print the public key that signs now, as PEM
    Export {
        /// Which, when there are several
        #[arg(long)]
        algorithm: Option<String>,
        /// This key, whatever its state
        #[arg(long, conflicts_with = "algorithm")]
        kid: Option<String>,
    },
}

pub(crate) async fn run(command: KeyCommand, out: &Output) -> Result<(), Failure> {
    let operator = command.config.open().await?;
    match command.action {
        Action::List { all } => list(&operator, all, out).await,
        Action::Rotate { algorithm } => rotate(&operator, algorithm.as_deref(), out).await,
        Action::Revoke { kid } => revoke(&operator, &kid, out).await,
        Action::Export { algorithm, kid } => {
            export(&operator, (algorithm.as_deref(), kid.as_deref()), out).await
        }
    }
}

async fn list(operator: &Operator, all: bool, out: &Output) -> Result<(), Failure> {
    let mut keys = operator.store.signing_keys().await.map_err(broken)?;
    keys.retain(|key| all || key.state != KeyState::Removed);
    let json: Vec<_> = keys.iter().map(describe).collect();
    let row = |key: &SigningKeyRow| {
        let (since, next) = life(operator, key);
        vec![
            key.kid.clone(),
            key.algorithm.clone(),
            key.state.as_str().to_uppercase(),
            since,
            next,
        ]
    };
    let empty = "No keys yet: the first start makes them.";
    listing(
        out,
        &json.into(),
        &["Key", "Algorithm", "State", "Since", "Next"],
        (keys.iter().map(row).collect(), empty),
    );
    Ok(())
}

async fn rotate(operator: &Operator, algorithm: Option<&str>, out: &Output) -> Result<(), Failure> {
    let master = operator.master()?;
    let algorithms = match algorithm {
        None => operator.config.keys.algorithms.clone(),
        Some(name) => vec![known(operator, name)?],
    };
    let wait = operator
        .config
        .keys
        .jwks_max_age
        .millis()
        .saturating_add(operator.config.keys.clock_skew.millis());
    let activates_at = operator.now.saturating_add(wait);
    check_master(operator, &master).await?;
    let mut kids = Vec::new();
    for algorithm in algorithms {
        let new = NewKey {
            algorithm,
            state: KeyState::Staged,
            activates_at,
        };
        kids.push(
            stage(&operator.store, &master, new, operator.now)
                .await
                .map_err(broken)?,
        );
    }
    let json = serde_json::json!({ "staged": kids, "activates_at": activates_at });
    tell(out, &json, || {
        format!(
            "Published {}; signs {}, when every cache has seen it.",
            kids.join(", "),
            when(activates_at, operator.now)
        )
    });
    out.next("carnet key list");
    Ok(())
}

/// A key that is sealed under another master key than the server has could never be opened by it.
async fn check_master(operator: &Operator, master: &MasterKeys) -> Result<(), Failure> {
    let keys = operator.store.signing_keys().await.map_err(broken)?;
    let ours = |row: &&SigningKeyRow| row.state == KeyState::Active && row.sealed.is_some();
    match keys.iter().filter(ours).find_map(|row| unseal(row, master).err()) {
        None => Ok(()),
        Some(error) => Err(Failure::usage("master_key_unusable", error.to_string())
            .because("the server could not open a key that is sealed under this file")
            .todo("name the master key file that the server was started with")),
    }
}

async fn revoke(operator: &Operator, kid: &str, out: &Output) -> Result<(), Failure> {
    let cut = operator.cut(Reason::Revoked, AuditAction::KeyRevoke, kid);
    // Without the master key it is revoked all the same: it may be what was lost.
    let master = operator.master().ok();
    let keys = (master.as_ref(), operator.config.keys.algorithms.as_slice());
    let revoked = keys::revoke(&operator.store, keys, kid, &cut).await;
    if !revoked.map_err(broken)? {
        return Err(unknown(kid));
    }
    tell(out, &serde_json::json!({ "revoked": kid }), || {
        format!(
            "Revoked {kid}: it leaves the key set at once, and every token that it signed is refused where revocation is seen.\nServices that only cache keys believe it for up to {} more.",
            operator.config.keys.jwks_max_age
        )
    });
    Ok(())
}

async fn export(
    operator: &Operator,
    (algorithm, kid): (Option<&str>, Option<&str>),
    out: &Output,
) -> Result<(), Failure> {
    let keys = operator.store.signing_keys().await.map_err(broken)?;
    let wanted = |key: &&SigningKeyRow| match (kid, algorithm) {
        (Some(kid), _) => key.kid == kid,
        (None, Some(name)) => key.state == KeyState::Active && key.algorithm == name,
        (None, None) => key.state == KeyState::Active,
    };
    let key = keys
        .iter()
        .find(wanted)
        .ok_or_else(|| unknown(kid.or(algorithm).unwrap_or("that signs")))?;
    let ours = |error: carnet_jose::Error| Failure::broken(error.to_string());
    let jwk = Jwk::parse(&key.public_jwk).map_err(ours)?;
    let pem = AnyVerifyingKey::from_jwk(&jwk)
        .and_then(|key| key.to_spki_pem())
        .map_err(ours)?;
    if key.state == KeyState::Removed {
        out.warn(&format!(
            "{} has left the key set: what it signed is not accepted",
            key.kid
        ));
    }
    operator.record(AuditAction::KeyExport, &key.kid).await?;
    // Its own end is that of the text: behind a second line feed some readers look for more.
    out.line(pem.trim_end());
    Ok(())
}

fn known(operator: &Operator, name: &str) -> Result<Algorithm, Failure> {
    let algorithm =
        Algorithm::from_name(name).filter(|algorithm| operator.config.keys.algorithms.contains(algorithm));
    algorithm.ok_or_else(|| {
        Failure::usage("algorithm_unknown", format!("no key is kept for {name}"))
            .because("keys.algorithms does not name it")
            .todo("add it there first")
    })
}

fn describe(key: &SigningKeyRow) -> serde_json::Value {
    serde_json::json!({
        "kid": key.kid, "algorithm": key.algorithm, "state": key.state.as_str(), "created_at": key.created_at,
        "activates_at": key.activates_at, "activated_at": key.activated_at, "removes_at": key.removes_at, "removed_at": key.removed_at,
    })
}

/// Since when a key is what it is, and what comes next.
fn life(operator: &Operator, key: &SigningKeyRow) -> (String, String) {
    let at = |time: Option<i64>| time.map_or_else(|| "unknown".to_owned(), |time| when(time, operator.now));
    match key.state {
        KeyState::Staged => (
            at(Some(key.published_at)),
            format!("signs {}", at(Some(key.activates_at))),
        ),
        KeyState::Active => {
            let ends = key
                .activated_at
                .map(|since| since.saturating_add(operator.config.keys.rotate_every.millis()));
            let configured = Algorithm::from_name(&key.algorithm)
                .is_some_and(|algorithm| operator.config.keys.algorithms.contains(&algorithm));
            // The last key of an algorithm that is not kept any more has no successor.
            let end = if configured { "replaced" } else { "retires" };
            (at(key.activated_at), format!("{end} {}", at(ends)))
        }
        KeyState::Retiring => (at(key.retires_at), format!("leaves {}", at(key.removes_at))),
        KeyState::Removed => (at(key.removed_at), "gone".to_owned()),
    }
}

fn unknown(kid: &str) -> Failure {
    Failure::refused("key_unknown", format!("there is no key {kid}"))
        .because("nothing was changed")
        .todo("list them: carnet key list")
}
