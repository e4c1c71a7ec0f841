//! Whose keys count behind a gateway: the gateway's, wherever they come from, and those of other services where they may call.

use std::sync::atomic::Ordering;

use carnet_guard::testing::{GATEWAY, TestGateway};
use carnet_guard::{BuildError, FromGateway};
use carnet_jose::Algorithm;
use http::{Request, StatusCode};

use crate::from_gateway::asserted;
use crate::issuers::{Frozen, Key, Pretended};
use crate::service_issuer::{self, Issuer as Services, Other};

const SERVICE: &str = "orders";

#[tokio::test]
async fn keys_come_from_the_gateway_once_and_again_when_it_signs_with_a_new_one() {
    let (old, new, clock) = (
        Key::typed("a", "identity+jwt"),
        Key::typed("b", "identity+jwt"),
        Frozen::new(),
    );
    let gateway = Pretended::start(&[&old]).await;
    let service = FromGateway::assertion(&gateway.url, SERVICE);
    let guard = service.clock(clock.clone()).build().await.unwrap();
    for _ in 0..50 {
        let answer = asserted(&guard, "/me", &gateway.assertion(&old, SERVICE, &clock)).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!((gateway.asked(), guard.health()[0].keys), (1, 1));
    gateway.publish(&[&old, &new]);
    clock.wait(31);
    for key in [&new, &old] {
        let answer = asserted(&guard, "/me", &gateway.assertion(key, SERVICE, &clock)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", key.kid);
    }
    // Random names of keys cost nobody anything.
    for i in 0..200 {
        let stranger = old.renamed(&format!("x{i}"));
        let answer = asserted(&guard, "/me", &gateway.assertion(&stranger, SERVICE, &clock)).await;
        assert_eq!(answer.code(), "caller_not_believed");
    }
    assert_eq!(gateway.asked(), 2);
}

#[tokio::test]
async fn keys_that_were_never_loaded_are_503() {
    let (key, clock) = (Key::typed("a", "identity+jwt"), Frozen::new());
    let gateway = Pretended::start(&[&key]).await;
    gateway.switches.down.store(true, Ordering::SeqCst);
    let service = FromGateway::assertion(&gateway.url, SERVICE);
    let guard = service.clock(clock.clone()).build().await.unwrap();
    assert!(!guard.ready());
    let assertion = gateway.assertion(&key, SERVICE, &clock);
    let answer = asserted(&guard, "/me", &assertion).await;
    assert_eq!(
        (answer.status, answer.code(), answer.retry_after.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "5")
    );
    gateway.switches.down.store(false, Ordering::SeqCst);
    clock.wait(1);
    assert_eq!(asserted(&guard, "/me", &assertion).await.status, StatusCode::OK);
    assert!(guard.ready());
}

#[tokio::test]
async fn what_no_gateway_signs_with_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let shared = FromGateway::assertion(GATEWAY, SERVICE).algorithms(&[Algorithm::Hs256]);
    assert!(matches!(shared.build().await, Err(BuildError::Policy(_))));
    let nameless = FromGateway::assertion(GATEWAY, "").build().await;
    assert!(matches!(nameless, Err(BuildError::Policy(_))));
    let missing = FromGateway::assertion(GATEWAY, SERVICE).jwks_file(folder.path().join("none"));
    assert!(matches!(missing.build().await, Err(BuildError::Client(_))));
}

#[tokio::test]
async fn services_come_by_their_own_tokens_and_users_through_the_gateway() {
    let (issuer, orders) = (Services::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let gateway = TestGateway::with_clock(issuer.clock.clone());
    let billing = gateway.in_front_of("billing").services(issuer.services());
    let guard = billing.build().await.unwrap();
    let signer = issuer.signs_as(&orders);
    let by_service = service_issuer::call(&guard, "/any", &signer).await;
    assert_eq!(
        by_service,
        (StatusCode::OK, format!("service {}/services/orders", issuer.url))
    );
    assert_eq!(
        service_issuer::call(&guard, "/close", &signer).await.0,
        StatusCode::OK
    );
    let user = async |path: &str| {
        let request = Request::get(path).header("x-identity-assertion", gateway.assertion("alice").sign());
        service_issuer::send(&guard, request.body(()).unwrap()).await
    };
    assert_eq!(user("/any").await, (StatusCode::OK, "user alice".to_owned()));
    // What is for services is for no user, and the other way round.
    assert_eq!(user("/close").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        service_issuer::call(&guard, "/mine", &signer).await.0,
        StatusCode::UNAUTHORIZED
    );
    // A service's token is no gateway's word.
    let token = signer.authorization("billing").unwrap();
    let token = token.to_str().unwrap().trim_start_matches("Bearer ");
    let answer = asserted(&guard, "/me", token).await;
    assert_eq!(answer.code(), "caller_not_believed");
}
