//! A server-rendered app, as `carnet-guard` keeps it, against the built binary on both engines: login, expiry, two nodes, a restart, logout.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use carnet_guard::testing::TestClock;
use carnet_guard::web::{CsrfToken, WebApp};
use carnet_guard::{Auth, Clock as _, Issuer, SystemClock};
use reqwest::header::ACCEPT;

use crate::pages::{browser, page, submit};
use crate::support::{Carnet, EMAIL, Engine, PASSWORD, binary, free_port, run, write_secret};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_rendered_app_goes_on_across_the_expiry_on_sqlite() {
    whole_path(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_rendered_app_goes_on_across_the_expiry_on_postgres() {
    whole_path(Engine::Postgres).await;
}

async fn whole_path(engine: Engine) {
    let mut carnet = Carnet::start(engine, "[log]\nlevel = \"trace\"").await;
    carnet.add_user();
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let proof_of_client = registered(&carnet, &origin, engine);
    let clock = TestClock::at(SystemClock.since_epoch().as_secs());
    serve(&carnet, (&origin, &proof_of_client), port, &clock).await;
    let other_port = free_port();
    serve(&carnet, (&origin, &proof_of_client), other_port, &clock).await;
    let nodes = [origin.clone(), format!("http://127.0.0.1:{other_port}")];

    let browser = browser();
    let login = page(&browser, &format!("{origin}/auth/login?return_to=/notes")).await;
    let typed = [("username", EMAIL), ("password", PASSWORD), ("decision", "login")];
    let (_, welcome) = submit(&browser, &login, &typed).await;
    assert!(welcome.contains("url=/notes"), "{welcome}");
    let proof = notes(&browser, &origin).await;

    // The access token runs out: both nodes at once ask for the next one with the same refresh token, several times.
    clock.wait(Duration::from_secs(20 * 60));
    for _ in 0..5 {
        let [one, other] = nodes.each_ref().map(|node| notes(&browser, node));
        tokio::join!(one, other);
    }

    // What was loaded before is good after it; without proof nothing is.
    assert_eq!(post(&browser, &format!("{origin}/notes"), &proof).await.0, 200);
    assert_eq!(post(&browser, &format!("{origin}/notes"), "x.y").await.0, 403);

    // A token that is due but lives serves while the server is away.
    carnet.kill();
    notes(&browser, &origin).await;
    carnet.launch().await;
    clock.wait(Duration::from_secs(4));
    let proof = notes(&browser, &origin).await;

    let (status, home) = post(&browser, &format!("{origin}/auth/logout"), &proof).await;
    assert_eq!(
        (status, home.as_str()),
        (200, "nobody"),
        "by way of the issuer back to the app"
    );
    let again = open(&browser, &format!("{origin}/notes")).await;
    assert!(
        again.1.contains("name=\"password\""),
        "the login at the issuer is over as well: {}",
        again.1
    );
    let log = carnet.log();
    let secret = match &proof_of_client {
        Proof::Secret(secret) => secret,
        Proof::Key { .. } => "client_assertion=",
    };
    assert!(!log.contains(secret) && !log.contains("code_verifier="), "lk_02");
}

/// What the app proves itself with: a secret on one engine, a key of its own on the other.
enum Proof {
    Secret(String),
    Key { key: PathBuf, cookies: PathBuf },
}

fn registered(carnet: &Carnet, origin: &str, engine: Engine) -> Proof {
    let (callback, home) = (format!("{origin}/auth/callback"), format!("{origin}/"));
    let folder = carnet.config().parent().unwrap().to_owned();
    let [key, public, cookies] = ["app.jwk", "app.public.jwk", "cookie.keys"].map(|name| folder.join(name));
    let mut add = vec!["--json", "client", "add", "notes", "--redirect-uri", &callback];
    add.extend([
        "--post-logout-redirect-uri",
        &home,
        "--scope",
        "openid email read:orders",
        "--consent",
        "none",
    ]);
    if engine == Engine::Postgres {
        let mut generate = Command::new(binary());
        generate.args(["jwk", "generate", "--algorithm", "ES256", "--out"]);
        generate.arg(&key).arg("--public-out").arg(&public);
        assert!(run(generate, "").status.success());
        write_secret(&cookies, "a key of cookies that has 32 bytes or more");
        add.extend([
            "--auth-method",
            "private_key_jwt",
            "--jwks",
            public.to_str().unwrap(),
        ]);
        carnet.command(&add, "");
        return Proof::Key { key, cookies };
    }
    let added: serde_json::Value = serde_json::from_str(&carnet.command(&add, "")).unwrap();
    Proof::Secret(added["client_secret"].as_str().unwrap().to_owned())
}

/// A node of the app on this port; all of them are one origin.
async fn serve(carnet: &Carnet, (origin, proof): (&str, &Proof), port: u16, clock: &TestClock) {
    let web = WebApp::new(origin, Issuer::discover(&carnet.base));
    let web = match proof {
        Proof::Secret(secret) => web.client_secret("notes", secret),
        Proof::Key { key, cookies } => {
            let web = web.client_key_file("notes", key).unwrap();
            web.cookie_key_file(cookies).unwrap()
        }
    };
    let web = web
        .audience("https://api.example.com")
        .scope("openid email read:orders")
        .cookie_name("notes")
        .leeway(Duration::from_secs(600))
        .clock(clock.clone());
    let web = web.build().await.unwrap();
    let notes = get(async |auth: Auth, csrf: CsrfToken| format!("{} {csrf}", auth.sub()));
    let home = get(async |auth: Option<Auth>| auth.map_or("nobody", |_| "somebody"));
    let routes: Router = Router::new()
        .route("/notes", notes.post(async |_: Auth| "added"))
        .layer(web.layer())
        .merge(Router::new().route("/", home).layer(web.layer_for_all()))
        .merge(web.routes());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
}

/// The proof on the page of somebody who is logged in.
async fn notes(browser: &reqwest::Client, node: &str) -> String {
    let (status, page) = open(browser, &format!("{node}/notes")).await;
    assert_eq!(status, 200, "{page}");
    page.split_once(' ')
        .unwrap_or_else(|| panic!("{page}"))
        .1
        .to_owned()
}

async fn open(browser: &reqwest::Client, url: &str) -> (u16, String) {
    let reply = browser.get(url).header(ACCEPT, "text/html").send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

async fn post(browser: &reqwest::Client, url: &str, proof: &str) -> (u16, String) {
    let reply = browser
        .post(url)
        .header(ACCEPT, "text/html")
        .form(&[("_csrf", proof)]);
    let reply = reply.send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}
