//! Spec tests of where people are led when something cannot go on, and of whom they are told that it asks (CN-04).

use http::{Method, StatusCode};
use serde_json::json;

use crate::browser::{Browser, authorize_url, form_of, web_url};
use crate::harness::{Reply, Server};
use crate::registration::{OPEN, app_with, registered};
use crate::web::text;

fn link_back(page: &Reply) -> Option<String> {
    let text = page.text();
    let (_, rest) = text.split_once("id=\"error-back\" href=\"")?;
    Some(rest.split('"').next().unwrap().replace("&#x2f;", "/"))
}

#[tokio::test]
async fn an_error_leads_back_to_the_app_that_the_operator_names_and_never_to_what_was_asked_for() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let foreign = authorize_url("web", "https://evil.test/cb", "openid", &[]);
    let page = browser.get(&foreign).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(link_back(&page).unwrap(), "https://web.example.com");
    assert!(!page.text().contains("evil.test"), "{page:?}");
    // A client without a page of its own, and one that nobody knows.
    for client in ["spa", "nobody"] {
        let page = browser
            .get(&authorize_url(client, "https://evil.test/cb", "openid", &[]))
            .await;
        assert_eq!(link_back(&page), None, "{client}");
    }
    // On the way as well.
    let login = browser.follow(&web_url("openid", &[("ui_locales", "de")])).await;
    let (action, fields) = form_of(&login);
    let mut fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    fields.retain(|(name, _)| *name != "csrf");
    let page = browser.post(&action, &fields).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(link_back(&page).unwrap(), "https://web.example.com");
    assert!(
        page.text().contains("Zur\u{fc}ck zu <bdi>The web shop</bdi>"),
        "{page:?}"
    );
}

#[tokio::test]
async fn the_host_of_whoever_asks_is_in_plain_sight_even_when_the_operator_named_none() {
    let server = Server::start().await;
    for (client, uri, host) in [
        ("web2", "https://web2.example.com/cb", "web2.example.com"),
        ("native", "http://127.0.0.1:4242/cb", "127.0.0.1"),
        ("native", "com.example.native:/cb", "com.example.native"),
    ] {
        let browser = Browser::of(&server);
        let login = browser.follow(&authorize_url(client, uri, "openid", &[])).await;
        let consent = browser.log_in(&login).await;
        for page in [login, consent] {
            let shown = format!("<bdi class=\"host\">{host}</bdi>");
            assert!(page.text().contains(&shown), "{client} {uri}: {page:?}");
        }
    }
}

#[tokio::test]
async fn an_error_leads_nowhere_that_a_client_says_of_itself() {
    let server = Server::with(OPEN).await;
    let client = registered(
        &server,
        &app_with(json!({ "client_uri": "https://app.example.net" })),
    )
    .await;
    let id = text(&client, "client_id");
    let page = Browser::of(&server)
        .get(&authorize_url(id, "https://evil.test/cb", "openid", &[]))
        .await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(link_back(&page), None);
}

#[tokio::test]
async fn a_browser_reads_on_a_page_that_there_is_nothing() {
    let server = Server::start().await;
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (method, path, status, allow, said) in [
        (Method::GET, "/nowhere", 404, "", "Diese Seite gibt es nicht"),
        (Method::GET, "/oauth/token", 405, "POST", "unbrauchbare Anfrage"),
        (Method::PUT, "/login", 405, "GET, POST", "unbrauchbare Anfrage"),
    ] {
        let call = || server.call(method.clone(), path);
        let page = call().header("accept", html).header("accept-language", "de");
        let page = page.send().await;
        assert_eq!(
            (page.status.as_u16(), page.header("allow")),
            (status, allow),
            "{path}"
        );
        assert!(page.text().contains(said), "{page:?}");
        assert!(page.text().contains(page.header("x-request-id")), "{page:?}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("style-src 'self'"), "{policy}");
        let program = call().header("accept", "*/*").send().await;
        assert_eq!(program.status.as_u16(), status, "{path}");
        assert_eq!(program.header("content-type"), "application/problem+json");
    }
}
