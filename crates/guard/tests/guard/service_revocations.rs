//! What the server takes back of services: at once, for whoever follows its feed, and not with the next look at the bundle.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carnet_client::service_signer::ServiceSigner;
use carnet_guard::{Clock as _, Guard, OnLoss, ResourceServer, Revocations};
use http::StatusCode;
use serde_json::{Value, json};

use crate::service_issuer::{HINT, Issuer, Other, TTL, call, get_with};

struct Scene {
    issuer: Issuer,
    orders: Other,
    guard: Guard,
    signer: ServiceSigner,
}

impl Scene {
    async fn set() -> Self {
        let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
        issuer.publish(1, &[&orders]);
        issuer.tells(1, &Value::Null);
        let guard = issuer.guard(issuer.services().revocations(issuer.feed())).await;
        let signer = issuer.signs_as(&orders);
        let scene = Self {
            issuer,
            orders,
            guard,
            signer,
        };
        assert_eq!(scene.status().await, StatusCode::OK);
        scene
    }

    async fn status(&self) -> StatusCode {
        call(&self.guard, "/close", &self.signer).await.0
    }

    /// Time stands still meanwhile: the bundle is as young as ever.
    async fn becomes(&self, status: StatusCode) {
        let asking = async {
            while self.status().await != status {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), asking)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn gw_13_a_service_that_was_disabled_is_refused_at_once() {
    let scene = Scene::set().await;
    let asked = scene.issuer.asked();
    scene.issuer.publish(2, &[]);
    assert_eq!(scene.status().await, StatusCode::OK, "nobody has said so yet");
    scene.issuer.tells(2, &Value::Null);
    scene.becomes(StatusCode::UNAUTHORIZED).await;
    assert_eq!(scene.status().await, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.issuer.asked(), asked + 1, "told once, asked once");
    // Its own clock does not help it: a token from after the moment is of nobody's, too.
    scene.issuer.clock.wait(2);
    assert_eq!(scene.status().await, StatusCode::UNAUTHORIZED);
    // Enabled again: at once as well.
    scene.issuer.publish(3, &[&scene.orders]);
    scene.issuer.tells(3, &Value::Null);
    scene.becomes(StatusCode::OK).await;
}

#[tokio::test]
async fn gw_13_a_service_that_was_disabled_stays_out_with_the_guard_that_takes_the_place_of_the_first() {
    let scene = Scene::set().await;
    // The guard has heard that there is a newer bundle, and the server is away before it could be had.
    scene.issuer.switches.down.store(true, Ordering::SeqCst);
    scene.issuer.tells(2, &Value::Null);
    scene.becomes(StatusCode::SERVICE_UNAVAILABLE).await;
    scene.issuer.switches.feed.lock().unwrap().clear();
    // With another secret, and a policy that lets in who is not known to be out.
    let feed = || scene.issuer.feed().on_loss(OnLoss::Open);
    let url = &scene.issuer.url;
    let users = carnet_guard::Issuer::jwks(url, format!("{url}/jwks"));
    let of_users = ResourceServer::new("https://billing.test").issuer(users.revocations(feed()));
    let of_services = ResourceServer::new("https://billing.test");
    for (next, services) in [
        (of_users, scene.issuer.services()),
        (of_services, scene.issuer.services().revocations(feed())),
    ] {
        let next = next
            .services(services)
            .after(&scene.guard)
            .clock(scene.issuer.clock.clone());
        let next = next.build().await.unwrap();
        assert_eq!(
            call(&next, "/close", &scene.signer).await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}

#[tokio::test]
async fn gw_13_of_two_feeds_of_one_issuer_each_is_succeeded_by_its_own() {
    let scene = Scene::set().await;
    let issuer = &scene.issuer;
    let built = async |of_services: Revocations, before: Option<&Guard>| {
        let of_users = Revocations::feed(format!("{}/nowhere", issuer.url), "billing", "secret");
        let users = carnet_guard::Issuer::jwks(&issuer.url, format!("{}/jwks", issuer.url));
        let next = ResourceServer::new("https://billing.test")
            .issuer(users.revocations(of_users.on_loss(OnLoss::Open)));
        let next = next.services(issuer.services().revocations(of_services));
        let next = match before {
            Some(before) => next.after(before),
            None => next,
        };
        next.clock(issuer.clock.clone()).build().await.unwrap()
    };
    let mut guard = built(issuer.feed(), None).await;
    issuer.switches.down.store(true, Ordering::SeqCst);
    issuer.tells(2, &Value::Null);
    let is_told = async {
        while call(&guard, "/close", &scene.signer).await.0 == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_told)
        .await
        .unwrap();
    issuer.switches.feed.lock().unwrap().clear();
    for _ in 0..2 {
        guard = built(issuer.feed().on_loss(OnLoss::Open), Some(&guard)).await;
        let called = call(&guard, "/close", &scene.signer).await;
        assert_eq!(called.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn gw_13_a_feed_that_has_never_heard_leaves_nothing_where_another_of_the_issuer_has() {
    let scene = Scene::set().await;
    let issuer = &scene.issuer;
    let built = async |of_users: Revocations, of_services: Revocations, before: Option<&Guard>| {
        let users = carnet_guard::Issuer::jwks(&issuer.url, format!("{}/jwks", issuer.url));
        let server = ResourceServer::new("https://billing.test").issuer(users.revocations(of_users));
        let server = server.services(issuer.services().revocations(of_services));
        let server = match before {
            Some(before) => server.after(before),
            None => server,
        };
        server.clock(issuer.clock.clone()).build().await.unwrap()
    };
    let nowhere = || Revocations::feed(format!("{}/nowhere", issuer.url), "billing", "secret");
    let open = || nowhere().on_loss(OnLoss::Open);
    // The feed of users alone hears that there is a newer bundle, which cannot be had.
    let before = built(issuer.feed(), open(), None).await;
    issuer.switches.down.store(true, Ordering::SeqCst);
    issuer.tells(
        2,
        &json!({ "kind": "sid", "value": "s1", "exp": issuer.clock.since_epoch().as_secs() + 900 }),
    );
    let heard = async {
        while !before.revocations().any(|(_, status)| status.entries == 1) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard)
        .await
        .unwrap();
    issuer.switches.feed.lock().unwrap().clear();
    let next = built(open(), open(), Some(&before)).await;
    let called = call(&next, "/close", &scene.signer).await;
    assert_eq!(called.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn guards_that_have_heard_of_different_bundles_ask_no_more_often_than_one() {
    let scene = Scene::set().await;
    let issuer = &scene.issuer;
    let beside = ResourceServer::new("https://other.test").services(issuer.services());
    let beside = beside.after(&scene.guard).clock(issuer.clock.clone());
    let beside = beside.build().await.unwrap();
    issuer.switches.down.store(true, Ordering::SeqCst);
    issuer.clock.wait(HINT);
    issuer.tells(1, &Value::Null);
    scene.becomes(StatusCode::OK).await;
    let asked = issuer.asked();
    for guard in [&scene.guard, &beside].repeat(10) {
        assert_eq!(call(guard, "/close", &scene.signer).await.0, StatusCode::OK);
    }
    assert_eq!(issuer.asked(), asked);
}

#[tokio::test]
async fn two_of_whom_one_heard_later_and_the_other_of_a_newer_bundle_do_not_hurry_each_other() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    issuer.tells(5, &Value::Null);
    let later = format!("data: {}\n\n", issuer.switches.feed.lock().unwrap());
    issuer.tells(6, &Value::Null);
    issuer.switches.down.store(true, Ordering::SeqCst);
    let guard = issuer.guard(issuer.services().revocations(issuer.feed())).await;
    issuer.clock.wait(1);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/revocations", listener.local_addr().unwrap());
    let answer = axum::routing::get(async move || ([("content-type", "text/event-stream")], later));
    let routes = axum::Router::new().route("/revocations", answer);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let feed = Revocations::feed(url, "billing", "secret");
    let beside = ResourceServer::new("https://billing.test").services(issuer.services().revocations(feed));
    let beside = beside.after(&guard).clock(issuer.clock.clone());
    let beside = beside.build().await.unwrap();
    let asked = issuer.asked();
    let signer = issuer.signs_as(&orders);
    for guard in [&guard, &beside].repeat(10) {
        let called = call(guard, "/close", &signer).await;
        assert_eq!(called.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(issuer.asked() <= asked + 1, "{asked}, {}", issuer.asked());
}

#[tokio::test]
async fn a_feed_that_is_silent_is_waited_for_once_for_all_who_share_it() {
    let issuer = Issuer::start().await;
    let built = async |before: Option<&Guard>, feed: Revocations| {
        let users = carnet_guard::Issuer::jwks(&issuer.url, format!("{}/jwks", issuer.url));
        let server = ResourceServer::new("https://billing.test").issuer(users.revocations(feed));
        let server = match before {
            Some(before) => server.after(before),
            None => server,
        };
        server.clock(issuer.clock.clone()).build().await.unwrap()
    };
    let feed = issuer.feed();
    let first = built(None, feed.clone()).await;
    let second = tokio::time::timeout(Duration::from_secs(1), built(Some(&first), feed)).await;
    assert!(!second.expect("nobody waits once more").ready());
}

#[tokio::test]
async fn gw_13_a_key_that_was_taken_out_opens_nothing_any_more() {
    let scene = Scene::set().await;
    let renewed = Other::new("orders", &["billing"]);
    scene.issuer.publish(2, &[&renewed]);
    scene.issuer.tells(2, &Value::Null);
    scene.becomes(StatusCode::UNAUTHORIZED).await;
    let signer = scene.issuer.signs_as(&renewed);
    assert_eq!(call(&scene.guard, "/close", &signer).await.0, StatusCode::OK);
}

#[tokio::test]
async fn gw_13_a_service_may_call_no_longer_whom_it_may_call_no_longer() {
    let scene = Scene::set().await;
    let bundle = scene.issuer.bundle(2, &[&scene.orders]);
    let mut bundle = bundle;
    bundle.services[0].calls = vec!["shipping".to_owned()];
    scene.issuer.publish_parts(&[bundle]);
    scene.issuer.tells(2, &Value::Null);
    scene.becomes(StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn a_bundle_of_which_a_newer_one_is_told_is_not_used() {
    let scene = Scene::set().await;
    // The server does not give the newer one, or not in time.
    scene.issuer.tells(2, &Value::Null);
    scene.becomes(StatusCode::SERVICE_UNAVAILABLE).await;
    scene.issuer.switches.down.store(true, Ordering::SeqCst);
    scene.issuer.clock.wait(2);
    assert_eq!(scene.status().await, StatusCode::SERVICE_UNAVAILABLE);
    scene.issuer.switches.down.store(false, Ordering::SeqCst);
    scene.issuer.publish(2, &[&scene.orders]);
    scene.issuer.clock.wait(2);
    assert_eq!(scene.status().await, StatusCode::OK);
    // A flood of tokens asks no more often than once a second.
    scene.issuer.tells(3, &Value::Null);
    scene.becomes(StatusCode::SERVICE_UNAVAILABLE).await;
    let asked = scene.issuer.asked();
    for _ in 0..20 {
        assert_eq!(scene.status().await, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(scene.issuer.asked(), asked);
}

#[tokio::test]
async fn gw_13_what_a_service_has_signed_is_taken_back_by_name_and_by_moment() {
    let scene = Scene::set().await;
    let now = scene.issuer.clock.since_epoch().as_secs();
    let exp = now + 900;
    let token = scene.signer.authorization("billing").unwrap();
    let token = token.to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let jti = carnet_jose::dangerous::decode(&token).unwrap().payload["jti"].clone();
    for entry in [
        json!({ "kind": "jti", "value": jti, "exp": exp }),
        json!({ "kind": "client", "value": "orders", "issued_before": now, "exp": exp }),
    ] {
        scene.issuer.tells(1, &entry);
        scene.becomes(StatusCode::UNAUTHORIZED).await;
        scene.issuer.tells(1, &Value::Null);
        scene.becomes(StatusCode::OK).await;
    }
    // What is meant for somebody else, or was said of what was made before, does no harm.
    for entry in [
        json!({ "kind": "client", "value": "mail", "issued_before": now, "exp": exp }),
        json!({ "kind": "client", "value": "orders", "issued_before": now - 1, "exp": exp }),
        // A name that the service has given to its key is not one of the server's keys.
        json!({ "kind": "kid", "value": "orders", "exp": exp }),
    ] {
        scene.issuer.tells(1, &entry);
        let cursor = async || {
            while scene.guard.revocations().next().unwrap().1.entries != 1 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), cursor())
            .await
            .unwrap();
        assert_eq!(scene.status().await, StatusCode::OK, "{entry}");
        scene.issuer.tells(1, &Value::Null);
        while scene.guard.revocations().next().unwrap().1.entries != 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test]
async fn gw_13_the_feed_of_the_users_issuer_is_that_of_its_services_and_its_policy_too() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let feed = issuer.feed().on_loss(OnLoss::Closed(Duration::from_secs(10)));
    let users = carnet_guard::Issuer::jwks(&issuer.url, format!("{}/jwks", issuer.url)).revocations(feed);
    let server = ResourceServer::new("https://billing.test").issuer(users);
    let server = server.services(issuer.services()).clock(issuer.clock.clone());
    let guard = server.build().await.unwrap();
    let signer = issuer.signs_as(&orders);
    assert_eq!(guard.revocations().count(), 1);
    assert!(!guard.ready());
    let (status, body) = call(&guard, "/close", &signer).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    issuer.tells(1, &Value::Null);
    let known = async {
        while !guard.ready() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), known)
        .await
        .unwrap();
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
    issuer.switches.feed.lock().unwrap().clear();
    issuer.clock.wait(10);
    assert_eq!(
        call(&guard, "/close", &signer).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    // A guard that follows nothing goes by the bundle alone.
    let alone = issuer.guard(issuer.services()).await;
    assert_eq!(alone.revocations().count(), 0);
    issuer.clock.wait(TTL - 20);
    issuer.publish(1, &[&orders]);
    assert_eq!(call(&alone, "/close", &signer).await.0, StatusCode::OK);
    assert_eq!(get_with(&alone, "/close", "x").await.0, StatusCode::UNAUTHORIZED);
}
