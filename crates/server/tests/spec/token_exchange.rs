//! Token exchange: an API calls the next one for the user who called it.

use std::time::Duration;

use carnet_store::UserState;
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{ALICE, API, Reply, Server, claims};
use crate::web::{EVERYTHING, TOKEN, assert_refused, refresh, text, tokens};

pub(crate) const BILLING: &str = "https://billing.example.com";
pub(crate) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The API that the user has called asks for a token for the next.
pub(crate) async fn exchange(server: &Server, token: &str, more: &[(&str, &str)]) -> Reply {
    as_client(server, ("orders", "web2.secret"), token, more).await
}

pub(crate) async fn as_client(
    server: &Server,
    (id, secret): (&str, &str),
    token: &str,
    more: &[(&str, &str)],
) -> Reply {
    let fields = [
        ("grant_type", GRANT_TYPE),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let call = server.post(TOKEN).basic(id, secret);
    call.form(&[&fields[..], more].concat()).send().await
}

async fn access_token(server: &Server) -> String {
    text(&tokens(server, EVERYTHING).await, "access_token").to_owned()
}

pub(crate) async fn exchanged(server: &Server, token: &str) -> Value {
    let reply = exchange(server, token, &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

/// Whether the server still takes it, by the one endpoint that tells: another exchange.
pub(crate) async fn lives(server: &Server, token: &str) -> bool {
    as_client(server, ("billing", "web.secret"), token, &[])
        .await
        .status
        == StatusCode::OK
}

#[tokio::test]
async fn an_api_gets_a_token_for_the_next_that_names_the_user_and_who_acts() {
    let server = Server::start().await;
    let subject = access_token(&server).await;
    let answer = exchanged(&server, &subject).await;
    // §2.2.1.
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(
        (&answer["token_type"], answer.get("refresh_token")),
        (&json!("Bearer"), None)
    );
    assert_eq!(answer.get("id_token"), None);
    let (before, after) = (claims(&subject), claims(text(&answer, "access_token")));
    assert_eq!((&after["sub"], &after["aud"]), (&before["sub"], &json!(BILLING)));
    assert_eq!(
        (&after["client_id"], &after["act"]),
        (&json!("orders"), &json!({ "sub": "orders" }))
    );
    assert_eq!((&after["sid"], &after["fam"]), (&before["sid"], &before["fam"]));
    assert_eq!(
        (&after["auth_time"], &after["acr"]),
        (&before["auth_time"], &before["acr"])
    );
    assert_eq!(after["scope"], "read:orders");
    assert_ne!(after["jti"], before["jti"]);
}

#[tokio::test]
async fn who_acts_for_whom_is_told_to_the_end_of_the_chain_and_chains_end() {
    let server = Server::start().await;
    let first = exchanged(&server, &access_token(&server).await).await;
    let billing = ("billing", "web.secret");
    let mut token = text(&first, "access_token").to_owned();
    for length in 2..=9 {
        let reply = as_client(&server, billing, &token, &[("resource", BILLING)]).await;
        if length == 9 {
            assert_refused(&reply, "invalid_request");
            return;
        }
        token = text(&reply.json(), "access_token").to_owned();
        if length == 2 {
            let act = json!({ "sub": "billing", "act": { "sub": "orders" } });
            assert_eq!(claims(&token)["act"], act);
        }
    }
}

#[tokio::test]
async fn tk_13_the_token_lives_no_longer_than_the_one_that_was_shown() {
    let server = Server::start().await;
    let subject = access_token(&server).await;
    server.wait(Duration::from_secs(14 * 60)).await;
    let answer = exchanged(&server, &subject).await;
    assert_eq!(answer["expires_in"], 60);
    assert_eq!(
        claims(text(&answer, "access_token"))["exp"],
        claims(&subject)["exp"]
    );
    server.wait(Duration::from_secs(120)).await;
    assert_refused(&exchange(&server, &subject, &[]).await, "invalid_request");
}

#[tokio::test]
async fn tk_13_no_more_scope_and_no_other_audience_than_the_client_may_have() {
    let server = Server::start().await;
    let subject = access_token(&server).await;
    for scope in ["write:orders", "read:invoices", "read:orders admin", "openid"] {
        assert_refused(
            &exchange(&server, &subject, &[("scope", scope)]).await,
            "invalid_scope",
        );
    }
    let narrow = exchange(&server, &subject, &[("scope", "read:orders")]).await;
    assert_eq!(narrow.status, StatusCode::OK);
    for name in ["resource", "audience"] {
        assert_refused(
            &exchange(&server, &subject, &[(name, API)]).await,
            "invalid_target",
        );
        let right = exchange(&server, &subject, &[(name, BILLING)]).await;
        assert_eq!(right.status, StatusCode::OK, "{name}");
    }
    let two = [("resource", BILLING), ("audience", API)];
    assert_refused(&exchange(&server, &subject, &two).await, "invalid_target");
}

#[tokio::test]
async fn tk_13_only_whom_the_token_concerns_exchanges_it() {
    let server = Server::start().await;
    let subject = access_token(&server).await;
    // Another API, for which the token was not.
    let foreign = as_client(&server, ("billing", "web.secret"), &subject, &[]).await;
    assert_refused(&foreign, "invalid_request");
    let unregistered = as_client(&server, ("web", "web.secret"), &subject, &[]).await;
    assert_refused(&unregistered, "unauthorized_client");
    let fields = [
        ("grant_type", GRANT_TYPE),
        ("client_id", "spa"),
        ("subject_token", subject.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    assert_refused(
        &server.post(TOKEN).form(&fields).send().await,
        "unauthorized_client",
    );
}

#[tokio::test]
async fn tk_13_what_is_no_living_access_token_of_a_user_is_refused() {
    let server = Server::start().await;
    let login = tokens(&server, EVERYTHING).await;
    let service = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", ""),
    ];
    let secret = crate::harness::secret_of("svc.secret");
    let service = [service[0], service[1], ("client_secret", secret.as_str())];
    let of_client = server.post(TOKEN).form(&service).send().await.json();
    for token in [
        text(&login, "id_token"),
        text(&login, "refresh_token"),
        text(&of_client, "access_token"),
        "x.y.z",
    ] {
        assert_refused(&exchange(&server, token, &[]).await, "invalid_request");
    }
    for more in [
        ("actor_token", "x"),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:refresh_token",
        ),
    ] {
        let token = text(&login, "access_token");
        assert_refused(&exchange(&server, token, &[more]).await, "invalid_request");
    }
    let call = server.post(TOKEN).basic("orders", "web2.secret");
    let without = [("grant_type", GRANT_TYPE), ("subject_token_type", ACCESS_TOKEN)];
    assert_refused(&call.form(&without).send().await, "invalid_request");
    let call = server.post(TOKEN).basic("orders", "web2.secret");
    let other = [
        ("grant_type", GRANT_TYPE),
        ("subject_token", text(&login, "access_token")),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    assert_refused(&call.form(&other).send().await, "invalid_request");
}

#[tokio::test]
async fn tk_13_what_ends_the_login_ends_what_was_exchanged() {
    let server = Server::start().await;
    let login = tokens(&server, EVERYTHING).await;
    let token = exchanged(&server, text(&login, "access_token")).await;
    let token = text(&token, "access_token");
    assert!(lives(&server, token).await);
    // A refresh does not end it; giving the refresh token back does.
    let newer = refresh(&server, text(&login, "refresh_token"), &[]).await.json();
    assert!(lives(&server, token).await);
    let given_back = [("token", text(&newer, "refresh_token"))];
    let revoked = server
        .post("/oauth/revoke")
        .basic("web", "web.secret")
        .form(&given_back)
        .send()
        .await;
    assert_eq!(revoked.status, StatusCode::OK);
    assert!(!lives(&server, token).await);
    assert_refused(
        &exchange(&server, text(&login, "access_token"), &[]).await,
        "invalid_request",
    );
}

#[tokio::test]
async fn tk_13_nobody_acts_for_a_user_who_was_disabled() {
    let server = Server::start().await;
    let subject = access_token(&server).await;
    let token = exchanged(&server, &subject).await;
    server.set_state(ALICE, UserState::Disabled).await;
    assert_refused(&exchange(&server, &subject, &[]).await, "invalid_request");
    assert!(!lives(&server, text(&token, "access_token")).await);
}

#[tokio::test]
async fn a_type_of_an_actor_token_without_one_is_refused() {
    let server = Server::start().await;
    let subject = access_token(&server).await;
    let alone = exchange(&server, &subject, &[("actor_token_type", ACCESS_TOKEN)]).await;
    assert_refused(&alone, "invalid_request");
    let both = [("actor_token_type", ACCESS_TOKEN), ("actor_token", &subject)];
    assert_refused(&exchange(&server, &subject, &both).await, "invalid_request");
    exchanged(&server, &subject).await;
}
