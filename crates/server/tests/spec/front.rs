//! Spec tests of `/`.

use http::StatusCode;

use crate::harness::Server;

#[tokio::test]
async fn a_browser_that_has_only_the_address_is_told_what_this_is_and_where_to_go() {
    let server = Server::start().await;
    let page = server
        .get("/")
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .header("accept-language", "de-AT, en")
        .send()
        .await;
    assert_eq!(page.status, StatusCode::OK);
    let text = page.text();
    assert!(
        text.contains("<html lang=\"de\">") && text.contains("Anmeldung für Ihre Apps"),
        "{text}"
    );
    for place in [
        "/account",
        "/device",
        "/tools",
        "/.well-known/openid-configuration",
    ] {
        assert!(text.contains(&format!("href=\"{place}\"")), "{place}: {text}");
        let there = server.get(place).header("accept", "text/html").send().await;
        assert!(there.status.as_u16() < 400, "{place}: {}", there.status);
    }
}

#[tokio::test]
async fn a_program_finds_nothing_there() {
    let server = Server::start().await;
    for accept in ["*/*", "application/json"] {
        let reply = server.get("/").header("accept", accept).send().await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
        assert_eq!(reply.code(), "not_found");
    }
}
