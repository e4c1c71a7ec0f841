//! Spec tests of a person's own pages: where they are signed in, which apps have access, and the end of both (security.md CK, CN-06).

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::browser::{Browser, answer, form_of, web_url};
use crate::harness::{ALICE, PASSWORD, Reply, Server};
use crate::web::{assert_refused, exchange, refresh, text};

const SESSIONS: &str = "/account/sessions";
const APPS: &str = "/account/apps";

/// Signs Alice in at her own pages.
async fn sign_in(browser: &Browser<'_>) -> Reply {
    let login = browser.follow(SESSIONS).await;
    assert!(login.text().contains("id=\"login-submit\""), "{login:?}");
    assert!(
        !login.text().contains("login-cancel"),
        "there is nowhere to go back to"
    );
    browser.log_in(&login).await
}

async fn take(server: &Server, browser: &Browser<'_>, scope: &str) -> Value {
    let code = browser.code(&web_url(scope, &[])).await;
    exchange(server, &code).send().await.json()
}

/// The links of a page that begin so.
fn links(page: &Reply, path: &str) -> Vec<String> {
    let text = page.text();
    let all = text.split("href=\"").skip(1).map(|rest| {
        let link = rest.split('"').next().unwrap_or_default();
        link.replace("&amp;", "&").replace("&#x2f;", "/")
    });
    all.filter(|link| link.starts_with(path)).collect()
}

async fn is_signed_in(browser: &Browser<'_>) -> bool {
    let reply = browser.get(SESSIONS).await;
    reply.status == StatusCode::OK
}

#[tokio::test]
async fn ck_07_people_see_where_they_are_signed_in_and_end_one_of_them() {
    let server = Server::start().await;
    let (here, there) = (Browser::of(&server), Browser::of(&server));
    let page = sign_in(&here).await;
    assert!(page.text().contains("This browser"), "{page:?}");
    assert!(
        links(&page, "/account/sessions/end?").is_empty(),
        "the only one is left to /logout"
    );
    let (lost, own) = (
        take(&server, &there, "openid").await,
        take(&server, &here, "openid").await,
    );
    let pending = there.code(&web_url("openid", &[])).await;
    let cookie = there.cookie("__Host-session").unwrap();
    let page = here.get(SESSIONS).await;
    assert!(page.text().contains("127.0.0.1") && page.text().contains("The web shop"));
    assert_eq!(page.header("cache-control"), "no-store", "LK-04");
    let end = links(&page, "/account/sessions/end?");
    assert_eq!(end.len(), 1);
    let asked = here.get(&end[0]).await;
    assert!(
        server.is_active(text(&lost, "access_token")).await,
        "a look ends nothing"
    );
    let after = here.submit(&asked, &[]).await;
    assert_eq!(after.status, StatusCode::OK, "{after:?}");
    assert!(links(&after, "/account/sessions/end?").is_empty());
    // Everything of it is dead, and nothing else.
    assert!(!server.is_active(text(&lost, "access_token")).await);
    assert_refused(
        &refresh(&server, text(&lost, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    assert_refused(&exchange(&server, &pending).send().await, "invalid_grant");
    there.set_cookie("__Host-session", &cookie);
    assert!(!is_signed_in(&there).await);
    let silent = there.get(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "login_required");
    assert!(is_signed_in(&here).await);
    assert!(server.is_active(text(&own, "access_token")).await);
}

#[tokio::test]
async fn all_others_end_at_once_and_what_began_here_goes_on() {
    let server = Server::start().await;
    let (here, there) = (Browser::of(&server), Browser::of(&server));
    sign_in(&here).await;
    let own = take(&server, &here, "openid").await;
    let lost = take(&server, &there, "openid").await;
    let offline = take(&server, &there, "openid offline_access").await;
    let page = here.get(SESSIONS).await;
    assert_eq!(
        links(&page, "/account/sessions/end?").len(),
        2,
        "the browser, and what outlives it"
    );
    let asked = here.get(&links(&page, "/account/sessions/end-others")[0]).await;
    let told = asked.text();
    assert!(
        told.contains("<dd>2</dd>") && told.contains("The web shop"),
        "{told}"
    );
    here.submit(&asked, &[]).await;
    for dead in [&lost, &offline] {
        assert!(!server.is_active(text(dead, "access_token")).await);
        assert_refused(
            &refresh(&server, text(dead, "refresh_token"), &[]).await,
            "invalid_grant",
        );
    }
    assert!(!is_signed_in(&there).await);
    assert!(is_signed_in(&here).await);
    assert!(server.is_active(text(&own, "access_token")).await);
    assert_eq!(
        refresh(&server, text(&own, "refresh_token"), &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn cn_06_what_is_withdrawn_is_dead_and_is_asked_about_again() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    sign_in(&browser).await;
    let offline = take(&server, &browser, "openid offline_access").await;
    let body = take(&server, &browser, "openid").await;
    let code = browser.code(&web_url("openid", &[])).await;
    let page = browser.get(APPS).await;
    assert!(page.text().contains("The web shop") && page.text().contains("Know that it is you"));
    let asked = browser.get(&links(&page, "/account/apps/withdraw?")[0]).await;
    assert!(asked.text().contains("<dd>2</dd>"), "what it comes to: {asked:?}");
    let after = browser.submit(&asked, &[]).await;
    assert!(after.text().contains("No app may use your account"));
    assert_refused(&exchange(&server, &code).send().await, "invalid_grant");
    for dead in [&body, &offline] {
        assert!(!server.is_active(text(dead, "access_token")).await);
        assert_refused(
            &refresh(&server, text(dead, "refresh_token"), &[]).await,
            "invalid_grant",
        );
        let reply = server
            .get("/userinfo")
            .bearer(text(dead, "access_token"))
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "consent_required");
    server.clock.advance(Duration::from_millis(1));
    let page = browser.follow(&web_url("openid", &[])).await;
    assert!(page.text().contains("id=\"consent-allow\""));
    let again = take(&server, &browser, "openid").await;
    assert!(
        server.is_active(text(&again, "access_token")).await,
        "in the same second"
    );
}

#[tokio::test]
async fn ck_05_nothing_ends_by_a_link_or_by_the_form_of_somebody_else() {
    let server = Server::start().await;
    let (here, there) = (Browser::of(&server), Browser::of(&server));
    sign_in(&here).await;
    sign_in(&there).await;
    let body = take(&server, &there, "openid").await;
    let page = here.get(SESSIONS).await;
    let one = links(&page, "/account/sessions/end?").remove(0);
    let apps = here.get(APPS).await;
    let withdraw = links(&apps, "/account/apps/withdraw?").remove(0);
    let others = links(&page, "/account/sessions/end-others").remove(0);
    // A token of another session of the same person is none.
    let (_, foreign) = form_of(&there.get(&others).await);
    let foreign = foreign.into_iter().find(|(name, _)| name == "csrf").unwrap().1;
    for path in [&one, &withdraw, &others] {
        let (action, fields) = form_of(&here.get(path).await);
        let with = |csrf: Option<&str>| {
            let rest = fields.iter().filter(|(name, _)| name != "csrf").cloned();
            let csrf = csrf.map(|csrf| ("csrf".to_owned(), csrf.to_owned()));
            rest.chain(csrf).collect::<Vec<_>>()
        };
        let own = fields.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
        for csrf in [None, Some("x"), Some(foreign.as_str())] {
            let fields = with(csrf);
            let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let reply = here.post(&action, &fields).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path} {csrf:?}");
        }
        let fields = with(Some(&own));
        let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        for origin in ["https://evil.test", "null"] {
            let call = server.post(&action).form(&fields).header("origin", origin);
            assert_eq!(
                here.send(call).await.status,
                StatusCode::FORBIDDEN,
                "{path} {origin}"
            );
        }
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&fields)
            .finish();
        for method in [Method::GET, Method::HEAD] {
            here.send(server.call(method, &format!("{action}?{query}&_method=POST")))
                .await;
        }
        let plain = server
            .post(&action)
            .raw("text/plain", query.clone())
            .header("sec-fetch-site", "same-origin");
        assert_eq!(here.send(plain).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(is_signed_in(&there).await, "{path}");
        assert!(server.is_active(text(&body, "access_token")).await, "{path}");
    }
}

#[tokio::test]
async fn nobody_ends_what_is_somebody_elses() {
    let server = Server::start().await;
    let password = "another long passphrase";
    server.add_user("bob@example.com", Some(password)).await;
    let (alice, bob) = (Browser::of(&server), Browser::of(&server));
    sign_in(&alice).await;
    let sid = alice
        .cookie("__Host-session")
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let login = bob.follow(SESSIONS).await;
    let typed = [
        ("username", "bob@example.com"),
        ("password", password),
        ("decision", "login"),
    ];
    let page = bob.submit(&login, &typed).await;
    assert!(page.text().contains("bob@example.com") && !page.text().contains(&sid));
    let reply = bob.get(&format!("/account/sessions/end?session={sid}")).await;
    assert_eq!(reply.header("location"), SESSIONS, "not his");
    let (_, fields) = form_of(&bob.get("/account/sessions/end-others").await);
    let csrf = &fields.iter().find(|(name, _)| name == "csrf").unwrap().1;
    let posted = bob
        .post("/account/sessions/end", &[("csrf", csrf), ("session", &sid)])
        .await;
    assert_eq!(posted.header("location"), SESSIONS);
    assert!(is_signed_in(&alice).await);
    let names = [("csrf", csrf.as_str()), ("app", "web")];
    let posted = bob.post("/account/apps/withdraw", &names).await;
    assert_eq!(posted.header("location"), APPS);
}

#[tokio::test]
async fn the_pages_speak_both_languages_and_keep_the_choice() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    sign_in(&browser).await;
    take(&server, &browser, "openid").await;
    let other = Browser::of(&server);
    sign_in(&other).await;
    let page = browser.get("/account/sessions?lang=de").await;
    assert!(page.text().contains("Wo Sie angemeldet sind"));
    let asked = browser.get(&links(&page, "/account/sessions/end?")[0]).await;
    assert!(asked.text().contains("Hier abmelden?"));
    let after = browser.submit(&asked, &[]).await;
    assert!(after.text().contains("Wo Sie angemeldet sind"), "it lasts");
    let apps = browser.get("/account/apps?lang=de").await;
    assert!(apps.text().contains("Apps mit Zugriff"));
    assert_eq!(browser.get("/account").await.header("location"), SESSIONS);
}

#[tokio::test]
async fn cn_01_the_pages_of_the_account_cannot_be_framed() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    sign_in(&browser).await;
    for path in [SESSIONS, APPS, "/account/sessions/end-others"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
        assert!(page.headers.get("access-control-allow-origin").is_none(), "CK-08");
    }
}

#[tokio::test]
async fn people_read_names_that_they_know_and_advice_that_they_can_follow() {
    let server = Server::start().await;
    let own = server.log_in(ALICE, PASSWORD).await;
    assert!(!own.access.is_empty());
    let browser = Browser::of(&server);
    let page = sign_in(&browser).await.text();
    assert!(
        !page.contains("first-party") && page.contains("<bdi>Carnet</bdi></b>"),
        "{page}"
    );
    // No page of ours changes a password.
    assert!(page.contains("ask the people who run Carnet"), "{page}");
}
