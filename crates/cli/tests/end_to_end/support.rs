//! A `carnet serve` of the built binary, on SQLite or PostgreSQL, and what tests say to it over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

pub(crate) const EMAIL: &str = "alice@example.com";
pub(crate) const PASSWORD: &str = "a long enough passphrase";

/// The binary under test: `CARNET_BIN`, or the one that cargo built beside the tests.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("CARNET_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_carnet")), PathBuf::from)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A folder with a configuration, and the server that runs on it.
pub(crate) struct Carnet {
    folder: Arc<tempfile::TempDir>,
    child: Option<Child>,
    pub(crate) base: String,
}

impl Carnet {
    /// Writes the configuration; `further` goes in front of its sections. Nothing runs yet.
    pub(crate) async fn prepare(engine: Engine, further: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}");
        let storage = match engine {
            Engine::Sqlite => String::new(),
            Engine::Postgres => {
                write_secret(&folder.path().join("postgres.url"), &fresh_database().await);
                "[storage]\npostgres_url_file = \"postgres.url\"\n".to_owned()
            }
        };
        write_secret(
            &folder.path().join("orders.secret"),
            "an introspection secret of some length",
        );
        let config = format!(
            "issuer = \"{base}\"\n{storage}{further}\n[listen]\naddress = \"127.0.0.1:{port}\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [login]\nattempts_per_account_and_address = 1000000\nattempts_per_account = 1000000\nattempts_per_address = 1000000\n\
             [first_party]\nscope = \"read:orders\"\n\
             [[resources]]\naudience = \"https://api.example.com\"\nintrospection_id = \"orders\"\nintrospection_secret_file = \"orders.secret\"\n"
        );
        std::fs::write(folder.path().join("carnet.toml"), config).unwrap();
        Self {
            folder,
            child: None,
            base,
        }
    }

    pub(crate) async fn start(engine: Engine, further: &str) -> Self {
        let mut carnet = Self::prepare(engine, further).await;
        carnet.launch().await;
        carnet
    }

    /// Another server on the same configuration and database, on a port of its own.
    pub(crate) async fn second_node(&self) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut node = Self {
            folder: self.folder.clone(),
            child: None,
            base: format!("http://{address}"),
        };
        node.launch_at(Some(&address)).await;
        node
    }

    /// Starts the server and waits until it is ready.
    pub(crate) async fn launch(&mut self) {
        self.launch_at(None).await;
    }

    async fn launch_at(&mut self, address: Option<&str>) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = Command::new(binary());
        command
            .args(["serve", "--config"])
            .arg(self.config())
            .stderr(log)
            .stdout(Stdio::null());
        if let Some(address) = address {
            command.env("CARNET__LISTEN__ADDRESS", address);
        }
        self.child = Some(command.spawn().unwrap());
        let client = reqwest::Client::new();
        for _ in 0..1_000 {
            let ready = client.get(format!("{}/health/ready", self.base)).send().await;
            if ready.is_ok_and(|reply| reply.status().is_success()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the server did not become ready:\n{}", self.log());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("carnet.toml")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A command beside the running server; must succeed.
    pub(crate) fn command(&self, args: &[&str], stdin: &str) -> String {
        let output = self.try_command(args, stdin);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "carnet {args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn try_command(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(binary());
        command.args(args).arg("--config").arg(self.config());
        run(command, stdin)
    }

    pub(crate) fn add_user(&self) {
        self.command(&["user", "add", EMAIL, "--password-stdin"], PASSWORD);
    }
}

impl Drop for Carnet {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn run(mut command: Command, stdin: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The first line of a child's standard output.
pub(crate) fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line
}

/// Below those that the system gives to whoever connects, and given once: nobody takes it before its server is started, or between two starts.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() as u16 % PORTS;
    for _ in 0..PORTS {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

const PORTS: u16 = 20_000;

pub(crate) fn write_secret(file: &Path, secret: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .unwrap();
    file.write_all(secret.as_bytes()).unwrap();
}

/// A new database on the server that `CARNET_TEST_POSTGRES` names.
pub(crate) async fn fresh_database() -> String {
    let url = std::env::var("CARNET_TEST_POSTGRES")
        .expect("CARNET_TEST_POSTGRES names no PostgreSQL; ./test.sh starts one");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let name = format!("carnet_e2e_{}_{}", std::process::id(), free_port());
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    url.replacen("/postgres?", &format!("/{name}?"), 1)
}

/// What a browser app holds after a login or a refresh.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A client without a cookie jar: the tests carry the cookie themselves.
#[derive(Clone)]
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
}

impl Browser {
    pub(crate) fn new(base: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: base.to_owned(),
        }
    }

    pub(crate) async fn log_in(&self) -> Tokens {
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let reply = self
            .http
            .post(format!("{}/auth/login", self.base))
            .json(&body)
            .send()
            .await
            .unwrap();
        tokens(reply)
            .await
            .unwrap_or_else(|(status, body)| panic!("log in: {status} {body}"))
    }

    /// The next tokens, or status and body of the refusal; the outer error is the connection's.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Result<Tokens, (u16, Value)>, reqwest::Error> {
        let call = self
            .http
            .post(format!("{}/auth/refresh", self.base))
            .header("cookie", format!("refresh_token={token}"));
        let reply = call.send().await?;
        Ok(tokens(reply).await)
    }

    pub(crate) async fn log_out(&self, tokens: &Tokens) -> u16 {
        let call = self
            .http
            .post(format!("{}/auth/logout", self.base))
            .header("cookie", format!("refresh_token={}", tokens.refresh));
        call.send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn get(&self, url: &str, token: Option<&str>) -> (u16, Value) {
        let mut call = self.http.get(url);
        if let Some(token) = token {
            call = call.bearer_auth(token);
        }
        let reply = call.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap_or_default())
    }
}

async fn tokens(reply: reqwest::Response) -> Result<Tokens, (u16, Value)> {
    let status = reply.status().as_u16();
    let lines = reply
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let cookie = lines
        .filter_map(|line| line.strip_prefix("refresh_token="))
        .next();
    let refresh = cookie
        .and_then(|line| line.split(';').next())
        .unwrap_or_default()
        .to_owned();
    let body: Value = reply.json().await.unwrap_or_default();
    match body["access_token"].as_str() {
        Some(access) if status == 200 => Ok(Tokens {
            access: access.to_owned(),
            refresh,
        }),
        _ => Err((status, body)),
    }
}
