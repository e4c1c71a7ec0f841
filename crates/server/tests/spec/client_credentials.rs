//! Spec tests of the token endpoint, and of client_credentials there (RFC 6749 §3.2, §4.4, §5).

use http::{Method, StatusCode};
use serde_json::json;

use crate::client_auth::{TOKEN, assert_refused, svc};
use crate::harness::{API, Server, claims, secret_of};

#[tokio::test]
async fn a_service_gets_a_token_for_itself_and_nothing_else() {
    let server = Server::start().await;
    let reply = svc(&server, &[("scope", "read:metrics write:logs")]).send().await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "read:metrics write:logs");
    assert_eq!(body["expires_in"], 900);
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    // RFC 6749 §4.4.3, TK-09.
    for member in ["refresh_token", "id_token"] {
        assert!(body.get(member).is_none(), "{member}");
    }
    let token = body["access_token"].as_str().unwrap();
    let said = claims(token);
    assert_eq!(
        (said["sub"].as_str(), said["client_id"].as_str()),
        (Some("svc"), Some("svc"))
    );
    assert_eq!(said["aud"], API);
    for claim in ["sid", "fam", "auth_time", "acr", "roles"] {
        assert!(said.get(claim).is_none(), "{claim}");
    }
    assert!(server.is_active(token).await);
    // No user stands behind it.
    assert_eq!(
        server.get("/auth/me").bearer(token).send().await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server.get("/userinfo").bearer(token).send().await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn tk_09_scopes_of_people_and_unregistered_ones_are_refused() {
    let server = Server::start().await;
    for scope in [
        "openid",
        "openid offline_access",
        "admin",
        "read:metrics admin",
        "read:\"metrics\"",
    ] {
        let reply = svc(&server, &[("scope", scope)]).send().await;
        assert_refused(&reply, StatusCode::BAD_REQUEST, "invalid_scope");
    }
    // Without scope: all that is registered, but for what is about people.
    let reply = svc(&server, &[]).send().await;
    assert_eq!(reply.json()["scope"], "read:metrics write:logs");
}

#[tokio::test]
async fn tk_12_a_token_is_for_a_resource_that_the_client_may_ask_for() {
    let server = Server::start().await;
    let reply = svc(&server, &[("resource", "https://legacy.example.com")])
        .send()
        .await;
    assert_eq!(
        claims(reply.json()["access_token"].as_str().unwrap())["aud"],
        "https://legacy.example.com"
    );
    let reply = svc(&server, &[("resource", "https://evil.example.com")])
        .send()
        .await;
    assert_refused(&reply, StatusCode::BAD_REQUEST, "invalid_target");
}

#[tokio::test]
async fn tk_07_credentials_in_the_address_repeated_parameters_and_other_types_are_refused() {
    let server = Server::start().await;
    let query = format!(
        "{TOKEN}?grant_type=client_credentials&client_id=svc&client_secret={}",
        secret_of("svc.secret")
    );
    let reply = server.post(&query).form(&[]).send().await;
    assert_ne!(reply.status, StatusCode::OK);
    assert!(!reply.text().contains("svc.secret"));
    let reply = svc(&server, &[("grant_type", "client_credentials")]).send().await;
    assert_refused(&reply, StatusCode::BAD_REQUEST, "invalid_request");
    let reply = server
        .post(TOKEN)
        .json(&json!({ "grant_type": "client_credentials" }))
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let reply = server.call(Method::GET, TOKEN).send().await;
    assert_eq!(
        (reply.status, reply.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
}

#[tokio::test]
async fn tk_08_a_client_uses_the_grant_types_that_it_is_registered_for() {
    let server = Server::start().await;
    for (grant_type, error) in [
        ("password", "unsupported_grant_type"),
        ("implicit", "unsupported_grant_type"),
        ("<script>", "unsupported_grant_type"),
        ("authorization_code", "unauthorized_client"),
        ("refresh_token", "unauthorized_client"),
    ] {
        let secret = secret_of("svc.secret");
        let fields = [
            ("grant_type", grant_type),
            ("client_id", "svc"),
            ("client_secret", &secret),
        ];
        let reply = server.post(TOKEN).form(&fields).send().await;
        assert_refused(&reply, StatusCode::BAD_REQUEST, error);
        assert!(
            !reply.text().contains('<'),
            "TK-11: nothing of the request comes back"
        );
    }
    let reply = server
        .post(TOKEN)
        .form(&[("grant_type", "client_credentials"), ("client_id", "spa")])
        .send()
        .await;
    assert_refused(&reply, StatusCode::BAD_REQUEST, "unauthorized_client");
}
