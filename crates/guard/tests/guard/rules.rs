//! Rules on claims, and on how and when the user logged in (RFC 9470).

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use carnet_guard::testing::{TestClock, TestIssuer, TestToken};
use carnet_guard::{Auth, Denied, Right, Rule};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::api::{API, Answer, ReadOrders, get_with, send};

const NOW: u64 = 1_800_000_000;

async fn ask(rule: Rule, token: impl FnOnce(TestToken<'_>) -> TestToken<'_>) -> Answer {
    let issuer = TestIssuer::with_clock(TestClock::at(NOW));
    let guard = issuer.resource_server(API).build().await.unwrap();
    let routes = Router::new()
        .route("/", get(async || "in").layer(guard.require(rule)))
        .layer(guard.layer());
    send(routes, get_with("/", &token(issuer.token("alice")).sign())).await
}

async fn status(rule: &Rule, token: impl FnOnce(TestToken<'_>) -> TestToken<'_>) -> StatusCode {
    ask(rule.clone(), token).await.status
}

#[tokio::test]
async fn a_claim_must_be_there_and_be_what_the_rule_says() {
    let tenant = Rule::claim("tenant").eq("red");
    assert_eq!(
        status(&tenant, |token| token.claim("tenant", "red")).await,
        StatusCode::OK
    );
    for wrong in [json!("blue"), json!(["red"]), json!(null), json!({ "red": true })] {
        assert_eq!(
            status(&tenant, |token| token.claim("tenant", wrong)).await,
            StatusCode::FORBIDDEN
        );
    }
    assert_eq!(status(&tenant, |token| token).await, StatusCode::FORBIDDEN);
    let level = Rule::claim("level").one_of([2, 3]);
    assert_eq!(
        status(&level, |token| token.claim("level", 3)).await,
        StatusCode::OK
    );
    assert_eq!(
        status(&level, |token| token.claim("level", "3")).await,
        StatusCode::FORBIDDEN
    );
    let staff = Rule::claim(["realm_access", "roles"]).contains("staff");
    let nested = |roles| json!({ "roles": roles });
    assert_eq!(
        status(&staff, |token| token
            .claim("realm_access", nested(["x", "staff"])))
        .await,
        StatusCode::OK
    );
    assert_eq!(
        status(&staff, |token| token
            .claim("realm_access", nested(["x", "staffer"])))
        .await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        status(&staff, |token| token
            .claim("realm_access.roles", json!(["staff"])))
        .await,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn gw_12_a_refused_rule_names_no_claim_to_the_caller() {
    let answer = ask(Rule::claim("tenant").eq("secret-tenant"), |token| token).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    let told = format!("{:?} {}", answer.challenges, answer.body);
    assert!(!told.contains("tenant"), "{told}");
}

#[tokio::test]
async fn a_login_by_another_class_is_asked_for_by_name() {
    let strong = Rule::acr(["phr", "urn:example:mfa"]);
    for acr in ["phr", "urn:example:mfa"] {
        assert_eq!(
            status(&strong, |token| token.claim("acr", acr)).await,
            StatusCode::OK
        );
    }
    for answer in [
        ask(strong.clone(), |token| token).await,
        ask(strong.clone(), |token| token.claim("acr", "pwd")).await,
        ask(strong.clone(), |token| token.claim("acr", json!(["phr"]))).await,
    ] {
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "insufficient_user_authentication")
        );
        for challenge in &answer.challenges {
            assert!(
                challenge.contains(r#"error="insufficient_user_authentication""#)
                    && challenge.contains(r#"acr_values="phr urn:example:mfa""#),
                "{challenge}"
            );
            assert!(!challenge.contains("max_age"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_login_that_is_too_old_is_asked_for_anew() {
    let fresh = Rule::max_age(Duration::from_secs(300));
    assert_eq!(
        status(&fresh, |token| token.claim("auth_time", NOW - 300)).await,
        StatusCode::OK
    );
    for answer in [
        ask(fresh.clone(), |token| token.claim("auth_time", NOW - 301)).await,
        ask(fresh.clone(), |token| token.claim("auth_time", "now")).await,
        ask(fresh.clone(), |token| token).await,
    ] {
        assert_eq!(answer.code(), "insufficient_user_authentication");
        assert!(
            answer.challenge.contains(r#"max_age="300""#),
            "{}",
            answer.challenge
        );
        assert!(!answer.challenge.contains("acr_values"), "{}", answer.challenge);
    }
}

#[tokio::test]
async fn a_login_in_the_future_is_none_and_one_within_the_leeway_is_of_now() {
    let fresh = Rule::max_age(Duration::from_secs(5));
    for (ahead, expected) in [
        (0, StatusCode::OK),
        (30, StatusCode::OK),
        (31, StatusCode::UNAUTHORIZED),
        (600, StatusCode::UNAUTHORIZED),
        (86_400 * 365, StatusCode::UNAUTHORIZED),
    ] {
        let found = status(&fresh, |token| token.claim("auth_time", NOW + ahead)).await;
        assert_eq!(found, expected, "{ahead}");
    }
}

#[tokio::test]
async fn the_age_of_a_login_grows_while_its_token_is_remembered() {
    let clock = TestClock::at(NOW);
    let issuer = TestIssuer::with_clock(clock.clone());
    let guard = issuer.resource_server(API).build().await.unwrap();
    let routes = Router::new()
        .route(
            "/",
            get(async || "in").layer(guard.require(Rule::max_age(Duration::from_secs(300)))),
        )
        .layer(guard.layer());
    let token = issuer.token("alice").claim("auth_time", NOW).sign();
    for (wait, status) in [(0, 200), (300, 200), (1, 401)] {
        clock.wait(Duration::from_secs(wait));
        assert_eq!(send(routes.clone(), get_with("/", &token)).await.status, status);
    }
}

#[tokio::test]
async fn another_login_is_asked_for_only_when_nothing_else_is_missing() {
    let both = Rule::all([
        Rule::scope("pay"),
        Rule::acr(["mfa"]),
        Rule::max_age(Duration::from_secs(60)),
        Rule::max_age(Duration::from_secs(30)),
    ]);
    let answer = ask(both.clone(), |token| token.claim("acr", "mfa")).await;
    assert_eq!(answer.code(), "insufficient_scope");
    assert!(answer.challenge.contains(r#"scope="pay""#));
    let answer = ask(both.clone(), |token| token.scope("pay")).await;
    assert_eq!(answer.code(), "insufficient_user_authentication");
    assert!(
        answer.challenge.contains(r#"acr_values="mfa", max_age="30""#),
        "{}",
        answer.challenge
    );
    let in_the_end = ask(both, |token| {
        token.scope("pay").claim("acr", "mfa").claim("auth_time", NOW)
    })
    .await;
    assert_eq!(in_the_end.status, StatusCode::OK);
    let either = Rule::any([Rule::role("admin"), Rule::acr(["mfa"])]);
    assert_eq!(status(&either, |token| token.role("admin")).await, StatusCode::OK);
    assert_eq!(
        ask(either, |token| token).await.code(),
        "insufficient_user_authentication"
    );
    // No login could be by both classes: nobody is sent in circles.
    let never = Rule::all([Rule::acr(["a"]), Rule::acr(["b"])]);
    assert_eq!(ask(never, |token| token).await.code(), "insufficient_scope");
    assert_eq!(
        ask(Rule::acr(Vec::<String>::new()), |token| token).await.code(),
        "insufficient_scope"
    );
}

/// A login by several factors, as a type.
struct Strong;

impl Right for Strong {
    fn rule() -> Rule {
        Rule::acr(["mfa"])
    }
}

#[derive(Deserialize)]
struct Tenant {
    tenant: String,
}

#[tokio::test]
async fn what_a_handler_needs_stands_in_its_signature() {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    let routes = Router::new()
        .route("/pay", get(async |_: Auth<(ReadOrders, Strong)>| "paid"))
        .route("/tenant", get(async |auth: Auth<(), Tenant>| auth.extra.tenant))
        .layer(guard.layer());
    let ask =
        async |path: &str, token: TestToken<'_>| send(routes.clone(), get_with(path, &token.sign())).await;
    let token = || issuer.token("alice").scope("read:orders");
    assert_eq!(
        ask("/pay", token()).await.code(),
        "insufficient_user_authentication"
    );
    assert_eq!(ask("/pay", token().claim("acr", "mfa")).await.body, json!("paid"));
    assert_eq!(
        ask("/tenant", token().claim("tenant", "red")).await.body,
        json!("red")
    );
    for claims in [token(), token().claim("tenant", 7)] {
        let answer = ask("/tenant", claims).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "insufficient_scope")
        );
    }
}

#[tokio::test]
async fn a_handler_asks_by_itself_and_only_the_log_knows_why() {
    let issuer = TestIssuer::new();
    let guard = issuer.resource_server(API).build().await.unwrap();
    let owner = async |auth: Auth| -> Result<&'static str, Denied> {
        let claims: Tenant = auth.claims()?;
        auth.check(claims.tenant == "red", "the order is another tenant's")?;
        Ok("in")
    };
    let routes = Router::new().route("/", get(owner)).layer(guard.layer());
    for (tenant, status) in [(json!("red"), 200), (json!("blue"), 403), (json!(1), 403)] {
        let token = issuer.token("alice").claim("tenant", tenant).sign();
        let answer = send(routes.clone(), get_with("/", &token)).await;
        assert_eq!(answer.status, status);
        if status == 403 {
            assert_eq!(answer.code(), "insufficient_scope");
            assert!(!format!("{answer:?}").contains("another tenant"), "{answer:?}");
        }
    }
}
