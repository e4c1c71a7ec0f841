//! Logging in: what the browser is given, and what is no login of its own.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};

use crate::browser::{App, Browser, SCRIPT};
use crate::issuer::{Frozen, Issuer};

const ACCESS: &str = "__Host-app_access";
const REFRESH: &str = "__Host-app_refresh";

#[tokio::test]
async fn ck_01_both_tokens_are_in_cookies_that_no_script_reads_and_no_other_site_uses() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let begun = browser.open(&app, "/auth/login").await;
    let back = app.issuer.allow(begun.location());
    let ended = browser.open(&app, &format!("/auth/callback?{back}")).await;
    let lines = ended.set_cookies();
    for name in [ACCESS, REFRESH] {
        let line = lines
            .iter()
            .find(|line| line.starts_with(&format!("{name}=")))
            .unwrap();
        let attributes: Vec<_> = line.split("; ").skip(1).collect();
        for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Strict"] {
            assert!(attributes.contains(&attribute), "{line}");
        }
        assert!(!line.contains("Domain"), "{line}");
        // Sealed: whoever sees a cookie has no token for another place.
        assert!(
            !line.contains("rt.0") && !line.contains("eyJ0eXAi") && !line.contains("eyJhbGci"),
            "{line}"
        );
    }
    assert!(begun.set_cookies()[0].contains("; HttpOnly; Secure; SameSite=Lax"));
    assert_eq!(
        browser.cookies.len(),
        2,
        "the cookie of the login is gone: {:?}",
        browser.cookies.keys()
    );
    assert_eq!(ended.headers["cache-control"], "no-store");
    assert!(browser.open(&app, "/notes").await.body.starts_with("alice "));
}

#[tokio::test]
async fn whoever_opens_a_page_is_sent_to_the_login_and_comes_back_to_it() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let away = browser.open(&app, "/notes?page=2").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER);
    assert_eq!(away.location(), "/auth/login?return_to=%2Fnotes%3Fpage%3D2");
    let begun = browser
        .open(&app, "/auth/login?return_to=%2Fnotes%3Fpage%3D2")
        .await;
    let back = app.issuer.allow(begun.location());
    let ended = browser.open(&app, &format!("/auth/callback?{back}")).await;
    assert!(ended.body.contains("url=/notes?page=2"), "{}", ended.body);
}

#[tokio::test]
async fn a_script_without_a_login_gets_401_and_no_redirect() {
    let app = App::start().await;
    let answer = Browser::default()
        .send(&app, (Method::GET, "/notes"), SCRIPT, "")
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNAUTHORIZED, "session_missing")
    );
}

#[tokio::test]
async fn a_page_for_all_knows_who_is_there_and_a_page_without_a_layer_is_an_error() {
    let app = App::start().await;
    let mut browser = Browser::default();
    assert_eq!(browser.open(&app, "/").await.body, "nobody");
    browser.log_in(&app).await;
    assert_eq!(browser.open(&app, "/").await.body, "alice");
    assert_eq!(
        browser.open(&app, "/uncovered").await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn ck_04_an_answer_to_a_login_that_this_browser_did_not_begin_logs_nobody_in() {
    let app = App::start().await;
    let mut thief = Browser::default();
    let begun = thief.open(&app, "/auth/login").await;
    let back = app.issuer.allow(begun.location());
    let callback = format!("/auth/callback?{back}");
    let mut victim = Browser::default();
    assert_eq!(victim.open(&app, &callback).await.status, StatusCode::BAD_REQUEST);
    // One of its own under way does not help.
    victim.open(&app, "/auth/login").await;
    let answer = victim.open(&app, &callback).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!victim.cookies.contains_key(REFRESH));
    // A cookie moved to the other's name opens nothing either.
    let (_, stolen) = victim.cookies.pop_first().unwrap();
    let state = back.split("state=").nth(1).unwrap();
    victim
        .cookies
        .insert(format!("__Host-app_login_{}", &state[..8]), stolen);
    assert_eq!(victim.open(&app, &callback).await.status, StatusCode::BAD_REQUEST);
    for query in ["", "code=x", "state=x", "code=x&state="] {
        let answer = victim.open(&app, &format!("/auth/callback?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn an_answer_of_another_server_or_for_another_login_is_refused() {
    let app = App::start().await;
    for change in ["iss", "no iss", "old", "nonce", "audience"] {
        let mut browser = Browser::default();
        let begun = browser.open(&app, "/auth/login").await;
        let mut back = app.issuer.allow(begun.location());
        match change {
            "iss" => back = back.replace(&app.issuer.url, "https://evil.test"),
            "no iss" => back = back.split("&iss=").next().unwrap().to_owned(),
            "old" => app.issuer.clock.wait(601),
            "nonce" => *app.issuer.inside.nonce.lock().unwrap() = Some("another".to_owned()),
            _ => {
                *app.issuer.inside.nonce.lock().unwrap() = None;
                app.issuer.inside.strange.store(true, Ordering::SeqCst);
            }
        }
        let answer = browser.open(&app, &format!("/auth/callback?{back}")).await;
        assert!(
            answer.status.is_client_error() || answer.status == StatusCode::BAD_GATEWAY,
            "{change}"
        );
        assert!(!browser.cookies.contains_key(REFRESH), "{change}");
    }
}

#[tokio::test]
async fn ck_02_a_login_makes_a_new_session_and_gives_the_old_one_back() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let (proof, old) = (browser.proof(&app).await, browser.clone());
    browser.log_in(&app).await;
    let answer = browser.post(&app, "/notes", &format!("_csrf={proof}")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "a form of the old session");
    let answer = old.clone().open(&app, "/notes").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "its cookies");
    while app.issuer.inside.revoked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn ck_02_a_login_that_another_site_begins_ends_the_session_that_its_link_does_not_show() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let old = browser.clone();
    let from_outside = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    let begun = Browser::default()
        .send(
            &app,
            (Method::GET, "/auth/login?return_to=/notes"),
            &from_outside,
            "",
        )
        .await;
    assert_eq!((begun.status, begun.set_cookies().len()), (StatusCode::OK, 0));
    assert!(
        begun.body.contains("0;url=?return_to=%2Fnotes&amp;here=1"),
        "{}",
        begun.body
    );
    let to = browser
        .log_in_at(&app, "/auth/login?return_to=%2Fnotes&here=1")
        .await;
    assert_eq!(to, "/notes");
    let answer = old.clone().open(&app, "/notes").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "its cookies");
    // Where there was none, the page is not shown again and again.
    let login = (Method::GET, "/auth/login?here=1");
    let begun = Browser::default().send(&app, login, &from_outside, "").await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn ck_02_the_old_session_ends_also_when_its_strict_cookies_stay_behind_on_the_way_from_the_issuer() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let old = browser.clone();
    let begun = browser.open(&app, "/auth/login").await;
    let back = app.issuer.allow(begun.location());
    // Nothing has ended before the login is good.
    assert_eq!(old.clone().open(&app, "/notes").await.status, StatusCode::OK);
    let callback = format!("/auth/callback?{back}");
    let from_issuer = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("accept", "text/html"),
    ];
    browser
        .cookies
        .retain(|name, _| ![ACCESS, REFRESH].contains(&name.as_str()));
    let ended = browser
        .send(&app, (Method::GET, &callback), &from_issuer, "")
        .await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    let answer = old.clone().open(&app, "/notes").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "its cookies");
    while app.issuer.inside.revoked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*app.issuer.inside.revoked.lock().unwrap(), ["rt.0"]);
}

#[tokio::test]
async fn a_cookie_that_somebody_made_up_or_changed_is_nobody() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let good = browser.cookies.clone();
    for (name, value) in [
        (REFRESH, "made-up".to_owned()),
        (REFRESH, good[ACCESS].clone()),
        (REFRESH, format!("{}A", good[REFRESH])),
    ] {
        let mut forged = browser.clone();
        forged.cookies.insert(name.to_owned(), value);
        assert_eq!(forged.open(&app, "/notes").await.status, StatusCode::SEE_OTHER);
    }
    let other = App::of(&app.issuer, |web| web).await;
    assert_eq!(
        browser.open(&other, "/notes").await.status,
        StatusCode::OK,
        "the same app in another process"
    );
    let other = App::of(&app.issuer, |web| web.client_secret("notes", "another")).await;
    assert_eq!(
        browser.open(&other, "/notes").await.status,
        StatusCode::SEE_OTHER,
        "an app with another key"
    );
}

#[tokio::test]
async fn an_access_token_of_another_login_is_not_taken_beside_this_refresh_token() {
    let app = App::start().await;
    let (mut one, mut other) = (Browser::default(), Browser::default());
    one.log_in(&app).await;
    other.log_in(&app).await;
    one.cookies
        .insert(ACCESS.to_owned(), other.cookies[ACCESS].clone());
    assert_eq!(one.open(&app, "/notes").await.status, StatusCode::OK);
    assert_eq!(app.issuer.refreshed(), 1, "it asked for its own");
}

#[tokio::test]
async fn logins_that_nobody_finishes_leave_three_cookies_at_most() {
    let app = App::start().await;
    let mut browser = Browser::default();
    for _ in 0..6 {
        browser.open(&app, "/auth/login").await;
    }
    assert_eq!(browser.cookies.len(), 3);
}

#[tokio::test]
async fn a_token_that_is_too_large_for_a_cookie_is_an_error_and_no_login() {
    let app = App::start().await;
    app.issuer.inside.padding.store(3_500, Ordering::SeqCst);
    let mut browser = Browser::default();
    let begun = browser.open(&app, "/auth/login").await;
    let back = app.issuer.allow(begun.location());
    let ended = browser.open(&app, &format!("/auth/callback?{back}")).await;
    assert_eq!(ended.status, StatusCode::BAD_GATEWAY);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies.keys());
}

#[tokio::test]
async fn while_the_issuer_is_down_a_login_is_503_and_begins_when_it_is_back() {
    let issuer = Issuer::start().await;
    issuer.inside.down.store(true, Ordering::SeqCst);
    let app = App::of(&issuer, |web| web).await;
    let mut browser = Browser::default();
    let answer = browser.open(&app, "/auth/login").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "5");
    issuer.inside.down.store(false, Ordering::SeqCst);
    wait(&issuer.clock);
    browser.log_in(&app).await;
}

fn wait(clock: &Frozen) {
    clock.wait(40);
}

#[tokio::test]
async fn a_link_from_outside_asks_for_a_click_when_strict_and_is_followed_when_lax() {
    let strict = App::start().await;
    let outside = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("accept", "text/html"),
    ];
    // What a browser does with strict cookies: it does not send them.
    let answer = Browser::default()
        .send(&strict, (Method::GET, "/notes?a=1&b=2"), &outside, "")
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.body.contains("href=\"/notes?a=1&amp;b=2\""),
        "{}",
        answer.body
    );
    assert!(answer.set_cookies().is_empty());

    let lax = App::of(&strict.issuer, |web| web.links_from_outside()).await;
    let away = Browser::default()
        .send(&lax, (Method::GET, "/notes"), &outside, "")
        .await;
    assert_eq!(away.status, StatusCode::SEE_OTHER);
    let mut browser = Browser::default();
    let begun = browser.open(&lax, "/auth/login?return_to=/notes").await;
    let back = lax.issuer.allow(begun.location());
    let ended = browser.open(&lax, &format!("/auth/callback?{back}")).await;
    assert_eq!(
        (ended.status, ended.location()),
        (StatusCode::SEE_OTHER, "/notes")
    );
    let lines = ended.set_cookies();
    assert!(
        lines.iter().all(|line| line.contains("SameSite=Lax")),
        "{lines:?}"
    );
    let answer = browser.send(&lax, (Method::GET, "/notes"), &outside, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        browser.open(&lax, "/notes").await.headers["cache-control"],
        "private, no-store"
    );
}

#[tokio::test]
async fn without_the_keys_of_the_issuer_no_code_is_spent() {
    let app = App::start().await;
    app.issuer.inside.keyless.store(true, Ordering::SeqCst);
    let mut browser = Browser::default();
    let begun = browser.open(&app, "/auth/login").await;
    let back = app.issuer.allow(begun.location());
    let back = format!("/auth/callback?{back}");
    let told = browser.open(&app, &back).await;
    assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE);
    app.issuer.inside.keyless.store(false, Ordering::SeqCst);
    app.issuer.clock.wait(60);
    // The same address, once more.
    assert_eq!(browser.open(&app, &back).await.status, StatusCode::OK);
    assert!(browser.open(&app, "/notes").await.body.starts_with("alice "));
}
