//! Spec tests of what is said to whoever asks in a way that OAuth 2.1 has dropped (RFC 9700 §2.1.2, §2.4).

use http::StatusCode;
use serde_json::json;

use crate::authorize::ISSUER;
use crate::browser::{Browser, answer, authorize_url, web_url};
use crate::harness::{Reply, Server};
use crate::par::push;
use crate::registration::{CALLBACK, OPEN, app_with, registered};
use crate::web::{TOKEN, text};

/// The page behind an `error_uri`.
async fn guide(server: &Server, uri: &str) -> Reply {
    let path = uri.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{uri}"));
    let page = server.get(path).send().await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    page
}

fn implicit(url: &str) -> String {
    url.replace("response_type=code", "response_type=token")
}

#[tokio::test]
async fn az_03_whatever_else_would_be_wrong_the_guide_is_named() {
    let server = Server::replacing(&[(
        "id = \"web2\"",
        "id = \"web2\"\nrequire_pushed_authorization_requests = true",
    )])
    .await;
    let (browser, fragment) = (Browser::of(&server), [("response_mode", "fragment")]);
    let pushes = authorize_url("web2", "https://web2.example.com/cb", "openid", &[]);
    for url in [web_url("openid", &fragment), pushes.clone()] {
        let told = answer(&browser.get(&implicit(&url)).await);
        assert_eq!(told["error"], "unsupported_response_type", "{url}");
        guide(&server, &told["error_uri"]).await;
        let otherwise = answer(&browser.get(&url).await);
        assert_eq!(otherwise["error"], "invalid_request", "{url}");
        assert!(!otherwise.contains_key("error_uri"), "{url}");
    }
    // Who leaves out the one address that is registered finds it in the guide.
    let url = implicit(&pushes).replace("redirect_uri=https%3A%2F%2Fweb2.example.com%2Fcb&", "");
    assert!(!url.contains("redirect_uri"), "{url}");
    let told = answer(&browser.get(&url).await);
    let page = guide(&server, &told["error_uri"]).await;
    assert!(
        page.text()
            .contains("https%3A&#x2f;&#x2f;web2.example.com&#x2f;cb"),
        "{page:?}"
    );
}

#[tokio::test]
async fn az_03_the_address_of_the_guide_has_no_more_than_it_needs() {
    let server = Server::start().await;
    let (long, state) = ("x".repeat(6_000), ("state", "secret"));
    let url = web_url(&long, &[]).replace(
        "response_type=code",
        &format!("response_type={}", "%25".repeat(300)),
    );
    let told = answer(&Browser::of(&server).get(&url).await);
    let uri = &told["error_uri"];
    assert_eq!(
        *uri,
        format!("{ISSUER}/oauth/implicit?client_id=web&redirect_uri=https%3A%2F%2Fweb.example.com%2Fcb")
    );
    // What a client has pushed was not to be seen in any address.
    let pushed =
        implicit(&web_url("openid email", &[])).replace("state=s-1", &format!("{}={}", state.0, state.1));
    let reply = push(&server, &pushed).basic("web", "web.secret").send().await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["error"], "unsupported_response_type");
    let uri = text(&body, "error_uri");
    assert!(!uri.contains("email") && !uri.contains("secret"), "{uri}");
    let page = guide(&server, uri).await;
    assert!(
        page.text()
            .contains("https%3A&#x2f;&#x2f;web.example.com&#x2f;cb"),
        "{page:?}"
    );
}

#[tokio::test]
async fn d17_who_is_sent_nowhere_finds_the_guide_on_the_page() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app_with(json!({}))).await;
    let url = authorize_url(text(&client, "client_id"), CALLBACK, "openid", &[]);
    let browser = Browser::of(&server);
    let page = browser.get(&implicit(&url)).await.text().replace("&#x2f;", "/");
    assert!(page.contains("id=\"oidc-error\""), "{page}");
    let link = page
        .split("href=\"")
        .find(|rest| rest.contains("/oauth/implicit?"))
        .unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    guide(&server, &link).await;
    let other = browser.get(&url.replace("code_challenge=", "x=")).await.text();
    assert!(
        other.contains("id=\"oidc-error\"") && !other.contains("implicit"),
        "{other}"
    );
}

#[tokio::test]
async fn who_asks_with_a_password_is_shown_how_to_move_on() {
    let server = Server::start().await;
    let ask = async |grant_type: &str| {
        let password = "correct horse battery";
        let fields = [
            ("grant_type", grant_type),
            ("username", "alice@example.com"),
            ("password", password),
        ];
        let call = server.post(TOKEN).basic("web2", "web2.secret").form(&fields);
        let reply = call.send().await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
        let body = reply.json();
        assert_eq!(body["error"], "unsupported_grant_type");
        body
    };
    let body = ask("password").await;
    let uri = text(&body, "error_uri");
    assert!(!uri.contains("alice") && !uri.contains("horse"), "{uri}");
    let page = guide(&server, uri).await.text();
    assert!(
        page.contains("password grant") && page.contains("grant_type=password"),
        "{page}"
    );
    assert!(
        page.contains("https%3A&#x2f;&#x2f;web2.example.com&#x2f;cb"),
        "its own values: {page}"
    );
    assert!(!page.contains("#access_token"), "{page}");
    assert_eq!(ask("x").await.get("error_uri"), None);
}
