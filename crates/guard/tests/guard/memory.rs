//! Tokens that are remembered.

use carnet_guard::testing::{TestClock, TestIssuer};
use carnet_guard::{Issuer, ResourceServer};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

use crate::api::{API, with_token};
use crate::issuers::{Frozen, Key, Pretended};

#[tokio::test]
async fn a_remembered_token_expires_all_the_same() {
    let clock = TestClock::at(1_800_000_000);
    let issuer = TestIssuer::with_clock(clock.clone());
    let guard = issuer.resource_server(API).build().await.unwrap();
    let token = issuer.token("alice").sign();
    for _ in 0..3 {
        assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    }
    clock.wait(Duration::from_secs(900 + 30));
    assert_eq!(with_token(&guard, "/me", &token).await.code(), "token_expired");
}

#[tokio::test]
async fn a_remembered_token_goes_with_its_key() {
    let (old, new, clock) = (Key::new("a"), Key::new("b"), Frozen::new());
    let issuer = Pretended::start(&[&old]).await;
    let guard = ResourceServer::new(API)
        .issuer(Issuer::discover(&issuer.url))
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let token = issuer.token(&old, &clock);
    for _ in 0..3 {
        assert_eq!(with_token(&guard, "/me", &token).await.status, StatusCode::OK);
    }
    issuer.publish(&[&new]);
    clock.wait(60);
    // The set that lacks it comes with the next look.
    let newer = issuer.token(&new, &clock);
    assert_eq!(with_token(&guard, "/me", &newer).await.status, StatusCode::OK);
    assert_eq!(with_token(&guard, "/me", &token).await.code(), "token_invalid");
}

#[tokio::test]
async fn a_remembered_token_says_what_it_has_said_the_first_time() {
    let issuer = TestIssuer::with_clock(TestClock::at(1_800_000_000));
    let guard = issuer.resource_server(API).build().await.unwrap();
    let nested = json!({ "roles": ["staff", "\"quoted\" \\ \u{0} ü"], "deep": [{ "n": -1.5 }, null, true] });
    let odd = "{\"sub\":\"mallory\"}";
    let token = issuer.token("alice").scope("read write").role("editor");
    let token = token
        .claim("realm_access", nested.clone())
        .claim("odd", odd)
        .sign();
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    let (head, ()) = request.body(()).unwrap().into_parts();
    let first = guard.check(&head).await.unwrap();
    for auth in [&first, &guard.check(&head).await.unwrap()] {
        assert_eq!(
            (auth.sub(), auth.client_id(), auth.text("odd")),
            ("alice", "test", Some(odd))
        );
        assert_eq!(auth.claim("realm_access"), Some(nested.clone()));
        assert_eq!(
            (auth.scopes(), auth.roles()),
            (
                vec!["read".to_owned(), "write".to_owned()],
                vec!["editor".to_owned()]
            )
        );
        assert_eq!(
            (
                auth.text("realm_access"),
                auth.text("mallory"),
                auth.claim("alice")
            ),
            (None, None, None)
        );
        assert_eq!(auth.extra::<Value>(), first.extra::<Value>());
    }
}
