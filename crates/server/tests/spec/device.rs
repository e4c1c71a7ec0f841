//! The device flow: a device asks, a person decides in a browser, the device gets its tokens.

use carnet_store::AuditAction;
use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, form_of};
use crate::harness::{ALICE, Reply, Server, claims, minutes};
use crate::web::{TOKEN, assert_refused, text};

pub(crate) const ENDPOINT: &str = "/oauth/device_authorization";
pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) async fn ask(server: &Server, more: &[(&str, &str)]) -> Reply {
    let fields = [&[("client_id", "tv")], more].concat();
    server.post(ENDPOINT).form(&fields).send().await
}

/// What the television shows and keeps.
pub(crate) async fn codes(server: &Server) -> (String, String) {
    let reply = ask(server, &[("scope", "openid email read:orders")]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let body = reply.json();
    (
        text(&body, "device_code").to_owned(),
        text(&body, "user_code").to_owned(),
    )
}

pub(crate) async fn poll(server: &Server, device_code: &str) -> Reply {
    let fields = [
        ("grant_type", GRANT_TYPE),
        ("client_id", "tv"),
        ("device_code", device_code),
    ];
    server.post(TOKEN).form(&fields).send().await
}

/// The page that asks, for Alice, who logs in on the way if need be.
pub(crate) async fn confirmation(browser: &Browser<'_>, user_code: &str) -> Reply {
    let page = browser.follow(&format!("/device?user_code={user_code}")).await;
    let page = browser.submit(&page, &[("user_code", user_code)]).await;
    match page.text().contains("id=\"login-submit\"") {
        true => browser.log_in(&page).await,
        false => page,
    }
}

pub(crate) async fn decide(browser: &Browser<'_>, user_code: &str, decision: &str) -> Reply {
    let page = confirmation(browser, user_code).await;
    assert!(page.text().contains("id=\"device-allow\""), "{page:?}");
    browser.submit(&page, &[("decision", decision)]).await
}

#[tokio::test]
async fn a_device_gets_tokens_once_its_user_has_allowed_it() {
    let server = Server::start().await;
    let reply = ask(&server, &[("scope", "openid email read:orders")]).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = reply.json();
    // RFC 8628 §3.2.
    let user_code = text(&body, "user_code");
    assert_eq!(body["verification_uri"], "https://auth.example.com/device");
    let complete = format!("https://auth.example.com/device?user_code={user_code}");
    assert_eq!(body["verification_uri_complete"], complete);
    assert_eq!((&body["expires_in"], &body["interval"]), (&600.into(), &5.into()));

    let device_code = text(&body, "device_code");
    assert_refused(&poll(&server, device_code).await, "authorization_pending");
    let done = decide(&Browser::of(&server), user_code, "allow").await;
    assert!(done.text().contains("Your device is connected"), "{done:?}");
    let reply = poll(&server, device_code).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let tokens = reply.json();
    let access = claims(text(&tokens, "access_token"));
    assert_eq!(access["sub"], server.user(ALICE).await.sub);
    assert_eq!(
        (&access["client_id"], &access["scope"]),
        (&"tv".into(), &"email openid read:orders".into())
    );
    assert_eq!(claims(text(&tokens, "id_token"))["aud"], "tv");
    assert!(server.is_active(text(&tokens, "access_token")).await);
    let refreshed = server
        .post(TOKEN)
        .form(&[
            ("grant_type", "refresh_token"),
            ("client_id", "tv"),
            ("refresh_token", text(&tokens, "refresh_token")),
        ])
        .send()
        .await;
    assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
}

#[tokio::test]
async fn the_device_stays_connected_when_the_browser_is_signed_out() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    decide(&browser, &user_code, "allow").await;
    let tokens = poll(&server, &device_code).await.json();
    let page = browser.get("/logout").await;
    browser.submit(&page, &[("decision", "logout")]).await;
    assert!(server.is_active(text(&tokens, "access_token")).await);
}

#[tokio::test]
async fn whoever_signs_out_before_the_device_has_its_tokens_takes_them_back() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    decide(&browser, &user_code, "allow").await;
    let page = browser.get("/logout").await;
    browser.submit(&page, &[("decision", "logout")]).await;
    assert_refused(&poll(&server, &device_code).await, "invalid_grant");
}

#[tokio::test]
async fn a_device_that_is_refused_is_told_so_once() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let done = decide(&Browser::of(&server), &user_code, "deny").await;
    assert!(done.text().contains("The device was not connected"), "{done:?}");
    assert_refused(&poll(&server, &device_code).await, "access_denied");
    assert_refused(&poll(&server, &device_code).await, "invalid_grant");
    let consents = server.audit().await.into_iter();
    let denied =
        consents.filter(|row| row.event.action == AuditAction::Consent && row.event.code == "access_denied");
    assert_eq!(denied.count(), 1);
}

#[tokio::test]
async fn somebody_else_may_decide_after_logging_in_as_themselves() {
    let server = Server::start().await;
    server
        .add_user("bob@example.com", Some(crate::harness::PASSWORD))
        .await;
    let (device_code, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    let page = confirmation(&browser, &user_code).await;
    let login = browser.submit(&page, &[("decision", "other")]).await;
    let fields = [
        ("username", "bob@example.com"),
        ("password", crate::harness::PASSWORD),
    ];
    let page = browser.submit(&login, &fields).await;
    assert!(page.text().contains("bob@example.com"), "{page:?}");
    browser.submit(&page, &[("decision", "allow")]).await;
    let tokens: Value = poll(&server, &device_code).await.json();
    let sub = claims(text(&tokens, "access_token"))["sub"].clone();
    assert_eq!(sub, server.user("bob@example.com").await.sub);
}

#[tokio::test]
async fn a_login_that_is_cancelled_leads_back_to_the_page_for_codes() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    let page = browser.get("/device").await;
    let login = browser
        .submit(
            &page,
            &[("user_code", &user_code.to_lowercase().replace('-', " "))],
        )
        .await;
    let page = browser.submit(&login, &[("decision", "cancel")]).await;
    assert!(page.text().contains("id=\"user-code\""), "{page:?}");
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
}

#[tokio::test]
async fn an_interaction_of_one_door_opens_no_other() {
    let server = Server::start().await;
    let (_, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    let page = confirmation(&browser, &user_code).await;
    let (_, hidden) = form_of(&page);
    let interaction = &hidden.iter().find(|(key, _)| key == "interaction").unwrap().1;
    let reply = browser
        .get(&format!("/oauth/authorize?interaction={interaction}"))
        .await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    let login = browser
        .follow(&crate::browser::web_url("openid", &[("prompt", "login")]))
        .await;
    let (_, hidden) = form_of(&login);
    let interaction = &hidden.iter().find(|(key, _)| key == "interaction").unwrap().1;
    let reply = browser.get(&format!("/device?interaction={interaction}")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
}

#[tokio::test]
async fn the_pages_speak_german() {
    let server = Server::start().await;
    let page = Browser::of(&server).get("/device?lang=de").await;
    assert!(
        page.text().contains("Geben Sie den Code von Ihrem Gerät ein"),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_device_whose_client_wants_a_younger_login_gets_one() {
    let age = "id = \"tv\"\ndefault_max_age = \"5m\"";
    let server = Server::replacing(&[("id = \"tv\"", age)]).await;
    let browser = Browser::of(&server);
    decide(&browser, &codes(&server).await.1, "allow").await;
    // Younger: nobody is asked again.
    let (_, user_code) = codes(&server).await;
    let page = browser.follow(&format!("/device?user_code={user_code}")).await;
    let page = browser.submit(&page, &[("user_code", user_code.as_str())]).await;
    assert!(page.text().contains("id=\"device-allow\""), "{page:?}");
    server.wait(minutes(6)).await;
    // Too old by now, also for the page that is open.
    let page = browser.submit(&page, &[("decision", "allow")]).await;
    assert!(page.text().contains("id=\"login-submit\""), "{page:?}");
    let (device_code, user_code) = codes(&server).await;
    let page = browser.follow(&format!("/device?user_code={user_code}")).await;
    let page = browser.submit(&page, &[("user_code", user_code.as_str())]).await;
    assert!(page.text().contains("id=\"login-submit\""), "{page:?}");
    let page = browser.log_in(&page).await;
    browser.submit(&page, &[("decision", "allow")]).await;
    let body = poll(&server, &device_code).await.json();
    let auth_time = claims(text(&body, "id_token"))["auth_time"].as_u64();
    assert_eq!(auth_time, Some(server.app.now_seconds()));
}

#[tokio::test]
async fn the_page_says_how_long_the_device_stays_connected_and_where_to_take_it_back() {
    let tokens = "[tokens]\nrefresh_idle = \"7d\"\nrefresh_absolute = \"30d\"\n[first_party]";
    let tokens = ("[first_party]", tokens);
    let once = (
        "grant_types = [\"device_code\", \"refresh_token\"]",
        "grant_types = [\"device_code\"]",
    );
    for (changes, said) in [
        // Signing out in the browser does not end it.
        (
            [tokens, ("", "")],
            "Up to 30 days; it ends sooner when it is not used for 7 days.",
        ),
        ([tokens, once], "15 minutes"),
    ] {
        let changes: Vec<_> = changes.into_iter().filter(|(from, _)| !from.is_empty()).collect();
        let server = Server::replacing(&changes).await;
        let (_, user_code) = codes(&server).await;
        let page = confirmation(&Browser::of(&server), &user_code).await.text();
        assert!(page.contains(&format!("<dd>{said}</dd>")), "{page}");
        let page = page.replace("&#x2f;", "/");
        assert!(page.contains("You can take this back at any time"), "{page}");
        assert!(page.contains("href=\"/account/apps?lang=en\""), "{page}");
    }
}

#[tokio::test]
async fn whoever_comes_second_reads_that_the_code_was_used() {
    let server = Server::start().await;
    let (_, user_code) = codes(&server).await;
    let (first, second) = (Browser::of(&server), Browser::of(&server));
    let page = confirmation(&second, &user_code).await;
    decide(&first, &user_code, "allow").await;
    let told = second.submit(&page, &[("decision", "allow")]).await;
    assert_eq!(told.status, StatusCode::BAD_REQUEST, "{told:?}");
    assert!(told.text().contains("This code was used already."), "{told:?}");
    let (_, fields) = form_of(&page);
    let interaction = &fields.iter().find(|(name, _)| name == "interaction").unwrap().1;
    let again = format!("/device?interaction={interaction}&lang=de");
    let told = second.get(&again).await.text();
    assert!(told.contains("Dieser Code wurde schon verwendet."), "{told}");
}

#[tokio::test]
async fn the_code_of_a_link_is_still_there_in_the_other_language() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let page = browser.get("/device?user_code=WDJB-MJHT").await.text();
    let page = page.replace("&#x2f;", "/").replace("&amp;", "&");
    let link = "/device?lang=de&user_code=WDJB-MJHT";
    assert!(page.contains(&format!("href=\"{link}\"")), "{page}");
    let german = browser.get(link).await.text();
    assert!(german.contains("value=\"WDJB-MJHT\""), "{german}");
}
