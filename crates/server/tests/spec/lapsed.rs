//! Spec tests of a login in a browser that has rested or lived too long, and of what clients began in it.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::browser::{AS_ALICE, Browser, answer, web_url};
use crate::end_session::{BOB, BYE, take};
use crate::harness::{ALICE, Server, minutes};
use crate::web::{assert_refused, refresh, text};

/// Clients whose tokens could live longer than the login in the browser.
async fn short_of_the_clients() -> Server {
    let uris = "redirect_uris = [\"https://web.example.com/cb\"";
    let lives = format!("refresh_idle = \"1h\"\nrefresh_absolute = \"2h\"\n{uris}");
    let tokens =
        "[tokens]\naccess_ttl = \"1m\"\nrefresh_idle = \"5m\"\nrefresh_absolute = \"10m\"\n[first_party]";
    let server = Server::replacing(&[("[first_party]", tokens), (uris, &lives)]).await;
    server.add_user(BOB[0].1, Some(BOB[1].1)).await;
    server
}

/// What comes of the refresh token of these tokens; there is another one then.
async fn goes_on(server: &Server, body: &mut Value) -> bool {
    let reply = refresh(server, text(body, "refresh_token"), &[]).await;
    if reply.status == StatusCode::OK {
        *body = reply.json();
        return true;
    }
    assert_refused(&reply, "invalid_grant");
    false
}

#[tokio::test]
async fn without_offline_access_nothing_outlives_the_login_in_the_browser() {
    let server = short_of_the_clients().await;
    let browser = Browser::of(&server);
    let mut early = take(&server, &browser, "openid").await;
    server.wait(minutes(4)).await;
    let mut online = take(&server, &browser, "openid").await;
    let mut offline = take(&server, &browser, "openid offline_access").await;
    server.wait(minutes(6) - Duration::from_secs(1)).await;
    // An app that is in use need not send its users here in between.
    assert!(goes_on(&server, &mut online).await && goes_on(&server, &mut early).await);
    assert_eq!(online["expires_in"], 1, "of a minute");
    server.wait(Duration::from_secs(1)).await;
    assert!(!goes_on(&server, &mut online).await && !goes_on(&server, &mut early).await);
    assert!(goes_on(&server, &mut offline).await);
}

#[tokio::test]
async fn no_token_lives_for_no_second() {
    let server = short_of_the_clients().await;
    let browser = Browser::of(&server);
    server.wait(Duration::from_millis(300)).await;
    let mut body = take(&server, &browser, "openid").await;
    server.wait(minutes(10) - Duration::from_millis(301)).await;
    assert!(goes_on(&server, &mut body).await);
    assert_eq!(body["expires_in"], 1);
    // The login in the browser has its last fraction of a second.
    server.wait(Duration::from_millis(1)).await;
    assert!(!goes_on(&server, &mut body).await);
}

#[tokio::test]
async fn the_consent_page_says_what_is_left_of_the_login() {
    let server = short_of_the_clients().await;
    let browser = Browser::of(&server);
    take(&server, &browser, "openid").await;
    let asks = web_url("openid", &[("prompt", "consent")]);
    for (passed, left) in [
        (1, "10 minutes"),
        (60, "9 minutes"),
        (239, "5 minutes"),
        (200, "100 seconds"),
    ] {
        server.wait(Duration::from_secs(passed)).await;
        let page = browser.follow(&asks).await.text();
        assert!(page.contains(&format!("<dd>{left}. It also ends")), "{page}");
        // It is in use.
        browser.get(&web_url("openid", &[("prompt", "none")])).await;
    }
}

#[tokio::test]
async fn a_logout_ends_what_began_in_a_login_that_has_lapsed() {
    let server = short_of_the_clients().await;
    for confirms in [true, false] {
        let browser = Browser::of(&server);
        let mut body = take(&server, &browser, "openid").await;
        server.wait(minutes(6)).await;
        let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
        assert_eq!(answer(&silent)["error"], "login_required");
        assert!(goes_on(&server, &mut body).await, "the app is in use");
        if confirms {
            // Any site could send the browser here.
            let asked = browser.get("/logout").await;
            assert!(!asked.text().contains(ALICE), "nobody is signed in: {asked:?}");
            let out = browser.submit(&asked, &[("decision", "logout")]).await;
            assert_eq!(out.status, StatusCode::OK, "{out:?}");
        } else {
            let out = format!("/logout?id_token_hint={}&{BYE}", text(&body, "id_token"));
            let back = browser.get(&out).await;
            assert_eq!(back.header("location"), "https://web.example.com/bye", "{back:?}");
        }
        assert!(browser.cookie("__Host-session").is_none());
        assert!(!goes_on(&server, &mut body).await);
    }
}

#[tokio::test]
async fn lo_04_the_next_login_takes_the_place_of_one_that_has_lapsed() {
    let server = short_of_the_clients().await;
    let browser = Browser::of(&server);
    let mut alices = take(&server, &browser, "openid").await;
    server.wait(minutes(6)).await;
    // Alice again: what began before hangs on this login.
    take(&server, &browser, "openid").await;
    assert!(goes_on(&server, &mut alices).await);
    browser
        .submit(&browser.get("/logout").await, &[("decision", "logout")])
        .await;
    assert!(!goes_on(&server, &mut alices).await);
    // Somebody else: she is signed out.
    let mut alices = take(&server, &browser, "openid").await;
    server.wait(minutes(6)).await;
    browser
        .submit(&browser.follow(&web_url("openid", &[])).await, &BOB)
        .await;
    assert!(!goes_on(&server, &mut alices).await);
}

#[tokio::test]
async fn lo_04_a_login_whose_answer_was_lost_ends_with_the_next_one_and_with_a_logout() {
    let server = short_of_the_clients().await;
    for comes_again in [true, false] {
        let browser = Browser::of(&server);
        let mut body = take(&server, &browser, "openid").await;
        let page = browser.follow(&web_url("openid", &[("prompt", "login")])).await;
        browser.submit_in_vain(&page, &AS_ALICE).await;
        let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
        assert_eq!(answer(&silent)["error"], "login_required", "it opens nothing");
        if comes_again {
            browser
                .log_in(&browser.follow(&web_url("openid", &[])).await)
                .await;
        }
        assert!(goes_on(&server, &mut body).await);
        let asked = browser.get("/logout").await;
        browser.submit(&asked, &[("decision", "logout")]).await;
        assert!(!goes_on(&server, &mut body).await, "{comes_again}");
    }
}

#[tokio::test]
async fn ck_02_an_old_name_of_the_browser_ends_nothing_of_the_login_that_is_in_use() {
    let server = short_of_the_clients().await;
    let (browser, other) = (Browser::of(&server), Browser::of(&server));
    take(&server, &browser, "openid").await;
    let copied = browser.cookie("__Host-session").unwrap();
    let again = browser.follow(&web_url("openid", &[("prompt", "login")])).await;
    let again = browser.log_in(&again).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    // The browser has the answer, and comes with it.
    let mut body = take(&server, &browser, "openid").await;
    for as_bob in [false, true] {
        other.set_cookie("__Host-session", &copied);
        if as_bob {
            let page = other.follow(&web_url("openid", &[])).await;
            other.submit(&page, &BOB).await;
        } else {
            let page = other.get("/logout").await;
            assert!(!page.text().contains("<form"), "{page:?}");
        }
        assert!(goes_on(&server, &mut body).await, "{as_bob}");
        let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
        assert!(answer(&silent).contains_key("code"), "{silent:?}");
    }
}
