//! `carnet login`, `carnet token` and `carnet logout` against `carnet serve`, with the pages in between, on both engines.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

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

async fn whole_path(engine: Engine) {
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
    carnet.command(&add.into_iter().chain(grant_types).collect::<Vec<_>>(), "");
    let home = tempfile::tempdir().unwrap();

    let on_a_device = log_in(&carnet, home.path(), &[]).await;
    assert_eq!(on_a_device["user"], EMAIL);
    private(home.path());
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

/// Logs in as far as a person does: the address, the code, the password, the yes.
async fn log_in(carnet: &Carnet, home: &Path, more: &[&str]) -> Value {
    let all = [
        "--json",
        "login",
        "--issuer",
        &carnet.base,
        "--client-id",
        "cli",
        "--scope",
        "openid email offline_access",
    ];
    let mut child = command(home, &[&all[..], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let invited = invitation(&mut child);
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
    serde_json::from_str(&said).unwrap()
}

/// The first line on stderr; the rest is let run.
fn invitation(child: &mut Child) -> Value {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    serde_json::from_str(&first).unwrap()
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
