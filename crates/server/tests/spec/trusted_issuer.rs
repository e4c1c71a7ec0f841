//! JWT bearer (RFC 7523 §2.1): the assertion of an issuer that the operator trusts, about a user.

use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use carnet_store::{NewUser, Reason, Strength, UserState};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client_auth::{assertion, jwks};
use crate::harness::{ALICE, API, Server, claims};
use crate::jwt_bearer::{IDP, ISSUER, about_alice, brought, key, let_client, signed, trusting, with_alice};
use crate::listener::knocked_at;
use crate::web::{assert_refused, text};

#[tokio::test]
async fn a_trusted_issuer_names_a_user_who_has_let_the_client() {
    let server = with_alice("", "openid read:orders").await;
    let jwt = about_alice(&server, |_| {}).await;
    let reply = brought(&server, &jwt, &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let body = reply.json();
    let token = text(&body, "access_token");
    let (said, asserted) = (claims(token), claims(&jwt));
    assert_eq!(
        (&said["sub"], &said["client_id"]),
        (&asserted["sub"], &json!("reports"))
    );
    // Nothing about the person, and no longer than the assertion.
    assert_eq!(
        (&body["scope"], &said["exp"]),
        (&json!("read:orders"), &asserted["exp"])
    );
    for member in ["refresh_token", "id_token"] {
        assert!(body.get(member).is_none(), "{member}");
    }
    // Nobody has logged in here.
    assert!(said.get("auth_time").is_none() && said["sid"].is_string() && said["fam"].is_string());
    assert!(server.is_active(token).await);
    assert_refused(
        &brought(&server.another_trusting().await, &jwt, &[]).await,
        "invalid_grant",
    );
}

impl Server {
    /// The same once more, on another machine.
    async fn another_trusting(&self) -> Self {
        let table = format!(
            "[[trusted_issuers]]\nissuer = {IDP:?}\njwks_file = \"jwtc.jwks.json\"\nclients = [\"reports\"]\n[first_party]"
        );
        self.another(&[("[first_party]", &table)]).await
    }
}

#[tokio::test]
async fn tk_13_no_more_scope_than_the_user_has_let_and_the_assertion_says() {
    let server = with_alice("", "openid read:orders write:orders").await;
    for scope in ["openid", "admin", "read:orders admin", "read:metrics"] {
        let jwt = about_alice(&server, |_| {}).await;
        assert_refused(
            &brought(&server, &jwt, &[("scope", scope)]).await,
            "invalid_scope",
        );
    }
    let narrow = |said: &mut Value| said["scope"] = json!("read:orders admin");
    let jwt = about_alice(&server, narrow).await;
    assert_refused(
        &brought(&server, &jwt, &[("scope", "write:orders")]).await,
        "invalid_scope",
    );
    // It was not spent.
    assert_eq!(brought(&server, &jwt, &[]).await.json()["scope"], "read:orders");
    // She has let it at this API alone.
    let jwt = about_alice(&server, |_| {}).await;
    let elsewhere = [("resource", "https://billing.example.com")];
    assert_refused(&brought(&server, &jwt, &elsewhere).await, "invalid_grant");
    let for_another = about_alice(&server, |said| said["client_id"] = json!("web")).await;
    assert_refused(&brought(&server, &for_another, &[]).await, "invalid_grant");
    let for_it = about_alice(&server, |said| said["client_id"] = json!("reports")).await;
    assert_eq!(brought(&server, &for_it, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn tk_13_without_the_users_yes_there_is_no_token() {
    let server = trusting("").await;
    let jwt = about_alice(&server, |_| {}).await;
    assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
    let server = with_alice("", "read:orders").await;
    let user = server.user(ALICE).await;
    let cut = server.cut(Reason::Revoked);
    let first = brought(&server, &about_alice(&server, |_| {}).await, &[])
        .await
        .json();
    let gone = server
        .app
        .store
        .withdraw_consent((user.id, &user.sub), "reports", &cut)
        .await;
    gone.unwrap();
    assert!(!server.is_active(text(&first, "access_token")).await);
    let jwt = about_alice(&server, |_| {}).await;
    assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
    // Asked every time, and nobody is there; never asked, since it is the operator's own.
    let id = "id = \"reports\"";
    for (consent, status) in [("explicit", StatusCode::BAD_REQUEST), ("none", StatusCode::OK)] {
        let table = format!(
            "[[trusted_issuers]]\nissuer = {IDP:?}\njwks_file = \"jwtc.jwks.json\"\nclients = [\"reports\"]\n[first_party]"
        );
        let consent = format!("{id}\nconsent = \"{consent}\"");
        let server = server.another(&[("[first_party]", &table), (id, &consent)]).await;
        let jwt = about_alice(&server, |_| {}).await;
        assert_eq!(brought(&server, &jwt, &[]).await.status, status, "{consent}");
    }
}

#[tokio::test]
async fn tk_13_only_a_trusted_issuer_through_a_client_that_may_use_it() {
    let server = with_alice("", "read:orders").await;
    let jwt = about_alice(&server, |said| said["iss"] = json!("https://other.example.com")).await;
    assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
    let table = format!(
        "[[trusted_issuers]]\nissuer = {IDP:?}\njwks_file = \"jwtc.jwks.json\"\nclients = [\"jwtc\"]\n[first_party]"
    );
    let server = server.another(&[("[first_party]", &table)]).await;
    let jwt = about_alice(&server, |_| {}).await;
    assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
}

#[tokio::test]
async fn tk_13_what_ends_the_users_sessions_ends_the_token_and_who_is_disabled_gets_none() {
    let server = with_alice("", "read:orders").await;
    let token = |body: Value| text(&body, "access_token").to_owned();
    let jwt = about_alice(&server, |_| {}).await;
    let first = token(brought(&server, &jwt, &[]).await.json());
    let user = server.user(ALICE).await;
    let cut = server.cut(Reason::Revoked);
    let ended = server
        .app
        .store
        .end_sessions_of(user.id, Strength::DenyList, None, &cut)
        .await;
    assert_eq!(ended.unwrap(), 1);
    assert!(!server.is_active(&first).await);
    let jwt = about_alice(&server, |_| {}).await;
    let second = token(brought(&server, &jwt, &[]).await.json());
    server.set_state(ALICE, UserState::Disabled).await;
    assert!(!server.is_active(&second).await);
    let sub = user.sub;
    for sub in [sub.as_str(), "0123456789012345678901", ALICE] {
        let jwt = assertion(&server, |said| {
            (said["iss"], said["sub"]) = (json!(IDP), json!(sub));
        });
        assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
    }
}

#[tokio::test]
async fn an_address_names_a_user_only_when_it_is_known_to_be_theirs() {
    let server = with_alice("subject = \"email\"", "read:orders").await;
    let by = |address: &str| {
        let address = address.to_owned();
        about_alice(&server, move |said| said["sub"] = json!(address))
    };
    // Anybody could have typed Alice's.
    assert_refused(&brought(&server, &by(ALICE).await, &[]).await, "invalid_grant");
    let bob = NewUser {
        sub: String::new(),
        email_display: "Bob@example.com".to_owned(),
        email_canonical: "bob@example.com".to_owned(),
        name: None,
        password_hash: None,
        roles: Vec::new(),
        email_verified: true,
        claims: "{}".to_owned(),
        attributes: "{}".to_owned(),
    };
    let bob = server
        .app
        .store
        .create_user(&bob, server.app_now())
        .await
        .unwrap();
    let_client(&server, &bob, ("reports", API), "read:orders").await;
    let reply = brought(&server, &by("BOB@example.com").await, &[]).await;
    assert_eq!(claims(text(&reply.json(), "access_token"))["sub"], bob.sub);
    assert_refused(&brought(&server, &by(&bob.sub).await, &[]).await, "invalid_grant");
}

#[tokio::test]
async fn an_issuer_may_be_held_to_a_shorter_life_and_to_the_type() {
    let server = with_alice("longest_life = \"30s\"\nrequire_type = true", "read:orders").await;
    let alice = server.user(ALICE).await.sub;
    let now = server.app.now_seconds();
    let grant = TokenType::Other("authorization-grant+jwt");
    let said = |exp: u64, jti: &str| json!({ "iss": IDP, "sub": alice, "aud": ISSUER, "exp": now + exp, "jti": jti });
    let plain = signed(key(), TokenType::Jwt, &said(30, "a"));
    assert_refused(&brought(&server, &plain, &[]).await, "invalid_grant");
    let long = signed(key(), grant, &said(60, "b"));
    assert_refused(&brought(&server, &long, &[]).await, "invalid_grant");
    let right = signed(key(), grant, &said(30, "c"));
    let reply = brought(&server, &right, &[]).await;
    assert_eq!(reply.json()["expires_in"], 30, "{reply:?}");
}

/// A server that trusts the issuer by the address of its keys.
async fn by_address(jwks_uri: &str, more: &str) -> Server {
    let table = format!(
        "{more}\n[[trusted_issuers]]\nissuer = {IDP:?}\njwks_uri = \"{jwks_uri}\"\nclients = [\"reports\"]\n[first_party]"
    );
    let none = ("id = \"reports\"", "id = \"reports\"\nconsent = \"none\"");
    Server::replacing(&[("[first_party]", &table), none]).await
}

#[tokio::test]
async fn the_keys_of_an_issuer_are_fetched_from_its_address() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let keys = axum::Router::new().route("/keys", axum::routing::get(|| async { jwks() }));
    tokio::spawn(async move { axum::serve(listener, keys).await });
    let server = by_address(&url, "[outbound]\nallowed_networks = [\"127.0.0.0/8\"]").await;
    let reply = brought(&server, &about_alice(&server, |_| {}).await, &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let unknown = AnySigningKey::generate(Algorithm::Ed25519).unwrap();
    let unknown = Signer::new(unknown, TokenType::Jwt, Some("k9".to_owned())).unwrap();
    let said = claims(&about_alice(&server, |_| {}).await);
    let jwt = unknown.sign(&said).unwrap();
    assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
}

#[tokio::test]
async fn ad_08_a_private_address_is_not_asked_for_keys_and_nobody_is_believed_meanwhile() {
    let (port, knocks) = knocked_at().await;
    let server = by_address(&format!("http://127.0.0.1:{port}/keys"), "").await;
    let reply = brought(&server, &about_alice(&server, |_| {}).await, &[]).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
    assert_eq!(knocks.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_assertion_that_leaves_nothing_of_the_scope_gives_no_token() {
    let server = with_alice("", "openid read:orders").await;
    for scope in ["", "openid", "admin"] {
        let jwt = about_alice(&server, |said| said["scope"] = json!(scope)).await;
        assert_refused(&brought(&server, &jwt, &[]).await, "invalid_scope");
    }
    // Nor does what the user has let: here nothing but to be known.
    let server = with_alice("", "openid").await;
    let jwt = about_alice(&server, |_| {}).await;
    assert_refused(&brought(&server, &jwt, &[]).await, "invalid_scope");
}

#[tokio::test]
async fn a_nul_in_what_an_assertion_says_is_refused_and_breaks_nothing() {
    for subject in ["", "subject = \"email\""] {
        let server = with_alice(subject, "read:orders").await;
        let sub = server.user(ALICE).await.sub;
        for odd in ["\0".to_owned(), format!("{sub}\0"), format!("\0{ALICE}")] {
            let jwt = about_alice(&server, |said| said["sub"] = json!(odd)).await;
            assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
        }
        for claim in ["iss", "client_id"] {
            let jwt = about_alice(&server, |said| said[claim] = json!("reports\0")).await;
            assert_refused(&brought(&server, &jwt, &[]).await, "invalid_grant");
        }
    }
    let server = with_alice("", "read:orders").await;
    let jwt = about_alice(&server, |said| said["jti"] = json!("a\0b")).await;
    assert_eq!(brought(&server, &jwt, &[]).await.status, StatusCode::OK);
}
