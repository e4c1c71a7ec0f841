//! Pages that want another login than the one there is, and pages that are not permitted.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};

use crate::browser::{App, Browser, OWN_FORM, SCRIPT};
use crate::issuer::Issuer;

async fn logged_in(app: &App) -> Browser {
    let mut browser = Browser::default();
    browser.log_in(app).await;
    browser
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse("https://notes.test").unwrap().join(url).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_page_that_wants_a_fresher_login_leads_to_one_and_back() {
    let app = App::start().await;
    let mut browser = logged_in(&app).await;
    assert_eq!(browser.open(&app, "/fresh").await.body, "fresh");
    app.issuer.clock.wait(301);
    let away = browser.open(&app, "/fresh?a=1&b=2").await;
    assert_eq!(
        (away.status, away.location()),
        (
            StatusCode::SEE_OTHER,
            "/auth/login?return_to=%2Ffresh%3Fa%3D1%26b%3D2&max_age=300"
        )
    );
    let to_issuer = browser.open(&app, away.location()).await;
    assert_eq!(parameter(to_issuer.location(), "max_age").as_deref(), Some("300"));
    assert_eq!(browser.log_in_at(&app, away.location()).await, "/fresh?a=1&b=2");
    assert_eq!(browser.open(&app, "/fresh?a=1&b=2").await.body, "fresh");
    // And so it goes on: a login of long ago was asked for this as well.
    app.issuer.clock.wait(301);
    assert_eq!(browser.open(&app, "/fresh").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_page_that_wants_a_stronger_login_asks_for_it_and_for_no_other() {
    let app = App::start().await;
    let mut browser = logged_in(&app).await;
    let away = browser.open(&app, "/strong").await;
    assert_eq!(
        away.location(),
        "/auth/login?return_to=%2Fstrong&acr_values=mfa+phr"
    );
    let to_issuer = browser.open(&app, away.location()).await;
    assert_eq!(
        parameter(to_issuer.location(), "acr_values").as_deref(),
        Some("mfa phr")
    );
    let login = "/auth/login?return_to=/strong&acr_values=mfa";
    assert_eq!(browser.log_in_at(&app, login).await, "/strong");
    assert_eq!(browser.open(&app, "/strong").await.body, "strong");
    app.issuer.clock.wait(301);
    let away = browser.open(&app, "/strong").await;
    assert_eq!(away.location(), "/auth/login?return_to=%2Fstrong&max_age=300");
    // A page for everybody asks it of who is there, and of nobody else.
    let away = browser.open(&app, "/perhaps").await;
    assert_eq!(away.location(), "/auth/login?return_to=%2Fperhaps&max_age=300");
    assert_eq!(Browser::default().open(&app, "/perhaps").await.body, "nobody");
}

#[tokio::test]
async fn a_new_login_that_does_not_do_either_leads_to_a_page_and_not_round_in_circles() {
    let issuer = Issuer::start().await;
    issuer.inside.dull.store(true, Ordering::SeqCst);
    let app = App::of(&issuer, |web| web).await;
    let mut browser = logged_in(&app).await;
    for path in ["/fresh", "/strong"] {
        let away = browser.open(&app, path).await;
        assert_eq!(away.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(browser.log_in_at(&app, away.location()).await, path);
        for _ in 0..2 {
            let page = browser.open(&app, path).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
            assert!(
                page.headers["content-type"]
                    .to_str()
                    .unwrap()
                    .starts_with("text/html")
            );
            assert!(page.body.contains("You have just logged in"), "{}", page.body);
            let again = away.location().replace('&', "&amp;");
            assert!(page.body.contains(&again), "and a way on: {}", page.body);
        }
    }
    // What was asked for stays known when the tokens are renewed; later it may be tried again.
    issuer.clock.wait(200);
    assert_eq!(browser.open(&app, "/strong").await.status, StatusCode::FORBIDDEN);
    issuer.clock.wait(101);
    assert_eq!(browser.open(&app, "/strong").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_login_was_asked_for_the_same_in_whatever_order_it_names_the_ways() {
    let issuer = Issuer::start().await;
    issuer.inside.dull.store(true, Ordering::SeqCst);
    let app = App::of(&issuer, |web| web).await;
    let mut browser = logged_in(&app).await;
    for (acr_values, status) in [
        ("phr+mfa", StatusCode::FORBIDDEN),
        ("mfa+phr+mfa", StatusCode::FORBIDDEN),
        ("phr", StatusCode::SEE_OTHER),
        ("mfa+phr+pwd", StatusCode::SEE_OTHER),
    ] {
        let login = format!("/auth/login?return_to=/strong&max_age=300&acr_values={acr_values}");
        assert_eq!(browser.log_in_at(&app, &login).await, "/strong");
        let answer = browser.open(&app, "/strong").await;
        assert_eq!(answer.status, status, "{acr_values}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_a_page_for_people_and_what_it_was_for_scripts() {
    let app = App::start().await;
    let mut browser = logged_in(&app).await;
    for path in ["/publish", "/owner"] {
        let page = browser.open(&app, path).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(
            page.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        assert!(page.body.contains("does not permit this"), "{}", page.body);
        assert!(!page.headers.contains_key("www-authenticate"));
        let answer = browser.ask(&app, (Method::GET, path), SCRIPT, "").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::FORBIDDEN, "insufficient_scope")
        );
    }
}

#[tokio::test]
async fn scripts_are_told_what_would_do_and_are_sent_nowhere() {
    let app = App::start().await;
    let browser = logged_in(&app).await;
    app.issuer.clock.wait(301);
    let answer = browser.ask(&app, (Method::GET, "/fresh"), SCRIPT, "").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNAUTHORIZED, "insufficient_user_authentication")
    );
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("max_age=\"300\""), "{challenge}");
}

#[tokio::test]
async fn a_form_is_not_sent_again_and_its_sender_is_told_so() {
    let app = App::start().await;
    let mut browser = logged_in(&app).await;
    let proof = browser.proof(&app).await;
    app.issuer.clock.wait(301);
    for (path, text) in [
        ("/fresh", "/auth/login?max_age=300"),
        ("/publish", "does not permit this"),
    ] {
        let body = format!("_csrf={proof}");
        let answer = browser.send(&app, (Method::POST, path), OWN_FORM, &body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains("was not saved"), "{}", answer.body);
        assert!(answer.body.contains(text), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_link_to_the_login_may_say_what_the_login_is_to_be() {
    let app = App::start().await;
    let mut browser = Browser::default();
    let wishes = "max_age=0&prompt=login&acr_values=mfa&login_hint=zo%C3%AB%40a.test&ui_locales=de+fr";
    let begun = browser
        .open(
            &app,
            &format!("/auth/login?return_to=/fresh&{wishes}&claims=x&scope=admin"),
        )
        .await;
    for (name, value) in [
        ("max_age", Some("0")),
        ("prompt", Some("login")),
        ("acr_values", Some("mfa")),
        ("login_hint", Some("zoë@a.test")),
        ("ui_locales", Some("de fr")),
        ("scope", Some("openid read:notes")),
        ("claims", None),
    ] {
        let found = parameter(begun.location(), name);
        assert_eq!(found.as_deref(), value, "{}", begun.location());
    }
    for wrong in [
        "prompt=sometimes",
        "max_age=-1",
        "prompt=login&prompt=none",
        "login_hint=a%0Ab",
    ] {
        let answer = browser.open(&app, &format!("/auth/login?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        let answer = browser
            .ask(&app, (Method::GET, &format!("/auth/login?{wrong}")), SCRIPT, "")
            .await;
        assert_eq!(answer.code(), "login_request_invalid", "{wrong}");
    }
}

#[tokio::test]
async fn a_no_of_the_issuer_is_said_unless_nobody_was_to_see_anything() {
    let app = App::start().await;
    let mut browser = Browser::default();
    for (wish, error, status, text) in [
        ("prompt=none", "login_required", StatusCode::OK, "url=/notes"),
        (
            "acr_values=mfa",
            "unmet_authentication_requirements",
            StatusCode::FORBIDDEN,
            "in the way that is asked for",
        ),
    ] {
        let begun = browser
            .open(&app, &format!("/auth/login?return_to=/notes&{wish}"))
            .await;
        let state = parameter(begun.location(), "state").unwrap();
        let back = format!(
            "/auth/callback?error={error}&state={state}&iss={}",
            app.issuer.url
        );
        let answer = browser.open(&app, &back).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(text), "{}", answer.body);
    }
}
