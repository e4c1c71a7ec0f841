//! Spec tests of what protects the pages: cookies, forms, frames (RFC 9700 §4.7, §4.16; security.md CK, CN).

use http::{Method, StatusCode};

use crate::browser::{Browser, answer, form_of, web_url};
use crate::harness::{ALICE, PASSWORD, Server};
use crate::web::{exchange, text};

#[tokio::test]
async fn ck_01_ck_02_the_session_cookie_is_new_at_login_and_out_of_reach() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let login = browser.follow(&web_url("openid", &[])).await;
    browser.set_cookie("__Host-session", "made-up");
    let (action, mut fields) = form_of(&login);
    fields.extend([("username", ALICE), ("password", PASSWORD)].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let pairs: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let reply = browser.post(&action, &pairs).await;
    // RU-09: a POST is answered with 303.
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    let line = reply.cookie_line("__Host-session").unwrap();
    for part in ["; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("Domain"));
    let first = browser.cookie("__Host-session").unwrap();
    assert_ne!(first, "made-up");
    let login = browser.follow(&web_url("openid", &[("prompt", "login")])).await;
    browser.log_in(&login).await;
    assert_ne!(browser.cookie("__Host-session").unwrap(), first);
    let thief = Browser::of(&server);
    thief.set_cookie("__Host-session", &first);
    let reply = thief.get(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&reply)["error"], "login_required", "the old one is dead");
    // The name of a session alone, which a stolen database has, is no cookie.
    let sid = first.split('.').next().unwrap().to_owned();
    for forged in [sid.clone(), format!("{sid}.x.y"), first.replace('.', "")] {
        let thief = Browser::of(&server);
        thief.set_cookie("__Host-session", &forged);
        let reply = thief.get(&web_url("openid", &[("prompt", "none")])).await;
        assert_eq!(answer(&reply)["error"], "login_required");
    }
}

#[tokio::test]
async fn ck_04_ck_05_forms_of_others_log_nobody_in_and_decide_nothing() {
    let server = Server::start().await;
    let (victim, attacker) = (Browser::of(&server), Browser::of(&server));
    let page = attacker.follow(&web_url("openid", &[])).await;
    // The attacker's link in the victim's browser.
    let (_, fields) = form_of(&page);
    let interaction = fields
        .iter()
        .find(|(name, _)| name == "interaction")
        .unwrap()
        .1
        .clone();
    let reply = victim.get(&format!("/login?interaction={interaction}")).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{reply:?}");
    let own = victim.follow(&web_url("openid", &[])).await;
    let (action, own_fields) = form_of(&own);
    let own_id = own_fields
        .iter()
        .find(|(name, _)| name == "interaction")
        .unwrap()
        .1
        .clone();
    let token_of_another = fields.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    for csrf in ["", "x", &token_of_another] {
        let fields = [
            ("interaction", own_id.as_str()),
            ("csrf", csrf),
            ("username", ALICE),
            ("password", PASSWORD),
        ];
        let reply = victim.post(&action, &fields).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{csrf}");
        assert!(victim.cookie("__Host-session").is_none());
    }
    let pairs: Vec<_> = own_fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    for origin in ["https://evil.test", "null"] {
        let call = server
            .post(&action)
            .form(&pairs)
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site");
        let reply = victim.send(call).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        // It was a browser that went there, and somebody reads what it is told.
        assert!(reply.text().contains("id=\"oidc-error\""), "{reply:?}");
    }
    let consent = victim.log_in(&own).await;
    let (action, fields) = form_of(&consent);
    let id = fields
        .iter()
        .find(|(name, _)| name == "interaction")
        .unwrap()
        .1
        .clone();
    let reply = victim
        .post(&action, &[("interaction", &id), ("decision", "allow")])
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    // GET never decides.
    let reply = victim
        .get(&format!("{action}?interaction={id}&decision=allow"))
        .await;
    assert!(reply.text().contains("id=\"consent-allow\""));
}

#[tokio::test]
async fn cn_01_cn_05_pages_cannot_be_framed_and_load_nothing_from_elsewhere() {
    let server = Server::start().await;
    let page = Browser::of(&server).follow(&web_url("openid", &[])).await;
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "script-src 'none'",
        "form-action 'self' https:;",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("cache-control"), "no-store");
    // Forms would say `Origin: null` under no-referrer: docs/decisions/0017.
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert!(page.headers.get("access-control-allow-origin").is_none(), "CK-08");
    let style = page
        .text()
        .split("rel=\"stylesheet\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#x2f;", "/");
    let style = server.get(&style).send().await;
    assert_eq!(style.status, StatusCode::OK);
    assert!(style.header("cache-control").contains("immutable"));
}

#[tokio::test]
async fn what_is_wrong_with_an_address_or_a_form_is_said_on_a_page() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    for path in [
        "/login?interaction=a&interaction=b",
        "/consent",
        "/login/choose?x",
        "/logout?state=1&state=2",
    ] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(reply.text().contains("id=\"oidc-error\""), "{path}");
    }
    let reply = browser.post("/login", &[("csrf", "a"), ("csrf", "b")]).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.text().contains("id=\"oidc-error\""));
    let json = server
        .post("/login")
        .json(&serde_json::json!({}))
        .header("sec-fetch-site", "same-origin");
    let reply = browser.send(json).await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(reply.text().contains("id=\"oidc-error\""));
}

#[tokio::test]
async fn head_ends_nothing_and_no_page_says_that_it_would() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let code = browser.code(&web_url("openid", &[])).await;
    let tokens = exchange(&server, &code).send().await.json();
    let hint = text(&tokens, "id_token");
    let logout = format!("/logout?id_token_hint={hint}&client_id=web");
    let head = browser.send(server.call(Method::HEAD, &logout)).await;
    assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED, "{head:?}");
    assert!(browser.cookie("__Host-session").is_some());
    let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
    assert!(
        answer(&silent).contains_key("code"),
        "still signed in: {silent:?}"
    );
    for (path, allowed) in [
        ("/oauth/authorize", "GET, POST"),
        ("/oauth/authorize/resume", "GET"),
        ("/login", "GET, POST"),
        ("/login/choose", "GET, POST"),
        ("/consent", "GET, POST"),
        ("/logout", "GET, POST"),
        ("/device", "GET, POST"),
        ("/account/sessions", "GET"),
        ("/account/sessions/end", "GET, POST"),
        ("/account/sessions/end-others", "GET, POST"),
        ("/account/apps", "GET"),
        ("/account/apps/withdraw", "GET, POST"),
    ] {
        for method in [Method::HEAD, Method::PUT, Method::OPTIONS] {
            let reply = server.call(method.clone(), path).send().await;
            assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(reply.header("allow"), allowed, "{method} {path}");
        }
    }
}
