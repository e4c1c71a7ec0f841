//! What a client may have of its own: lives and rotation of its refresh tokens, the algorithm of its access tokens, whom its assertions name.

use std::time::Duration;

use carnet_store::{AuditAction, NewAudit};
use http::StatusCode;
use serde_json::{Value, json};

use crate::browser::{Browser, web_url};
use crate::client_auth::{assertion, with_assertion};
use crate::harness::{Reply, SHARED_API, Server, days, minutes};
use crate::jwt_bearer::{GRANT_TYPE, ISSUER};
use crate::proofs::{for_tokens, prover, refreshing};
use crate::web::{EVERYTHING, TOKEN, assert_refused, exchange, refresh, text, tokens};

const WEB: &str = "id = \"web\"";
/// `web` as FAPI 2.0 has it: it proves who it is, and a key.
const CONSTRAINED: &str = "id = \"web\"\ndpop = \"required\"";
const WITHOUT_NONCE: (&str, &str) = ("[first_party]", "[dpop]\nrequire_nonce = false\n[first_party]");

fn with(more: &str) -> String {
    format!("{CONSTRAINED}\n{more}")
}

async fn constrained(more: &str) -> Server {
    Server::replacing(&[WITHOUT_NONCE, (WEB, &with(more))]).await
}

/// The tokens of a login of Alice through `web`, with a proof.
async fn proven(server: &Server) -> Value {
    let code = Browser::of(server).code(&web_url(EVERYTHING, &[])).await;
    let proof = for_tokens(server, &prover(), None);
    let reply = exchange(server, &code).header("dpop", &proof).send().await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

/// A refresh by `web`, with a proof of a key of its own.
async fn renew(server: &Server, token: &str) -> Reply {
    let proof = for_tokens(server, &prover(), None);
    let call = server.post(TOKEN).basic("web", "web.secret");
    call.form(&refreshing(token)).header("dpop", &proof).send().await
}

#[tokio::test]
async fn rt_09_a_client_may_have_lives_of_its_own_for_its_refresh_tokens() {
    let lives = format!("{WEB}\nrefresh_idle = \"1h\"\nrefresh_absolute = \"2h\"");
    let server = Server::replacing(&[(WEB, &lives)]).await;
    let rested = tokens(&server, EVERYTHING).await;
    let mut used = tokens(&server, EVERYTHING).await;
    for minute in [50, 100] {
        server.wait(minutes(50)).await;
        let reply = refresh(&server, text(&used, "refresh_token"), &[]).await;
        assert_eq!(reply.status, StatusCode::OK, "{minute}");
        used = reply.json();
    }
    assert_refused(
        &refresh(&server, text(&rested, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    server.wait(minutes(21)).await;
    assert_refused(
        &refresh(&server, text(&used, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    // Nobody else's.
    let session = server
        .log_in(crate::harness::ALICE, crate::harness::PASSWORD)
        .await;
    server.wait(days(6)).await;
    assert_eq!(server.refresh(&session.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays_and_lives_as_long_as_it_is_used() {
    let server =
        constrained("refresh_rotation = \"off\"\nrefresh_idle = \"1d\"\nrefresh_absolute = \"3d\"").await;
    let first = proven(&server).await;
    let token = text(&first, "refresh_token");
    for hours in [0, 20, 20, 20] {
        server.wait(minutes(hours * 60)).await;
        let reply = renew(&server, token).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let body = reply.json();
        assert_eq!(
            (text(&body, "refresh_token"), &body["token_type"]),
            (token, &json!("DPoP"))
        );
    }
    // RT-11: without a proof nothing happens, good or bad.
    assert_refused(&refresh(&server, token, &[]).await, "invalid_dpop_proof");
    server.wait(minutes(13 * 60)).await;
    assert_refused(&renew(&server, token).await, "invalid_grant");
    // RT-08: what ends the login ends it.
    let second = proven(&server).await;
    let fields = [("token", text(&second, "refresh_token"))];
    let call = server.post("/oauth/revoke").basic("web", "web.secret");
    assert_eq!(call.form(&fields).send().await.status, StatusCode::OK);
    assert_refused(
        &renew(&server, text(&second, "refresh_token")).await,
        "invalid_grant",
    );
}

#[tokio::test]
async fn rt_01_a_token_that_was_spent_by_rotation_is_a_theft_with_and_without_it() {
    let off = with("refresh_rotation = \"off\"");
    let on = constrained("").await;
    let body = proven(&on).await;
    let spent = text(&body, "refresh_token");
    let next = renew(&on, spent).await.json();
    let off = on.another(&[WITHOUT_NONCE, (WEB, &off)]).await;
    let kept = renew(&off, text(&next, "refresh_token")).await.json();
    assert_eq!(kept["refresh_token"], next["refresh_token"]);
    // Switched on again, the token that stayed is spent once.
    let newest = renew(&on, text(&kept, "refresh_token")).await.json();
    assert_ne!(newest["refresh_token"], kept["refresh_token"]);
    off.wait(Duration::from_secs(11)).await;
    assert_refused(&renew(&off, spent).await, "invalid_grant");
    assert_refused(
        &renew(&off, text(&newest, "refresh_token")).await,
        "invalid_grant",
    );
}

#[tokio::test]
async fn rt_02_whose_tokens_are_of_no_use_to_a_thief_may_retry_for_longer() {
    let server = constrained("refresh_grace = \"1d\"").await;
    let body = proven(&server).await;
    let first = renew(&server, text(&body, "refresh_token")).await.json();
    server.wait(minutes(23 * 60)).await;
    let again = renew(&server, text(&body, "refresh_token")).await.json();
    assert_eq!(again["refresh_token"], first["refresh_token"]);
}

#[tokio::test]
async fn ca_05_a_client_may_be_let_name_the_token_endpoint_as_its_audience() {
    let id = "id = \"jwtc\"";
    let policy = format!("{id}\nassertion_audience = \"token_endpoint\"");
    let server = Server::replacing(&[(id, &policy)]).await;
    let for_aud = |aud: Value| assertion(&server, |claims| claims["aud"] = aud);
    let endpoint = "https://auth.example.com/oauth/token";
    // RFC 9126 §2: libraries name that of PAR as well.
    let pushed = "https://auth.example.com/oauth/par";
    for aud in [json!(endpoint), json!([endpoint]), json!(pushed), json!(ISSUER)] {
        let reply = with_assertion(&server, &for_aud(aud.clone())).await;
        assert_eq!(reply.status, StatusCode::OK, "{aud}");
        let grant = for_aud(aud.clone());
        let fields = [("grant_type", GRANT_TYPE), ("assertion", grant.as_str())];
        assert_eq!(
            server.post(TOKEN).form(&fields).send().await.status,
            StatusCode::OK,
            "{aud}"
        );
    }
    for aud in [
        json!([endpoint, ISSUER]),
        json!("https://auth.example.com/oauth/token/"),
        json!("https://auth.example.com/oauth/revoke"),
    ] {
        let reply = with_assertion(&server, &for_aud(aud)).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn the_algorithm_is_the_apis_then_the_clients() {
    let keys = (
        "[first_party]",
        "[keys]\nalgorithms = [\"ES256\", \"Ed25519\", \"PS256\"]\n[first_party]",
    );
    let scoped = "id = \"svc\"\naccess_token_signing = \"Ed25519\"";
    let own = "[[resources]]\naudience = \"https://billing.example.com\"";
    let says = format!("{own}\nsigning = \"PS256\"");
    let server = Server::replacing(&[keys, ("id = \"svc\"", scoped), (own, &says)]).await;
    let algorithm = async |resource: &str| {
        let reply = crate::client_auth::svc(&server, &[("resource", resource)])
            .send()
            .await;
        let body = reply.json();
        let decoded = carnet_jose::dangerous::decode(text(&body, "access_token")).unwrap();
        decoded.header["alg"].as_str().unwrap().to_owned()
    };
    assert_eq!(algorithm(crate::harness::API).await, "Ed25519");
    assert_eq!(algorithm("https://billing.example.com").await, "PS256");
    assert_eq!(algorithm(SHARED_API).await, "HS256");
    let body = crate::client_auth::svc(&server, &[]).send().await.json();
    assert!(server.is_active(text(&body, "access_token")).await);
}

#[tokio::test]
async fn registered_clients_are_read_at_the_start_and_those_that_do_not_fit_any_more_are_left_out() {
    let server = Server::start().await;
    let audit = NewAudit::success("test", AuditAction::ClientCreate, "");
    for (id, audience) in [
        ("fits", "https://api.example.com"),
        ("gone", "https://gone.example.com"),
    ] {
        let settings = json!({
            "id": id, "grant_types": ["client_credentials"], "auth_method": "client_secret_basic", "audiences": [audience],
        });
        let new = (id, &*settings.to_string());
        let added = server
            .app
            .store
            .add_client(new, Some([7; 32]), (server.app_now(), &audit));
        added.await.unwrap();
    }
    let server = server.another(&[]).await;
    // Nobody has asked for anything yet.
    assert!(server.app.directory.client("fits").is_some());
    assert!(server.app.directory.client("gone").is_none());
}
