//! What must hold when many things happen at once: kill -9 during refreshes, rotations under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use carnet_guard::{Issuer, ResourceServer};
use tokio::sync::Semaphore;

use crate::support::{Browser, Carnet, Engine, Tokens};

const CLIENTS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_lost_when_the_server_is_killed_during_two_thousand_refreshes_on_sqlite() {
    survive_kill(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_lost_when_the_server_is_killed_during_two_thousand_refreshes_on_postgres() {
    survive_kill(Engine::Postgres).await;
}

async fn survive_kill(engine: Engine) {
    let further = "[tokens]\nrefresh_grace = \"60s\"\n[log]\nlevel = \"warn\"";
    let mut carnet = Carnet::start(engine, further).await;
    carnet.add_user();
    let browser = Browser::new(&carnet.base);
    let clients = many(CLIENTS, |_| {
        let browser = browser.clone();
        async move { browser.log_in().await.refresh }
    })
    .await;
    let (clients, answered) = refresh_and_kill(&mut carnet, &browser, clients).await;
    carnet.launch().await;
    everybody_goes_on(&Browser::new(&carnet.base), clients).await;
    println!("{engine:?}: {answered} answers before the kill; {CLIENTS} of {CLIENTS} clients went on");
}

/// Everybody refreshes, over and over; in the middle of it the server dies. What each received last, and how many answers there were.
async fn refresh_and_kill(
    carnet: &mut Carnet,
    browser: &Browser,
    clients: Vec<String>,
) -> (Vec<String>, usize) {
    let answered = Arc::new(AtomicUsize::new(0));
    let start = |token: String| tokio::spawn(refresh_until_cut_off(browser.clone(), token, answered.clone()));
    let tasks: Vec<_> = clients.into_iter().map(start).collect();
    while answered.load(Ordering::Relaxed) < CLIENTS / 2 {
        tokio::task::yield_now().await;
    }
    carnet.kill();
    let mut last = Vec::with_capacity(tasks.len());
    for task in tasks {
        last.push(task.await.unwrap());
    }
    (last, answered.load(Ordering::Relaxed))
}

/// With the token last received, whether or not a later answer was lost on the way; and each family has one live leaf.
async fn everybody_goes_on(browser: &Browser, clients: Vec<String>) {
    let next = many(CLIENTS, |i| {
        let (browser, token) = (browser.clone(), clients[i].clone());
        async move {
            let outcome = browser.refresh(&token).await.unwrap();
            outcome
                .unwrap_or_else(|refused| panic!("client {i} is lost: {refused:?}"))
                .refresh
        }
    })
    .await;
    many(CLIENTS, |i| {
        let (browser, before, newest) = (browser.clone(), clients[i].clone(), next[i].clone());
        async move {
            let outcome = browser.refresh(&newest).await.unwrap();
            outcome.unwrap_or_else(|refused| panic!("client {i} has no leaf: {refused:?}"));
            let (status, body) = browser
                .refresh(&before)
                .await
                .unwrap()
                .expect_err("two live leaves");
            assert_eq!(
                (status, body["code"].as_str()),
                (401, Some("refresh_token_reused"))
            );
        }
    })
    .await;
}

/// The token last received when the connection broke.
async fn refresh_until_cut_off(browser: Browser, mut token: String, answered: Arc<AtomicUsize>) -> String {
    while let Ok(outcome) = browser.refresh(&token).await {
        match outcome {
            Ok(tokens) => token = tokens.refresh,
            // Overloaded: nothing has changed.
            Err((503, _)) => continue,
            Err(refused) => panic!("refused before the kill: {refused:?}"),
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    token
}

/// All of them, a hundred at a time.
async fn many<T: Send + 'static, F>(n: usize, job: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(100));
    let in_turn = |i| {
        let (turns, job) = (turns.clone(), job(i));
        tokio::spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            job.await
        })
    };
    let tasks: Vec<_> = (0..n).map(in_turn).collect();
    let mut results = Vec::with_capacity(n);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

const ROTATIONS: usize = 60;

/// Cache time, staging and retiring scaled down together: a second, a second and a half, five seconds.
const FAST_KEYS: &str = "[keys]\njwks_max_age = \"1s\"\nclock_skew = \"500ms\"\nrotate_every = \"2s\"\n[tokens]\naccess_ttl = \"4s\"\n[log]\nlevel = \"warn\"";

#[tokio::test(flavor = "multi_thread")]
async fn jk_02_sixty_rotations_under_load_refuse_no_valid_token() {
    let carnet = Carnet::start(Engine::Sqlite, FAST_KEYS).await;
    carnet.add_user();
    let api = start_api(&carnet.base).await;
    let browser = Browser::new(&carnet.base);
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (browser, api, done) = (browser.clone(), api.clone(), done.clone());
            tokio::spawn(async move {
                let tokens = browser.log_in().await;
                call_until(browser, api, tokens, done).await
            })
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() <= ROTATIONS {
        let (_, jwks) = browser
            .get(&format!("{}/.well-known/jwks.json", carnet.base), None)
            .await;
        seen.extend(
            jwks["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["kid"].as_str().unwrap().to_owned()),
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    done.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    println!("{ROTATIONS} rotations, {calls} calls with valid tokens, 0 refused");
    assert!(calls > 1_000, "too little load to say anything: {calls}");
}

/// Uses every token for its whole life, then refreshes; any refusal of a token that has not expired is a failure.
async fn call_until(browser: Browser, api: String, mut tokens: Tokens, done: Arc<AtomicBool>) -> usize {
    let mut calls = 0;
    while !done.load(Ordering::Relaxed) {
        let expires = carnet_jose::dangerous::decode(&tokens.access).unwrap().payload["exp"]
            .as_u64()
            .unwrap();
        while now() + 1 < expires {
            let (status, body) = browser.get(&format!("{api}/data"), Some(&tokens.access)).await;
            assert_eq!(status, 200, "a valid token was refused: {body}");
            calls += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokens = browser.refresh(&tokens.refresh).await.unwrap().unwrap();
    }
    calls
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test looks at the same clock as the server"
)]
fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

async fn start_api(issuer: &str) -> String {
    let guard = ResourceServer::new("https://api.example.com")
        .issuer(Issuer::discover(issuer))
        .build()
        .await
        .unwrap();
    let routes = axum::Router::new()
        .route("/data", axum::routing::get(|| async { "{}" }))
        .layer(guard.layer());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}
