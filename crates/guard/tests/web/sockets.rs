//! What outlives a request: WebSockets, which a page of this app alone opens, and streams, which end with the login.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use carnet_guard::{Issuer as Trusted, Revocations};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::browser::{App, Browser, ORIGIN, OWN_FORM, SCRIPT};
use crate::issuer::{Issuer, LIFE};

type Headers<'h> = &'h [(&'h str, &'h str)];

async fn logged_in(app: &App) -> Browser {
    let mut browser = Browser::default();
    browser.log_in(app).await;
    browser
}

/// What a browser sends when a script opens a WebSocket by HTTP/1.1.
const SOCKET: Headers<'static> = &[
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-fetch-mode", "websocket"),
];

#[tokio::test]
async fn gw_17_a_websocket_opens_from_a_page_of_this_very_origin_alone() {
    let app = App::start().await;
    let browser = logged_in(&app).await;
    let origins = [
        ("https://evil.notes.test", "same-site"),
        ("https://notes.test:444", "same-site"),
        ("http://notes.test", "cross-site"),
        ("https://evil.test", "cross-site"),
        ("https://notes.test.evil.test", "cross-site"),
        ("null", "cross-site"),
        ("null", "same-origin"),
        ("", "same-origin"),
        ("https://evil.test", "same-origin"),
    ];
    for (method, own) in [
        (Method::GET, SOCKET),
        // RFC 8441: by HTTP/2 there is neither an Upgrade nor a key.
        (Method::CONNECT, &[("sec-websocket-version", "13")]),
        // What some servers take for one as well.
        (Method::GET, &[("upgrade", "h2c, WebSocket")]),
        (Method::GET, &[("sec-websocket-key", "x")]),
    ] {
        let ask = async |more: Headers<'_>| {
            let headers = [own, more].concat();
            browser.ask(&app, (method.clone(), "/socket"), &headers, "").await
        };
        let good = ask(&[("origin", ORIGIN), ("sec-fetch-site", "same-origin")]).await;
        // What answers a CONNECT has no body (RFC 9110 §9.3.6).
        let said = if method == Method::CONNECT { "" } else { "alice" };
        assert_eq!(
            (good.status, good.body.as_str()),
            (StatusCode::OK, said),
            "{own:?}"
        );
        for (origin, site) in &origins {
            let answer = ask(&[("origin", origin), ("sec-fetch-site", site)]).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::FORBIDDEN, "csrf"),
                "{method} {origin} {site}"
            );
        }
        assert_eq!(ask(&[]).await.code(), "csrf", "{own:?}");
        let twice = [("origin", ORIGIN), ("origin", ORIGIN)];
        assert_eq!(ask(&twice).await.code(), "csrf", "{own:?}");
    }
    // No header makes a form one that needs no proof.
    let form = [OWN_FORM, SOCKET].concat();
    let answer = browser.ask(&app, (Method::POST, "/socket"), &form, "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    // Nothing else is asked of a page that is only read.
    let cross = [("origin", "https://evil.test"), ("upgrade", "h2c")];
    let answer = browser.ask(&app, (Method::GET, "/socket"), &cross, "").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_websocket_without_a_login_is_401_and_no_redirect() {
    let app = App::start().await;
    let own = [SOCKET, &[("origin", ORIGIN)]].concat();
    let answer = Browser::default()
        .ask(&app, (Method::GET, "/socket"), &own, "")
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNAUTHORIZED, "session_missing")
    );
}

async fn begun(browser: &Browser, app: &App) -> Response {
    let response = browser.begin(app, (Method::GET, "/stream"), SCRIPT, "").await;
    assert_eq!(response.status(), StatusCode::OK);
    response
}

async fn ends(stream: Response<Body>) {
    let end = stream.into_body().collect();
    let end = tokio::time::timeout(Duration::from_secs(20), end).await;
    assert!(end.unwrap().unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn a_stream_ends_with_the_logout_of_its_login_and_with_no_other() {
    let app = App::start().await;
    let (mut browser, mut other) = (logged_in(&app).await, logged_in(&app).await);
    let (stream, mut stays) = (begun(&browser, &app).await, begun(&other, &app).await);
    let proof = browser.proof(&app).await;
    browser
        .post(&app, "/auth/logout", &format!("_csrf={proof}"))
        .await;
    ends(stream).await;
    let frame = futures_util::FutureExt::now_or_never(stays.body_mut().frame());
    assert!(frame.is_none(), "it is another login");
    let proof = other.proof(&app).await;
    let answer = other
        .send(
            &app,
            (Method::POST, "/auth/logout"),
            OWN_FORM,
            &format!("_csrf={proof}"),
        )
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    ends(stays).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_issuer_has_taken_its_token_back() {
    let issuer = Issuer::start().await;
    issuer.takes_back(&json!([]));
    let feed = Revocations::feed(format!("{}/revocations", issuer.url), "notes", "a:secret");
    let trusted = Trusted::discover(&issuer.url).revocations(feed);
    let app = App::by(&issuer, trusted, |web| web).await;
    let browser = logged_in(&app).await;
    let stream = begun(&browser, &app).await;
    let exp = carnet_guard::Clock::since_epoch(&issuer.clock).as_secs() + LIFE;
    issuer.takes_back(&json!([{ "kind": "sub", "value": "alice", "issued_before": exp, "exp": exp }]));
    ends(stream).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_access_token() {
    let app = App::start().await;
    let browser = logged_in(&app).await;
    app.issuer.inside.down.store(true, Ordering::SeqCst);
    app.issuer.clock.wait(LIFE + 1);
    // Within the leeway, and nothing newer can be had.
    ends(begun(&browser, &app).await).await;
}

#[tokio::test]
async fn where_nobody_is_logged_in_nothing_ends() {
    let app = App::start().await;
    let mut browser = Browser::default();
    assert_eq!(browser.open(&app, "/ends").await.body, "never");
    browser.log_in(&app).await;
    assert_eq!(browser.open(&app, "/ends").await.body, "ends");
}
