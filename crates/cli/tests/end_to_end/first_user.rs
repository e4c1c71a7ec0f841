//! The built binary, over HTTP, through the whole path of a first user; and the README's own commands.

use std::process::{Command, Stdio};

use crate::support::{Browser, Carnet, EMAIL, Engine, PASSWORD, binary, first_line, free_port, run};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn log_in_call_refresh_replay_log_out_on_sqlite() {
    whole_path(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_in_call_refresh_replay_log_out_on_postgres() {
    whole_path(Engine::Postgres).await;
}

async fn whole_path(engine: Engine) {
    // The chattiest level: secrets stay out of that too.
    let carnet = Carnet::start(engine, "[log]\nlevel = \"trace\"").await;
    carnet.command(&["role", "add", "editor", "--permission", "articles:write"], "");
    carnet.command(
        &["user", "add", EMAIL, "--password-stdin", "--role", "editor"],
        PASSWORD,
    );
    let browser = Browser::new(&carnet.base);
    let me = format!("{}/auth/me", carnet.base);

    let first = browser.log_in().await;
    let (status, body) = browser.get(&me, Some(&first.access)).await;
    assert_eq!((status, &body["roles"]), (200, &serde_json::json!(["editor"])));
    assert_eq!(body["permissions"], serde_json::json!(["articles:write"]));

    let second = browser.refresh(&first.refresh).await.unwrap().unwrap();
    let third = browser.refresh(&second.refresh).await.unwrap().unwrap();
    let (status, body) = browser.refresh(&first.refresh).await.unwrap().unwrap_err();
    assert_eq!(
        (status, &body["code"]),
        (401, &Value::from("refresh_token_reused"))
    );
    assert!(
        browser.refresh(&third.refresh).await.unwrap().is_err(),
        "the family is dead"
    );
    assert_eq!(
        browser.get(&me, Some(&third.access)).await.0,
        401,
        "and so are its access tokens"
    );

    let again = browser.log_in().await;
    assert_eq!(browser.get(&me, Some(&again.access)).await.0, 200);
    assert_eq!(browser.log_out(&again).await, 204);
    assert_eq!(browser.get(&me, Some(&again.access)).await.0, 401);

    lk_02_no_secret_is_in_the_log(&carnet, &[&first, &second, &third, &again]);
}

fn lk_02_no_secret_is_in_the_log(carnet: &Carnet, all: &[&crate::support::Tokens]) {
    let log = carnet.log();
    assert!(
        log.contains("\"answered\"") || log.contains("answered"),
        "the log says something: {log}"
    );
    for tokens in all {
        for secret in [tokens.access.as_str(), tokens.refresh.as_str()] {
            let signature = secret.rsplit('.').next().unwrap();
            assert!(
                !log.contains(signature) && !log.contains(secret),
                "a token is in the log"
            );
        }
    }
    assert!(
        !log.contains(PASSWORD) && !log.contains(EMAIL),
        "a password or an address is in the log"
    );
    for line in log.lines() {
        assert!(
            serde_json::from_str::<Value>(line).is_ok(),
            "no JSON line: {line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_beside_a_running_server_are_seen_by_it() {
    let carnet = Carnet::start(Engine::Sqlite, "").await;
    carnet.add_user();
    let browser = Browser::new(&carnet.base);
    let me = format!("{}/auth/me", carnet.base);
    let jwks = format!("{}/.well-known/jwks.json", carnet.base);

    let tokens = browser.log_in().await;
    carnet.command(&["user", "disable", EMAIL], "");
    assert_eq!(browser.get(&me, Some(&tokens.access)).await.0, 401);
    assert!(browser.refresh(&tokens.refresh).await.unwrap().is_err());
    carnet.command(&["user", "enable", EMAIL], "");

    carnet.command(&["user", "set-password", EMAIL, "--password-stdin"], PASSWORD);
    let listed: Value = serde_json::from_str(&carnet.command(&["user", "list", "--json"], "")).unwrap();
    assert_eq!(listed[0]["email"], EMAIL);

    let before = browser.get(&jwks, None).await.1;
    carnet.command(&["key", "rotate"], "");
    let again = carnet.try_command(&["key", "rotate"], "");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        again.status.code() == Some(4) && said.contains("key_staged") && said.contains("carnet key list"),
        "{said}"
    );
    let mut after = before.clone();
    for _ in 0..200 {
        after = browser.get(&jwks, None).await.1;
        if after != before {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(
        after["keys"].as_array().unwrap().len(),
        2,
        "the staged key is published"
    );
    let pem = carnet.command(&["key", "export", "--algorithm", "ES256"], "");
    assert!(pem.ends_with("-----END PUBLIC KEY-----\n"), "{pem:?}");
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");
}

#[test]
fn a_bad_configuration_does_not_start_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("carnet.toml");
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(binary());
        command.args(["serve", "--config"]).arg(&file);
        let output = run(command, "");
        assert_eq!(output.status.code(), Some(2), "{text}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = refused("issuer = \"http://auth.example.com\"\n[[resources]]\naudience = \"x\"\n");
    assert!(
        error.contains("carnet.toml:1") && error.contains("https://"),
        "{error}"
    );
    let error = refused(
        "issuer = \"http://127.0.0.1:1\"\n[tokens]\naccess_ttl = \"soon\"\n[[resources]]\naudience = \"x\"\n",
    );
    assert!(
        error.contains("carnet.toml:3") && error.contains("15m"),
        "{error}"
    );
    std::fs::write(folder.path().join("s"), "0123456789abcdef0123456789abcdef").unwrap();
    let error = refused(
        "issuer = \"http://127.0.0.1:1\"\n[[resources]]\naudience = \"x\"\nsigning = \"HS256\"\nsecret_file = \"s\"\n",
    );
    assert!(
        error.contains("carnet.toml:5") && error.contains("chmod 600"),
        "{error}"
    );
    assert!(!folder.path().join("carnet.db").exists(), "nothing was made");
}

/// The README's first command, as it stands there, but for where it listens.
#[test]
fn the_readmes_demo_starts_and_its_printed_lines_work_as_printed() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    assert!(
        readme.contains("\ncargo run --release -- demo\n"),
        "the README starts the demo"
    );
    assert!(readme.contains("\n./test.sh\n"), "the README runs the tests");

    let (port, api_port) = (free_port().to_string(), free_port().to_string());
    let mut command = Command::new(binary());
    command
        .args(["demo", "--json", "--port", &port, "--api-port", &api_port])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let demo: Value = serde_json::from_str(&first_line(&mut child)).unwrap();
    let lines: Vec<&str> = demo["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["command"].as_str().unwrap())
        .collect();
    let script = format!(
        "set -u\n{}\n",
        lines
            .iter()
            .map(|line| format!("{line}\necho\necho '--'"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let output = run(
        {
            let mut shell = Command::new("bash");
            shell.arg("-c").arg(script);
            shell
        },
        "",
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<&str> = text.split("--\n").collect();
    for (step, answer) in demo["steps"].as_array().unwrap().iter().zip(&answers) {
        let expected = step["expect"].as_str().unwrap();
        assert!(
            answer.contains(expected),
            "{}\nexpected {expected}, got {answer}\n{}",
            step["command"],
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(
        lines.len() >= 8,
        "log in, call, refresh twice, replay, log in, log out, call"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_master_key_an_existing_database_is_not_opened_and_nothing_is_made() {
    let mut carnet = Carnet::start(Engine::Sqlite, "").await;
    carnet.kill();
    let file = carnet.config().with_file_name("carnet-master.key");
    std::fs::rename(&file, file.with_extension("away")).unwrap();
    let output = carnet.try_command(&["serve"], "");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("carnet-master.key") && error.contains("bring back"),
        "{error}"
    );
    assert!(!file.exists(), "no new key was made");
    std::fs::rename(file.with_extension("away"), &file).unwrap();
    carnet.launch().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_is_not_lost_by_mistake() {
    let carnet = Carnet::prepare(Engine::Sqlite, "").await;
    carnet.command(&["migrate"], "");
    let (bob, admin) = ("bob@example.com", ["user", "add"]);
    for email in [EMAIL, bob] {
        carnet.command(
            &[&admin[..], &[email, "--admin", "--password-stdin"]].concat(),
            PASSWORD,
        );
    }
    carnet.command(&["user", "role", bob, "admin", "--remove"], "");
    for command in [
        &["user", "disable", EMAIL][..],
        &["user", "role", EMAIL, "admin", "--remove"],
        &["role", "remove", "admin"],
        &["user", "delete", EMAIL, "--yes"],
    ] {
        let refused = carnet.try_command(command, "");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains("last_administrator"),
            "{said}"
        );
        assert!(said.contains("--yes-nobody-administers"), "{said}");
    }
    assert!(carnet.command(&["user", "show", EMAIL], "").contains("ACTIVE"));
    // Another role is no matter.
    carnet.command(&["role", "add", "editor"], "");
    carnet.command(&["user", "role", EMAIL, "editor"], "");
    carnet.command(&["user", "role", EMAIL, "editor", "--remove"], "");
    carnet.command(&["user", "disable", EMAIL, "--yes-nobody-administers"], "");
    carnet.command(&["role", "remove", "admin"], "");
    // For ever, and not without somebody's yes.
    let refused = carnet.try_command(&["user", "delete", bob], "");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("confirmation_missing"),
        "{said}"
    );
    carnet.command(&["user", "delete", bob, "--yes"], "");
    assert!(!carnet.try_command(&["user", "show", bob], "").status.success());
}
