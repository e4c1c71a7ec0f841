//! A browser that would log in for ever is told why it does.

use super::browser::COOKIE;
use super::world::World;

#[tokio::test]
async fn a_fourth_login_within_a_minute_that_led_nowhere_is_a_page_that_says_why() {
    let world = World::new().await;
    let mut browser = world.browser();
    for _ in 0..3 {
        assert_eq!(browser.log_in(&world.issuer).await.status, 200);
        // Something on the way takes it away.
        browser.cookies.retain(|(name, _)| name != COOKIE);
    }
    let told = browser.open("/bff/login").await;
    assert_eq!(told.status, 200, "{told:?}");
    for words in [
        "does not send the session cookie",
        "asked for app.test",
        "https://app.test",
        "0 seconds from",
    ] {
        assert!(told.body.contains(words), "{words}: {}", told.body);
    }
    told.has_no_token();
    assert_eq!(
        browser.open("/bff/login").await.status,
        303,
        "whoever tries again may"
    );
}

#[tokio::test]
async fn an_app_that_asks_for_logins_and_for_nothing_else_is_told_so() {
    let world = World::new().await;
    let mut browser = world.browser();
    for _ in 0..3 {
        assert_eq!(browser.log_in(&world.issuer).await.status, 200);
    }
    let told = browser.open("/bff/login").await;
    assert_eq!(told.status, 200, "{told:?}");
    assert!(told.body.contains("and the session lives"), "{}", told.body);
    assert!(!told.body.contains("replicas"), "{}", told.body);
    // Of a session that is not known here that is not said.
    let mut stranger = world.browser();
    for _ in 0..3 {
        assert_eq!(stranger.log_in(&world.issuer).await.status, 200);
        stranger.cookies.retain(|(name, _)| name != COOKIE);
    }
    stranger.cookies.push((COOKIE.to_owned(), "x".repeat(43)));
    let told = stranger.open("/bff/login").await;
    assert!(told.body.contains("is not known here"), "{}", told.body);
}

#[tokio::test]
async fn who_logs_in_often_and_is_heard_of_is_not_stopped() {
    let world = World::new().await;
    let mut browser = world.browser();
    for _ in 0..3 {
        assert_eq!(browser.log_in(&world.issuer).await.status, 200);
        assert_eq!(browser.call("GET", "/bff/user").await.status, 200);
    }
    assert_eq!(browser.open("/bff/login").await.status, 303);

    let mut slow = world.browser();
    for _ in 0..3 {
        assert_eq!(slow.log_in(&world.issuer).await.status, 200);
        slow.cookies.retain(|(name, _)| name != COOKIE);
        world.clock.wait(std::time::Duration::from_secs(25));
    }
    assert_eq!(slow.open("/bff/login").await.status, 303);
}
