//! Token exchange with a token of the client's own: no API was called with it.

use std::time::Duration;

use carnet_oauth::dpop::Prover;
use carnet_store::Reason;
use http::StatusCode;

use crate::browser::{Browser, web_url};
use crate::harness::{ALICE, API, Reply, Server, claims};
use crate::jwt_bearer::let_client;
use crate::proofs::{first_nonce, for_tokens, prover, with_proof};
use crate::token_exchange::{ACCESS_TOKEN, BILLING, GRANT_TYPE, as_client, exchanged};
use crate::web::{self, TOKEN, assert_refused, text, tokens};

const REGISTERED: &str =
    "id = \"web\"\nname = \"The web shop\"\ngrant_types = [\"authorization_code\", \"refresh_token\"]";
const SCOPE: &str = "openid read:orders write:orders";

/// `web` may exchange tokens, and use the next API too.
async fn exchanging(consent: &str) -> Server {
    let may = REGISTERED.replace("\"refresh_token\"", "\"refresh_token\", \"token_exchange\"");
    let may = format!("{may}\naudiences = [{API:?}, {BILLING:?}]\nconsent = {consent:?}");
    let server = Server::start().await;
    server.another(&[(REGISTERED, &may)]).await
}

async fn for_resource(server: &Server, token: &str, resource: &str) -> Reply {
    as_client(server, ("web", "web.secret"), token, &[("resource", resource)]).await
}

#[tokio::test]
async fn tk_13_a_clients_own_token_goes_where_the_user_has_let_the_client() {
    let server = exchanging("remembered").await;
    let token = tokens(&server, SCOPE).await;
    let token = text(&token, "access_token");
    assert_refused(&for_resource(&server, token, BILLING).await, "invalid_target");
    // What the token is for already needs nothing more.
    let same = for_resource(&server, token, API).await.json();
    assert_eq!(
        claims(text(&same, "access_token"))["scope"],
        "read:orders write:orders"
    );
    let alice = server.user(ALICE).await;
    let_client(&server, &alice, ("web", BILLING), "read:orders offline_access").await;
    let there = for_resource(&server, token, BILLING).await.json();
    let there = claims(text(&there, "access_token"));
    assert_eq!(
        (&there["aud"], &there["scope"]),
        (&BILLING.into(), &"read:orders".into())
    );
    let more = [("resource", BILLING), ("scope", "write:orders")];
    let more = as_client(&server, ("web", "web.secret"), token, &more).await;
    assert_refused(&more, "invalid_scope");
}

#[tokio::test]
async fn tk_13_who_is_asked_every_time_goes_nowhere_else_and_the_operators_own_client_is_not_asked() {
    for (consent, status) in [("explicit", StatusCode::BAD_REQUEST), ("none", StatusCode::OK)] {
        let server = exchanging(consent).await;
        let token = tokens(&server, SCOPE).await;
        let reply = for_resource(&server, text(&token, "access_token"), BILLING).await;
        assert_eq!(reply.status, status, "{consent}");
    }
}

#[tokio::test]
async fn a_client_whose_apis_go_by_roles_alone_has_no_scope_to_lose() {
    let server = exchanging("none").await;
    let token = tokens(&server, "openid").await;
    let there = for_resource(&server, text(&token, "access_token"), BILLING).await;
    assert_eq!(there.status, StatusCode::OK, "{there:?}");
    let server = exchanging("remembered").await;
    let alice = server.user(ALICE).await;
    let_client(&server, &alice, ("web", BILLING), "openid").await;
    let without = tokens(&server, "openid").await;
    let there = for_resource(&server, text(&without, "access_token"), BILLING).await;
    assert_eq!(there.status, StatusCode::OK, "{there:?}");
    // What was let elsewhere is not let there.
    let with = tokens(&server, SCOPE).await;
    let there = for_resource(&server, text(&with, "access_token"), BILLING).await;
    assert_refused(&there, "invalid_scope");
}

#[tokio::test]
async fn tk_13_a_consent_that_was_withdrawn_lets_no_token_go_there() {
    let server = exchanging("remembered").await;
    let alice = server.user(ALICE).await;
    let_client(&server, &alice, ("web", BILLING), "read:orders").await;
    let cut = server.cut(Reason::Revoked);
    let store = &server.app.store;
    store
        .withdraw_consent((alice.id, &alice.sub), "web", &cut)
        .await
        .unwrap();
    server.wait(Duration::from_secs(2)).await;
    let token = tokens(&server, SCOPE).await;
    let there = for_resource(&server, text(&token, "access_token"), BILLING).await;
    assert_refused(&there, "invalid_target");
}

#[tokio::test]
async fn tk_13_what_an_api_got_by_an_exchange_it_does_not_exchange_again() {
    let server = exchanging("remembered").await;
    let subject = tokens(&server, SCOPE).await;
    let first = exchanged(&server, text(&subject, "access_token")).await;
    let orders = ("orders", "web2.secret");
    let same = as_client(&server, orders, text(&first, "access_token"), &[]).await;
    assert_eq!(same.status, StatusCode::OK, "for the API that it is for");
    let wider = "audiences = [\"https://billing.example.com\"]\nscope = \"openid read:orders read:invoices\"";
    let more = wider.replace("[\"", "[\"https://legacy.example.com\", \"");
    let server = server.another(&[(wider, &more)]).await;
    let again = [("resource", "https://legacy.example.com")];
    let again = as_client(&server, orders, text(&first, "access_token"), &again).await;
    assert_refused(&again, "invalid_target");
}

#[tokio::test]
async fn tk_13_nobody_washes_the_key_off_a_token_of_the_client() {
    let server = exchanging("none").await;
    let (own, nonce) = (prover(), first_nonce(&server).await);
    let proof = |key: &Prover| for_tokens(&server, key, Some(&nonce));
    let code = Browser::of(&server).code(&web_url(SCOPE, &[])).await;
    let redeemed = with_proof(web::exchange(&server, &code), Some(&proof(&own)))
        .send()
        .await;
    let token = redeemed.json();
    let fields = [
        ("grant_type", GRANT_TYPE),
        ("subject_token", text(&token, "access_token")),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let ask = async |proof: Option<String>| {
        let call = server.post(TOKEN).basic("web", "web.secret").form(&fields);
        with_proof(call, proof.as_deref()).send().await
    };
    assert_refused(&ask(None).await, "invalid_request");
    assert_refused(&ask(Some(proof(&prover()))).await, "invalid_request");
    let bound = ask(Some(proof(&own))).await.json();
    let (before, after) = (text(&token, "access_token"), text(&bound, "access_token"));
    assert_eq!(claims(after)["cnf"], claims(before)["cnf"]);
    assert_eq!(bound["token_type"], "DPoP");
}
