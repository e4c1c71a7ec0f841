//! Spec tests of the logout at the pages (OpenID Connect RP-Initiated Logout).

use carnet_store::{AuditAction, RegisteredBy};
use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, answer, form_of, web_url};
use crate::harness::{ALICE, Server, claims};
use crate::web::{assert_refused, exchange, refresh, text};

pub(crate) const BYE: &str = "post_logout_redirect_uri=https://web.example.com/bye";

/// The tokens of a login in this browser.
pub(crate) async fn take(server: &Server, browser: &Browser<'_>, scope: &str) -> Value {
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
async fn ck_05_another_site_does_not_confirm_a_logout_not_even_with_a_token_of_ours() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    let (action, hidden) = form_of(&browser.get("/logout").await);
    let pairs = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<_> = pairs.chain([("decision", "logout")]).collect();
    let posted = async |headers: &[(&'static str, &str)]| {
        let call = server.post(&action).form(&fields);
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value));
        browser.send(call).await
    };
    for foreign in [
        &[("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")][..],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://www.example.com"),
        ],
    ] {
        let reply = posted(foreign).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{foreign:?}: {reply:?}");
        assert!(reply.text().contains("cross_site_request"), "{reply:?}");
    }
    assert!(server.is_active(text(&body, "access_token")).await);
    let ours = posted(&[
        ("origin", "https://auth.example.com"),
        ("sec-fetch-site", "same-origin"),
    ])
    .await;
    assert_eq!(ours.status, StatusCode::OK, "{ours:?}");
    assert!(!server.is_active(text(&body, "access_token")).await);
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

pub(crate) const BOB: [(&str, &str); 3] = [
    ("username", "bob@example.com"),
    ("password", "another long passphrase"),
    ("decision", "login"),
];

/// Bob signs in where Alice was: he says "another account", or the client asks for a login.
async fn switch(browser: &Browser<'_>, prompt: &str) {
    let mut page = browser.follow(&web_url("openid", &[("prompt", prompt)])).await;
    if prompt == "select_account" {
        page = browser.submit(&page, &[("decision", "other")]).await;
    }
    browser.submit(&page, &BOB).await;
}

async fn with_bob() -> Server {
    let server = Server::start().await;
    server.add_user(BOB[0].1, Some(BOB[1].1)).await;
    server
}

#[tokio::test]
async fn lo_04_another_account_in_the_same_browser_signs_the_one_before_out() {
    let server = with_bob().await;
    for prompt in ["select_account", "login"] {
        let browser = Browser::of(&server);
        let body = take(&server, &browser, "openid").await;
        let offline = take(&server, &browser, "openid offline_access").await;
        let pending = browser.code(&web_url("openid", &[])).await;
        switch(&browser, prompt).await;
        let dead = refresh(&server, text(&body, "refresh_token"), &[]).await;
        assert_refused(&dead, "invalid_grant");
        assert!(!server.is_active(text(&body, "access_token")).await, "{prompt}");
        assert_refused(&exchange(&server, &pending).send().await, "invalid_grant");
        let alive = refresh(&server, text(&offline, "refresh_token"), &[]).await;
        assert_eq!(alive.status, StatusCode::OK, "granted to outlive it");
        let due = server
            .app
            .store
            .claim_logout_notices((server.app_now(), 60_000), (RegisteredBy::Operator, 9));
        let due = due.await.unwrap();
        let sid = |body: &Value| text(&claims(text(body, "id_token")), "sid").to_owned();
        for body in [&body, &offline] {
            let told = |notice: &carnet_store::LogoutNotice| notice.sid == sid(body);
            assert!(due.iter().any(told), "{prompt}: {due:?}");
        }
        let noted = server.audit().await;
        let alice = server.user(ALICE).await.sub;
        let noted = noted.iter().map(|row| &row.event);
        let noted = noted.filter(|event| event.action == AuditAction::Logout && event.actor == alice);
        assert_eq!(noted.count(), if prompt == "login" { 2 } else { 1 });
    }
}

#[tokio::test]
async fn lo_04_another_login_of_the_same_user_ends_nothing() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid").await;
    browser
        .log_in(&browser.follow(&web_url("openid", &[("prompt", "login")])).await)
        .await;
    let alive = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_eq!(alive.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_ends_what_it_began_even_if_somebody_else_was_signed_in_since() {
    let server = with_bob().await;
    let browser = Browser::of(&server);
    let body = take(&server, &browser, "openid offline_access").await;
    switch(&browser, "login").await;
    let again = web_url("openid", &[("prompt", "login")]);
    browser.log_in(&browser.follow(&again).await).await;
    let alive = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_eq!(alive.status, StatusCode::OK, "what was granted to outlive it");
    let body = alive.json();
    let hint = text(&body, "id_token");
    browser.get(&format!("/logout?id_token_hint={hint}")).await;
    let dead = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_refused(&dead, "invalid_grant");
    assert!(!server.is_active(text(&body, "access_token")).await);
}

#[tokio::test]
async fn lo_02_a_hint_of_somebody_else_ends_their_session_at_the_client_when_it_was_confirmed() {
    let server = with_bob().await;
    let (alices, bobs) = (Browser::of(&server), Browser::of(&server));
    let body = take(&server, &alices, "openid").await;
    let other = take(&server, &alices, "openid").await;
    switch(&bobs, "login").await;
    let out = format!("/logout?id_token_hint={}&{BYE}", text(&body, "id_token"));
    let asked = bobs.get(&out).await;
    assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
    bobs.submit(&asked, &[("decision", "cancel")]).await;
    assert!(
        server.is_active(text(&body, "access_token")).await,
        "nobody has said so"
    );
    let left = bobs.submit(&asked, &[("decision", "logout")]).await;
    assert_eq!(left.header("location"), "https://web.example.com/bye", "{left:?}");
    assert!(bobs.cookie("__Host-session").is_none());
    assert!(!server.is_active(text(&body, "access_token")).await);
    let dead = refresh(&server, text(&body, "refresh_token"), &[]).await;
    assert_refused(&dead, "invalid_grant");
    assert!(
        server.is_active(text(&other, "access_token")).await,
        "the hint says no more"
    );
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

#[tokio::test]
async fn cn_05_a_logout_that_is_confirmed_leads_to_whatever_address_an_app_has() {
    let uris = [
        ("https://web.example.com/bye", "form-action 'self' https:;"),
        (
            "com.example.app:/bye",
            "form-action 'self' https: com.example.app:;",
        ),
        ("http://[::1]:17190/bye", "form-action 'self' https: http:;"),
        ("http://127.0.0.1:17190/bye", "form-action 'self' https: http:;"),
    ];
    let all = uris.map(|(uri, _)| uri);
    let server = Server::replacing(&[(
        "post_logout_redirect_uris = [\"https://web.example.com/bye\"]",
        &format!("post_logout_redirect_uris = {all:?}"),
    )])
    .await;
    let other = Browser::of(&server);
    let hint = take(&server, &other, "openid").await;
    let hint = text(&hint, "id_token");
    for (uri, policy) in uris {
        // A hint of another login of hers: she is asked.
        let browser = Browser::of(&server);
        take(&server, &browser, "openid").await;
        let asked = browser
            .get(&format!(
                "/logout?id_token_hint={hint}&post_logout_redirect_uri={uri}"
            ))
            .await;
        assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
        let said = asked.header("content-security-policy");
        assert!(said.contains(policy), "{uri}: {said}");
        let out = browser.submit(&asked, &[("decision", "logout")]).await;
        assert_eq!(out.header("location"), uri, "{out:?}");
    }
}
