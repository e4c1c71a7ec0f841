//! Spec tests of the language of what people read (OpenID Connect Core §3.1.2.1, RFC 9110 §12.5.4).

use http::StatusCode;

use crate::browser::{Browser, authorize_url, form_of, web_url};
use crate::harness::{Reply, Server};
use crate::par::{by_reference, pushed};

fn assert_german(page: &Reply) {
    assert!(page.text().contains("<html lang=\"de\""), "{page:?}");
}

#[tokio::test]
async fn a_browser_that_would_rather_not_read_german_does_not_have_to() {
    let server = Server::start().await;
    for (accepted, language) in [
        ("de", "de"),
        ("fr, de;q=0.5", "de"),
        ("en;q=0.5, de", "de"),
        ("de;q=0, en", "en"),
        ("de;q=0.1, en;q=0.9", "en"),
    ] {
        let page = server.get("/device").header("accept-language", accepted);
        let page = page.send().await;
        let expected = format!("<html lang=\"{language}\"");
        assert!(page.text().contains(&expected), "{accepted}");
    }
}

#[tokio::test]
async fn an_error_is_told_in_the_language_of_the_flow() {
    let server = Server::start().await;
    let german = [("ui_locales", "fr de")];
    let browser = Browser::of(&server);
    let foreign = authorize_url("web", "https://evil.test/cb", "openid", &german);
    let page = browser.get(&foreign).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_german(&page);
    assert_german(&browser.get("/logout?ui_locales=de&state=1&state=2").await);
    assert_german(&browser.get("/consent?interaction=none&lang=de").await);
    // A form that comes back without its token. One that another site has posted is not read: its page speaks as the browser does.
    let login = browser.follow(&web_url("openid", &german)).await;
    assert_german(&login);
    let (action, fields) = form_of(&login);
    let mut fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    fields.retain(|(name, _)| *name != "csrf");
    let page = browser.post(&action, &fields).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_german(&page);
    // What was pushed says it as well.
    let unpushed = web_url(
        "openid",
        &[
            ("ui_locales", "de"),
            ("response_mode", "form_post"),
            ("prompt", "none"),
        ],
    );
    let uri = pushed(&server, &unpushed).await;
    assert_german(&browser.get(&by_reference("web", &uri)).await);
}

#[tokio::test]
async fn the_form_that_carries_an_answer_speaks_the_language_of_the_flow() {
    let server = Server::start().await;
    let asked = [
        ("ui_locales", "de"),
        ("response_mode", "form_post"),
        ("prompt", "none"),
    ];
    let form = Browser::of(&server).get(&web_url("openid", &asked)).await;
    assert_eq!(form.status, StatusCode::OK);
    assert_german(&form);
    assert!(form.text().contains("Weiter"), "{form:?}");
}
