//! Spec tests of the consent page: what was shown is what is allowed, whatever becomes of the client meanwhile.

use carnet_oauth::grant_type::GrantType;
use carnet_server::config::Client;
use carnet_store::{ClientChange, Reason, RegistryChange, RegistryStep};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, answer, authorize_url, form_of, web_url};
use crate::device;
use crate::harness::{ALICE, PASSWORD, Reply, Server, claims, minutes};
use crate::registration::{CALLBACK, OPEN, REGISTER, app_with, registered};
use crate::web::{exchange, text};

/// A client that registered itself becomes another.
async fn becomes(server: &Server, client: &Value, other: Value) {
    let path = format!("{REGISTER}/{}", text(client, "client_id"));
    let mut body = app_with(other);
    body["client_id"] = client["client_id"].clone();
    let call = server.call(Method::PUT, &path).json(&body);
    let call = call.bearer(text(client, "registration_access_token"));
    assert_eq!(call.send().await.status, StatusCode::OK);
}

/// A client that the operator has applied, with this scope.
async fn applied(server: &Server, name: &str, scope: &str) {
    let mut client = Client::named(name);
    client.grant_types = vec![GrantType::AuthorizationCode, GrantType::DeviceCode];
    client.redirect_uris = vec!["https://late.example.com/cb".to_owned()];
    client.scope = scope.parse().unwrap();
    let settings = Some(serde_json::to_string(&client).unwrap());
    let known = server.app.store.clients().await.unwrap();
    let change = ClientChange {
        client_id: name.to_owned(),
        settings,
        ..Default::default()
    };
    let step = match known.iter().any(|row| row.client_id == name) {
        true => RegistryStep::ChangeClient(change),
        false => RegistryStep::AddClient(change),
    };
    let change = RegistryChange {
        epoch: server.app.store.settings_epoch().await.unwrap(),
        cut: server.cut(Reason::Revoked),
        administrators: "admin".to_owned(),
        steps: vec![step],
    };
    server.app.store.change_registry(&change).await.unwrap();
}

fn asks(page: &Reply) -> bool {
    page.text().contains("id=\"consent-allow\"")
}

async fn decide(browser: &Browser<'_>, page: &Reply, decision: &str) -> Reply {
    browser.submit(page, &[("decision", decision)]).await
}

#[tokio::test]
async fn cn_02_a_client_that_changes_while_its_page_is_open_is_asked_about_anew() {
    let server = Server::with(OPEN).await;
    let (bank, evil) = ("https://trusted-bank.example/cb", "https://evil.test/cb");
    let named = "&redirect_uri=https%3A%2F%2Ftrusted-bank.example%2Fcb";
    let url = |client: &Value, name: &str| {
        let url = authorize_url(text(client, "client_id"), bank, "openid read:orders", &[]);
        assert!(url.contains(named));
        url.replace(named, name)
    };
    for (name, other, then) in [
        ("", json!({ "redirect_uris": [evil] }), Some("evil.test")),
        (named, json!({ "redirect_uris": [evil] }), None),
        (
            named,
            json!({ "redirect_uris": [bank], "client_name": "Your bank" }),
            Some("Your bank"),
        ),
        (
            named,
            json!({ "redirect_uris": [bank], "logo_uri": "https://trusted-bank.example/l" }),
            Some("/l\""),
        ),
        (named, json!({ "redirect_uris": [bank], "scope": "openid" }), None),
    ] {
        for decision in ["allow", "deny"] {
            let client = registered(&server, &app_with(json!({ "redirect_uris": [bank] }))).await;
            let browser = Browser::of(&server);
            let login = browser.follow(&url(&client, name)).await;
            let page = browser.log_in(&login).await;
            assert!(
                asks(&page) && page.text().contains("trusted-bank.example"),
                "{page:?}"
            );
            becomes(&server, &client, other.clone()).await;
            let again = decide(&browser, &page, decision).await;
            // Nobody is sent anywhere on the word that was said to another.
            assert_eq!(again.headers.get("location"), None, "{other} {again:?}");
            assert_eq!(asks(&again), then.is_some(), "{other} {again:?}");
            if let Some(then) = then {
                assert!(
                    again.text().replace("&#x2f;", "/").contains(then),
                    "{other} {again:?}"
                );
                // The page of before leads nowhere any more, not even to the one that is shown now.
                let old = decide(&browser, &page, "allow").await;
                assert_eq!(old.status, StatusCode::BAD_REQUEST, "{old:?}");
                let sent = decide(&browser, &again, "allow").await;
                assert!(answer(&sent).contains_key("code"), "{other} {sent:?}");
            }
        }
    }
}

#[tokio::test]
async fn cn_02_no_page_shows_half_of_a_client_that_has_changed() {
    let server = Server::with(OPEN).await;
    let named = "&redirect_uri=https%3A%2F%2Fapp.example.net%2Fcb";
    for (name, is_answered) in [("", true), (named, false)] {
        let client = registered(&server, &app_with(json!({}))).await;
        let (browser, id) = (Browser::of(&server), text(&client, "client_id"));
        let url = authorize_url(id, CALLBACK, "openid", &[]).replace(named, name);
        let login = browser.get(&url).await.header("location").to_owned();
        assert!(login.starts_with("/login?"), "{login}");
        let evil = json!({ "redirect_uris": ["https://evil.test/cb"] });
        becomes(&server, &client, evil).await;
        let page = browser.follow(&login).await;
        assert_eq!(page.status == StatusCode::OK, is_answered, "{page:?}");
        assert_eq!(page.text().contains("evil.test"), is_answered, "{page:?}");
        assert!(!page.text().contains("app.example.net"), "{page:?}");
    }
}

#[tokio::test]
async fn a_client_that_may_ask_for_more_by_now_is_asked_about_once_more() {
    let server = Server::start().await;
    applied(&server, "late", "openid read:orders").await;
    let (browser, scope) = (Browser::of(&server), "&scope=openid+read%3Aorders");
    let url = authorize_url("late", "https://late.example.com/cb", "openid read:orders", &[]);
    assert!(url.contains(scope));
    let login = browser.follow(&url.replace(scope, "")).await;
    let page = browser.log_in(&login).await;
    assert!(asks(&page) && !page.text().contains("write:orders"), "{page:?}");
    applied(&server, "late", "openid read:orders write:orders").await;
    let again = decide(&browser, &page, "allow").await;
    assert!(asks(&again) && again.text().contains("write:orders"), "{again:?}");
    let sent = decide(&browser, &again, "allow").await;
    assert!(answer(&sent).contains_key("code"), "{sent:?}");
}

#[tokio::test]
async fn a_restart_with_another_scope_in_the_file_is_asked_about_once_more() {
    let (before, after) = (
        "scope = \"openid read:orders\"\nrequire_pkce = false",
        "scope = \"openid read:orders write:orders\"\nrequire_pkce = false",
    );
    let server = Server::start().await;
    let url =
        authorize_url("web2", "https://web2.example.com/cb", "openid", &[]).replace("&scope=openid", "");
    let browser = Browser::of(&server);
    let page = browser.log_in(&browser.follow(&url).await).await;
    assert!(asks(&page), "{page:?}");
    let newer = server.restarted_with(before, after).await;
    let browser = browser.at(&newer);
    let again = decide(&browser, &page, "allow").await;
    assert!(asks(&again) && again.text().contains("write:orders"), "{again:?}");
    let sent = decide(&browser, &again, "allow").await;
    assert!(answer(&sent).contains_key("code"), "{sent:?}");
}

#[tokio::test]
async fn cn_02_a_device_of_a_client_that_has_changed_asks_for_another_code() {
    let server = Server::start().await;
    applied(&server, "late", "openid read:orders").await;
    let fields = [("client_id", "late"), ("scope", "openid")];
    let codes = server.post(device::ENDPOINT).form(&fields).send().await.json();
    let browser = Browser::of(&server);
    let page = device::confirmation(&browser, text(&codes, "user_code")).await;
    assert!(page.text().contains("id=\"device-allow\""), "{page:?}");
    applied(&server, "late", "openid").await;
    let told = decide(&browser, &page, "allow").await;
    assert_eq!(told.status, StatusCode::BAD_REQUEST, "{told:?}");
}

#[tokio::test]
async fn the_page_says_how_long_and_what_ends_it_before() {
    let tokens = "[tokens]\nrefresh_idle = \"7d\"\nrefresh_absolute = \"30d\"";
    let server = Server::with(tokens).await;
    for (scope, locale, said) in [
        (
            "openid",
            "en",
            "Up to 30 days; it ends sooner when it is not used for 7 days. It also ends when you sign out.",
        ),
        (
            "openid offline_access",
            "en",
            "Up to 30 days; it ends sooner when it is not used for 7 days.",
        ),
        (
            "openid offline_access",
            "de",
            "Bis zu 30 Tage; es endet früher, wenn es 7 Tage lang nicht benutzt wird.",
        ),
    ] {
        let browser = Browser::of(&server);
        let page = browser.follow(&web_url(scope, &[("ui_locales", locale)])).await;
        let page = browser.log_in(&page).await.text();
        assert!(page.contains(&format!("<dd>{said}</dd>")), "{page}");
    }
    // Nothing rests there for longer than it lives.
    let server = server
        .another(&[(
            "[first_party]",
            "[tokens]\nrefresh_idle = \"1h\"\nrefresh_absolute = \"1h\"\n[first_party]",
        )])
        .await;
    let browser = Browser::of(&server);
    let page = browser
        .log_in(&browser.follow(&web_url("openid", &[])).await)
        .await;
    assert!(
        page.text()
            .contains("<dd>1 hour. It also ends when you sign out.</dd>"),
        "{page:?}"
    );
}

const BOB: [(&str, &str); 2] = [("username", "bob@example.com"), ("password", PASSWORD)];

#[tokio::test]
async fn whoever_is_somebody_else_uses_another_account_and_the_request_goes_on() {
    let server = Server::start().await;
    let bob = server.add_user("bob@example.com", Some(PASSWORD)).await;
    for prompt in ["", "login", "consent"] {
        let browser = Browser::of(&server);
        let login = browser.follow(&web_url("openid", &[("prompt", prompt)])).await;
        let page = browser.log_in(&login).await;
        assert!(page.text().contains("Use another account"), "{page:?}");
        // CK-05: the form of nobody changes nothing.
        let (action, fields) = form_of(&page);
        let interaction = fields.iter().find(|(name, _)| name == "interaction").unwrap();
        let foreign = [("decision", "other"), ("interaction", interaction.1.as_str())];
        let foreign = browser.post(&action, &foreign).await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{foreign:?}");

        let login = decide(&browser, &page, "other").await;
        assert!(login.text().contains("id=\"login-submit\""), "{prompt} {login:?}");
        let page = browser.submit(&login, &BOB).await;
        assert!(asks(&page) && page.text().contains("bob@example.com"), "{page:?}");
        let sent = answer(&decide(&browser, &page, "allow").await);
        assert_eq!(sent["state"], "s-1");
        let tokens = exchange(&server, &sent["code"]).send().await.json();
        assert_eq!(claims(text(&tokens, "access_token"))["sub"], bob.sub.as_str());
    }
}

#[tokio::test]
async fn whoever_goes_back_from_another_login_and_decides_is_not_asked_who_they_are() {
    let server = Server::start().await;
    for prompt in ["", "login"] {
        let browser = Browser::of(&server);
        let login = browser.follow(&web_url("openid", &[("prompt", prompt)])).await;
        let page = browser.log_in(&login).await;
        decide(&browser, &page, "other").await;
        let sent = decide(&browser, &page, "allow").await;
        assert!(answer(&sent).contains_key("code"), "{sent:?}");
    }
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    let choose = [("prompt", "select_account"), ("max_age", "300")];
    let page = browser.follow(&web_url("openid", &choose)).await;
    decide(&browser, &page, "other").await;
    let sent = decide(&browser, &page, "continue").await;
    assert!(answer(&sent).contains_key("code"), "{sent:?}");
    // What the request demands is demanded all the same.
    let page = browser.follow(&web_url("openid", &choose)).await;
    decide(&browser, &page, "other").await;
    server.wait(minutes(6)).await;
    let login = decide(&browser, &page, "continue").await;
    assert!(login.text().contains("id=\"login-submit\""), "{login:?}");
}

#[tokio::test]
async fn whoever_wants_another_account_is_not_shown_the_one_that_the_client_has_thought_of() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let login = browser.follow(&web_url("openid", &[("login_hint", ALICE)])).await;
    assert!(login.text().contains(ALICE), "{login:?}");
    let page = browser.log_in(&login).await;
    let login = decide(&browser, &page, "other").await;
    assert!(login.text().contains("id=\"login-submit\""), "{login:?}");
    assert!(!login.text().contains(ALICE), "{login:?}");
}

#[tokio::test]
async fn where_the_client_names_the_account_no_page_offers_another() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let tokens = exchange(&server, &browser.code(&web_url("openid", &[])).await);
    let tokens = tokens.send().await.json();
    let hint = ("id_token_hint", text(&tokens, "id_token"));
    for prompt in ["consent", "select_account"] {
        let free = browser.follow(&web_url("openid", &[("prompt", prompt)])).await;
        assert!(free.text().contains("Use another account"), "{free:?}");
        let named = browser
            .follow(&web_url("openid", &[("prompt", prompt), hint]))
            .await;
        assert_eq!(named.status, StatusCode::OK);
        assert!(named.text().contains("name=\"decision\""), "{named:?}");
        assert!(!named.text().contains("Use another account"), "{named:?}");
    }
}

#[tokio::test]
async fn the_page_says_where_to_take_it_back() {
    let server = Server::start().await;
    for (locale, said) in [
        ("en", "You can take this back at any time under "),
        ("de", "Sie können das jederzeit zurücknehmen unter "),
    ] {
        let browser = Browser::of(&server);
        let login = browser
            .follow(&web_url("openid", &[("ui_locales", locale)]))
            .await;
        let page = browser.log_in(&login).await.text();
        let (_, rest) = page.split_once(said).unwrap();
        let link = rest.split('"').nth(1).unwrap().replace("&#x2f;", "/");
        assert_eq!(link, format!("/account/apps?lang={locale}"));
        let apps = browser.get(&link).await.text();
        assert!(apps.contains(&format!("<html lang=\"{locale}\">")), "{apps}");
    }
}
