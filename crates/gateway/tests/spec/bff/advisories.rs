//! What other gateways got wrong for apps in the browser, each by the name under which it is known; and the spoofed headers of a session.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;

use super::browser::{COOKIE, SCRIPT, WINDOW};
use super::world::World;
use crate::harness::{Seen, h2_at, mirror};
use crate::spoofing::{IDENTITY, variants};

#[tokio::test]
async fn ghsa_f24x_a_login_begins_a_session_of_its_own_and_ends_the_one_before() {
    let world = World::new().await;
    let mut browser = world.user().await;
    let before = browser.clone();
    browser.log_in(&world.issuer).await;
    assert_ne!(browser.session(), before.session());
    assert_eq!(browser.call("GET", "/bff/user").await.status, 200);
}

#[tokio::test]
async fn cve_2021_29651_nobody_is_led_anywhere_else() {
    let world = World::new().await;
    let mut browser = world.browser();
    for evil in [
        "//evil.test",
        "/%5cevil.test",
        "https://evil.test",
        "/\\evil.test",
        "/%09/evil.test",
    ] {
        let told = browser.open(&format!("/bff/login?returnUrl={evil}")).await;
        assert_eq!(told.status, 400, "{evil}: {told:?}");
        assert!(told.all("location").is_empty());
    }
}

#[tokio::test]
async fn cve_2021_29652_what_comes_back_from_a_login_is_what_was_sealed() {
    let world = World::new().await;
    for (from, to) in [("state=", "state=x"), ("code=", "code=x"), ("iss=", "iss=x")] {
        let mut browser = world.browser();
        let begun = browser.open("/bff/login?returnUrl=/notes").await;
        let back = world.issuer.log_in(&begun.one("location"));
        let told = browser.open(&back.replacen(from, to, 1)).await;
        assert!(
            told.status >= 400 && browser.session().is_none(),
            "{to}: {told:?}"
        );
    }
    let mut browser = world.browser();
    let begun = browser.open("/bff/login?returnUrl=/notes").await;
    let back = world.issuer.log_in(&begun.one("location"));
    // Nor does a cookie count that was changed, though everything else is right.
    let mut changed = browser.clone();
    for (_, value) in &mut changed.cookies {
        let last = if value.ends_with('A') { 'B' } else { 'A' };
        value.pop();
        value.push(last);
    }
    let told = changed.open(&back).await;
    assert_eq!((told.status, changed.session()), (400, None), "{told:?}");
}

#[tokio::test]
async fn cve_2021_41230_who_is_somebody_else_after_a_login_is_told_as_that() {
    let world = World::new().await;
    let mut browser = world.user().await;
    world.issuer.manner(|how| how.sub = "user_2");
    browser.log_in(&world.issuer).await;
    let seen = browser.call("GET", "/api/x").await.seen();
    assert_eq!(seen.header("X-User-ID").as_deref(), Some("user_2"));
    assert_eq!(browser.call("GET", "/bff/user").await.json()["sub"], "user_2");
}

#[tokio::test]
async fn cve_2024_39315_no_page_shows_a_token() {
    let world = World::new().await;
    let mut user = world.user().await;
    for path in [
        "/bff/user",
        "/bff/sessions",
        "/bff/none",
        "/bff/login",
        "/bff/callback",
    ] {
        user.call("GET", path).await.has_no_token();
        user.clone().open(path).await.has_no_token();
    }
}

#[tokio::test]
async fn ghsa_4j63_every_route_with_a_session_asks_for_proof_that_the_app_sent_it() {
    let world = World::new().await;
    let mut user = world.user().await;
    for path in ["/api/x", "/quiet/x", "/admin/x"] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for headers in ["", WINDOW, "Sec-Fetch-Site: cross-site\r\nX-CSRF: 1\r\n"] {
                let told = user.ask(method, path, (headers, "")).await;
                assert_eq!(
                    told.refusal(),
                    (403, "csrf".to_owned()),
                    "{method} {path} {headers}"
                );
            }
        }
    }
}

#[tokio::test]
async fn ghsa_vvg7_the_cookie_of_the_session_stays_here() {
    let world = World::new().await;
    let mut user = world.user().await;
    user.cookies.push(("lang".to_owned(), "de".to_owned()));
    let cookie = user.session().unwrap().to_owned();
    for path in ["/api/x", "/quiet/x", "/open"] {
        let seen = user.call("GET", path).await.seen();
        assert!(!seen.0.to_string().contains(&cookie), "{path}: {}", seen.0);
    }
}

#[tokio::test]
async fn no_spelling_of_an_identity_header_gets_through_with_a_session() {
    let world = World::with(mirror().await, |text| format!("{IDENTITY}{text}")).await;
    let mut user = world.user().await;
    let variants = variants();
    assert!(variants.len() >= 300);
    let cookie = format!("{COOKIE}={}", user.session().unwrap());
    for names in variants.chunks(40) {
        let lines: String = names.iter().map(|name| format!("{name}: spoof\r\n")).collect();
        let told = user.ask("GET", "/api/x", (&format!("{SCRIPT}{lines}"), "")).await;
        assert_honest(&told.seen(), &format!("HTTP/1.1 {names:?}"));

        let mut request = Request::get("http://app.test/api/x").header("cookie", &cookie);
        for (name, value) in SCRIPT.lines().filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        for name in names {
            request = request.header(name, "spoof");
        }
        let response = h2_at(world.gateway.address, request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_honest(
            &Seen(serde_json::from_slice(&body).unwrap()),
            &format!("HTTP/2 {names:?}"),
        );
    }
}

fn assert_honest(seen: &Seen, what: &str) {
    assert!(!seen.0.to_string().contains("spoof"), "{what}: {}", seen.0);
    assert_eq!(seen.folded("X-User-ID"), ["user_1"], "{what}");
    assert_eq!(seen.folded("X-User-Roles"), ["editor"], "{what}");
    assert_eq!(
        json!(seen.folded("X-Forwarded-For")),
        json!(["127.0.0.1"]),
        "{what}"
    );
}
