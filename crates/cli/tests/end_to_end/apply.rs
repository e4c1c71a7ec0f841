//! `carnet apply` and `carnet export` beside a running server, on both engines.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Browser, Carnet, EMAIL, Engine, PASSWORD};

/// The example of docs/apply.md.
fn example() -> String {
    let page = include_str!("../../../../docs/apply.md");
    let block = page.split("```toml\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

fn exit(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn json_of(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_page_is_applied_exported_and_pruned_on_sqlite() {
    the_example(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_page_is_applied_exported_and_pruned_on_postgres() {
    the_example(Engine::Postgres).await;
}

async fn the_example(engine: Engine) {
    let carnet = Carnet::start(engine, "").await;
    let dry = carnet.try_command(&["apply", "-", "--dry-run"], &example());
    assert_eq!(exit(&dry), 2);
    let plan = String::from_utf8(dry.stdout).unwrap();
    assert!(
        plan.contains("+ create client shop") && plan.contains("6 to create, 0 to change, 0 to delete"),
        "{plan}"
    );
    assert!(!plan.contains("argon2id"), "{plan}");

    let unasked = carnet.try_command(&["apply", "-"], &example());
    assert_eq!(exit(&unasked), 2);
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("confirmation_missing"));
    assert_eq!(carnet.command(&["--json", "client", "list"], ""), "[]\n");

    let applied = json_of(&carnet.try_command(&["--json", "apply", "-", "--yes"], &example()));
    assert_eq!(
        (&applied["applied"], &applied["secrets"][0]["client_id"]),
        (&json!(true), &json!("shop"))
    );
    // The server that runs beside it knows the client, and its secret.
    let secret = applied["secrets"][0]["client_secret"].as_str().unwrap();
    assert_eq!(at_the_token_endpoint(&carnet, "shop", secret).await, 400);
    assert_eq!(at_the_token_endpoint(&carnet, "shop", "another").await, 401);

    for hashes in [&["export"][..], &["export", "--with-hashes"]] {
        let exported = carnet.command(hashes, "");
        assert!(!exported.contains(secret));
        assert_eq!(exported.contains("$argon2id$"), hashes.len() > 1);
        let again = carnet.try_command(&["--json", "apply", "-", "--dry-run", "--prune"], &exported);
        assert_eq!(
            (exit(&again), &json_of(&again)["changes"]),
            (0, &json!([])),
            "{exported}"
        );
    }
    let fewer = example().replace("id = \"metrics\"", "id = \"numbers\"");
    let pruned = json_of(&carnet.try_command(&["--json", "apply", "-", "--yes", "--prune"], &fewer));
    let names: Vec<String> = pruned["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            format!(
                "{} {}",
                change["action"].as_str().unwrap(),
                change["name"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["create numbers", "delete metrics"]);
    let back = carnet.try_command(&["apply", "-", "--yes"], &example());
    assert_eq!(exit(&back), 1, "its name is never given again");
    assert!(String::from_utf8_lossy(&back.stderr).contains("client_taken"));
}

/// The client brings a code that is none: its secret decides between 400 and 401.
async fn at_the_token_endpoint(carnet: &Carnet, client: &str, secret: &str) -> u16 {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("redirect_uri", "x"),
        ("code_verifier", "x"),
    ];
    let call = reqwest::Client::new().post(format!("{}/oauth/token", carnet.base));
    let reply = call
        .basic_auth(client, Some(secret))
        .form(&form)
        .send()
        .await
        .unwrap();
    reply.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_a_file_disables_is_logged_out_at_once_on_sqlite() {
    disabled(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_a_file_disables_is_logged_out_at_once_on_postgres() {
    disabled(Engine::Postgres).await;
}

async fn disabled(engine: Engine) {
    let carnet = Carnet::start(engine, "").await;
    carnet.add_user();
    let browser = Browser::new(&carnet.base);
    let tokens = browser.log_in().await;
    let me = format!("{}/auth/me", carnet.base);
    assert_eq!(browser.get(&me, Some(&tokens.access)).await.0, 200);
    let of_state = |state: &str| format!("[[users]]\nemail = {EMAIL:?}\nstate = {state:?}\n");
    carnet.command(&["apply", "-", "--yes"], &of_state("disabled"));
    assert_eq!(browser.get(&me, Some(&tokens.access)).await.0, 401);
    assert!(browser.refresh(&tokens.refresh).await.unwrap().is_err());
    // Another server takes her over with her password.
    let exported = carnet.command(&["export", "--with-hashes"], "");
    let other = Carnet::start(engine, "").await;
    other.command(&["apply", "-", "--yes"], &exported.replace("disabled", "active"));
    Browser::new(&other.base).log_in().await;
    assert!(!exported.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_lose_nothing_on_sqlite() {
    several(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_lose_nothing_on_postgres() {
    several(Engine::Postgres).await;
}

async fn several(engine: Engine) {
    let carnet = Carnet::start(engine, "").await;
    let file =
        |number: usize| format!("[[roles]]\nname = \"role-{number}\"\npermissions = [\"a:{number}\"]\n");
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (carnet, file) = (&carnet, file(number));
            scope.spawn(move || carnet.command(&["apply", "-", "--yes"], &file));
            scope.spawn(move || {
                carnet.command(&["client", "add", &format!("svc-{number}"), "--scope", "a"], "")
            });
        }
    });
    let all: Value = serde_json::from_str(&carnet.command(&["--json", "export"], "")).unwrap();
    let counted = |kind: &str| all[kind].as_array().unwrap().len();
    assert_eq!((counted("roles"), counted("clients")), (3, 3), "{all}");
}
