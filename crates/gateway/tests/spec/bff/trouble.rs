//! A store that does not answer for a moment, and people who do not wait for it.

use std::time::Duration;

use serde_json::json;

use super::back_channel::tell;
use super::browser::Browser;
use super::wire::Wire;
use super::world::World;
use crate::harness::soon;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_redis_that_is_away_for_a_moment_costs_nobody_the_tokens_that_came_meanwhile() {
    let (world, wire) = World::over_redis().await;
    away_for_a_moment(world, wire).await;
}

#[tokio::test]
async fn a_postgres_that_is_away_for_a_moment_costs_nobody_the_tokens_that_came_meanwhile() {
    let (world, wire) = World::over_postgres().await;
    away_for_a_moment(world, wire).await;
}

async fn away_for_a_moment(world: World, wire: Wire) {
    for answer_is_lost in [false, true] {
        let mut user = world.user().await;
        let asked = world.issuer.refreshes();
        world.clock.wait(11 * MINUTE);
        let held = world.issuer.hold();
        let mut waiting = user.clone();
        let call = tokio::spawn(async move { waiting.call("GET", "/api").await });
        world.issuer.until_refreshes(asked + 1).await;
        if answer_is_lost {
            // What is asked is done, and nobody hears of it.
            wire.hold();
            drop(held);
            wire.until_asked().await;
            wire.cut();
        } else {
            wire.cut();
            drop(held);
        }
        wire.until_turned_away().await;
        wire.open();
        let told = call.await.unwrap();
        assert_eq!(told.status, 200, "{told:?}");
        world.clock.wait(11 * MINUTE);
        assert_eq!(user.call("GET", "/api").await.status, 200);
        assert_eq!(world.issuer.refreshes(), asked + 2, "nothing was asked twice");
    }
}

#[tokio::test]
async fn a_redis_that_is_frozen_while_tokens_come_for_a_session_holds_up_nobody_afterwards() {
    let (world, wire) = World::over_redis().await;
    frozen(&world, &wire, wire.until_connected(2)).await;
}

#[tokio::test]
async fn a_postgres_that_is_frozen_while_tokens_come_for_a_session_holds_up_nobody_afterwards() {
    let (world, wire) = World::over_postgres().await;
    frozen(&world, &wire, wire.until_asked()).await;
}

/// Nothing answers until what the gateway is to try has been tried.
async fn frozen(world: &World, wire: &Wire, tried: impl Future<Output = ()>) {
    let mut user = world.user().await;
    world.clock.wait(11 * MINUTE);
    let held = world.issuer.hold();
    let mut waiting = user.clone();
    let call = tokio::spawn(async move { waiting.call("GET", "/api").await });
    world.issuer.until_refreshes(1).await;
    wire.hold();
    drop(held);
    tried.await;
    wire.open();
    soon(async {
        let told = call.await.unwrap();
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(user.call("GET", "/bff/user").await.status, 200);
        assert_eq!(world.user().await.call("GET", "/api").await.status, 200);
    })
    .await;
    assert_eq!(world.issuer.refreshes(), 1);
}

#[tokio::test]
async fn what_comes_first_after_a_redis_has_closed_its_connections_is_done() {
    let (world, wire) = World::over_redis().await;
    comes_first(&world, || wire.sever()).await;
}

#[tokio::test]
async fn what_comes_first_after_a_postgres_has_closed_its_connections_is_done() {
    let (world, wire) = World::over_postgres().await;
    comes_first(&world, || wire.sever()).await;
}

async fn comes_first(world: &World, close: impl Fn()) {
    let mut user = world.user().await;
    // The keys are there.
    assert_eq!(tell(&mut world.browser(), "x").await.status, 400);
    close();
    let token = world.issuer.logout_token(&json!({}));
    assert_eq!(tell(&mut world.browser(), &token).await.status, 200);
    assert_eq!(user.call("GET", "/api").await.status, 401);
    assert_eq!(
        tell(&mut world.browser(), &token).await.status,
        400,
        "it counts once"
    );

    let begun = user.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    close();
    assert_eq!(user.open(&back).await.status, 200);
    let told = user.call("POST", "/bff/logout").await;
    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    close();
    assert!(user.open(&url).await.one("location").contains("id_token_hint="));
}

#[tokio::test]
async fn a_logout_that_a_redis_has_noted_and_not_confirmed_is_no_second_one() {
    let (world, wire) = World::over_redis().await;
    let mut user = world.user().await;
    assert_eq!(tell(&mut world.browser(), "x").await.status, 400);
    let token = world.issuer.logout_token(&json!({}));
    let (mut issuer, shown) = (world.browser(), token.clone());
    wire.hold_at("'NX'");
    let call = tokio::spawn(async move { tell(&mut issuer, &shown).await });
    wire.until_asked().await;
    wire.sever();
    assert_eq!(call.await.unwrap().status, 200);
    assert_eq!(user.call("GET", "/api").await.status, 401);
    assert_eq!(tell(&mut world.browser(), &token).await.status, 400);
}

#[tokio::test]
async fn a_logout_that_met_a_redis_that_went_away_may_be_said_again() {
    let (world, wire) = World::over_redis().await;
    for words in ["bff jti", "SMEMBERS"] {
        let mut user = world.user().await;
        assert_eq!(tell(&mut world.browser(), "x").await.status, 400);
        let token = world.issuer.logout_token(&json!({}));
        let (mut issuer, shown) = (world.browser(), token.clone());
        wire.hold_at(words);
        let call = tokio::spawn(async move { tell(&mut issuer, &shown).await });
        wire.until_asked().await;
        wire.cut();
        assert_eq!(call.await.unwrap().status, 503, "{words}");
        wire.open();
        let again = soon(tell(&mut world.browser(), &token)).await;
        assert_eq!(again.status, 200, "{words}");
        assert_eq!(user.call("GET", "/api").await.status, 401, "{words}");
    }
}

/// Whoever asks waits for what the store says to these words, and hangs up: the gateway has found out when it has answered another request.
async fn hangs_up<T: Send + 'static>(
    (world, wire): (&World, &Wire),
    words: &'static str,
    asking: impl Future<Output = T> + Send + 'static,
) {
    wire.hold_at(words);
    let call = tokio::spawn(asking);
    wire.until_asked().await;
    call.abort();
    for _ in 0..3 {
        assert_eq!(world.browser().open("/").await.status, 200);
    }
    wire.open();
}

#[tokio::test]
async fn a_logout_that_its_issuer_did_not_wait_for_is_one_in_redis() {
    let (world, wire) = World::over_redis().await;
    said_in_passing(world, wire).await;
}

#[tokio::test]
async fn a_logout_that_its_issuer_did_not_wait_for_is_one_in_postgres() {
    let (world, wire) = World::over_postgres().await;
    said_in_passing(world, wire).await;
}

async fn said_in_passing(world: World, wire: Wire) {
    let mut user = world.user().await;
    // The keys are there.
    assert_eq!(tell(&mut world.browser(), "x").await.status, 400);
    let token = world.issuer.logout_token(&json!({}));
    let mut issuer = world.browser();
    hangs_up((&world, &wire), "bff jti", async move {
        tell(&mut issuer, &token).await
    })
    .await;
    soon(async { while user.call("GET", "/api").await.status != 401 {} }).await;
}

#[tokio::test]
async fn an_answer_that_its_browser_did_not_wait_for_is_a_login_in_redis() {
    let (world, wire) = World::over_redis().await;
    come_back_in_passing(world, wire).await;
}

#[tokio::test]
async fn an_answer_that_its_browser_did_not_wait_for_is_a_login_in_postgres() {
    let (world, wire) = World::over_postgres().await;
    come_back_in_passing(world, wire).await;
}

async fn come_back_in_passing(world: World, wire: Wire) {
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let (mut hasty, again): (Browser, _) = (browser.clone(), back.clone());
    hangs_up(
        (&world, &wire),
        "bff state",
        async move { hasty.open(&again).await },
    )
    .await;
    assert_eq!(browser.open(&back).await.status, 200);
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    assert_eq!(world.issuer.redeemed(), 1);
}

#[tokio::test]
async fn a_login_that_cannot_be_kept_gives_its_tokens_back_and_its_code_is_not_shown_again() {
    let (world, wire) = World::over_redis().await;
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let held = world.issuer.hold();
    let (mut first, address) = (browser.clone(), back.clone());
    let call = tokio::spawn(async move { first.open(&address).await });
    world.issuer.until_held().await;
    wire.cut();
    drop(held);
    let told = call.await.unwrap();
    assert_eq!(told.refusal(), (503, "temporarily_unavailable".to_owned()));
    world.until_revoked("rt-secret-2").await;
    wire.open();
    let told = browser.open(&back).await;
    assert_eq!((told.status, browser.session()), (200, None), "{told:?}");
    assert_eq!(world.issuer.redeemed(), 1);
    // The next login is one.
    assert_eq!(browser.log_in(&world.issuer).await.status, 200);
    assert_eq!(browser.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn a_login_that_cannot_be_used_gives_its_tokens_back() {
    let world = World::new().await;
    world.issuer.manner(|how| how.nonce = Some("another"));
    assert_eq!(world.browser().log_in(&world.issuer).await.status, 502);
    world.until_revoked("rt-secret-2").await;
}

#[tokio::test]
async fn without_the_keys_of_the_issuer_no_code_is_spent_and_a_logout_may_be_said_again() {
    let world = World::new().await;
    world.issuer.manner(|how| how.keyless = true);
    let mut browser = world.browser();
    let begun = browser.open("/bff/login?returnUrl=/notes").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let logout = world.issuer.logout_token(&json!({}));
    for told in [
        browser.open(&back).await,
        tell(&mut world.browser(), &logout).await,
    ] {
        let refusal = (503, "temporarily_unavailable".to_owned());
        assert_eq!(
            (told.refusal(), told.one("retry-after").as_str()),
            (refusal, "5"),
            "{told:?}"
        );
    }
    assert_eq!(world.issuer.redeemed(), 0);
    world.issuer.manner(|how| how.keyless = false);
    world.clock.wait(MINUTE);
    // The same address, once more.
    assert_eq!(browser.open(&back).await.one("refresh"), "0;url=/notes");
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    assert_eq!(tell(&mut world.browser(), &logout).await.status, 200);
    assert_eq!(browser.call("GET", "/api").await.status, 401);
}
