//! What comes with a refresh is of the login that the session is of, or the session ends.

use std::sync::atomic::Ordering;

use carnet_client::seal::Keys;
use carnet_jose::base64url;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{App, Browser, ORIGIN, PAGE};
use crate::issuer::LIFE;

const REFRESH: &str = "__Host-app_refresh";

/// The browser of a new login, and the `nonce` of it.
async fn logged_in(app: &App) -> (Browser, String) {
    let mut browser = Browser::default();
    let begun = browser.open(app, "/auth/login").await;
    let url = url::Url::parse(begun.location()).unwrap();
    let nonce = url.query_pairs().find(|(name, _)| name == "nonce").unwrap().1;
    let back = app.issuer.allow(begun.location());
    let ended = browser.open(app, &format!("/auth/callback?{back}")).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
    (browser, nonce.into_owned())
}

/// Waits until something was given back.
async fn given_back(app: &App) -> Vec<String> {
    loop {
        let revoked = app.issuer.inside.revoked.lock().unwrap().clone();
        if !revoked.is_empty() {
            return revoked;
        }
        tokio::task::yield_now().await;
    }
}

/// What the logout tells the issuer of the login.
async fn id_token_hint(app: &App, browser: &mut Browser) -> Value {
    let proof = browser.proof(app).await;
    let answer = browser.post(app, "/auth/logout", &format!("_csrf={proof}")).await;
    let url = url::Url::parse(answer.location()).unwrap();
    let hint = url.query_pairs().find(|(name, _)| name == "id_token_hint");
    let hint = hint.unwrap().1;
    let payload = hint.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refresh_that_is_answered_with_another_logins_tokens_ends_the_session_and_gives_them_back() {
    for (what, access, id, strange) in [
        (
            "the access token of another user",
            json!({ "sub": "mallory" }),
            None,
            false,
        ),
        (
            "the ID token of another user",
            json!({}),
            Some(json!({ "sub": "mallory" })),
            false,
        ),
        (
            "of another user, beside what is not accepted",
            json!({}),
            Some(json!({ "sub": "mallory" })),
            true,
        ),
        (
            "of another login",
            json!({}),
            Some(json!({ "nonce": "another" })),
            false,
        ),
        (
            "for another client",
            json!({}),
            Some(json!({ "aud": "other" })),
            false,
        ),
        (
            "of another issuer",
            json!({}),
            Some(json!({ "iss": "https://evil.test" })),
            false,
        ),
    ] {
        let app = App::start().await;
        let (mut browser, _) = logged_in(&app).await;
        let kept = browser.clone();
        *app.issuer.inside.login.lock().unwrap() = access;
        *app.issuer.inside.id_again.lock().unwrap() = id;
        app.issuer.inside.strange.store(strange, Ordering::SeqCst);
        // Due, and the old access token would still do.
        app.issuer.clock.wait(LIFE - 5);
        let answer = browser.open(&app, "/notes").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}: {}", answer.body);
        assert!(browser.cookies.is_empty(), "{what}");
        assert_eq!(given_back(&app).await, ["rt.1"], "{what}");
        let answer = kept.clone().open(&app, "/notes").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
        assert_eq!(app.issuer.refreshed(), 1, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_is_remembered_is_looked_at_as_well() {
    let app = App::start().await;
    // The pretended issuer has one refresh token for both.
    let (mut one, nonce) = logged_in(&app).await;
    let (mut other, _) = logged_in(&app).await;
    *app.issuer.inside.id_again.lock().unwrap() = Some(json!({ "nonce": nonce }));
    app.issuer.clock.wait(LIFE + 1);
    assert_eq!(one.open(&app, "/notes").await.status, StatusCode::OK);
    let answer = other.open(&app, "/notes").await;
    assert_eq!(
        (answer.status, app.issuer.refreshed()),
        (StatusCode::SEE_OTHER, 1)
    );
    assert!(other.cookies.is_empty());
    assert_eq!(given_back(&app).await, ["rt.1"]);
}

#[tokio::test]
async fn an_id_token_of_a_refresh_takes_the_place_of_the_one_before_when_it_can_be_believed() {
    for (more, hint) in [
        (json!({ "again": true }), json!(true)),
        (json!({ "again": true, "exp": 1_700_000_000 }), Value::Null),
    ] {
        let app = App::start().await;
        let (mut browser, nonce) = logged_in(&app).await;
        *app.issuer.inside.id_again.lock().unwrap() = Some(more);
        app.issuer.clock.wait(LIFE + 1);
        let said = id_token_hint(&app, &mut browser).await;
        assert_eq!(app.issuer.refreshed(), 1);
        assert_eq!(said["again"], hint);
        assert_eq!(said["nonce"] == json!(nonce), hint.is_null());
    }
}

#[tokio::test]
async fn a_session_from_before_it_was_kept_whose_it_is_goes_on() {
    let app = App::start().await;
    let (mut browser, _) = logged_in(&app).await;
    let keys = Keys::new(&[b"a:secret".to_vec()], &[ORIGIN, "notes"]).unwrap();
    let mut cookie: Value = keys.open("refresh", &browser.cookies[REFRESH]).unwrap();
    assert_eq!(cookie["whose"]["sub"], "alice");
    cookie.as_object_mut().unwrap().remove("whose");
    let sealed = keys.seal("refresh", &cookie).unwrap();
    browser.cookies.insert(REFRESH.to_owned(), sealed);
    *app.issuer.inside.id_again.lock().unwrap() = Some(json!({ "again": true }));
    for _ in 0..2 {
        app.issuer.clock.wait(LIFE + 1);
        let answer = browser.ask(&app, (Method::GET, "/notes"), PAGE, "").await;
        assert_eq!(answer.status, StatusCode::OK);
        browser.take(&answer);
    }
    assert_eq!(app.issuer.refreshed(), 2);
}
