//! Spec tests of refresh_token at the token endpoint (RFC 6749 §6, RFC 9700 §4.14.2, OpenID Connect Core §12).

use http::StatusCode;

use crate::harness::{ALICE, PASSWORD, Server, claims, days, minutes};
use crate::web::{EVERYTHING, TOKEN, assert_refused, refresh, text, tokens};

#[tokio::test]
async fn a_refresh_rotates_and_its_id_token_keeps_what_the_login_was() {
    let server = Server::start().await;
    let first = tokens(&server, EVERYTHING).await;
    server.wait(minutes(20)).await;
    let second = refresh(&server, text(&first, "refresh_token"), &[]).await.json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (before, after) = (
        claims(text(&first, "id_token")),
        claims(text(&second, "id_token")),
    );
    for claim in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(before[claim], after[claim], "{claim}");
    }
    assert!(after["iat"].as_u64() > before["iat"].as_u64());
    assert!(after.get("nonce").is_none());
    // RT-06: narrower now, and all of it again next time.
    let narrow = refresh(&server, text(&second, "refresh_token"), &[("scope", "openid")])
        .await
        .json();
    assert_eq!(narrow["scope"], "openid");
    let wider = refresh(
        &server,
        text(&narrow, "refresh_token"),
        &[("scope", "openid write:orders")],
    )
    .await;
    assert_refused(&wider, "invalid_scope");
    let whole = refresh(&server, text(&narrow, "refresh_token"), &[]).await.json();
    assert_eq!(whole["scope"], first["scope"]);
}

#[tokio::test]
async fn rt_01_a_spent_token_ends_its_family_and_no_other() {
    let server = Server::start().await;
    let (first, other) = (
        tokens(&server, EVERYTHING).await,
        tokens(&server, EVERYTHING).await,
    );
    let second = refresh(&server, text(&first, "refresh_token"), &[]).await.json();
    server.wait(minutes(1)).await;
    assert_refused(
        &refresh(&server, text(&first, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    assert_refused(
        &refresh(&server, text(&second, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    assert!(!server.is_active(text(&second, "access_token")).await);
    assert_eq!(
        refresh(&server, text(&other, "refresh_token"), &[]).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn rt_07_a_token_of_one_client_is_nothing_to_another_and_stays_good() {
    let server = Server::start().await;
    let body = tokens(&server, EVERYTHING).await;
    let token = text(&body, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let reply = server
        .post(TOKEN)
        .basic("web2", "web2.secret")
        .form(&fields)
        .send()
        .await;
    assert_refused(&reply, "invalid_grant");
    for id in ["web", "spa"] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", id),
        ];
        assert_ne!(
            server.post(TOKEN).form(&fields).send().await.status,
            StatusCode::OK,
            "{id}"
        );
    }
    // Nor does the login API take it, by body or by cookie.
    let reply = server.refresh(token).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    for _ in 0..3 {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let reply = server
            .post(TOKEN)
            .basic_exactly("web", "wrong")
            .form(&fields)
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "RT-11");
    }
    assert_eq!(refresh(&server, token, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rt_08_a_token_dies_with_the_password_and_the_account() {
    let server = Server::start().await;
    let body = tokens(&server, EVERYTHING).await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let change =
        serde_json::json!({ "old_password": PASSWORD, "new_password": "a wholly different passphrase" });
    let reply = server
        .post("/auth/password")
        .bearer(&session.access)
        .json(&change)
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
    assert_refused(
        &refresh(&server, text(&body, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    assert!(!server.is_active(text(&body, "access_token")).await);
}

#[tokio::test]
async fn rt_09_rt_10_a_family_ends_and_follows_what_its_client_may() {
    let server = Server::start().await;
    let body = tokens(&server, EVERYTHING).await;
    let changed = server
        .restarted_with(
            "scope = \"openid profile email offline_access read:orders write:orders\"",
            "scope = \"openid offline_access\"",
        )
        .await;
    let reply = refresh(&changed, text(&body, "refresh_token"), &[]).await;
    assert_eq!(reply.json()["scope"], "offline_access openid");
    let newest = reply.json();
    changed.wait(days(8)).await;
    assert_refused(
        &refresh(&changed, text(&newest, "refresh_token"), &[]).await,
        "invalid_grant",
    );
}

#[tokio::test]
async fn a_token_of_characters_that_none_has_is_refused_like_any_other() {
    let server = Server::start().await;
    for fam in ["a\0b", "ä", "a b"] {
        let token = format!("carnet_rt.{fam}.0.{}", "A".repeat(43));
        assert_refused(&refresh(&server, &token, &[]).await, "invalid_grant");
        let fields = [("token", token.as_str())];
        let reply = server
            .post("/oauth/revoke")
            .basic("web", "web.secret")
            .form(&fields)
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::OK);
    }
}
