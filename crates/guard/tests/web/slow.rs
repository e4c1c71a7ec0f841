//! Answers that take long, to requests that have renewed their session: what the browser has by then is not undone.

use http::{Method, StatusCode};
use tokio::task::JoinHandle;

use crate::browser::{Answer, App, Browser, PAGE};
use crate::issuer::LIFE;

/// A browser whose access token has run out, and a request of it that has got the next.
async fn begun() -> (App, Browser, JoinHandle<Answer>) {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    app.issuer.clock.wait(LIFE + 1);
    let slow = tokio::spawn({
        let (app, browser) = (app.clone(), browser.clone());
        async move { browser.ask(&app, (Method::GET, "/slow"), PAGE, "").await }
    });
    until_refreshed(&app, 1).await;
    (app, browser, slow)
}

async fn until_refreshed(app: &App, times: usize) {
    while app.issuer.refreshed() < times {
        tokio::task::yield_now().await;
    }
    // Other tasks may not have seen the answer yet.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

async fn ended(app: &App, slow: JoinHandle<Answer>) -> Answer {
    app.slow.add_permits(1);
    slow.await.unwrap()
}

async fn log_out(app: &App, browser: &mut Browser) {
    let proof = browser.proof(app).await;
    let out = browser.post(app, "/auth/logout", &format!("_csrf={proof}")).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn what_other_tabs_have_renewed_meanwhile_stays() {
    let (app, mut browser, slow) = begun().await;
    // Another tab goes on, longer than anything is remembered.
    for _ in 0..3 {
        assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
        app.issuer.clock.wait(LIFE + 61);
    }
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    let answer = ended(&app, slow).await;
    assert_eq!(answer.status, StatusCode::OK);
    browser.take(&answer);
    app.issuer.clock.wait(LIFE + 61);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
}

/// A second request of the moment of the renewal has told the browser already: to ask once more would spend what it holds.
#[tokio::test]
async fn what_the_browser_was_told_meanwhile_is_not_spent() {
    let (app, mut browser, slow) = begun().await;
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    assert_eq!(app.issuer.refreshed(), 1);
    app.issuer.clock.wait(30);
    // This answer is lost.
    assert_eq!(ended(&app, slow).await.status, StatusCode::OK);
    app.issuer.clock.wait(LIFE + 61);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    assert_eq!(app.issuer.refreshed(), 2);
}

#[tokio::test]
async fn who_has_logged_out_meanwhile_stays_logged_out() {
    let (app, mut browser, slow) = begun().await;
    log_out(&app, &mut browser).await;
    app.issuer.clock.wait(120);
    let answer = ended(&app, slow).await;
    assert_eq!(
        answer.set_cookies(),
        Vec::<String>::new(),
        "those of another login may be there by now"
    );
}

#[tokio::test]
async fn also_where_another_process_saw_the_logout() {
    let (app, mut browser, slow) = begun().await;
    let other = App::of(&app.issuer, |web| web).await;
    log_out(&other, &mut browser).await;
    app.issuer.clock.wait(6);
    assert_eq!(ended(&app, slow).await.set_cookies(), Vec::<String>::new());
}

/// Its session is over when it begins, on a page for all, and the browser has the next login when it ends.
#[tokio::test]
async fn an_answer_of_an_ended_session_does_not_end_the_next() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let old = browser.clone();
    log_out(&app, &mut browser).await;
    let late = old.ask(&app, (Method::GET, "/"), PAGE, "").await;
    assert_eq!((late.status, late.body.as_str()), (StatusCode::OK, "nobody"));
    assert_eq!(late.set_cookies(), Vec::<String>::new());
}

#[tokio::test]
async fn a_browser_that_does_nothing_else_is_given_its_tokens() {
    for seconds in [30, LIFE + 61] {
        let (app, mut browser, slow) = begun().await;
        app.issuer.clock.wait(seconds);
        browser.take(&ended(&app, slow).await);
        app.issuer.clock.wait(LIFE + 61);
        assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    }
}
