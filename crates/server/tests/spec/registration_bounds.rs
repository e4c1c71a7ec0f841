//! Spec tests of what a client that registers itself may be: redirect URIs, grant types, keys, links, and how its word is read.

use std::sync::Arc;

use carnet_store::{AuditAction, NewAudit};
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::Server;
use crate::registration::{CALLBACK, OPEN, REGISTER, app, app_with, refused, register, registered};
use crate::web::text;

#[tokio::test]
async fn ad_02_a_client_says_nothing_of_what_the_operator_decides() {
    let server = Server::with(OPEN).await;
    let greedy = json!({
        "client_id": "first-party", "client_secret": "chosen-by-me-0123456789abcdef012345", "consent": "none", "require_pkce": false,
        "audiences": ["https://legacy.example.com"], "exchange_audiences": ["https://api.example.com"], "access_ttl": "1d", "is_admin": true,
        "roles": ["admin"], "registration_access_token": "mine", "state": "active", "secret_file": "/etc/passwd", "origins": ["https://evil.test"],
        "unheard_of": { "a": [1] }, "request_uris": ["https://evil.test/r"],
    });
    let body = registered(&server, &app_with(greedy.clone())).await;
    for member in greedy.as_object().unwrap().keys() {
        let ours = ["client_id", "client_secret", "registration_access_token"].contains(&member.as_str());
        assert!(
            if ours {
                body[member] != greedy[member]
            } else {
                body.get(member).is_none()
            },
            "{member}"
        );
    }
    let row = server.app.store.clients().await.unwrap().remove(0);
    let settings: carnet_server::config::Client = serde_json::from_str(&row.settings).unwrap();
    let mut expected = carnet_server::config::Client::named(text(&body, "client_id"));
    expected.name = Some("An app".to_owned());
    expected.grant_types = vec![carnet_oauth::grant_type::GrantType::AuthorizationCode];
    expected.auth_method = carnet_oauth::client_auth::AuthMethod::ClientSecretBasic;
    expected.redirect_uris = vec![CALLBACK.to_owned()];
    expected.scope = "openid profile offline_access read:orders".parse().unwrap();
    expected.audiences = vec!["https://api.example.com".to_owned()];
    expected.consent = carnet_server::config::Consent::Explicit;
    assert_eq!(settings, expected);
}

/// What no client may be that registered itself, whoever lets it in.
const BEYOND: &str = r#"
    {"grant_types": ["client_credentials"]}
    {"grant_types": ["implicit"]}
    {"grant_types": ["password"]}
    {"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]}
    {"grant_types": []}
    {"grant_types": ["refresh_token"], "response_types": []}
    {"response_types": ["token"]}
    {"response_types": ["code id_token"]}
    {"response_types": []}
    {"scope": "openid admin"}
    {"scope": "write:orders"}
    {"scope": "read:\"orders\""}
    {"token_endpoint_auth_method": "client_secret_jwt"}
    {"token_endpoint_auth_method": "tls_client_auth"}
    {"subject_type": "pairwise"}
    {"sector_identifier_uri": "https://app.example.net/sector"}
    {"id_token_encrypted_response_alg": "RSA-OAEP"}
    {"userinfo_signed_response_alg": "RS256"}
    {"request_object_signing_alg": "none"}
    {"id_token_signed_response_alg": "none"}
    {"id_token_signed_response_alg": "HS256"}
    {"default_max_age": 99999999999}
    {"default_max_age": -1}
    {"default_acr_values": ["gold"]}
    {"tls_client_certificate_bound_access_tokens": true}
    {"introspection_signed_response_alg": "RS256"}
    {"contacts": ["a\u202eb@example.com"]}
    {"software_id": "a\u3164"}
    {"contacts": "me"}
    {"application_type": "service"}
    {"backchannel_logout_session_required": true}
    {"frontchannel_logout_uri": "https://elsewhere.example.net/front"}"#;

#[tokio::test]
async fn ad_07_what_goes_beyond_the_policy_is_refused() {
    let server = Server::with(OPEN).await;
    for line in BEYOND.lines().filter(|line| !line.is_empty()) {
        let more = serde_json::from_str(line).unwrap();
        refused(
            &register(&server, &app_with(more)).await,
            "invalid_client_metadata",
        );
    }
    let statement = "eyJhbGciOiJub25lIn0.eyJzb2Z0d2FyZV9pZCI6IngifQ.AAAA";
    for (statement, error) in [
        (json!(statement), "unapproved_software_statement"),
        (json!("no JWT"), "invalid_software_statement"),
        (json!({ "software_id": "x" }), "invalid_software_statement"),
    ] {
        let metadata = app_with(json!({ "software_statement": statement }));
        refused(&register(&server, &metadata).await, error);
    }
    assert_eq!(server.app.store.clients().await.unwrap(), []);
}

/// What leads nowhere or to somebody else.
const DANGEROUS: [&str; 20] = [
    "https://app.example.net/cb#x",
    "https://app.example.net/cb#",
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example.net/x",
    "ws://app.example.net/",
    "http://app.example.net/cb",
    "myapp:/cb",
    "https://*.example.net/cb",
    "https://user@app.example.net/cb",
    "https:app.example.net",
    "https:/app.example.net/cb",
    "https:\\\\app.example.net/cb",
    "https://app.example.net\\@evil.test/cb",
    "https://app%2eexample.net/cb",
    "https://APP.example.net/cb",
    "/cb",
    "",
];

#[tokio::test]
async fn ru_04_ru_07_ru_10_what_no_redirect_uri_may_be() {
    let server = Server::with(OPEN).await;
    for uri in DANGEROUS {
        for kind in [json!("native"), json!("web"), Value::Null] {
            let metadata = json!({ "redirect_uris": [CALLBACK, uri], "application_type": kind });
            let said = refused(&register(&server, &metadata).await, "invalid_redirect_uri");
            assert!(said.starts_with("redirect_uris: "), "{said}");
        }
        let metadata = app_with(json!({ "post_logout_redirect_uris": [uri] }));
        refused(&register(&server, &metadata).await, "invalid_redirect_uri");
    }
    // RU-10: the client would read the wrong one.
    for name in ["code", "state", "iss", "error"] {
        let uri = format!("https://app.example.net/cb?{name}=1");
        let metadata = json!({ "redirect_uris": [uri] });
        refused(&register(&server, &metadata).await, "invalid_redirect_uri");
    }
    for none in [
        json!({}),
        json!({ "redirect_uris": [] }),
        json!({ "redirect_uris": null }),
    ] {
        refused(&register(&server, &none).await, "invalid_redirect_uri");
    }
    let many: Vec<String> = (0..21).map(|n| format!("https://app.example.net/{n}")).collect();
    let many = json!({ "redirect_uris": many });
    refused(&register(&server, &many).await, "invalid_redirect_uri");
}

#[tokio::test]
async fn ru_07_nor_any_other_address_of_a_client() {
    let server = Server::with(OPEN).await;
    let further = [
        "https://:b@app.example.net/",
        "https://app.example.net/\u{202e}",
        "https://app.example.net/\n",
    ];
    for uri in DANGEROUS
        .iter()
        .chain(&further)
        .filter(|uri| !uri.contains(['*', '#']))
    {
        for member in [
            "initiate_login_uri",
            "client_uri",
            "logo_uri",
            "tos_uri",
            "policy_uri",
            "backchannel_logout_uri",
            "frontchannel_logout_uri",
        ] {
            let metadata = app_with(json!({ member: uri }));
            let said = refused(&register(&server, &metadata).await, "invalid_client_metadata");
            assert!(said.starts_with(member), "{said}");
        }
    }
}

#[tokio::test]
async fn ru_05_a_loopback_address_makes_a_native_client() {
    let server = Server::with(OPEN).await;
    let local = "http://127.0.0.1:49152/cb";
    let public = |uris: Value, kind: Value| json!({ "redirect_uris": uris, "application_type": kind, "token_endpoint_auth_method": "none" });
    for uris in [
        json!([local]),
        json!(["http://localhost:3000/cb"]),
        json!(["com.example.app:/cb"]),
    ] {
        let body = registered(&server, &public(uris.clone(), Value::Null)).await;
        assert_eq!(body["application_type"], "native");
        registered(&server, &public(uris.clone(), json!("native"))).await;
        refused(
            &register(&server, &public(uris, json!("web"))).await,
            "invalid_redirect_uri",
        );
    }
    refused(
        &register(&server, &public(json!([CALLBACK, local]), Value::Null)).await,
        "invalid_redirect_uri",
    );
    // RFC 8252 §7.2: a native app may have an https address of its own.
    registered(&server, &public(json!([CALLBACK, local]), json!("native"))).await;
}

#[tokio::test]
async fn keys_are_public_in_one_place_and_can_be_used() {
    let server = Server::with(OPEN).await;
    let jwks: Value = serde_json::from_str(&crate::client_auth::jwks()).unwrap();
    let mut private = jwks.clone();
    private["keys"][0]["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let by_key = |more: Value| {
        let mut metadata = app_with(json!({ "token_endpoint_auth_method": "private_key_jwt" }));
        metadata
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        metadata
    };
    for more in [
        json!({}),
        json!({ "jwks": { "keys": [] } }),
        json!({ "jwks": "keys" }),
        json!({ "jwks": private }),
        json!({ "jwks": { "keys": jwks["keys"], "d": "x" } }),
        json!({ "jwks": { "keys": jwks["keys"], "old": [{ "p": "x" }] } }),
        json!({ "jwks": { "keys": jwks["keys"], "pem": "-----BEGIN PRIVATE KEY-----" } }),
        json!({ "jwks": jwks, "jwks_uri": "https://app.example.net/jwks" }),
        json!({ "jwks_uri": "http://app.example.net/jwks" }),
        json!({ "jwks_uri": "http://127.0.0.1/jwks" }),
        json!({ "jwks_uri": "file:///etc/passwd" }),
        json!({ "jwks": jwks, "token_endpoint_auth_signing_alg": "HS256" }),
        json!({ "jwks": jwks, "token_endpoint_auth_signing_alg": "none" }),
    ] {
        refused(&register(&server, &by_key(more)).await, "invalid_client_metadata");
    }
    let many = |count: usize| {
        let key = |n: usize| {
            let mut key = jwks["keys"][0].clone();
            key["kid"] = json!(format!("k{n}"));
            key
        };
        by_key(json!({ "jwks": { "keys": (0..count).map(key).collect::<Vec<_>>() } }))
    };
    registered(&server, &many(20)).await;
    let said = refused(&register(&server, &many(21)).await, "invalid_client_metadata");
    assert!(said.contains("20 keys"), "{said}");
    let body = registered(
        &server,
        &by_key(json!({ "jwks": jwks, "token_endpoint_auth_signing_alg": "Ed25519" })),
    )
    .await;
    assert_eq!((&body["jwks"], body.get("client_secret")), (&jwks, None));
    assert_eq!(body["token_endpoint_auth_signing_alg"], "Ed25519");
    // Of a client that does not prove itself by them they are not kept.
    assert!(
        registered(&server, &app_with(json!({ "jwks": jwks })))
            .await
            .get("jwks")
            .is_none()
    );
}

#[tokio::test]
async fn cn_04_a_name_has_nothing_that_cannot_be_seen() {
    let server = Server::with(OPEN).await;
    for name in [
        "",
        " ",
        "Bank\u{202e}gpj",
        "a\u{200b}b",
        "a\nb",
        "\u{2800}",
        "\u{3164}",
        "Shop\u{ffa0}",
        "a\u{34f}b",
        "a\u{fe0f}",
        "a\u{2028}b",
        "a\u{ad}b",
        "...",
        &"x".repeat(101),
    ] {
        for member in ["client_name", "client_name#de"] {
            let said = refused(
                &register(&server, &app_with(json!({ member: name }))).await,
                "invalid_client_metadata",
            );
            assert!(said.starts_with("client_name"), "{said}");
        }
    }
    refused(
        &register(&server, &app_with(json!({ "client_name#<x>": "A" }))).await,
        "invalid_client_metadata",
    );
    let names: serde_json::Map<String, Value> = (0..21)
        .map(|n| (format!("client_name#x-{n}"), json!("A")))
        .collect();
    refused(
        &register(&server, &app_with(names.into())).await,
        "invalid_client_metadata",
    );
}

#[tokio::test]
async fn ds_02_ds_03_ds_04_what_is_no_small_object_is_not_read() {
    let server = Server::with(OPEN).await;
    let raw = async |media: &str, body: String| server.post(REGISTER).raw(media, body).send().await;
    for body in [
        "[]".to_owned(),
        "{".to_owned(),
        String::new(),
        "null".to_owned(),
        format!("{{\"redirect_uris\":[\"{CALLBACK}\"],\"redirect_uris\":[]}}"),
        format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        refused(&raw("application/json", body).await, "invalid_client_metadata");
    }
    let large = app_with(json!({ "x": "y".repeat(70_000) })).to_string();
    assert_eq!(
        raw("application/json", large).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let said = app_with(json!({ "x": "y".repeat(16 * 1024) }));
    refused(&register(&server, &said).await, "invalid_client_metadata");
    let form = raw("application/x-www-form-urlencoded", "client_name=x".to_owned()).await;
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let packed = server
        .post(REGISTER)
        .json(&app())
        .header("content-encoding", "gzip")
        .send()
        .await;
    assert_eq!(packed.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn ds_09_what_one_client_changes_makes_nobody_read_the_others_again() {
    let server = Server::with(OPEN).await;
    let (one, other) = (
        registered(&server, &app()).await,
        registered(&server, &app()).await,
    );
    let (one, other) = (text(&one, "client_id"), text(&other, "client_id"));
    let known = async |id: &str| server.app.client(id).await.unwrap().unwrap();
    let before = (known(one).await, known(other).await);
    let (store, now) = (&server.app.store, server.app_now());
    let audit = NewAudit::success("test", AuditAction::ClientSecret, one);
    let rotated = store.rotate_client_secret(one, ([7; 32], now), (now, &audit));
    assert!(rotated.await.unwrap());
    let after = (known(one).await, known(other).await);
    assert!(!Arc::ptr_eq(&before.0, &after.0), "its secrets have changed");
    assert!(Arc::ptr_eq(&before.1, &after.1), "it is read once");
}
