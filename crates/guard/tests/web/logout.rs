//! Logging out: only by a form of ours, and then everywhere.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};

use crate::browser::{App, Browser, OWN_FORM, PAGE};
use crate::issuer::LIFE;

#[tokio::test]
async fn lo_04_a_logout_gives_the_token_back_clears_the_cookies_and_goes_on_to_the_issuer() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let kept = browser.clone();
    let proof = browser.proof(&app).await;
    let answer = browser
        .post(&app, "/auth/logout", &format!("_csrf={proof}"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let to = url::Url::parse(answer.location()).unwrap();
    assert!(
        answer
            .location()
            .starts_with(&format!("{}/logout?", app.issuer.url)),
        "{to}"
    );
    let query: Vec<_> = to.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(query, ["client_id", "post_logout_redirect_uri", "id_token_hint"]);
    assert!(browser.cookies.is_empty());
    assert_eq!(*app.issuer.inside.revoked.lock().unwrap(), ["rt.0"]);
    // CK-07: whoever has kept the cookies is refused at once, and when the access token has run out, without a question.
    for _ in 0..2 {
        assert_eq!(
            kept.clone().open(&app, "/notes").await.status,
            StatusCode::SEE_OTHER
        );
        app.issuer.clock.wait(LIFE + 1);
    }
}

#[tokio::test]
async fn lo_02_another_site_logs_nobody_out() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let proof = browser.proof(&app).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (headers, body) in [
        (
            vec![form, ("origin", "https://evil.test")],
            format!("_csrf={proof}"),
        ),
        (
            vec![form, ("sec-fetch-site", "cross-site")],
            format!("_csrf={proof}"),
        ),
        (OWN_FORM.to_vec(), String::new()),
    ] {
        let answer = browser
            .send(&app, (Method::POST, "/auth/logout"), &headers, &body)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let answer = browser.send(&app, (Method::GET, "/auth/logout"), PAGE, "").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::OK);
    assert!(app.issuer.inside.revoked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_logout_while_the_issuer_is_down_still_clears_the_cookies() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let proof = browser.proof(&app).await;
    app.issuer.inside.down.store(true, Ordering::SeqCst);
    let answer = browser
        .post(&app, "/auth/logout", &format!("_csrf={proof}"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn a_request_that_is_under_way_during_the_logout_does_not_log_in_again() {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let proof = browser.proof(&app).await;
    app.issuer.clock.wait(LIFE + 1);
    app.issuer.inside.gate.forget_permits(usize::MAX);
    let slow = tokio::spawn({
        let (app, browser) = (app.clone(), browser.clone());
        async move { browser.ask(&app, (Method::GET, "/notes"), PAGE, "").await }
    });
    while app.issuer.refreshed() == 0 {
        tokio::task::yield_now().await;
    }
    let leaving = tokio::spawn({
        let (app, mut browser) = (app.clone(), browser.clone());
        async move {
            browser
                .post(&app, "/auth/logout", &format!("_csrf={proof}"))
                .await
                .status
        }
    });
    app.issuer.inside.gate.add_permits(100);
    assert_eq!(leaving.await.unwrap(), StatusCode::SEE_OTHER);
    let answer = slow.await.unwrap();
    browser.take(&answer);
    app.issuer.clock.wait(LIFE + 1);
    assert_eq!(browser.open(&app, "/notes").await.status, StatusCode::SEE_OTHER);
    assert_eq!(*app.issuer.inside.revoked.lock().unwrap(), ["rt.1"]);
}

#[tokio::test]
async fn an_id_token_that_does_not_fit_beside_the_refresh_token_is_left_out_and_the_issuer_asks() {
    let app = App::start().await;
    app.issuer.inside.id_padding.store(3_000, Ordering::SeqCst);
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let proof = browser.proof(&app).await;
    let answer = browser
        .post(&app, "/auth/logout", &format!("_csrf={proof}"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(
        answer.location().contains("/logout?client_id=notes&"),
        "{}",
        answer.location()
    );
    assert!(
        !answer.location().contains("id_token_hint"),
        "{}",
        answer.location()
    );
}

#[tokio::test]
async fn whoever_is_not_logged_in_is_just_sent_on() {
    let app = App::start().await;
    let answer = Browser::default().post(&app, "/auth/logout", "").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"));
}
