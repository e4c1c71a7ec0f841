//! The client `web`: what it asks the token endpoint for.

use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, VERIFIER, web_url};
use crate::harness::{Call, Reply, Server};

pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const CALLBACK: &str = "https://web.example.com/cb";
pub(crate) const EVERYTHING: &str = "openid profile email offline_access read:orders";

/// A code for tokens, by a client of this name with a secret of its own.
pub(crate) async fn redeem(server: &Server, client: &str, code: &str, more: &[(&str, &str)]) -> Reply {
    let fields = [("grant_type", "authorization_code"), ("code", code)];
    let call = server.post(TOKEN).basic(client, &format!("{client}.secret"));
    call.form(&[&fields[..], more].concat()).send().await
}

pub(crate) fn exchange<'a>(server: &'a Server, code: &str) -> Call<'a> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    server.post(TOKEN).basic("web", "web.secret").form(&fields)
}

pub(crate) async fn refresh(server: &Server, token: &str, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    fields.extend(more);
    server
        .post(TOKEN)
        .basic("web", "web.secret")
        .form(&fields)
        .send()
        .await
}

/// The tokens of a login of Alice through the client `web`.
pub(crate) async fn tokens(server: &Server, scope: &str) -> Value {
    let code = Browser::of(server).code(&web_url(scope, &[])).await;
    let reply = exchange(server, &code).send().await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

pub(crate) fn text<'a>(body: &'a Value, member: &str) -> &'a str {
    body[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member}: {body}"))
}

pub(crate) fn assert_refused(reply: &Reply, error: &str) {
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    assert_eq!(reply.json()["error"], error, "{reply:?}");
}
