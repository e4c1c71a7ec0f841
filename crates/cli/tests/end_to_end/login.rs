//! `carnet login`, `carnet token` and `carnet logout` against `carnet serve`, with the pages in between, on both engines.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::pages::{browser, page, submit};
use crate::support::{Carnet, EMAIL, Engine, PASSWORD, binary, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_logs_in_renews_and_logs_out_on_sqlite() {
    whole_path(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_logs_in_renews_and_logs_out_on_postgres() {
    whole_path(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_to_prove_a_key_logs_in_renews_and_logs_out_on_sqlite() {
    with_a_key(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_to_prove_a_key_logs_in_renews_and_logs_out_on_postgres() {
    with_a_key(Engine::Postgres).await;
}

async fn with_a_key(engine: Engine) {
    let carnet = prepared(engine, &["--dpop", "required"]).await;
    let home = tempfile::tempdir().unwrap();
    // Nobody has said that a key is needed: the server does.
    let on_a_device = log_in(&carnet, home.path(), &[]).await;
    assert_eq!(
        (&on_a_device["user"], &on_a_device["token_type"]),
        (&EMAIL.into(), &"DPoP".into())
    );
    let in_the_browser = log_in(&carnet, home.path(), &["--browser", "--dpop"]).await;
    assert_eq!(in_the_browser["token_type"], "DPoP");
    private(home.path());
    at_once(&carnet, home.path()).await;
    let userinfo = format!("{}/userinfo", carnet.base);
    let told = async |headers: &[(String, String)]| {
        let mut request = reqwest::Client::new().get(&userinfo);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    };
    let bearer = format!("Bearer {}", token(home.path()).unwrap());
    assert_eq!(told(&[("Authorization".to_owned(), bearer)]).await.status(), 401);
    let first = told(&headers(home.path(), &["GET", &userinfo])).await;
    let nonce = first.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let second = told(&headers(home.path(), &["GET", &userinfo, "--nonce", &nonce])).await;
    assert_eq!(second.json::<Value>().await.unwrap()["email"], EMAIL);
    let last = token(home.path()).unwrap();
    assert!(run(command(home.path(), &["logout"]), "").status.success());
    assert!(!is_active(&carnet, &last).await);
}

/// What `carnet token --dpop` prints, as names and values.
fn headers(home: &Path, request: &[&str]) -> Vec<(String, String)> {
    let out = run(command(home, &[&["token", "--dpop"], request].concat()), "");
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_read_says_so_and_is_replaced_by_the_next() {
    let carnet = prepared(Engine::Sqlite, &[]).await;
    let home = tempfile::tempdir().unwrap();
    log_in(&carnet, home.path(), &[]).await;
    let file = std::fs::read_dir(home.path().join("carnet/logins")).unwrap();
    let mut files = file.map(|entry| entry.unwrap().path());
    let file = files
        .find(|path| path.extension().is_some_and(|end| end == "json"))
        .unwrap();
    std::fs::write(&file, "{\"access_token\":\"hunter2\",\"expires_at\":\"hunter2\"").unwrap();
    let said = token(home.path()).unwrap_err();
    assert!(
        said.contains("login_unreadable") && said.contains(file.to_str().unwrap()),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    // One that is named is no matter of another's file.
    let other = run(
        command(
            home.path(),
            &["token", "--issuer", &carnet.base, "--client-id", "other"],
        ),
        "",
    );
    assert!(String::from_utf8(other.stderr).unwrap().contains("login_missing"));
    // A login without a key has no headers of one.
    log_in(&carnet, home.path(), &[]).await;
    token(home.path()).unwrap();
    let out = run(
        command(
            home.path(),
            &["token", "--dpop", "GET", "https://api.example.com/"],
        ),
        "",
    );
    assert!(String::from_utf8(out.stderr).unwrap().contains("login_not_bound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_names_nothing_is_told_what_it_lacks() {
    let carnet = prepared(Engine::Sqlite, &[]).await;
    let home = tempfile::tempdir().unwrap();
    let (kept, warned) = log_in_for(&carnet, home.path(), &[]).await;
    assert_eq!(
        (&kept["scope"], &kept["user"]),
        (&"read:orders".into(), &Value::Null)
    );
    assert!(
        warned.contains("--scope 'openid email offline_access'"),
        "{warned}"
    );
}

async fn whole_path(engine: Engine) {
    let carnet = prepared(engine, &[]).await;
    let home = tempfile::tempdir().unwrap();
    let on_a_device = log_in(&carnet, home.path(), &[]).await;
    assert_eq!(on_a_device["user"], EMAIL);
    private(home.path());
    told_when_exposed(home.path());
    at_once(&carnet, home.path()).await;
    let in_the_browser = log_in(&carnet, home.path(), &["--browser"]).await;
    assert_eq!(in_the_browser["user"], EMAIL);

    let token = token(home.path()).unwrap();
    assert!(is_active(&carnet, &token).await);
    let out = run(command(home.path(), &["logout"]), "");
    assert!(out.status.success(), "{out:?}");
    assert!(!is_active(&carnet, &token).await);
    let missing = self::token(home.path()).unwrap_err();
    assert!(missing.contains("login_missing"), "{missing}");
}

/// A server with Alice and the client `cli`.
async fn prepared(engine: Engine, more: &[&str]) -> Carnet {
    // Shorter than what `carnet token` hands out: each call renews.
    let carnet = Carnet::start(engine, "[tokens]\naccess_ttl = \"20s\"").await;
    carnet.add_user();
    let scope = "openid email offline_access read:orders";
    let add = [
        "client",
        "add",
        "cli",
        "--public",
        "--redirect-uri",
        "http://127.0.0.1/callback",
        "--scope",
        scope,
    ];
    let grant_types = ["device_code", "authorization_code", "refresh_token"];
    let grant_types = grant_types.iter().flat_map(|name| ["--grant-type", *name]);
    let all: Vec<&str> = add
        .into_iter()
        .chain(grant_types)
        .chain(more.iter().copied())
        .collect();
    carnet.command(&all, "");
    carnet
}

/// Logs in as far as a person does: the address, the code, the password, the yes.
async fn log_in(carnet: &Carnet, home: &Path, more: &[&str]) -> Value {
    let scope = ["--scope", "openid email offline_access"];
    let (kept, warned) = log_in_for(carnet, home, &[&scope[..], more].concat()).await;
    assert!(!warned.contains("who has logged in"), "{warned}");
    kept
}

/// As [`log_in`], for what is named or for nothing; and what was said on the way.
async fn log_in_for(carnet: &Carnet, home: &Path, more: &[&str]) -> (Value, String) {
    let all = ["--json", "login", "--issuer", &carnet.base, "--client-id", "cli"];
    let mut child = command(home, &[&all[..], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (invited, more) = invitation(&mut child);
    let browser = browser();
    let typed = [("username", EMAIL), ("password", PASSWORD), ("decision", "login")];
    let login = match invited["verification_uri_complete"].as_str() {
        Some(complete) => {
            let code = invited["user_code"].as_str().unwrap();
            let asked = page(&browser, complete).await;
            submit(&browser, &asked, &[("user_code", code)]).await
        }
        None => page(&browser, invited["authorization_url"].as_str().unwrap()).await,
    };
    let asked = submit(&browser, &login, &typed).await;
    submit(&browser, &asked, &[("decision", "allow")]).await;
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(status.success(), "{said}");
    (serde_json::from_str(&said).unwrap(), more.join().unwrap())
}

/// The first line on stderr, and the rest as it comes.
fn invitation(child: &mut Child) -> (Value, JoinHandle<String>) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect());
    (serde_json::from_str(&first).unwrap(), rest)
}

/// Nobody else on this machine reads them.
fn private(home: &Path) {
    let folder = home.join("carnet/logins");
    assert_eq!(
        std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for file in std::fs::read_dir(&folder).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// A file that others could read is used, and told.
fn told_when_exposed(home: &Path) {
    let file = std::fs::read_dir(home.join("carnet/logins")).unwrap();
    let file = file
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "json"));
    let file = file.unwrap();
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let output = run(command(home, &["token"]), "");
    mode(0o600);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("chmod 600"), "{said}");
}

/// Eight commands at once renew one after the other: the login lives, and each token is good.
async fn at_once(carnet: &Carnet, home: &Path) {
    let commands: Vec<_> = (0..8)
        .map(|_| {
            let home = home.to_owned();
            std::thread::spawn(move || token(&home).unwrap())
        })
        .collect();
    for command in commands {
        let token = command.join().unwrap();
        assert!(is_active(carnet, &token).await);
    }
}

fn token(home: &Path) -> Result<String, String> {
    let out = run(command(home, &["token"]), "");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    match out.status.success() {
        true => Ok(text(out.stdout)),
        false => Err(text(out.stderr)),
    }
}

/// Without a PATH there is no program that opens a browser.
fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env("XDG_STATE_HOME", home)
        .env("PATH", "");
    command
}

async fn is_active(carnet: &Carnet, token: &str) -> bool {
    let reply = reqwest::Client::new()
        .post(format!("{}/oauth/introspect", carnet.base))
        .basic_auth("orders", Some("an introspection secret of some length"))
        .form(&[("token", token)])
        .send()
        .await
        .unwrap();
    reply.json::<Value>().await.unwrap()["active"] == true
}
