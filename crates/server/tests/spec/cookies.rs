//! Spec tests of cookies, CSRF and CORS.

use http::{Method, StatusCode};
use serde_json::json;

use crate::browser::{Browser, web_url};
use crate::harness::{ALICE, PASSWORD, Server, Session, claims};

#[tokio::test]
async fn ck_04_login_csrf() {
    let server = Server::start().await;
    let body = json!({ "email": ALICE, "password": PASSWORD });
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let reply = server
            .post("/auth/login")
            .header(name, value)
            .json(&body)
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::FORBIDDEN, "cross_site_request"),
            "{value}"
        );
        assert!(reply.headers.get("set-cookie").is_none());
    }
    let form = server
        .post("/auth/login")
        .raw("text/plain", body.to_string())
        .send()
        .await;
    assert_eq!(
        (form.status, form.code().as_str()),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
    );
    assert!(form.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn ck_05_a_foreign_page_changes_nothing() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    for path in [
        "/auth/refresh",
        "/auth/logout",
        "/auth/password",
        "/auth/register",
        "/auth/login",
    ] {
        for (name, value) in [
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let reply = server
                .post(path)
                .cookie(&session.refresh)
                .bearer(&session.access)
                .header(name, value)
                .send()
                .await;
            assert_eq!(reply.code(), "cross_site_request", "{path} {value}");
        }
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let reply = server
                .call(method.clone(), path)
                .cookie(&session.refresh)
                .send()
                .await;
            assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
        let override_header = server
            .get(path)
            .header("x-http-method-override", "POST")
            .cookie(&session.refresh)
            .send()
            .await;
        assert_eq!(override_header.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert!(server.is_active(&session.access).await);
    assert_eq!(server.refresh(&session.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn ck_08_cors_names_listed_origins_and_no_other() {
    let server = Server::start().await;
    let listed = server
        .post("/auth/refresh")
        .header("origin", "https://app.example.com")
        .send()
        .await;
    assert_eq!(
        listed.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(listed.header("access-control-allow-credentials"), "true");
    for origin in [
        "https://evil.test",
        "null",
        "https://app.example.com.evil.test",
        "https://evilapp.example.com",
        "http://app.example.com",
    ] {
        let simple = server.get("/auth/me").header("origin", origin).send().await;
        let preflight = server
            .call(Method::OPTIONS, "/auth/refresh")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        for reply in [simple, preflight.send().await] {
            assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
        }
    }
    let preflight = server
        .call(Method::OPTIONS, "/auth/login")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("content-type")
    );
}

#[tokio::test]
async fn two_refresh_cookies_are_not_guessed_between() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let reply = server
        .post("/auth/refresh")
        .cookie(&session.refresh)
        .cookie("x")
        .send()
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::BAD_REQUEST, "duplicate_cookie")
    );
}

#[tokio::test]
async fn every_answer_has_security_headers() {
    let server = Server::start().await;
    for path in [
        "/auth/me",
        "/health/live",
        "/.well-known/jwks.json",
        "/nowhere",
        "/auth/login",
    ] {
        let reply = server.get(path).send().await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert!(
            reply
                .header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(
            reply
                .header("strict-transport-security")
                .contains("max-age=31536000"),
            "{path}"
        );
        assert!(!reply.header("x-request-id").is_empty(), "{path}");
        assert_eq!(reply.header("server"), "", "{path}");
        assert_ne!(reply.header("cache-control"), "", "{path}");
    }
}

#[tokio::test]
async fn ck_01_every_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let server = Server::start().await;
    let login = server.try_log_in(ALICE, PASSWORD).await;
    for name in ["__Secure-refresh_token", "__Secure-device"] {
        let line = login.cookie_line(name).unwrap();
        for attribute in ["; HttpOnly", "; Secure", "; SameSite=Strict", "; Path=/auth"] {
            assert!(line.contains(attribute), "{line}");
        }
        assert!(!line.contains("Domain"), "{line}");
        assert!(!line.contains(ALICE), "{line}");
    }
}

#[tokio::test]
async fn ck_02_a_login_begins_a_session_of_its_own_whatever_cookie_came_with_it() {
    let server = Server::start().await;
    server.add_user("mallory@example.com", Some(PASSWORD)).await;
    let planted = server.log_in("mallory@example.com", PASSWORD).await;
    let body = json!({ "email": ALICE, "password": PASSWORD });
    let login = server
        .post("/auth/login")
        .cookie(&planted.refresh)
        .json(&body)
        .send()
        .await;
    let own = Session::of(&login);
    assert_ne!(claims(&own.access)["sid"], claims(&planted.access)["sid"]);
    assert_eq!(claims(&own.access)["sub"], server.user(ALICE).await.sub);
}

#[tokio::test]
async fn a_page_of_one_client_does_nothing_with_the_session_of_another() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    for path in ["/auth/refresh", "/auth/logout"] {
        let call = server
            .post(path)
            .header("origin", "https://office.example.com")
            .header("sec-fetch-site", "same-site")
            .cookie(&session.refresh);
        let reply = call.send().await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::FORBIDDEN, "cross_site_request"),
            "{path}"
        );
        assert_eq!(reply.cookie_line("__Secure-refresh_token"), None, "{path}");
    }
    let mut cookie = session.refresh;
    for own in ["https://app.example.com", "https://auth.example.com"] {
        let call = server.post("/auth/refresh").header("origin", own).cookie(&cookie);
        cookie = crate::harness::Session::of(&call.send().await).refresh;
    }
}

#[tokio::test]
async fn without_https_our_cookies_have_names_that_no_app_on_another_port_has() {
    let server = Server::replacing(&[("https://auth.example.com", "http://127.0.0.1:8080")]).await;
    let browser = Browser::of(&server);
    // Ports share their cookies: an app beside us has a session too, which is not ours.
    browser.set_cookie("session", "of-the-app");
    let login = browser.follow(&web_url("openid", &[])).await;
    browser.log_in(&login).await;
    assert_eq!(browser.cookie("session").unwrap(), "of-the-app");
    for ours in ["carnet_session", "carnet_browser", "carnet_device"] {
        assert!(browser.cookie(ours).is_some(), "{ours}");
    }
    assert_eq!(browser.cookies().len(), 4, "{:?}", browser.cookies());
    let again = browser.get(&web_url("openid", &[])).await;
    assert!(again.header("location").starts_with("/consent"), "{again:?}");
    // The cookie of the login API has the name that its clients know.
    let login = server.try_log_in(ALICE, PASSWORD).await;
    assert!(login.cookie("refresh_token").is_some(), "{login:?}");
    assert!(login.cookie("carnet_device").is_some(), "{login:?}");
}
