//! Spec tests of the metadata document, the JWKS and the health endpoints.

use http::StatusCode;

use crate::harness::Server;

#[tokio::test]
async fn lk_06_the_metadata_is_exact_and_promises_nothing_that_is_not_there() {
    let server = Server::start().await;
    let reply = server.get("/.well-known/oauth-authorization-server").send().await;
    assert_eq!(reply.status, StatusCode::OK);
    let metadata = reply.json();
    assert_eq!(metadata["issuer"], "https://auth.example.com");
    assert_eq!(
        metadata["jwks_uri"],
        "https://auth.example.com/.well-known/jwks.json"
    );
    assert_eq!(
        metadata["introspection_endpoint"],
        "https://auth.example.com/oauth/introspect"
    );
    assert_eq!(metadata["response_types_supported"], serde_json::json!(["code"]));
    assert_eq!(
        metadata["grant_types_supported"],
        serde_json::json!([
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        ])
    );
    assert_eq!(
        metadata["code_challenge_methods_supported"],
        serde_json::json!(["S256"])
    );
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    for endpoint in [
        "authorization_endpoint",
        "device_authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "userinfo_endpoint",
        "end_session_endpoint",
    ] {
        let path = metadata[endpoint]
            .as_str()
            .unwrap()
            .strip_prefix("https://auth.example.com")
            .unwrap();
        assert_ne!(
            server.get(path).send().await.status,
            StatusCode::NOT_FOUND,
            "{endpoint}"
        );
    }
    // OpenID Connect Discovery §4: the same, where its clients look.
    let openid = server.get("/.well-known/openid-configuration").send().await;
    assert_eq!(openid.json(), metadata);
    names_nothing_weak(&metadata);
    assert!(reply.header("cache-control").contains("max-age"));
    assert_eq!(reply.header("access-control-allow-origin"), "*");
}

fn names_nothing_weak(metadata: &serde_json::Value) {
    // RFC 8414 §2, RFC 7591 §2: a public client has the method `none`. Nothing else is called so.
    let mut rest = metadata.clone();
    for endpoint in ["token", "revocation"] {
        let methods = rest[format!("{endpoint}_endpoint_auth_methods_supported")].take();
        let expected = [
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ];
        assert_eq!(methods, serde_json::json!(expected), "{endpoint}");
    }
    let text = rest.to_string();
    for weak in ["none", "plain", "HS256", "implicit", "password"] {
        assert!(!text.contains(&format!("\"{weak}\"")), "{weak}");
    }
}

#[tokio::test]
async fn assertions_of_an_ed25519_key_are_offered_by_both_names() {
    let server = Server::start().await;
    let metadata = server.get("/.well-known/oauth-authorization-server").send().await;
    let metadata = metadata.json();
    for endpoint in ["token", "revocation"] {
        let names = &metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        let names: Vec<String> = serde_json::from_value(names.clone()).unwrap();
        let both = ["Ed25519", "EdDSA"];
        assert!(
            both.iter().all(|name| names.iter().any(|one| one == name)),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn jk_01_the_jwks_has_public_members_alone() {
    let server = Server::start().await;
    for path in ["/.well-known/jwks.json", "/.well-known/jwks.json?private=true"] {
        let keys = server.get(path).send().await.json()["keys"].clone();
        assert_eq!(
            keys.as_array().unwrap().len(),
            1,
            "the shared secret is no part of it"
        );
        let names: std::collections::BTreeSet<&String> = keys[0].as_object().unwrap().keys().collect();
        assert!(
            names
                .iter()
                .all(|name| ["kty", "kid", "use", "alg", "crv", "x", "y"].contains(&name.as_str())),
            "{names:?}"
        );
        assert_eq!(keys[0]["use"], "sig");
        assert_eq!(keys[0]["alg"], "ES256");
        let jwk = carnet_jose::Jwk::parse(&keys[0].to_string()).unwrap();
        let thumbprint = carnet_jose::AnyVerifyingKey::from_jwk(&jwk)
            .unwrap()
            .thumbprint()
            .unwrap();
        assert_eq!(keys[0]["kid"], thumbprint);
    }
}

#[tokio::test]
async fn the_jwks_may_be_cached_and_asked_for_by_etag() {
    let server = Server::start().await;
    let reply = server.get("/.well-known/jwks.json").send().await;
    assert_eq!(reply.header("cache-control"), "public, max-age=600");
    let etag = reply.header("etag").to_owned();
    let again = server
        .get("/.well-known/jwks.json")
        .header("if-none-match", &etag)
        .send()
        .await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn health_tells_whether_we_live_and_whether_we_can_work() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/live").send().await.status, StatusCode::OK);
    assert_eq!(server.get("/health/ready").send().await.json()["status"], "ready");
}

#[tokio::test]
async fn lk_07_there_are_no_diagnostics_on_the_public_port() {
    let server = Server::start().await;
    for path in [
        "/metrics",
        "/debug",
        "/debug/pprof",
        "/swagger",
        "/config",
        "/env",
        "/actuator",
        "/health",
        "/test/clock",
        "/admin",
    ] {
        assert_eq!(
            server.get(path).send().await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn lk_04_only_keys_and_metadata_may_be_cached() {
    let server = Server::start().await;
    for path in [
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
    ] {
        assert!(
            server
                .get(path)
                .send()
                .await
                .header("cache-control")
                .contains("max-age="),
            "{path}"
        );
    }
    let session = server
        .log_in(crate::harness::ALICE, crate::harness::PASSWORD)
        .await;
    for reply in [
        server
            .try_log_in(crate::harness::ALICE, crate::harness::PASSWORD)
            .await,
        server.refresh(&session.refresh).await,
        server.get("/auth/me").bearer(&session.access).send().await,
        server.get("/auth/me").send().await,
        server.post("/oauth/introspect").send().await,
        server.get("/health/ready").send().await,
    ] {
        assert_eq!(reply.header("cache-control"), "no-store", "{reply:?}");
    }
}
