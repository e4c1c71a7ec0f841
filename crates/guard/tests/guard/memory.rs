//! Tokens that are remembered.

use carnet_guard::testing::{TestClock, TestIssuer};
use carnet_guard::{Issuer, ResourceServer};
use http::StatusCode;
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
