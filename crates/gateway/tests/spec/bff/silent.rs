//! A frame of the app asks whether somebody is logged in.

use super::browser::{COOKIE, SCRIPT, WINDOW};
use super::world::World;
use crate::harness::mirror;

const FRAME: &str = "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";
const BACK: &str = "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";

async fn world() -> World {
    let on = "silent_login = true\nclient_id =";
    World::with(mirror().await, |text| text.replacen("client_id =", on, 1)).await
}

#[tokio::test]
async fn a_frame_logs_in_whoever_is_logged_in_at_the_issuer_and_tells_its_page_alone() {
    let world = world().await;
    for (denies, logged_in) in [
        (Some("login_required"), false),
        (None, true),
        (Some("invalid_scope"), false),
    ] {
        world.issuer.manner(|how| how.denies = denies);
        let mut browser = world.browser();
        let begun = browser.ask("GET", "/bff/silent-login", (FRAME, "")).await;
        assert_eq!(begun.status, 303, "{begun:?}");
        let location = begun.one("location");
        assert!(
            location.contains("prompt=none") && location.contains("silent-login%2Fcallback"),
            "{location}"
        );
        let told = browser
            .ask("GET", &world.issuer.log_in(&location), (BACK, ""))
            .await;
        let word = format!(
            "parent.postMessage({{source:'bff-silent-login',isLoggedIn:{logged_in}}},location.origin)"
        );
        assert!(told.status == 200 && told.body.contains(&word), "{told:?}");
        let policy = told.one("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'self'") && policy.contains("script-src 'nonce-"),
            "{policy}"
        );
        assert_eq!(
            (told.one("x-frame-options").as_str(), told.all("refresh").len()),
            ("SAMEORIGIN", 0)
        );
        told.has_no_token();
        assert_eq!(browser.session().is_some(), logged_in);
        let status = browser.call("GET", "/api").await.status;
        assert_eq!(status, if logged_in { 200 } else { 401 });
    }
}

#[tokio::test]
async fn only_a_frame_of_the_app_may_ask_silently_and_only_where_that_is_wanted() {
    let off = World::new().await;
    for path in ["/bff/silent-login", "/bff/silent-login/callback?state=x&code=y"] {
        let told = off.browser().ask("GET", path, (FRAME, "")).await;
        assert_eq!(told.refusal(), (404, "route_unknown".to_owned()), "{path}");
    }
    let world = world().await;
    let cross = FRAME.replace("same-origin", "cross-site");
    let same_site = FRAME.replace("same-origin", "same-site");
    for headers in [WINDOW, SCRIPT, "", cross.as_str(), same_site.as_str()] {
        let told = world
            .browser()
            .ask("GET", "/bff/silent-login", (headers, ""))
            .await;
        assert_eq!(told.refusal(), (403, "frame_required".to_owned()), "{headers}");
        assert_eq!(told.all("set-cookie").len(), 0);
    }
    // An answer counts where its login was begun.
    let mut browser = world.browser();
    let begun = browser.ask("GET", "/bff/silent-login", (FRAME, "")).await;
    let back = world.issuer.log_in(&begun.one("location"));
    let elsewhere = back.replace("silent-login/callback", "callback");
    assert_eq!(browser.open(&elsewhere).await.status, 400);
    let begun = browser.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let told = browser
        .ask(
            "GET",
            &back.replace("/callback", "/silent-login/callback"),
            (BACK, ""),
        )
        .await;
    assert!(
        told.body.contains("isLoggedIn:false") && browser.session().is_none(),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_silent_login_takes_the_place_of_the_session_that_was_there_and_a_silent_no_leaves_it() {
    let world = world().await;
    let mut browser = world.user().await;
    let mut old = browser.clone();
    world.issuer.manner(|how| how.denies = Some("login_required"));
    let begun = browser.ask("GET", "/bff/silent-login", (FRAME, "")).await;
    browser
        .ask("GET", &world.issuer.log_in(&begun.one("location")), (BACK, ""))
        .await;
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    world.issuer.manner(|how| how.denies = None);
    let begun = browser.ask("GET", "/bff/silent-login", (FRAME, "")).await;
    let back = world.issuer.log_in(&begun.one("location"));
    browser.cookies.retain(|(name, _)| name != COOKIE);
    browser.ask("GET", &back, (BACK, "")).await;
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    assert_eq!(old.call("GET", "/api").await.status, 401);
}
