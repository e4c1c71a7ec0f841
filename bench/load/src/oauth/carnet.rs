//! Carnet as it is measured: durable SQLite and its other defaults, limits on guessing out of the way, the same parties as the peer.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::browser::{PASSWORD, USER};
use super::server::Paths;
use super::token::{ES256_API, REDIRECT_URI, RS256_API, SECRET};
use crate::Outcome;

pub(super) const PATHS: Paths = Paths {
    authorization: "/oauth/authorize",
    token: "/oauth/token",
    introspection: "/oauth/introspect",
    userinfo: "/userinfo",
    jwks: "/.well-known/jwks.json",
};

/// Starts on what the folder has; writes the configuration anew, since it names the port.
pub(super) fn command(binary: &str, folder: &Path, address: &str) -> Outcome<Command> {
    let config = folder.join("carnet.toml");
    std::fs::write(&config, configuration(address))?;
    let secret = folder.join("secret");
    if !secret.exists() {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(secret)?;
        file.write_all(SECRET.as_bytes())?;
    }
    let mut command = Command::new(binary);
    command.args(["serve", "--config"]).arg(config);
    Ok(command)
}

/// The user who logs in.
pub(super) fn add_user(binary: &str, folder: &Path) -> Outcome<()> {
    let mut command = Command::new(binary);
    command
        .args(["user", "add", USER, "--password-stdin", "--config"])
        .arg(folder.join("carnet.toml"));
    let quiet = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = quiet.spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(PASSWORD.as_bytes())?;
    drop(stdin);
    succeeded(child.wait()?, "the user could not be added")
}

/// Keys for the peer, of the kinds and sizes that Carnet makes for itself.
pub(super) fn make_peer_keys(binary: &str, folder: &Path) -> Outcome<()> {
    for algorithm in ["ES256", "RS256"] {
        let mut command = Command::new(binary);
        command
            .args(["jwk", "generate", "--algorithm", algorithm, "--out"])
            .arg(folder.join(format!("{algorithm}.jwk")));
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        succeeded(quiet.status()?, "a key could not be made")?;
    }
    Ok(())
}

fn succeeded(status: std::process::ExitStatus, otherwise: &'static str) -> Outcome<()> {
    if status.success() {
        Ok(())
    } else {
        Err(otherwise.into())
    }
}

fn configuration(address: &str) -> String {
    format!(
        r#"issuer = "http://{address}"
[listen]
address = "{address}"
trusted_proxies = ["127.0.0.1"]
[keys]
algorithms = ["ES256", "RS256"]
[log]
level = "warn"
[login]
attempts_per_account_and_address = 4000000
attempts_per_account = 4000000
attempts_per_address = 4000000
[authorization]
requests_per_address = 4000000
[[clients]]
id = "web"
grant_types = ["authorization_code", "refresh_token"]
auth_method = "client_secret_basic"
secret_file = "secret"
redirect_uris = ["{REDIRECT_URI}"]
scope = "openid profile email read:orders"
consent = "none"
id_token_signing = "ES256"
[[clients]]
id = "service"
grant_types = ["client_credentials"]
auth_method = "client_secret_basic"
secret_file = "secret"
scope = "read:orders"
[[resources]]
audience = "{ES256_API}"
introspection_id = "api"
introspection_secret_file = "secret"
[[resources]]
audience = "{RS256_API}"
signing = "RS256"
"#
    )
}
