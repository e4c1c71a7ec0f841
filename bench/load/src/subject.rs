//! The server that is measured: the real binary, on durable SQLite, with the limits on guessing out of the way.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::process::Process;
use crate::{Outcome, drive};

const EMAIL: &str = "alice@example.com";
const PASSWORD: &str = "a long enough passphrase";

/// What tokens are for.
pub(crate) const AUDIENCE: &str = "https://api.example.com";
/// The name by which the API introspects and follows revocations, and its secret.
pub(crate) const INTROSPECTION_ID: &str = "orders-api";
pub(crate) const INTROSPECTION_SECRET: &str = "an introspection secret of some length";

/// A running `carnet serve`.
pub(crate) struct Subject {
    pub(crate) process: Process,
    pub(crate) address: String,
    /// From the start of the process until it was ready, in milliseconds.
    pub(crate) start_millis: f64,
}

impl Subject {
    /// Starts on a folder, new or used.
    pub(crate) async fn start(binary: &str, folder: &Path) -> Outcome<Self> {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?
            .local_addr()?
            .port();
        let address = format!("127.0.0.1:{port}");
        let config = folder.join("carnet.toml");
        std::fs::write(&config, configuration(&address))?;
        // One that is there stays.
        carnet_listen::secret_file::create(&folder.join("orders.secret"), INTROSPECTION_SECRET.as_bytes())?;
        let started = Instant::now();
        let mut command = Command::new(binary);
        command.args(["serve", "--config"]).arg(&config);
        let process = Process::silent(command)?;
        while !is_ready(&address).await {
            if started.elapsed() > Duration::from_secs(20) {
                return Err("the server did not become ready".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(Self {
            process,
            address,
            start_millis: started.elapsed().as_secs_f64() * 1_000.0,
        })
    }

    pub(crate) fn add_user(&self, binary: &str, folder: &Path) -> Outcome<()> {
        use std::io::Write as _;
        let config: PathBuf = folder.join("carnet.toml");
        let mut command = Command::new(binary);
        command
            .args(["user", "add", EMAIL, "--password-stdin", "--config"])
            .arg(config);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        child
            .stdin
            .take()
            .ok_or("no stdin")?
            .write_all(PASSWORD.as_bytes())?;
        if child.wait()?.success() {
            Ok(())
        } else {
            Err("the user could not be added".into())
        }
    }
}

/// Logs in; the access token and the refresh token.
pub(crate) async fn log_in(connection: &mut Connection) -> Outcome<(String, String)> {
    let body = serde_json::json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let answer = connection.post("/auth/login", "", body).await?;
    Ok((answer.access_token()?, answer.refresh_token()?))
}

/// Refreshes one session after another answer, until the piece is over.
pub(crate) async fn refresh_on(mut connection: Connection, mut token: String) -> Outcome<u64> {
    let (started, mut done) = (Instant::now(), 0);
    while drive::goes_on(started) {
        let answer = connection.post("/auth/refresh", &token, String::new()).await?;
        token = answer.refresh_token()?;
        done += 1;
    }
    Ok(done)
}

/// Logs in again and again, until the piece is over.
pub(crate) async fn log_in_on(mut connection: Connection) -> Outcome<u64> {
    let (started, mut done) = (Instant::now(), 0);
    while drive::goes_on(started) {
        log_in(&mut connection).await?;
        done += 1;
    }
    Ok(done)
}

/// Whether what listens there says that it is ready.
pub(crate) async fn is_ready(address: &str) -> bool {
    let Ok(mut connection) = Connection::open(address).await else {
        return false;
    };
    connection
        .get("/health/ready", "")
        .await
        .is_ok_and(|answer| answer.status.is_success())
}

fn configuration(address: &str) -> String {
    format!(
        r#"issuer = "http://{address}"
[listen]
address = "{address}"
trusted_proxies = ["127.0.0.1"]
[log]
level = "warn"
[login]
attempts_per_account_and_address = 4000000
attempts_per_account = 4000000
attempts_per_address = 4000000
[first_party]
scope = "read:orders"
[[resources]]
audience = "{AUDIENCE}"
introspection_id = "{INTROSPECTION_ID}"
introspection_secret_file = "orders.secret"
"#
    )
}
