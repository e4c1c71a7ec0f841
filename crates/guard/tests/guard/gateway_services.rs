//! A service behind a gateway that is called by another service, in the gateway's signed words.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use carnet_guard::testing::{ISSUER, TestClock, TestGateway};
use carnet_guard::{Auth, Caller, Guard, UserOrService};
use http::{Request, StatusCode};
use serde_json::json;

use crate::api::send;

const NOW: u64 = 1_800_000_000;
const SERVICE: &str = "orders";

/// Routes of services, and one that users share.
fn inner(guard: &Guard) -> Router {
    let named = async |caller: Caller| format!("{} {}", caller.name(), caller.id());
    let either = async |caller: UserOrService| match caller {
        UserOrService::User(auth) => format!("user {}", auth.sub()),
        UserOrService::Service(service) => format!("service {}", service.name()),
    };
    let both = guard.caller_in(["billing"]).or_users();
    Router::new()
        .route("/inner", get(named).layer(guard.caller_in(["billing"])))
        .route("/both", get(either).layer(both))
        .route(
            "/me",
            get(async |auth: Auth| auth.sub().to_owned()).layer(guard.layer()),
        )
}

async fn ask(guard: &Guard, path: &str, assertion: &str) -> (u16, String) {
    let request = Request::get(path).header("x-identity-assertion", assertion);
    let answer = send(inner(guard), request.body(Body::empty()).unwrap()).await;
    let said = match answer.status {
        StatusCode::OK => answer.body.as_str().unwrap().to_owned(),
        _ => answer.code().to_owned(),
    };
    (answer.status.as_u16(), said)
}

#[tokio::test]
async fn gw_12_a_service_that_the_gateway_names_gets_in_where_it_is_listed_and_is_no_user() {
    let gateway = TestGateway::with_clock(TestClock::at(NOW));
    let guard = gateway.in_front_of(SERVICE).build().await.unwrap();
    let billing = gateway.service_assertion("billing").sign();
    let mail = gateway.service_assertion("mail").sign();
    let alice = gateway.assertion("alice").sign();
    let id = format!("{ISSUER}/services/billing");
    for (path, assertion, status, said) in [
        ("/inner", &billing, 200, format!("billing {id}").as_str()),
        ("/inner", &mail, 403, "insufficient_scope"),
        ("/inner", &alice, 401, "caller_not_believed"),
        ("/both", &billing, 200, "service billing"),
        ("/both", &mail, 403, "insufficient_scope"),
        ("/both", &alice, 200, "user alice"),
        ("/me", &billing, 401, "caller_not_believed"),
        ("/me", &alice, 200, "alice"),
    ] {
        assert_eq!(
            ask(&guard, path, assertion).await,
            (status, said.to_owned()),
            "{path} {said}"
        );
    }
    for path in ["/inner", "/both"] {
        assert_eq!(ask(&guard, path, "").await, (401, "caller_missing".to_owned()));
        assert_eq!(
            ask(&guard, path, "x").await,
            (401, "caller_not_believed".to_owned())
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_assertion_about_a_service_is_wrong_as_with_one_about_a_user() {
    let clock = TestClock::at(NOW);
    let gateway = TestGateway::with_clock(clock.clone());
    let guard = gateway.in_front_of(SERVICE).build().await.unwrap();
    let other = TestGateway::with_clock(clock.clone());
    let good = || gateway.service_assertion("billing");
    let refused = [
        good().audience("shipping"),
        good().claim("aud", json!([SERVICE, "shipping"])),
        good().claim("iss", "https://other.test"),
        good().claim("exp", NOW + 61),
        good().claim("client_id", ""),
        good().claim("client_id", 7),
        good().claim("sub", ""),
        good().claim("cnf", json!({ "jkt": "x" })),
        good().without("client_id"),
        good().without("exp"),
        other.service_assertion("billing").audience(SERVICE),
    ]
    .map(|token| token.sign());
    for assertion in refused {
        assert_eq!(
            ask(&guard, "/inner", &assertion).await,
            (401, "caller_not_believed".to_owned()),
            "{assertion}"
        );
    }
    let good = good().sign();
    for (passed, status) in [(0, 200), (89, 200), (1, 401)] {
        clock.wait(std::time::Duration::from_secs(passed));
        assert_eq!(ask(&guard, "/inner", &good).await.0, status, "{passed}");
    }
}
