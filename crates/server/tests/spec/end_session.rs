//! Spec tests of the logout at the pages (OpenID Connect RP-Initiated Logout).

use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, answer, web_url};
use crate::harness::Server;
use crate::web::{assert_refused, exchange, refresh, text};

const BYE: &str = "post_logout_redirect_uri=https://web.example.com/bye";

/// The tokens of a login in this browser.
async fn take(server: &Server, browser: &Browser<'_>, scope: &str) -> Value {
    let code = browser.code(&web_url(scope, &[])).await;
    exchange(server, &code).send().await.json()
}

#[tokio::test]
async fn lo_02_without_a_hint_of_the_very_user_somebody_is_asked() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let asked = browser.get(&format!("/logout?{BYE}&client_id=web")).await;
    assert!(asked.text().contains("id=\"logout-confirm\""));
    let stayed = browser.submit(&asked, &[("decision", "cancel")]).await;
    assert!(stayed.text().contains("still signed in"));
    let forged = browser
        .post("/logout", &[("decision", "logout"), ("csrf", "x")])
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let password = "another long passphrase";
    server.add_user("bob@example.com", Some(password)).await;
    let stranger = Browser::of(&server);
    let page = stranger.follow(&web_url("openid", &[])).await;
    let bob = [
        ("username", "bob@example.com"),
        ("password", password),
        ("decision", "login"),
    ];
    stranger.submit(&page, &bob).await;
    let hint = text(&body, "id_token");
    let page = stranger.get(&format!("/logout?id_token_hint={hint}")).await;
    assert!(page.text().contains("id=\"logout-confirm\""), "no word of Bob's");
    let refreshed = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_eq!(refreshed.status, StatusCode::OK, "nothing has ended");
    let asked = browser.get(&format!("/logout?{BYE}&client_id=web")).await;
    let out = browser.submit(&asked, &[("decision", "logout")]).await;
    assert_eq!(out.status, StatusCode::OK, "a name alone sends nobody anywhere");
    assert!(
        out.text().contains("web.example.com&#x2f;bye"),
        "but there is a link"
    );
    assert!(browser.cookie("__Host-session").is_none());
}

#[tokio::test]
async fn lo_04_a_logout_ends_what_stands_on_it_and_not_what_was_granted_to_outlive_it() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let offline = take(&server, &browser, "openid offline_access").await;
    let pending = browser.code(&web_url("openid", &[])).await;
    let session = browser.cookie("__Host-session").unwrap();
    let hint = text(&body, "id_token");
    let back = browser
        .get(&format!("/logout?id_token_hint={hint}&state=s%262&{BYE}"))
        .await;
    assert_eq!(back.header("location"), "https://web.example.com/bye?state=s%262");
    assert!(browser.cookie("__Host-session").is_none());
    assert!(!server.is_active(text(&body, "access_token")).await);
    let dead = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_refused(&dead, "invalid_grant");
    assert_refused(&exchange(&server, &pending).send().await, "invalid_grant");
    let alive = refresh(&server, text(&offline, "refresh_token"), &[]).await;
    assert_eq!(alive.status, StatusCode::OK);
    browser.set_cookie("__Host-session", &session);
    let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "login_required");
}

#[tokio::test]
async fn lo_01_a_logout_leads_only_where_the_client_is_registered() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let hint = text(&body, "id_token");
    for uri in [
        "https://evil.test/",
        "https://web.example.com/bye/",
        "https://web.example.com/cb",
    ] {
        let reply = browser
            .get(&format!(
                "/logout?id_token_hint={hint}&post_logout_redirect_uri={uri}"
            ))
            .await;
        assert_eq!(
            (reply.status, reply.header("location")),
            (StatusCode::OK, ""),
            "{uri}"
        );
        assert!(!reply.text().contains("evil.test"));
    }
}

#[tokio::test]
async fn a_logout_may_come_as_the_form_of_another_site_and_is_asked_about() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let fields = [
        ("client_id", "web"),
        ("state", "a b&c"),
        ("decision", "logout"),
        ("post_logout_redirect_uri", "https://web.example.com/bye"),
    ];
    // §2: POST as well as GET; without our cookies, since the form stands on another site.
    let call = server
        .post("/logout")
        .form(&fields)
        .header("origin", "https://web.example.com");
    let reply = call.send().await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    let asked = browser.get(reply.header("location")).await;
    assert!(asked.text().contains("id=\"logout-confirm\""));
    let refreshed = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_eq!(refreshed.status, StatusCode::OK, "nothing has ended");
}

#[tokio::test]
async fn an_id_token_that_was_posted_stands_in_no_url_and_counts_when_the_browser_comes() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let hint = text(&body, "id_token");
    let fields = [
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", "https://web.example.com/bye"),
    ];
    let posted = server.post("/logout").form(&fields).send().await;
    let to = posted.header("location");
    assert!(
        posted.status == StatusCode::SEE_OTHER && to.len() < 100,
        "{posted:?}"
    );
    assert!(!to.contains(hint) && !to.contains("id_token"), "{to}");
    // Nobody knows of another's, and too late it is none.
    let asked = browser.get("/logout?request=another").await;
    assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
    let back = browser.get(to).await;
    assert_eq!(back.header("location"), "https://web.example.com/bye");
    assert!(browser.cookie("__Host-session").is_none());
}

#[tokio::test]
async fn a_client_ends_what_it_began_even_if_somebody_else_was_signed_in_since() {
    let server = Server::start().await;
    let password = "another long passphrase";
    server.add_user("bob@example.com", Some(password)).await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let again = web_url("openid", &[("prompt", "login")]);
    let bob = [
        ("username", "bob@example.com"),
        ("password", password),
        ("decision", "login"),
    ];
    browser.submit(&browser.follow(&again).await, &bob).await;
    browser.log_in(&browser.follow(&again).await).await;
    let alive = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_eq!(alive.status, StatusCode::OK, "another login ends nothing of hers");
    let body = alive.json();
    let hint = text(&body, "id_token");
    browser.get(&format!("/logout?id_token_hint={hint}")).await;
    let dead = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_refused(&dead, "invalid_grant");
    assert!(!server.is_active(text(&body, "access_token")).await);
}

#[tokio::test]
async fn lo_02_a_hint_of_another_login_of_the_same_user_asks_before_it_ends_this_one() {
    let server = Server::start().await;
    let (there, here) = (Browser::of(&server), Browser::of(&server));
    let old = take(&server, &there, "openid").await;
    let new = take(&server, &here, "openid").await;
    let out = format!("/logout?id_token_hint={}&{BYE}", text(&old, "id_token"));
    let asked = here.get(&out).await;
    assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
    assert!(
        !server.is_active(text(&old, "access_token")).await,
        "what the client began is its own to end"
    );
    assert!(server.is_active(text(&new, "access_token")).await);
    let left = here.submit(&asked, &[("decision", "logout")]).await;
    assert_eq!(left.header("location"), "https://web.example.com/bye", "{left:?}");
    assert!(!server.is_active(text(&new, "access_token")).await);
}
