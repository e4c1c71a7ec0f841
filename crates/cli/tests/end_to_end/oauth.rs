//! OAuth through the built binary, on both engines: registered clients, the code flow through the pages, a restart in the middle.

use std::process::Command;

use serde_json::{Value, json};

use crate::pages::{browser, page, parameter, submit};
use crate::support::{Carnet, EMAIL, Engine, PASSWORD, binary, run};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "https://shop.example.com/callback";

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_client_logs_people_in_and_a_service_itself_on_sqlite() {
    whole_path(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_client_logs_people_in_and_a_service_itself_on_postgres() {
    whole_path(Engine::Postgres).await;
}

async fn whole_path(engine: Engine) {
    let mut carnet = Carnet::start(engine, "[log]\nlevel = \"trace\"").await;
    carnet.add_user();
    let add = [
        "client",
        "add",
        "shop",
        "--redirect-uri",
        CALLBACK,
        "--scope",
        "openid email read:orders",
    ];
    let secret = shown(&carnet, &add, "client_secret");
    let browser = browser();
    let code = code(&mut carnet, &browser).await;
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = granted(&carnet, &secret, &exchange).await;
    let (status, told) = userinfo(&carnet, &tokens).await;
    assert_eq!((status, &told["email"]), (200, &json!(EMAIL)));
    let again = granted(&carnet, &secret, &refreshing(&tokens)).await;

    let rotate = ["client", "rotate-secret", "shop", "--overlap", "0s"];
    let secret_now = shown(&carnet, &rotate, "client_secret");
    assert_eq!(token(&carnet, &secret, &refreshing(&again)).await.0, 401);
    let newest = granted(&carnet, &secret_now, &refreshing(&again)).await;

    // Disabled: nothing more, and nothing of before.
    carnet.command(&["client", "disable", "shop"], "");
    assert_eq!(userinfo(&carnet, &newest).await.0, 401);
    assert_eq!(token(&carnet, &secret_now, &refreshing(&newest)).await.0, 401);
    assert_eq!(
        browser.get(authorize_url(&carnet)).send().await.unwrap().status(),
        400
    );

    let log = carnet.log();
    for secret in [
        &secret,
        &secret_now,
        &code,
        VERIFIER,
        text(&newest, "access_token"),
        text(&newest, "refresh_token"),
    ] {
        assert!(!log.contains(secret), "lk_02: a secret is in the log");
    }
    service(&carnet).await;
    partner(&carnet).await;
    worker(&carnet).await;
}

/// What a tool of this program prints.
fn tool(arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.args(arguments);
    let out = run(command, "");
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// A client that gets its token for an assertion of its own, made with the tools of this program.
async fn worker(carnet: &Carnet) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, public) = (file("worker.jwk"), file("worker.pub.jwk"));
    tool(&[
        "jwk",
        "generate",
        "--algorithm",
        "ES256",
        "--out",
        &key,
        "--public-out",
        &public,
    ]);
    let add = [
        "client",
        "add",
        "worker",
        "--grant-type",
        "jwt_bearer",
        "--auth-method",
        "private_key_jwt",
    ];
    let add = [
        &add[..],
        &["--jwks", &public, "--scope", "read:metrics", "--access-ttl", "1m"],
    ]
    .concat();
    carnet.command(&add, "");
    let sign = [
        "jwt",
        "sign",
        "--key",
        &key,
        "--issuer",
        "worker",
        "--subject",
        "worker",
    ];
    let assertion = tool(&[&sign[..], &["--audience", &carnet.base, "--expires-in", "60s"]].concat());
    let grant = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.as_str()),
    ];
    let post = async || {
        let call = reqwest::Client::new().post(format!("{}/oauth/token", carnet.base));
        call.form(&grant).send().await.unwrap()
    };
    let body: Value = post().await.json().await.unwrap();
    assert_eq!(
        (&body["scope"], &body["expires_in"]),
        (&json!("read:metrics"), &json!(60)),
        "{body}"
    );
    assert_eq!(post().await.status(), 400, "it counts once");
    assert!(
        !carnet.log().contains(&assertion),
        "lk_02: an assertion is in the log"
    );
}

/// A client that has to push its requests, and has all that it may know in the ID token.
async fn partner(carnet: &Carnet) {
    let add = ["client", "add", "partner", "--redirect-uri", CALLBACK, "--scope"];
    let how = [
        "--require-pushed-authorization-requests",
        "--id-token-claims",
        "full",
    ];
    let add = [&add[..], &["openid email", "--default-max-age", "12h"], &how].concat();
    let secret = shown(carnet, &add, "client_secret");
    let browser = browser();
    let plain = authorize_url(carnet).replace("client_id=shop", "client_id=partner");
    let reply = browser.get(plain).send().await.unwrap();
    let location = reply.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(parameter(&(location, String::new()), "error"), "invalid_request");

    let machine = reqwest::Client::new();
    let post = |path: &str| {
        let call = machine.post(format!("{}{path}", carnet.base));
        call.basic_auth("partner", Some(&secret))
    };
    let request = [
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let reply = post("/oauth/par").form(&request).send().await.unwrap();
    assert_eq!(reply.status(), 201);
    let uri = text(&reply.json().await.unwrap(), "request_uri").to_owned();
    let url = format!(
        "{}/oauth/authorize?client_id=partner&request_uri={uri}",
        carnet.base
    );
    let typed = [("username", EMAIL), ("password", PASSWORD), ("decision", "login")];
    let consent = submit(&browser, &page(&browser, &url).await, &typed).await;
    let back = submit(&browser, &consent, &[("decision", "allow")]).await;
    let code = parameter(&back, "code");
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let reply = post("/oauth/token").form(&exchange).send().await.unwrap();
    let tokens: Value = reply.json().await.unwrap();
    let id = carnet_jose::dangerous::decode(text(&tokens, "id_token")).unwrap();
    assert_eq!(id.payload["email"], EMAIL);
    assert_eq!(
        browser.get(&url).send().await.unwrap().status(),
        400,
        "it has its answer"
    );
    let reference = uri.rsplit(':').next().unwrap();
    assert!(!carnet.log().contains(reference), "lk_02");
}

/// A code that Alice has allowed. What she began before a restart goes on after it.
async fn code(carnet: &mut Carnet, browser: &reqwest::Client) -> String {
    let login = page(browser, &authorize_url(carnet)).await;
    carnet.kill();
    carnet.launch().await;
    let typed = [("username", EMAIL), ("password", PASSWORD), ("decision", "login")];
    let consent = submit(browser, &login, &typed).await;
    let back = submit(browser, &consent, &[("decision", "allow"), ("remember", "yes")]).await;
    parameter(&back, "code")
}

fn authorize_url(carnet: &Carnet) -> String {
    format!(
        "{}/oauth/authorize?response_type=code&client_id=shop&redirect_uri={CALLBACK}&scope=openid+email&state=s&code_challenge={CHALLENGE}&code_challenge_method=S256",
        carnet.base
    )
}

/// What a command shows this once.
fn shown(carnet: &Carnet, arguments: &[&str], member: &str) -> String {
    let answer = carnet.command(&[&["--json"], arguments].concat(), "");
    text(&serde_json::from_str(&answer).unwrap(), member).to_owned()
}

fn text<'a>(body: &'a Value, member: &str) -> &'a str {
    body[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member}: {body}"))
}

fn refreshing(tokens: &Value) -> [(&str, &str); 2] {
    [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(tokens, "refresh_token")),
    ]
}

async fn userinfo(carnet: &Carnet, tokens: &Value) -> (u16, Value) {
    let call = reqwest::Client::new().get(format!("{}/userinfo", carnet.base));
    let reply = call
        .bearer_auth(text(tokens, "access_token"))
        .send()
        .await
        .unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

async fn granted(carnet: &Carnet, secret: &str, fields: &[(&str, &str)]) -> Value {
    let (status, answer) = token(carnet, secret, fields).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn service(carnet: &Carnet) {
    let add = [
        "--json",
        "client",
        "add",
        "metrics",
        "--auth-method",
        "client_secret_post",
        "--scope",
        "read:metrics write:logs",
    ];
    let added: Value = serde_json::from_str(&carnet.command(&add, "")).unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "metrics"),
        ("client_secret", added["client_secret"].as_str().unwrap()),
        ("scope", "read:metrics write:logs"),
    ];
    let ask = async || {
        let reply = reqwest::Client::new()
            .post(format!("{}/oauth/token", carnet.base))
            .form(&fields)
            .send()
            .await
            .unwrap();
        (reply.status().as_u16(), reply.json::<Value>().await.unwrap())
    };
    let (status, answer) = ask().await;
    assert_eq!(
        (status, &answer["scope"]),
        (200, &json!("read:metrics write:logs")),
        "{answer}"
    );
    for (command, expected) in [("disable", 401), ("enable", 200), ("delete", 401)] {
        carnet.command(&["client", command, "metrics"], "");
        assert_eq!(ask().await.0, expected, "{command}");
    }
    let again = carnet.try_command(&add, "");
    assert_eq!(again.status.code(), Some(4), "a name never comes back");
    let listed: Value = serde_json::from_str(&carnet.command(&["--json", "client", "list"], "")).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

async fn token(carnet: &Carnet, secret: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/oauth/token", carnet.base);
    let call = reqwest::Client::new()
        .post(url)
        .basic_auth("shop", Some(secret))
        .form(fields);
    let reply = call.send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}
