//! Spec tests of what people see of a client that registered itself, and of where it may send them.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, answer, authorize_url};
use crate::harness::{Reply, Server};
use crate::registration::{CALLBACK, OPEN, REGISTER, app, app_with, registered, tokens};
use crate::web::text;

fn url(client: &Value, more: &[(&str, &str)]) -> String {
    authorize_url(text(client, "client_id"), CALLBACK, "openid read:orders", more)
}

#[tokio::test]
async fn cn_02_people_are_asked_about_such_a_client_every_time() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let browser = Browser::of(&server);
    let login = browser.follow(&url(&client, &[])).await;
    assert!(login.text().contains("id=\"client-unverified\""), "{login:?}");
    let mut page = browser.log_in(&login).await;
    for _ in 0..2 {
        let text = page.text();
        assert!(
            text.contains("id=\"consent-allow\"") && text.contains("id=\"client-unverified\""),
            "{page:?}"
        );
        assert!(text.contains("app.example.net") && !text.contains("id=\"consent-remember\""));
        let sent = browser
            .submit(&page, &[("decision", "allow"), ("remember", "yes")])
            .await;
        assert!(answer(&sent).contains_key("code"));
        page = browser.follow(&url(&client, &[])).await;
    }
    // One that the operator has registered is asked about once, without a warning.
    let known = browser.follow(&crate::browser::web_url("openid", &[])).await;
    assert!(!known.text().contains("client-unverified"));
}

#[tokio::test]
async fn d17_such_a_client_gets_nobody_sent_anywhere_before_they_have_done_something() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let browser = Browser::of(&server);
    let mistakes: [&[(&str, &str)]; 5] = [
        &[("prompt", "none")],
        &[("prompt", "none login")],
        &[("max_age", "x")],
        &[("response_mode", "fragment")],
        &[("request", "x")],
    ];
    let id = text(&client, "client_id");
    let mut urls: Vec<String> = mistakes.iter().map(|more| url(&client, more)).collect();
    urls.push(authorize_url(id, CALLBACK, "admin", &[]));
    urls.push(url(&client, &[]).replace("response_type=code", "response_type=token"));
    let nowhere = async |urls: &[String]| {
        for url in urls {
            let reply = browser.get(url).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{url} {reply:?}");
            assert!(
                reply.headers.get("location").is_none() && reply.text().contains("<html"),
                "{url}"
            );
            // The same by a form of the client's own page.
            let query = url.split_once('?').unwrap().1.to_owned();
            let call = server
                .post("/oauth/authorize")
                .raw("application/x-www-form-urlencoded", query);
            let mut reply = browser.send(call).await;
            while reply.header("location").starts_with('/') {
                let next = reply.header("location").to_owned();
                reply = browser.get(&next).await;
            }
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{url} {reply:?}");
        }
    };
    nowhere(&urls).await;
    // Signed in as well: a cookie is no deed.
    let page = browser.follow(&url(&client, &[])).await;
    let page = browser.log_in(&page).await;
    nowhere(&urls).await;
    // Whoever refuses has done something, and the client is told.
    let refused = browser.submit(&page, &[("decision", "deny")]).await;
    assert_eq!(answer(&refused)["error"], "access_denied");
}

#[tokio::test]
async fn cn_04_what_such_a_client_says_is_text_and_leads_nowhere_else() {
    let server = Server::with(OPEN).await;
    let markup = "<img src=x onerror=1>";
    let links = |host: &str| {
        json!({
            "client_name": markup, "client_name#de": "<b>Eine</b> App", "client_uri": format!("https://{host}/"),
            "logo_uri": format!("https://{host}/logo.png"), "policy_uri": format!("https://{host}/p"), "tos_uri": format!("https://{host}/t"),
        })
    };
    for (host, shown) in [("app.example.net", true), ("bank.example", false)] {
        let client = registered(&server, &app_with(links(host))).await;
        let browser = Browser::of(&server);
        let page = browser.follow(&url(&client, &[])).await;
        for page in [&page, &browser.log_in(&page).await] {
            let text = page.text();
            assert!(!text.contains(markup) && text.contains("&lt;img"), "{text}");
            for path in ["/logo.png", "/p", "/t"] {
                let url = format!("https:&#x2f;&#x2f;{host}{}", path.replace('/', "&#x2f;"));
                let plain = format!("https://{host}{path}");
                assert_eq!(
                    text.contains(&url) || text.contains(&plain),
                    shown,
                    "{plain} {text}"
                );
            }
        }
        assert!(
            page.text().contains("<bdi>&lt;img src=x onerror=1&gt;</bdi>"),
            "{page:?}"
        );
        let german = Browser::of(&server)
            .follow(&url(&client, &[("ui_locales", "de")]))
            .await;
        assert!(german.text().contains("&lt;b&gt;Eine"), "{german:?}");
    }
}

#[tokio::test]
async fn d17_nor_by_a_logout_not_even_of_whoever_is_signed_in_at_it() {
    let server = Server::with(OPEN).await;
    let bye = "https://app.example.net/bye";
    let client = registered(&server, &app_with(json!({ "post_logout_redirect_uris": [bye] }))).await;
    let browser = Browser::of(&server);
    let body = tokens(&server, &browser, &client, "openid").await;
    let out = format!(
        "/logout?id_token_hint={}&post_logout_redirect_uri={bye}",
        text(&body, "id_token")
    );
    let nowhere = |reply: &Reply| {
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        assert!(reply.headers.get("location").is_none() && reply.headers.get("refresh").is_none());
    };
    let stranger = Browser::of(&server).get(&out).await;
    nowhere(&stranger);
    assert!(
        server.is_active(text(&body, "access_token")).await,
        "it ended nothing"
    );
    let asked = browser.get(&out).await;
    nowhere(&asked);
    assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
    assert!(
        server.is_active(text(&body, "access_token")).await,
        "they were only asked"
    );
    let left = browser.submit(&asked, &[("decision", "logout")]).await;
    nowhere(&left);
    assert!(!server.is_active(text(&body, "access_token")).await);
    for page in [&stranger, &left] {
        let page = page.text();
        assert!(page.contains("id=\"client-unverified\"") && page.contains("app.example.net&#x2f;bye"));
        assert!(!page.contains("<script"), "{page}");
    }
}

#[tokio::test]
async fn d17_a_hint_of_a_client_that_is_gone_is_no_word() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let browser = Browser::of(&server);
    let body = tokens(&server, &browser, &client, "openid").await;
    let path = format!("{REGISTER}/{}", text(&client, "client_id"));
    let call = server.call(Method::DELETE, &path);
    let gone = call
        .bearer(text(&client, "registration_access_token"))
        .send()
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let out = format!("/logout?id_token_hint={}", text(&body, "id_token"));
    let asked = browser.get(&out).await;
    assert!(asked.text().contains("id=\"logout-confirm\""), "{asked:?}");
}

#[tokio::test]
async fn cn_04_a_device_shows_no_address_that_nobody_has_checked() {
    let server = Server::with(OPEN).await;
    let metadata = app_with(json!({
        "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none",
        "client_uri": "https://app.example.net/", "policy_uri": "https://app.example.net/p",
    }));
    let client = registered(&server, &metadata).await;
    let fields = [("client_id", text(&client, "client_id")), ("scope", "openid")];
    let codes = server
        .post("/oauth/device_authorization")
        .form(&fields)
        .send()
        .await
        .json();
    let browser = Browser::of(&server);
    let page = browser
        .follow(&format!("/device?user_code={}", text(&codes, "user_code")))
        .await;
    let page = match page.text().contains("id=\"login-submit\"") {
        true => browser.log_in(&page).await,
        false => page,
    };
    let page = match page.text().contains("id=\"device-allow\"") {
        true => page,
        false => {
            browser
                .submit(&page, &[("user_code", text(&codes, "user_code"))])
                .await
        }
    };
    let page = match page.text().contains("id=\"login-submit\"") {
        true => browser.log_in(&page).await,
        false => page,
    };
    let shown = page.text();
    assert!(
        shown.contains("id=\"device-allow\"") && shown.contains("id=\"client-unverified\""),
        "{shown}"
    );
    assert!(!shown.contains("app.example.net"), "{shown}");
}
