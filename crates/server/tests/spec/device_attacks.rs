//! The device flow under attack: guessing, fast polling, replay, phishing, forged forms, floods.

use std::time::Duration;

use carnet_store::{Reason, UserState};
use http::{Method, StatusCode};

use crate::browser::{Browser, form_of};
use crate::device::{ENDPOINT, GRANT_TYPE, ask, codes, confirmation, decide, poll};
use crate::harness::{ALICE, API, SHARED_API, Server, minutes};
use crate::web::{TOKEN, assert_refused, text};

/// A user code that nobody was given.
fn another(user_code: &str) -> String {
    let last = if user_code.ends_with('Z') { 'X' } else { 'Z' };
    format!("{}{last}", &user_code[..user_code.len() - 1])
}

#[tokio::test]
async fn dv_01_five_wrong_codes_close_an_address_and_no_other() {
    let server = Server::start().await;
    let (_, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    for _ in 0..5 {
        let page = browser.get("/device").await;
        let reply = browser
            .submit(&page, &[("user_code", &another(&user_code))])
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.text().contains("This code is not known."), "{reply:?}");
        assert!(reply.text().contains("<title>Error:"), "{reply:?}");
    }
    // Another jar at the same address, with the right code.
    let fresh = Browser::of(&server);
    let page = fresh.get("/device").await;
    let reply = fresh.submit(&page, &[("user_code", &user_code)]).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{reply:?}");
    assert!(!reply.header("retry-after").is_empty());
    // Elsewhere the right code works.
    let (action, hidden) = form_of(&fresh.get("/device").await);
    let mut fields: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("user_code", &user_code));
    let call = server
        .call(Method::POST, &action)
        .form(&fields)
        .from([192, 0, 2, 9])
        .header("x-forwarded-for", "203.0.113.9");
    let reply = fresh
        .send(call.header("origin", "https://auth.example.com"))
        .await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
}

#[tokio::test]
async fn dv_01_how_many_wrong_codes_is_a_setting_of_its_own() {
    let server = Server::with("[device]\nwrong_codes = 2").await;
    let (_, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    for expected in [400, 400, 429] {
        let page = browser.get("/device").await;
        let typed = [("user_code", another(&user_code))];
        let reply = browser.submit(&page, &[(typed[0].0, &typed[0].1)]).await;
        assert_eq!(reply.status, expected, "{reply:?}");
    }
    assert_eq!(server.try_log_in(ALICE, "a wrong passphrase").await.status, 401);
}

#[tokio::test]
async fn dv_03_a_request_for_another_resource_does_not_spend_what_the_user_has_allowed() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    decide(&Browser::of(&server), &user_code, "allow").await;
    let asked = async |resource: &str| {
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("client_id", "tv"),
            ("device_code", device_code.as_str()),
            ("resource", resource),
        ];
        server.post(TOKEN).form(&fields).send().await
    };
    for other in ["https://other.example.com", SHARED_API] {
        assert_refused(&asked(other).await, "invalid_target");
    }
    assert_eq!(asked(API).await.status, StatusCode::OK);
    assert_refused(&asked(API).await, "invalid_grant");
}

#[tokio::test]
async fn dv_01_right_codes_count_for_nothing() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    for _ in 0..=server.app.config.device.wrong_codes {
        let (device_code, user_code) = codes(&server).await;
        decide(&browser, &user_code, "allow").await;
        assert_eq!(poll(&server, &device_code).await.status, StatusCode::OK);
        // The attempt is given back beside the answer.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn dv_02_each_request_that_comes_too_early_costs_five_seconds_more() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
    for _ in 0..3 {
        server.wait(Duration::from_millis(200)).await;
        assert_refused(&poll(&server, &device_code).await, "slow_down");
    }
    // 5 + 3 × 5 seconds by now, and the next miss makes it 25.
    server.wait(Duration::from_secs(5)).await;
    assert_refused(&poll(&server, &device_code).await, "slow_down");
    server.wait(Duration::from_secs(25)).await;
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
    // What was decided is told at once.
    decide(&Browser::of(&server), &user_code, "allow").await;
    assert_eq!(poll(&server, &device_code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn dv_02_a_code_that_has_expired_is_called_so_and_one_that_never_was_is_not() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    assert!(device_code.len() >= 43);
    server.wait(minutes(10)).await;
    assert_refused(&poll(&server, &device_code).await, "expired_token");
    assert_refused(&poll(&server, &"A".repeat(43)).await, "invalid_grant");
    let browser = Browser::of(&server);
    let page = browser.get("/device").await;
    let reply = browser.submit(&page, &[("user_code", &user_code)]).await;
    assert!(reply.text().contains("This code has expired."), "{reply:?}");
}

#[tokio::test]
async fn dv_02_a_decision_that_comes_too_late_decides_nothing() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    let page = confirmation(&browser, &user_code).await;
    server.wait(minutes(10)).await;
    let reply = browser.submit(&page, &[("decision", "allow")]).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    assert_refused(&poll(&server, &device_code).await, "expired_token");
}

#[tokio::test]
async fn dv_03_a_device_code_is_redeemed_once_and_by_its_own_client() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    decide(&Browser::of(&server), &user_code, "allow").await;
    let fields = [("grant_type", GRANT_TYPE), ("device_code", device_code.as_str())];
    let foreign = server
        .post(TOKEN)
        .basic("kiosk", "web2.secret")
        .form(&fields)
        .send()
        .await;
    assert_refused(&foreign, "invalid_grant");
    assert_eq!(poll(&server, &device_code).await.status, StatusCode::OK);
    assert_refused(&poll(&server, &device_code).await, "invalid_grant");
}

#[tokio::test]
async fn dv_03_of_twenty_polls_at_once_one_gets_tokens() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    decide(&Browser::of(&server), &user_code, "allow").await;
    let polls = (0..20).map(|_| poll(&server, &device_code));
    let replies = futures_util::future::join_all(polls).await;
    let good = replies.iter().filter(|reply| reply.status == StatusCode::OK);
    assert_eq!(good.count(), 1);
}

#[tokio::test]
async fn dv_04_a_link_with_the_code_approves_nothing_and_the_page_says_who_asks() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let (first, user_code) = codes(&server).await;
    decide(&browser, &user_code, "allow").await;
    assert_eq!(poll(&server, &first).await.status, StatusCode::OK);
    // Signed in, and the same client was allowed before.
    let (device_code, user_code) = codes(&server).await;
    let page = browser.follow(&format!("/device?user_code={user_code}")).await;
    assert!(
        page.text().contains(&format!("value=\"{user_code}\"")),
        "{page:?}"
    );
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
    let page = confirmation(&browser, &user_code).await.text();
    for said in [
        user_code.as_str(),
        "The television",
        "127.0.0.1",
        "Just now",
        "read:orders",
        "refuse",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    server.wait(Duration::from_secs(6)).await;
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
}

#[tokio::test]
async fn dv_04_a_request_without_scope_is_asked_about_as_well() {
    let server = Server::start().await;
    let reply = ask(&server, &[]).await.json();
    let page = confirmation(&Browser::of(&server), text(&reply, "user_code")).await;
    assert!(page.text().contains("id=\"device-allow\""), "{page:?}");
    assert!(!page.text().contains("e-mail address</b>"), "{page:?}");
}

#[tokio::test]
async fn dv_05_a_decision_needs_the_form_of_this_browser() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let browser = Browser::of(&server);
    let page = confirmation(&browser, &user_code).await;
    let (action, hidden) = form_of(&page);
    let value = |name: &str| hidden.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let (interaction, account, csrf) = (value("interaction"), value("account"), value("csrf"));
    let fields = [
        ("interaction", interaction.as_str()),
        ("account", &account),
        ("decision", "allow"),
    ];
    let without = browser.post(&action, &fields).await;
    assert_eq!(without.status, StatusCode::FORBIDDEN, "{without:?}");
    let whole = [&fields[..], &[("csrf", csrf.as_str())]].concat();
    let call = server.call(Method::POST, &action).form(&whole);
    let foreign = browser.send(call.header("origin", "https://evil.example")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{foreign:?}");
    // Another browser with the same fields.
    let other = Browser::of(&server);
    other.get("/device").await;
    let stolen = other.post(&action, &whole).await;
    assert_eq!(stolen.status, StatusCode::FORBIDDEN, "{stolen:?}");
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
    assert_eq!(browser.get(&action).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn dv_05_of_two_decisions_the_first_stands() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let (one, two) = (Browser::of(&server), Browser::of(&server));
    let (first, second) = (
        confirmation(&one, &user_code).await,
        confirmation(&two, &user_code).await,
    );
    one.submit(&first, &[("decision", "deny")]).await;
    let late = two.submit(&second, &[("decision", "allow")]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "{late:?}");
    assert_refused(&poll(&server, &device_code).await, "access_denied");
    let page = one.get("/device").await;
    let used = one.submit(&page, &[("user_code", &user_code)]).await;
    assert!(used.text().contains("This code was used already."), "{used:?}");
}

#[tokio::test]
async fn dv_08_no_more_scope_than_the_client_has_and_only_clients_of_this_grant_type() {
    let server = Server::start().await;
    assert_refused(&ask(&server, &[("scope", "openid admin")]).await, "invalid_scope");
    assert_refused(
        &ask(&server, &[("resource", "https://other.example")]).await,
        "invalid_target",
    );
    let method = ask(&server, &[("client_secret", "x")]).await;
    assert_eq!(method.status, StatusCode::UNAUTHORIZED, "{method:?}");
    let spa = server.post(ENDPOINT).form(&[("client_id", "spa")]).send().await;
    assert_refused(&spa, "unauthorized_client");
    let kiosk = server.post(ENDPOINT).form(&[("client_id", "kiosk")]).send().await;
    assert_eq!(kiosk.status, StatusCode::UNAUTHORIZED, "{kiosk:?}");
    let missing = server
        .post(TOKEN)
        .form(&[("grant_type", GRANT_TYPE), ("client_id", "tv")])
        .send()
        .await;
    assert_refused(&missing, "invalid_request");
}

#[tokio::test]
async fn dv_08_tk_10_nobody_who_is_disabled_or_signed_out_everywhere_is_connected() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    decide(&Browser::of(&server), &user_code, "allow").await;
    server.set_state(ALICE, UserState::Disabled).await;
    assert_refused(&poll(&server, &device_code).await, "invalid_grant");
    server.set_state(ALICE, UserState::Active).await;

    let (device_code, user_code) = codes(&server).await;
    decide(&Browser::of(&server), &user_code, "allow").await;
    let alice = server.user(ALICE).await.id;
    let strength = carnet_store::Strength::DenyList;
    let cut = server.cut(Reason::Logout);
    server
        .app
        .store
        .end_sessions_of(alice, strength, None, &cut)
        .await
        .unwrap();
    assert_refused(&poll(&server, &device_code).await, "invalid_grant");
}

#[tokio::test]
async fn dv_09_a_flood_from_one_address_is_stopped_and_others_are_not() {
    let server = Server::with("[authorization]\nrequests_per_address = 3").await;
    for _ in 0..3 {
        assert_eq!(ask(&server, &[]).await.status, StatusCode::OK);
    }
    let reply = ask(&server, &[]).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{reply:?}");
    let fields = [("client_id", "tv")];
    let elsewhere = server
        .post(ENDPOINT)
        .form(&fields)
        .from([192, 0, 2, 9])
        .header("x-forwarded-for", "203.0.113.9")
        .send()
        .await;
    assert_eq!(elsewhere.status, StatusCode::OK);
}

#[tokio::test]
async fn dv_01_dv_04_a_code_in_an_authorization_request_is_no_way_to_the_page_that_asks() {
    let server = Server::start().await;
    let (device_code, user_code) = codes(&server).await;
    let kept = user_code.replace('-', "");
    let browser = Browser::of(&server);
    let url = crate::browser::web_url("openid", &[("prompt", "login"), ("user_code", &kept)]);
    let login = browser.follow(&url).await;
    let (_, hidden) = form_of(&login);
    let interaction = &hidden.iter().find(|(key, _)| key == "interaction").unwrap().1;
    let reply = browser.get(&format!("/device?interaction={interaction}")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    let fields: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let decided = [&fields[..], &[("decision", "allow")]].concat();
    let reply = browser.post("/device/decide", &decided).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    assert_refused(&poll(&server, &device_code).await, "authorization_pending");
}
