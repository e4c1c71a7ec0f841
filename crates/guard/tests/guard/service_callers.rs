//! Which services get in, and whose word that is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carnet_guard::{Guard, ResourceServer, Services};
use carnet_jose::TokenType;
use carnet_oauth::service_token::ServiceBundle;
use http::{Request, StatusCode};

use crate::service_issuer::{HINT, Issuer, Other, TTL, call, get_with, send};

#[tokio::test]
async fn a_service_that_may_call_gets_in_and_is_named() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let guard = issuer.guard(issuer.services()).await;
    let signer = issuer.signs_as(&orders);
    assert!(guard.ready());
    assert_eq!(
        call(&guard, "/close", &signer).await,
        (StatusCode::OK, "orders".to_owned())
    );
    let any = format!("service {}/services/orders", issuer.url);
    assert_eq!(call(&guard, "/any", &signer).await, (StatusCode::OK, any));
}

#[tokio::test]
async fn gw_12_only_a_listed_caller_gets_in_and_only_where_it_is_listed() {
    let issuer = Issuer::start().await;
    let orders = Other::new("orders", &["billing"]);
    let (mail, silent) = (Other::new("mail", &["shipping"]), Other::new("silent", &[]));
    issuer.publish(1, &[&orders, &mail, &silent]);
    let by_bundle = issuer.guard(issuer.services()).await;
    let here = issuer.guard(issuer.services().callers(["mail", "silent"])).await;
    let both = issuer
        .guard(issuer.services().callers(["orders", "silent"]))
        .await;
    let may = async |guard: &_, other: &Other| call(guard, "/inner", &issuer.signs_as(other)).await.0;
    // Of `silent` nobody has said anything; `mail` calls others.
    for other in [&mail, &silent] {
        assert_eq!(
            may(&by_bundle, other).await,
            StatusCode::FORBIDDEN,
            "{}",
            other.name
        );
        assert_eq!(may(&here, other).await, StatusCode::FORBIDDEN, "{}", other.name);
    }
    // The route is for another one.
    assert_eq!(may(&by_bundle, &orders).await, StatusCode::FORBIDDEN);
    let close = async |guard: &_, other: &Other| call(guard, "/close", &issuer.signs_as(other)).await.0;
    assert_eq!(close(&by_bundle, &orders).await, StatusCode::OK);
    assert_eq!(close(&both, &orders).await, StatusCode::OK);
    assert_eq!(close(&here, &orders).await, StatusCode::FORBIDDEN);
    // Listed here, and not for this route.
    assert_eq!(close(&both, &silent).await, StatusCode::FORBIDDEN);
    let (status, body) = call(&by_bundle, "/close", &issuer.signs_as(&silent)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("insufficient_scope"), "{body}");
}

#[tokio::test]
async fn a_layer_inside_another_one_is_narrower() {
    let issuer = Issuer::start().await;
    let (orders, mail) = (
        Other::new("orders", &["billing"]),
        Other::new("mail", &["billing"]),
    );
    issuer.publish(1, &[&orders, &mail]);
    let guard = issuer.guard(issuer.services()).await;
    let (status, body) = call(&guard, "/inner", &issuer.signs_as(&mail)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "mail"));
    assert_eq!(
        call(&guard, "/inner", &issuer.signs_as(&orders)).await.0,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn jwt_15_an_issuer_that_the_bundle_does_not_name_is_unknown_and_makes_nobody_ask() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    let stranger = Other::new("stranger", &["billing"]);
    issuer.publish(1, &[&orders]);
    let guard = issuer
        .guard(issuer.services().callers(["orders", "stranger"]))
        .await;
    let before = issuer.asked();
    for _ in 0..20 {
        let (status, _) = call(&guard, "/close", &issuer.signs_as(&stranger)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    // One that calls itself `orders` with a key of its own.
    let thief = Other::new("orders", &[]);
    assert_eq!(
        call(&guard, "/close", &issuer.signs_as(&thief)).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(issuer.asked(), before);
}

#[tokio::test]
async fn a_service_that_was_disabled_is_out_within_the_refresh_hint() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let guard = issuer.guard(issuer.services()).await;
    issuer.publish(2, &[]);
    issuer.clock.wait(HINT);
    let (status, _) = call(&guard, "/close", &issuer.signs_as(&orders)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_bundle_that_is_nearly_due_is_replaced_while_nobody_waits() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let guard = issuer.guard(issuer.services()).await;
    let signer = issuer.signs_as(&orders);
    call(&guard, "/close", &signer).await;
    assert_eq!(issuer.asked(), 1);
    issuer.clock.wait(HINT * 4 / 5);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
    // It goes on while this test is here.
    while issuer.asked() < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn while_the_server_is_down_the_known_bundle_is_used_until_it_expires() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let guard = issuer.guard(issuer.services()).await;
    issuer.switches.down.store(true, Ordering::SeqCst);
    let signer = issuer.signs_as(&orders);
    issuer.clock.wait(TTL - 1);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
    issuer.clock.wait(1);
    let (status, body) = call(&guard, "/close", &signer).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("temporarily_unavailable"), "{body}");
    assert!(!guard.ready());
    issuer.switches.down.store(false, Ordering::SeqCst);
    // As after a restore from a backup: the one that was known counts no more.
    issuer.publish(0, &[&orders]);
    issuer.clock.wait(1);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_bundle_that_was_never_loaded_is_503_and_no_401() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.switches.down.store(true, Ordering::SeqCst);
    let guard = issuer.guard(issuer.services()).await;
    let signer = issuer.signs_as(&orders);
    assert_eq!(
        call(&guard, "/close", &signer).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn the_sequence_never_goes_back() {
    let issuer = Issuer::start().await;
    let (orders, mail) = (
        Other::new("orders", &["billing"]),
        Other::new("mail", &["billing"]),
    );
    issuer.publish(7, &[&orders]);
    let older = issuer.switches.bundle.lock().unwrap().clone();
    issuer.clock.wait(1);
    issuer.publish(7, &[]);
    let same_number = issuer.switches.bundle.lock().unwrap().clone();
    let guard = issuer.guard(issuer.services()).await;
    let signer = issuer.signs_as(&orders);
    let replay = async |bundle: &str| {
        *issuer.switches.bundle.lock().unwrap() = bundle.to_owned();
        issuer.clock.wait(HINT);
        let before = issuer.asked();
        let status = call(&guard, "/close", &signer).await.0;
        assert_eq!(issuer.asked(), before + 1);
        status
    };
    // Of one number, the one that was signed earlier is older.
    assert_eq!(replay(&older).await, StatusCode::UNAUTHORIZED);
    issuer.publish(6, &[&orders, &mail]);
    let smaller = issuer.switches.bundle.lock().unwrap().clone();
    assert_eq!(replay(&smaller).await, StatusCode::UNAUTHORIZED);
    assert_eq!(replay(&same_number).await, StatusCode::UNAUTHORIZED);
    issuer.publish(8, &[&orders]);
    let newer = issuer.switches.bundle.lock().unwrap().clone();
    assert_eq!(replay(&newer).await, StatusCode::OK);
}

#[tokio::test]
async fn what_two_nodes_sign_of_one_number_confirms_each_other() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(7, &[&orders]);
    let earlier = issuer.switches.bundle.lock().unwrap().clone();
    issuer.clock.wait(1);
    issuer.publish(7, &[&orders]);
    let guard = issuer.guard(issuer.services()).await;
    let signer = issuer.signs_as(&orders);
    *issuer.switches.bundle.lock().unwrap() = earlier;
    issuer.clock.wait(HINT);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
    let asked = issuer.asked();
    // What was confirmed is not asked about again before it is due.
    issuer.clock.wait(HINT / 2);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
    assert_eq!(issuer.asked(), asked);
}

#[tokio::test]
async fn a_bundle_may_be_larger_than_any_other_answer() {
    let issuer = Issuer::start().await;
    let names: Vec<String> = (0..4_000).map(|number| format!("service-{number}")).collect();
    let orders = Other::new("orders", &["billing"]);
    let mut parts: Vec<_> = names
        .chunks(20)
        .map(|names| {
            let mut part = issuer.bundle(7, &[]);
            let named = |name: &String| {
                let mut service = issuer.bundle(7, &[&orders]).services.remove(0);
                service.iss = format!("{}/services/{name}", issuer.url);
                service.name.clone_from(name);
                service
            };
            part.services = names.iter().map(named).collect();
            part
        })
        .collect();
    parts.push(issuer.bundle(7, &[&orders]));
    let whole = parts.len();
    for (index, part) in parts.iter_mut().enumerate() {
        (part.part, part.parts) = (index + 1, whole);
    }
    issuer.publish_parts(&parts);
    assert!(issuer.switches.bundle.lock().unwrap().len() > 1024 * 1024);
    let guard = issuer.guard(issuer.services()).await;
    let signer = issuer.signs_as(&orders);
    assert_eq!(call(&guard, "/close", &signer).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_bundle_counts_only_with_the_servers_signature_type_and_name() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    let elsewhere = Issuer::start().await;
    let bundle = issuer.bundle(1, &[&orders]);
    let typed = |typ| issuer.signer(TokenType::Other(typ)).sign(&bundle).unwrap();
    let named = |change: &dyn Fn(&mut ServiceBundle)| {
        let mut other = bundle.clone();
        change(&mut other);
        issuer
            .signer(TokenType::Other("services+jwt"))
            .sign(&other)
            .unwrap()
    };
    let foreign = elsewhere.signer(TokenType::Other("services+jwt"));
    let half = ServiceBundle {
        parts: 2,
        ..bundle.clone()
    };
    let wrong = [
        typed("at+jwt"),
        typed("revocations+jwt"),
        issuer.signer(TokenType::Jwt).sign(&bundle).unwrap(),
        foreign.sign(&bundle).unwrap(),
        named(&|bundle| bundle.iss = "https://other.test".to_owned()),
        named(&|bundle| bundle.exp = bundle.iat - 60),
        named(&|bundle| bundle.iat += 3_600),
        issuer
            .signer(TokenType::Other("services+jwt"))
            .sign(&half)
            .unwrap(),
        String::new(),
        "{}".to_owned(),
    ];
    for text in wrong {
        *issuer.switches.bundle.lock().unwrap() = text.clone();
        let guard = issuer.guard(issuer.services()).await;
        assert!(!guard.ready(), "{text}");
        let (status, _) = call(&guard, "/close", &issuer.signs_as(&orders)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    }
}

#[tokio::test]
async fn a_bundle_in_parts_is_one_bundle() {
    let issuer = Issuer::start().await;
    let (orders, mail) = (
        Other::new("orders", &["billing"]),
        Other::new("mail", &["billing"]),
    );
    let part = |part, other| ServiceBundle {
        part,
        parts: 2,
        ..issuer.bundle(1, &[other])
    };
    issuer.publish_parts(&[part(1, &orders), part(2, &mail)]);
    let guard = issuer.guard(issuer.services()).await;
    assert_eq!(
        call(&guard, "/inner", &issuer.signs_as(&mail)).await.0,
        StatusCode::OK
    );
    assert_eq!(
        call(&guard, "/close", &issuer.signs_as(&orders)).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn where_tokens_count_once_a_change_cannot_be_repeated() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let guard = issuer.guard(issuer.services().once_for_unsafe_methods()).await;
    let signer = issuer.signs_as(&orders);
    let post = || {
        let mut request = Request::post("/close").body(()).unwrap();
        signer.attach(&mut request, "billing").unwrap();
        request
    };
    let (first, again) = (post(), post());
    let stolen = first.headers()["authorization"].to_str().unwrap()[7..].to_owned();
    assert_eq!(send(&guard, first).await.0, StatusCode::OK);
    let repeated = Request::post("/close").header("authorization", format!("Bearer {stolen}"));
    assert_eq!(
        send(&guard, repeated.body(()).unwrap()).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        send(&guard, again).await.0,
        StatusCode::OK,
        "each request has its own"
    );
    // What changes nothing may come again.
    assert_eq!(get_with(&guard, "/close", &stolen).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_is_spent_stays_so_with_the_guard_that_takes_the_place_of_the_first() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
    issuer.publish(1, &[&orders]);
    let after = async |before: &Guard, (services, leeway): (Services, u64)| {
        let next = ResourceServer::new("https://billing.test").services(services);
        let next = next.leeway(Duration::from_secs(leeway)).after(before);
        next.clock(issuer.clock.clone()).build().await.unwrap()
    };
    let once = || issuer.services().once_for_unsafe_methods();
    let mut guard = issuer.guard(once()).await;
    let signer = issuer.signs_as(&orders);
    let mut signed = Request::post("/close").body(()).unwrap();
    signer.attach(&mut signed, "billing").unwrap();
    let token = signed.headers()["authorization"].to_str().unwrap().to_owned();
    let status = async |guard: &Guard| {
        let request = Request::post("/close").header("authorization", &token);
        send(guard, request.body(()).unwrap()).await.0
    };
    assert_eq!(status(&guard).await, StatusCode::OK);
    // However often it is, and whatever else is another: the leeway, or that tokens do not count once for a while.
    for (services, leeway, expected) in [
        (once(), 30, StatusCode::UNAUTHORIZED),
        (once(), 600, StatusCode::UNAUTHORIZED),
        (issuer.services(), 600, StatusCode::OK),
        (once(), 600, StatusCode::UNAUTHORIZED),
    ] {
        guard = after(&guard, (services, leeway)).await;
        assert_eq!(status(&guard).await, expected, "{leeway}");
    }
}

#[tokio::test]
async fn the_bundle_is_known_to_the_guard_that_takes_the_place_of_the_first() {
    let (issuer, orders) = (Issuer::start().await, Other::new("orders", &[]));
    issuer.publish(1, &[&orders]);
    let services = |own: &str| Services::of(&issuer.url, own).callers(["orders"]);
    let guard = issuer.guard(services("billing")).await;
    issuer.publish_parts(&[]);
    let (asked, signer) = (issuer.asked(), issuer.signs_as(&orders));
    for (own, leeway, expected) in [
        ("billing", 30, StatusCode::OK),
        ("billing", 10, StatusCode::OK),
        // It has another name by now: tokens for the old one are for somebody else.
        ("invoices", 30, StatusCode::UNAUTHORIZED),
    ] {
        let next = ResourceServer::new("https://billing.test").services(services(own));
        let next = next.leeway(Duration::from_secs(leeway)).after(&guard);
        let next = next.clock(issuer.clock.clone()).build().await.unwrap();
        let called = call(&next, "/close", &signer).await;
        assert_eq!((called.0, issuer.asked()), (expected, asked), "{own} {leeway}");
    }
}
