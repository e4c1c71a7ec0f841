//! Spec tests of authorization_code at the token endpoint, and of ID tokens (RFC 6749 §4.1.3, RFC 7636, OpenID Connect Core §3.1.3).

use std::sync::Arc;

use carnet_jose::{Algorithm, KeySet, TokenType, Verifier};
use carnet_oauth::grant_type::GrantType;
use carnet_server::config::Client;
use carnet_store::{ClientState, Reason};
use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, VERIFIER, authorize_url, web_url};
use crate::harness::{ALICE, API, Server, claims};
use crate::web::{CALLBACK, EVERYTHING, TOKEN, assert_refused, exchange, redeem, refresh, text, tokens};

#[tokio::test]
async fn a_code_buys_an_access_token_an_id_token_and_a_refresh_token() {
    let server = Server::start().await;
    let body = tokens(&server, EVERYTHING).await;
    assert_eq!(
        (text(&body, "token_type"), body["expires_in"].as_u64()),
        ("Bearer", Some(900))
    );
    let access = claims(text(&body, "access_token"));
    let sub = server.user(ALICE).await.sub;
    assert_eq!(
        (access["sub"].as_str(), access["client_id"].as_str()),
        (Some(sub.as_str()), Some("web"))
    );
    assert_eq!(
        (access["aud"].as_str(), access["scope"].as_str()),
        (Some(API), body["scope"].as_str())
    );
    assert!(server.is_active(text(&body, "access_token")).await);
    // The ID token verifies with what is published, for this client alone.
    let jwks = server.get("/.well-known/jwks.json").send().await;
    let keys = KeySet::from_jwks_json(&jwks.body, &[Algorithm::Es256])
        .unwrap()
        .set;
    let verifier = Verifier::builder(Arc::new(keys))
        .algorithms(&[Algorithm::Es256])
        .token_type(TokenType::IdToken)
        .issuer("https://auth.example.com")
        .audience("web")
        .build()
        .unwrap();
    let verified = verifier.verify_owned::<Value>(text(&body, "id_token"), server.app.now_seconds());
    let id = verified.unwrap().claims;
    assert_eq!(
        (id["sub"].as_str(), id["nonce"].as_str()),
        (Some(sub.as_str()), Some("n-1"))
    );
    assert_eq!(id["auth_time"], access["auth_time"]);
    assert_eq!(
        access["acr"], "urn:carnet:acr:password",
        "RFC 9470 §6.2: what an API can ask for"
    );
    let hash = carnet_jose::primitive::sha256(text(&body, "access_token").as_bytes());
    assert_eq!(id["at_hash"], carnet_jose::base64url::encode(&hash[..16]));
    for claim in ["email", "name", "acr"] {
        assert!(
            id.get(claim).is_none(),
            "{claim} is told by userinfo, or when it is asked for"
        );
    }
    // An ID token is no access token.
    let reply = server
        .get("/userinfo")
        .bearer(text(&body, "id_token"))
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_openid_there_is_no_id_token_and_without_the_grant_type_no_refresh_token() {
    let server = Server::start().await;
    let body = tokens(&server, "read:orders").await;
    assert!(body.get("id_token").is_none());
    assert!(body.get("refresh_token").is_some());
    let server = server
        .restarted_with(
            "id = \"spa\"\ngrant_types = [\"authorization_code\", \"refresh_token\"]",
            "id = \"spa\"\ngrant_types = [\"authorization_code\"]",
        )
        .await;
    let code = Browser::of(&server)
        .code(&authorize_url("spa", "https://spa.example.com/cb", "openid", &[]))
        .await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", "spa"),
        ("code_verifier", VERIFIER),
    ];
    let reply = server.post(TOKEN).form(&fields).send().await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(reply.json().get("refresh_token").is_none());
    assert_eq!(
        reply.header("access-control-allow-origin"),
        "*",
        "CK-08: no cookie is read here"
    );
}

#[tokio::test]
async fn tk_01_a_code_seen_twice_takes_down_what_it_bought() {
    let server = Server::start().await;
    let code = Browser::of(&server).code(&web_url(EVERYTHING, &[])).await;
    let first = exchange(&server, &code).send().await.json();
    assert_refused(&exchange(&server, &code).send().await, "invalid_grant");
    assert!(!server.is_active(text(&first, "access_token")).await);
    assert_refused(
        &refresh(&server, text(&first, "refresh_token"), &[]).await,
        "invalid_grant",
    );
}

#[tokio::test]
async fn tk_01_of_many_at_once_at_most_one_gets_tokens() {
    let server = Server::start().await;
    let code = Browser::of(&server).code(&web_url(EVERYTHING, &[])).await;
    let tries: Vec<_> = (0..20).map(|_| exchange(&server, &code).send()).collect();
    let replies = futures_util::future::join_all(tries).await;
    let won: Vec<_> = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::OK)
        .collect();
    assert!(won.len() <= 1);
    for reply in won {
        assert!(!server.is_active(text(&reply.json(), "access_token")).await);
    }
}

#[tokio::test]
async fn tk_03_a_code_of_one_client_is_nothing_to_another_who_neither_spends_nor_burns_it() {
    let server = Server::start().await;
    let code = Browser::of(&server).code(&web_url("openid", &[])).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
    ];
    let others = async || {
        let web2 = server
            .post(TOKEN)
            .basic("web2", "web2.secret")
            .form(&fields)
            .send()
            .await;
        assert_refused(&web2, "invalid_grant");
        let mut fields = fields.to_vec();
        fields.push(("client_id", "spa"));
        assert_refused(&server.post(TOKEN).form(&fields).send().await, "invalid_grant");
    };
    others().await;
    let body = exchange(&server, &code).send().await.json();
    others().await;
    assert!(
        server.is_active(text(&body, "access_token")).await,
        "IR-06: nor takes it down"
    );
}

#[tokio::test]
async fn tk_04_the_address_is_the_one_that_was_asked_for() {
    let server = Server::start().await;
    for uri in [
        "https://web.example.com/cb2?keep=1",
        "https://web.example.com/cb/",
        "https://web.example.com/%63b",
    ] {
        let code = Browser::of(&server).code(&web_url("openid", &[])).await;
        let reply = redeem(
            &server,
            "web",
            &code,
            &[("redirect_uri", uri), ("code_verifier", VERIFIER)],
        )
        .await;
        assert_refused(&reply, "invalid_grant");
    }
    // OAuth 2.1 §10.2: left out, PKCE stands in.
    let code = Browser::of(&server).code(&web_url("openid", &[])).await;
    let reply = redeem(&server, "web", &code, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    // A query that is registered stays.
    let url = authorize_url("web", "https://web.example.com/cb2?keep=1", "openid", &[]);
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    let back = browser.follow(&url).await;
    assert!(
        back.header("location")
            .starts_with("https://web.example.com/cb2?keep=1&code=")
    );
}

#[tokio::test]
async fn tk_05_a_code_lives_for_sixty_seconds() {
    let server = Server::start().await;
    let code = Browser::of(&server).code(&web_url("openid", &[])).await;
    server.wait(std::time::Duration::from_secs(61)).await;
    assert_refused(&exchange(&server, &code).send().await, "invalid_grant");
}

#[tokio::test]
async fn pk_03_verifier_and_challenge_come_together_or_not_at_all() {
    let server = Server::start().await;
    let other = "a".repeat(43);
    for verifier in [None, Some(""), Some(other.as_str()), Some("short")] {
        let code = Browser::of(&server).code(&web_url("openid", &[])).await;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
        ];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let reply = server
            .post(TOKEN)
            .basic("web", "web.secret")
            .form(&fields)
            .send()
            .await;
        assert_refused(&reply, "invalid_grant");
    }
    // A challenge that was dropped on the way: a verifier then has nothing to match.
    let url = "/oauth/authorize?response_type=code&client_id=web2&scope=openid&state=s-1&nonce=n-1";
    let code = Browser::of(&server).code(url).await;
    let reply = redeem(&server, "web2", &code, &[("code_verifier", VERIFIER)]).await;
    assert_refused(&reply, "invalid_grant");
    let code = Browser::of(&server).code(url).await;
    let reply = redeem(&server, "web2", &code, &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn pk_06_a_secret_is_no_verifier() {
    let server = Server::start().await;
    let code = Browser::of(&server)
        .code(&authorize_url("spa", "https://spa.example.com/cb", "openid", &[]))
        .await;
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str())];
    let reply = server
        .post(TOKEN)
        .basic_exactly("spa", "anything")
        .form(&fields)
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", "spa"),
    ];
    assert_refused(&server.post(TOKEN).form(&fields).send().await, "invalid_grant");
}

#[tokio::test]
async fn tk_10_who_is_disabled_between_code_and_tokens_gets_none() {
    let server = Server::start().await;
    let code = Browser::of(&server).code(&web_url("openid", &[])).await;
    server.set_state(ALICE, carnet_store::UserState::Disabled).await;
    assert_refused(&exchange(&server, &code).send().await, "invalid_grant");
}

#[tokio::test]
async fn tk_12_a_token_is_for_the_resource_of_its_code() {
    let server = Server::start().await;
    let legacy = "https://legacy.example.com";
    let code = Browser::of(&server)
        .code(&web_url("openid", &[("resource", API)]))
        .await;
    let reply = redeem(
        &server,
        "web",
        &code,
        &[("code_verifier", VERIFIER), ("resource", legacy)],
    )
    .await;
    assert_refused(&reply, "invalid_target");
    let body = tokens(&server, EVERYTHING).await;
    let reply = refresh(&server, text(&body, "refresh_token"), &[("resource", legacy)]).await;
    assert_refused(&reply, "invalid_target");
    let reply = refresh(&server, text(&body, "refresh_token"), &[("resource", API)]).await;
    assert_eq!(reply.status, StatusCode::OK, "and it cost no token");
}

#[tokio::test]
async fn tk_10_a_client_that_was_disabled_meanwhile_gets_nothing_for_what_was_begun_before() {
    let server = Server::start().await;
    let mut client = Client::named("late");
    client.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    client.redirect_uris = vec!["https://late.example.com/cb".to_owned()];
    client.scope = "openid".parse().unwrap();
    let settings = serde_json::to_string(&client).unwrap();
    let (now, audit) = (server.app_now(), server.cut(Reason::Revoked).audit);
    let added = server
        .app
        .store
        .add_client(("late", &settings), None, (now, &audit));
    added.await.unwrap();
    let url = authorize_url("late", "https://late.example.com/cb", "openid", &[]);
    let redeem = async |code: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", "late"),
        ];
        let fields = [&fields[..], &[("code_verifier", VERIFIER)]].concat();
        server.post(TOKEN).form(&fields).send().await
    };
    let browser = Browser::of(&server);
    let body = redeem(&browser.code(&url).await).await.json();
    let (access, pending) = (text(&body, "access_token"), browser.code(&url).await);
    assert!(server.is_active(access).await);
    server.wait(std::time::Duration::from_secs(2)).await;
    let set = async |state| {
        let cut = server.cut(Reason::Revoked);
        assert!(
            server
                .app
                .store
                .set_client_state("late", state, &cut)
                .await
                .unwrap()
        );
    };
    set(ClientState::Disabled).await;
    assert!(!server.is_active(access).await);
    assert_eq!(redeem(&pending).await.status, StatusCode::UNAUTHORIZED);
    server.wait(std::time::Duration::from_secs(8)).await;
    set(ClientState::Active).await;
    assert!(!server.is_active(access).await);
    assert_refused(&redeem(&pending).await, "invalid_grant");
    server.wait(std::time::Duration::from_secs(2)).await;
    let body = redeem(&browser.code(&url).await).await.json();
    assert!(server.is_active(text(&body, "access_token")).await, "{body}");
}
