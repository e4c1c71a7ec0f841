//! How often anybody may ask for what needs no login, and what is remembered of it.

use carnet_store::{Store, StoreConfig};
use serde_json::json;

use super::browser::{Browser, Told, WINDOW};
use super::stopping::{over, stopped};
use super::world::{World, refused};
use crate::harness::mirror;

const FRAME: &str = "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Four times an hour, behind a proxy.
async fn world() -> World {
    World::with(mirror().await, |text| {
        let keys = "silent_login = true\nlogin_limit = { requests = 4, per = \"1h\" }\nclient_id =";
        let text = text.replace("client_id =", keys);
        format!("[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n{text}")
    })
    .await
}

async fn at(address: &str, browser: &mut Browser, (method, path): (&str, &str), kind: &str) -> Told {
    let headers = format!("{kind}X-Forwarded-For: {address}\r\n");
    let body = if method == "POST" { "logout_token=x" } else { "" };
    browser.ask(method, path, (&headers, body)).await
}

fn is_told_when_to_come_back(told: &Told) {
    assert_eq!(told.refusal(), (429, "rate_limited".to_owned()));
    let seconds: u64 = told.one("retry-after").parse().unwrap();
    assert!((1..=900).contains(&seconds), "{seconds}");
    assert_eq!(told.one("cache-control"), "no-store");
}

#[tokio::test]
async fn whoever_logs_in_again_and_again_is_told_when_to_come_back_and_nobody_else_is() {
    let world = world().await;
    for (address, method, path, kind, otherwise) in [
        ("192.0.2.1", "GET", "/bff/login", WINDOW, 303),
        ("192.0.2.2", "GET", "/bff/silent-login", FRAME, 303),
        ("192.0.2.3", "POST", "/bff/backchannel", FORM, 400),
    ] {
        for _ in 0..4 {
            let told = at(address, &mut world.browser(), (method, path), kind).await;
            assert_eq!(told.status, otherwise, "{path}: {told:?}");
        }
        let told = at(address, &mut world.browser(), (method, path), kind).await;
        is_told_when_to_come_back(&told);
        assert_eq!(told.all("set-cookie").len(), 0);
    }
    // What no person has asked for counts for nobody.
    for _ in 0..5 {
        let told = at("192.0.2.4", &mut world.browser(), ("GET", "/bff/login"), FRAME).await;
        assert_eq!(told.status, 403);
    }
    let told = at("192.0.2.4", &mut world.browser(), ("GET", "/bff/login"), WINDOW).await;
    assert_eq!(told.status, 303);
}

#[tokio::test]
async fn an_answer_of_the_issuer_counts_before_anything_is_remembered_or_asked() {
    let world = world().await;
    let mut browser = world.browser();
    let address = "2001:db8::1";
    let begun = at(address, &mut browser, ("GET", "/bff/login"), WINDOW).await;
    let location = url::Url::parse(&begun.one("location")).unwrap();
    let state = location
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1;
    let made_up = format!("/bff/callback?state={state}&code=x&iss={}", world.issuer.url());
    let cookies = browser.cookies.clone();
    for left in (0..3).rev() {
        browser.cookies.clone_from(&cookies);
        let told = at(address, &mut browser, ("GET", &made_up), WINDOW).await;
        assert_ne!(told.status, 429, "{left}");
    }
    browser.cookies = cookies;
    let asked = world.issuer.redeemed();
    // Whoever has one IPv6 address has the whole /64.
    let told = at("2001:db8::ffff", &mut browser, ("GET", &made_up), WINDOW).await;
    is_told_when_to_come_back(&told);
    assert_eq!(world.issuer.redeemed(), asked);
    // An answer to no login of this browser costs nobody anything.
    let told = at(address, &mut world.browser(), ("GET", &made_up), WINDOW).await;
    assert_eq!(told.status, 400);
}

#[tokio::test]
async fn an_issuer_that_ends_many_sessions_at_once_is_heard() {
    let world = world().await;
    for _ in 0..8 {
        let token = world.issuer.logout_token(&json!({}));
        let told = super::back_channel::tell(&mut world.browser(), &token).await;
        assert_eq!(told.status, 200);
    }
}

#[tokio::test]
async fn an_office_behind_one_address_logs_in_on_monday_morning() {
    let world = World::new().await;
    for _ in 0..500 {
        assert_eq!(world.browser().open("/bff/login").await.status, 303);
    }
}

#[tokio::test]
async fn what_was_remembered_of_logins_is_forgotten_when_it_has_had_its_time() {
    let world = World::new().await;
    let (gateway, process) = world.process().await;
    let log_in = async || {
        let mut browser = Browser::new(gateway.address);
        assert_eq!(browser.log_in(&world.issuer).await.status, 200);
    };
    for _ in 0..3 {
        log_in().await;
    }
    world.clock.wait(std::time::Duration::from_secs(11 * 60));
    log_in().await;
    stopped(gateway).await;
    over(process).await;
    let kept = StoreConfig::sqlite(world.folder.path().join("bff.db"));
    let store = Store::open(&kept).await.unwrap();
    let tomorrow = i64::try_from(world.issuer.now() + 86_400).unwrap() * 1000;
    let left = store.sweep(tomorrow, 100).await.unwrap().throttles;
    assert_eq!(left, 1, "the last one may still come a second time");
}

#[tokio::test]
async fn a_limit_that_is_none_is_refused() {
    let zero = |text: String| {
        text.replace(
            "client_id",
            "login_limit = { requests = 0, per = \"1m\" }\nclient_id",
        )
    };
    assert_eq!(refused(zero).await, "bff.login_limit");
}
