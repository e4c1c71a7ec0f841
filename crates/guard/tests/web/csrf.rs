//! What changes something needs proof, and its body reaches the handler whole.

use http::{Method, StatusCode};

use crate::browser::{App, Browser, ORIGIN, OWN_FORM, SCRIPT};
use crate::issuer::LIFE;

async fn logged_in() -> (App, Browser, String) {
    let app = App::start().await;
    let mut browser = Browser::default();
    browser.log_in(&app).await;
    let proof = browser.proof(&app).await;
    (app, browser, proof)
}

#[tokio::test]
async fn a_form_with_its_proof_arrives_whole() {
    let (app, mut browser, proof) = logged_in().await;
    let body = format!("text=one+two&_csrf={proof}&more=3");
    let answer = browser.post(&app, "/notes", &body).await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::OK, format!("alice wrote {body}"))
    );
    let script = [
        SCRIPT,
        &[
            ("x-csrf-token", proof.as_str()),
            ("content-type", "application/json"),
        ],
    ]
    .concat();
    let answer = browser
        .send(&app, (Method::POST, "/notes"), &script, "{\"a\":1}")
        .await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (StatusCode::OK, "alice wrote {\"a\":1}")
    );
}

#[tokio::test]
async fn ck_05_without_proof_or_from_elsewhere_nothing_is_changed() {
    let (app, mut browser, proof) = logged_in().await;
    let mut bob = Browser::default();
    bob.log_in(&app).await;
    let of_bob = bob.proof(&app).await;
    let good = format!("_csrf={proof}");
    let tampered = format!("_csrf={proof}A");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let own = ("origin", ORIGIN);
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[form, own], ""),
        (&[form, own], "_csrf="),
        (&[form, own], "_csrf=x.y"),
        (&[form, own], &tampered),
        (&[form, own], &format!("_csrf={of_bob}")),
        (&[("content-type", "text/plain"), own], &good),
        (&[own], &good),
        (&[form, ("origin", "https://evil.test")], &good),
        (&[form, ("origin", "null")], &good),
        (&[form, own, ("sec-fetch-site", "cross-site")], &good),
        (&[form, own, ("sec-fetch-site", "same-site")], &good),
        (&[form, own, ("x-csrf-token", "wrong")], &good),
        (
            &[form, own, ("x-csrf-token", &proof), ("x-csrf-token", &proof)],
            "",
        ),
        (&[form, own, ("x-http-method-override", "GET")], ""),
    ];
    for (headers, body) in cases {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = browser.send(&app, (method, "/notes"), headers, body).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::FORBIDDEN, "csrf"),
                "{headers:?} {body}"
            );
        }
    }
    assert_eq!(app.posted(), 0);
    let answer = browser.post(&app, "/notes?_method=DELETE", "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.body.contains("load the page again"),
        "a person is told so in words: {}",
        answer.body
    );
}

#[tokio::test]
async fn a_refused_form_renews_nothing() {
    let (app, browser, _) = logged_in().await;
    app.issuer.clock.wait(LIFE + 1);
    let answer = browser
        .ask(&app, (Method::POST, "/notes"), OWN_FORM, "text=x")
        .await;
    assert_eq!(
        (answer.status, app.issuer.refreshed()),
        (StatusCode::FORBIDDEN, 0)
    );
}

#[tokio::test]
async fn a_form_that_was_loaded_before_the_expiry_is_good_after_it() {
    let (app, mut browser, proof) = logged_in().await;
    app.issuer.clock.wait(LIFE + 1);
    let answer = browser
        .post(&app, "/notes", &format!("_csrf={proof}&text=x"))
        .await;
    assert_eq!(
        (answer.status, app.posted(), app.issuer.refreshed()),
        (StatusCode::OK, 1, 1)
    );
}

#[tokio::test]
async fn each_page_has_another_proof_and_all_of_them_are_good() {
    let (app, mut browser, one) = logged_in().await;
    let other = browser.proof(&app).await;
    assert_ne!(one, other);
    for proof in [one, other] {
        let answer = browser.post(&app, "/notes", &format!("_csrf={proof}")).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}
