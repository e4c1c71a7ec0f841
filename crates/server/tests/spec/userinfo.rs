//! Spec tests of userinfo and of revocation by clients (OpenID Connect Core §5.3, RFC 7009).

use http::StatusCode;
use serde_json::json;

use crate::browser::{Browser, web_url};
use crate::harness::{ALICE, PASSWORD, SHARED_API, Server, claims};
use crate::web::{EVERYTHING, assert_refused, exchange, refresh, text, tokens};

#[tokio::test]
async fn userinfo_tells_what_the_scopes_open_and_nothing_else() {
    let server = Server::start().await;
    let body = tokens(&server, "openid").await;
    let reply = server
        .get("/userinfo")
        .bearer(text(&body, "access_token"))
        .send()
        .await;
    assert_eq!(
        reply.json(),
        serde_json::json!({ "sub": server.user(ALICE).await.sub })
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = tokens(&server, "openid email profile").await;
    let token = text(&body, "access_token");
    let by_get = server.get("/userinfo").bearer(token).send().await.json();
    assert_eq!(
        (by_get["email"].as_str(), by_get["email_verified"].as_bool()),
        (Some(ALICE), Some(false))
    );
    assert!(by_get["updated_at"].is_u64());
    assert!(by_get.get("name").is_none(), "what is not known is left out");
    let by_post = server.post("/userinfo").bearer(token).send().await.json();
    let by_body = server
        .post("/userinfo")
        .form(&[("access_token", token)])
        .send()
        .await
        .json();
    assert_eq!((&by_get, &by_get), (&by_post, &by_body));
    let twice = server
        .post("/userinfo")
        .bearer(token)
        .form(&[("access_token", token)])
        .send()
        .await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    let session = server.log_in(ALICE, PASSWORD).await;
    let reply = server.get("/userinfo").bearer(&session.access).send().await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    assert!(reply.header("www-authenticate").contains("scope=\"openid\""));
    let reply = server.get("/userinfo").send().await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn ir_06_ir_07_a_client_gives_back_its_own_tokens_and_all_that_hangs_on_them() {
    let server = Server::start().await;
    let revoke = async |token: &str, hint: &str| {
        let fields = [("token", token), ("token_type_hint", hint)];
        server
            .post("/oauth/revoke")
            .basic("web", "web.secret")
            .form(&fields)
            .send()
            .await
    };
    let body = tokens(&server, EVERYTHING).await;
    let (access, refresh_token) = (text(&body, "access_token"), text(&body, "refresh_token"));
    for token in [access, refresh_token] {
        let reply = server
            .post("/oauth/revoke")
            .basic("web2", "web2.secret")
            .form(&[("token", token)])
            .send()
            .await;
        assert_refused(&reply, "invalid_grant");
        assert!(server.is_active(access).await);
    }
    let reply = server
        .post("/oauth/revoke")
        .form(&[("token", access)])
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(revoke(access, "refresh_token").await.status, StatusCode::OK);
    assert!(!server.is_active(access).await);
    let next = refresh(&server, refresh_token, &[]).await.json();
    assert!(
        server.is_active(text(&next, "access_token")).await,
        "only that one token was given back"
    );
    // An old generation will do: it is the family that ends.
    assert_eq!(revoke(refresh_token, "access_token").await.status, StatusCode::OK);
    assert!(!server.is_active(text(&next, "access_token")).await);
    assert_refused(
        &refresh(&server, text(&next, "refresh_token"), &[]).await,
        "invalid_grant",
    );
    for token in ["garbage", access, refresh_token] {
        assert_eq!(revoke(token, "bogus").await.status, StatusCode::OK, "{token}");
    }
}

/// Core §5.4: claims go where they can be had.
#[tokio::test]
async fn what_userinfo_will_not_tell_for_a_token_with_a_shared_secret_stands_in_the_id_token() {
    let server = Server::start().await;
    let by_name = json!({ "userinfo": { "email": null } }).to_string();
    for (scope, more) in [
        ("openid email", None),
        ("openid", Some(("claims", by_name.as_str()))),
    ] {
        let resource = ("resource", SHARED_API);
        let asked: Vec<_> = std::iter::once(resource).chain(more).collect();
        let code = Browser::of(&server).code(&web_url(scope, &asked)).await;
        let first = exchange(&server, &code).send().await.json();
        let reply = server.get("/userinfo").bearer(text(&first, "access_token"));
        assert_eq!(
            reply.send().await.status,
            StatusCode::UNAUTHORIZED,
            "whoever has the secret made it"
        );
        let again = refresh(&server, text(&first, "refresh_token"), &[]).await.json();
        for body in [&first, &again] {
            let told = claims(text(body, "id_token"));
            assert_eq!(
                (&told["email"], told.get("updated_at")),
                (&json!(ALICE), None),
                "{scope}"
            );
        }
    }
    let elsewhere = claims(text(&tokens(&server, "openid email").await, "id_token"));
    assert!(elsewhere.get("email").is_none(), "userinfo tells it");
}
