//! Across the expiry: one refresh however many requests, nobody logged out by an issuer that is down, nothing lost by a browser that hangs up.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};

use crate::browser::{App, Browser, PAGE, SCRIPT};
use crate::issuer::LIFE;

async fn logged_in() -> (App, Browser) {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    (app, browser)
}

#[tokio::test]
async fn a_request_with_an_access_token_that_has_run_out_is_served_with_the_next() {
    let (app, mut browser) = logged_in().await;
    assert!(browser.open(&app, "/notes").await.set_cookies().is_empty());
    let before = browser.cookies.clone();
    app.issuer.clock.wait(LIFE + 1);
    let answer = browser.open(&app, "/notes").await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 2));
    assert_ne!(browser.cookies, before);
    assert!(browser.open(&app, "/notes").await.set_cookies().is_empty());
    assert_eq!(app.issuer.refreshed(), 1);
}

#[tokio::test]
async fn many_requests_at_once_ask_once_and_all_get_the_same_next_token() {
    let (app, browser) = logged_in().await;
    app.issuer.clock.wait(LIFE + 1);
    app.issuer.inside.gate.forget_permits(usize::MAX);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (app, browser) = (app.clone(), browser.clone());
            tokio::spawn(async move { browser.ask(&app, (Method::GET, "/notes"), PAGE, "").await })
        })
        .collect();
    while app.issuer.refreshed() == 0 {
        tokio::task::yield_now().await;
    }
    app.issuer.inside.gate.add_permits(100);
    for asked in asking {
        let answer = asked.await.unwrap();
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 2));
    }
    assert_eq!(app.issuer.refreshed(), 1);
    // And one that was sent before the answer came, and arrives after it.
    let late = browser.ask(&app, (Method::GET, "/notes"), PAGE, "").await;
    assert_eq!((late.status, app.issuer.refreshed()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn two_processes_of_the_app_at_once_log_nobody_out() {
    let (app, browser) = logged_in().await;
    let other = App::of(&app.issuer, |web| web).await;
    app.issuer.clock.wait(LIFE + 1);
    let one = browser.ask(&app, (Method::GET, "/notes"), PAGE, "").await;
    let two = browser.ask(&other, (Method::GET, "/notes"), PAGE, "").await;
    assert_eq!((one.status, two.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(app.issuer.refreshed(), 2);
    // Whichever answer the browser hears last, it goes on, at either process.
    let (mut after_one, mut after_two) = (browser.clone(), browser);
    after_one.take(&one);
    after_two.take(&two);
    app.issuer.clock.wait(LIFE + 1);
    assert_eq!(after_one.open(&other, "/notes").await.status, StatusCode::OK);
    assert_eq!(after_two.open(&app, "/notes").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_new_cookies_are_set_even_when_the_handler_fails() {
    let (app, mut browser) = logged_in().await;
    app.issuer.clock.wait(LIFE + 1);
    let answer = browser.open(&app, "/broken").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.set_cookies().len(), 2);
}

#[tokio::test]
async fn no_cache_may_keep_an_answer_with_new_cookies() {
    let (app, mut browser) = logged_in().await;
    let answer = browser.open(&app, "/cached").await;
    assert_eq!(
        answer.headers["cache-control"], "public, max-age=600",
        "the handler knows"
    );
    app.issuer.clock.wait(LIFE + 1);
    let answer = browser.open(&app, "/cached").await;
    assert_eq!(
        (answer.set_cookies().len(), &answer.headers["cache-control"]),
        (2, &"private, no-store".parse().unwrap())
    );
}

#[tokio::test]
async fn a_browser_that_hangs_up_does_not_lose_its_next_token() {
    let (app, mut browser) = logged_in().await;
    app.issuer.clock.wait(LIFE + 1);
    app.issuer.inside.gate.forget_permits(usize::MAX);
    let asking = tokio::spawn({
        let (app, browser) = (app.clone(), browser.clone());
        async move { browser.ask(&app, (Method::GET, "/notes"), PAGE, "").await.status }
    });
    while app.issuer.refreshed() == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    app.issuer.inside.gate.add_permits(100);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    assert_eq!(app.issuer.refreshed(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_down_logs_nobody_out() {
    let (app, mut browser) = logged_in().await;
    app.issuer.inside.down.store(true, Ordering::SeqCst);
    // Due, but it still lives.
    app.issuer.clock.wait(LIFE - 5);
    let answer = browser.open(&app, "/notes").await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0));
    app.issuer.clock.wait(60);
    for how in [PAGE, SCRIPT] {
        let answer = browser.send(&app, (Method::GET, "/notes"), how, "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["retry-after"], "5");
        assert!(answer.set_cookies().is_empty());
    }
    let home = browser.open(&app, "/").await;
    assert_eq!(
        (home.body.as_str(), home.set_cookies().len()),
        ("nobody", 0),
        "a page for all is still there"
    );
    app.issuer.inside.down.store(false, Ordering::SeqCst);
    app.issuer.clock.wait(4);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_login_that_the_issuer_has_ended_is_over_and_a_form_is_not_lost_in_silence() {
    let (app, browser) = logged_in().await;
    let proof = browser.clone().proof(&app).await;
    app.issuer.inside.ended.store(true, Ordering::SeqCst);
    app.issuer.clock.wait(LIFE + 1);

    let mut page = browser.clone();
    let answer = page.open(&app, "/notes").await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/auth/login?return_to=%2Fnotes")
    );
    assert!(page.cookies.is_empty());

    let mut script = browser.clone();
    let answer = script.send(&app, (Method::GET, "/notes"), SCRIPT, "").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNAUTHORIZED, "session_missing")
    );
    assert!(script.cookies.is_empty());

    let mut form = browser.clone();
    let answer = form.post(&app, "/notes", &format!("_csrf={proof}&text=x")).await;
    assert_eq!((answer.status, app.posted()), (StatusCode::UNAUTHORIZED, 0));
    assert!(answer.body.contains("was not saved"), "{}", answer.body);

    let mut home = browser.clone();
    assert_eq!(home.open(&app, "/").await.body, "nobody");
    assert!(home.cookies.is_empty());
}

#[tokio::test]
async fn an_answer_that_comes_late_does_not_bring_back_what_is_spent() {
    let (app, mut browser) = logged_in().await;
    let slow = browser.clone();
    app.issuer.clock.wait(LIFE + 1);
    browser.open(&app, "/notes").await;
    // Within the minute in which the first answer is remembered, the second is known as well.
    app.issuer.clock.wait(30);
    let answer = slow.ask(&app, (Method::GET, "/notes"), PAGE, "").await;
    assert_eq!((answer.status, app.issuer.refreshed()), (StatusCode::OK, 1));
    let mut late = slow.clone();
    late.take(&answer);
    app.issuer.clock.wait(LIFE + 1);
    assert_eq!(late.open(&app, "/notes").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_that_comes_back_later_is_a_theft_and_ends_the_login() {
    let (app, mut browser) = logged_in().await;
    let stolen = browser.clone();
    for _ in 0..2 {
        app.issuer.clock.wait(LIFE + 1);
        assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    }
    app.issuer.clock.wait(61);
    let answer = stolen.clone().open(&app, "/notes").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    app.issuer.clock.wait(LIFE + 1);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::SEE_OTHER);
}
