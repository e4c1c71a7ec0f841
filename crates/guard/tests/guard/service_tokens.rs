//! What a service's token must say, and what is never taken for one.

use carnet_guard::Clock as _;
use carnet_jose::{Signer, TokenType};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::service_issuer::{Issuer, Other, call, get_with, send};

struct Scene {
    issuer: Issuer,
    orders: Other,
    guard: carnet_guard::Guard,
}

impl Scene {
    async fn set() -> Self {
        let (issuer, orders) = (Issuer::start().await, Other::new("orders", &["billing"]));
        issuer.publish(1, &[&orders]);
        let guard = issuer.guard(issuer.services()).await;
        Self {
            issuer,
            orders,
            guard,
        }
    }

    /// What a good token says, changed.
    fn claims(&self, change: impl FnOnce(&mut Value)) -> Value {
        let now = self.issuer.clock.since_epoch().as_secs();
        let id = |name: &str| format!("{}/services/{name}", self.issuer.url);
        let mut claims = json!({ "iss": id("orders"), "sub": id("orders"), "aud": id("billing"), "iat": now, "exp": now + 60, "jti": "x" });
        change(&mut claims);
        claims
    }

    fn sign(&self, typ: TokenType, claims: &Value) -> String {
        let signer = Signer::new(self.orders.key(), typ, Some("orders".to_owned())).unwrap();
        signer.sign(claims).unwrap()
    }

    async fn status(&self, token: &str) -> StatusCode {
        get_with(&self.guard, "/close", token).await.0
    }
}

const TYPE: TokenType = TokenType::Other("svc+jwt");

#[tokio::test]
async fn jwt_16_it_is_for_one_service_and_this_is_it() {
    let scene = Scene::set().await;
    let url = scene.issuer.url.clone();
    let own = format!("{url}/services/billing");
    let aud = async |aud: Value| {
        scene
            .status(&scene.sign(TYPE, &scene.claims(|claims| claims["aud"] = aud)))
            .await
    };
    assert_eq!(aud(json!(own)).await, StatusCode::OK);
    assert_eq!(aud(json!([own])).await, StatusCode::OK, "one is one");
    for other in [
        json!(format!("{url}/services/shipping")),
        json!([own, format!("{url}/services/shipping")]),
        json!([]),
        json!("billing"),
        json!("https://billing.test"),
        json!(url),
        json!(format!("{own}/")),
        Value::Null,
    ] {
        assert_eq!(aud(other.clone()).await, StatusCode::UNAUTHORIZED, "{other}");
    }
}

#[tokio::test]
async fn jwt_13_it_is_short_fresh_and_about_who_signs_it() {
    let scene = Scene::set().await;
    let now = scene.issuer.clock.since_epoch().as_secs();
    let good: [(&str, Value); 3] = [
        ("exp", json!(now + 300)),
        ("iat", json!(now + 20)),
        ("jti", json!("y")),
    ];
    for (name, value) in good {
        let token = scene.sign(TYPE, &scene.claims(|claims| claims[name] = value.clone()));
        assert_eq!(scene.status(&token).await, StatusCode::OK, "{name} {value}");
    }
    let wrong: [(&str, Value); 14] = [
        ("exp", json!(now + 301)),
        ("exp", json!(now - 60)),
        ("exp", Value::Null),
        ("exp", json!("9999999999")),
        ("iat", json!(now + 50)),
        ("iat", json!(now - 400)),
        ("iat", Value::Null),
        ("sub", json!("alice")),
        ("sub", Value::Null),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(129))),
        ("nbf", json!(now + 3_600)),
        ("cnf", json!({ "jkt": "x" })),
    ];
    for (name, value) in wrong {
        let token = scene.sign(TYPE, &scene.claims(|claims| claims[name] = value.clone()));
        assert_eq!(
            scene.status(&token).await,
            StatusCode::UNAUTHORIZED,
            "{name} {value}"
        );
    }
    for name in ["iat", "exp", "sub", "jti", "aud", "iss"] {
        let left_out = scene.claims(|claims| {
            claims.as_object_mut().unwrap().remove(name);
        });
        let token = scene.sign(TYPE, &left_out);
        assert_eq!(scene.status(&token).await, StatusCode::UNAUTHORIZED, "{name}");
    }
}

#[tokio::test]
async fn jwt_17_nothing_else_that_its_key_or_the_server_signs_is_taken_for_it() {
    let scene = Scene::set().await;
    let claims = scene.claims(|_| ());
    for typ in [
        "at+jwt",
        "logout+jwt",
        "client-authentication+jwt",
        "dpop+jwt",
        "services+jwt",
    ] {
        let token = scene.sign(TokenType::Other(typ), &claims);
        assert_eq!(scene.status(&token).await, StatusCode::UNAUTHORIZED, "{typ}");
    }
    let assertion = scene.issuer.signs_as(&scene.orders).client_assertion().unwrap();
    let grant = scene.issuer.signs_as(&scene.orders).grant_assertion().unwrap();
    let plain = scene.sign(TokenType::Jwt, &claims);
    // The server's own key says nothing for a service.
    let by_server = scene.issuer.signer(TYPE).sign(&claims).unwrap();
    for token in [assertion, grant, plain, by_server] {
        assert_eq!(scene.status(&token).await, StatusCode::UNAUTHORIZED, "{token}");
    }
    assert_eq!(scene.status(&scene.sign(TYPE, &claims)).await, StatusCode::OK);
}

#[tokio::test]
async fn gw_12_a_service_is_no_user_and_a_user_is_no_service() {
    let scene = Scene::set().await;
    let signer = scene.issuer.signs_as(&scene.orders);
    assert_eq!(
        call(&scene.guard, "/mine", &signer).await.0,
        StatusCode::UNAUTHORIZED
    );
    let now = scene.issuer.clock.since_epoch().as_secs();
    let user = json!({ "iss": scene.issuer.url, "aud": "https://billing.test", "sub": "alice", "client_id": "orders", "jti": "x",
        "iat": now, "exp": now + 60, "act": { "sub": "orders" } });
    let user = scene.issuer.signer(TokenType::AccessToken).sign(&user).unwrap();
    assert_eq!(
        get_with(&scene.guard, "/mine", &user).await,
        (StatusCode::OK, "alice".to_owned())
    );
    assert_eq!(
        get_with(&scene.guard, "/close", &user).await.0,
        StatusCode::UNAUTHORIZED
    );
    // Where both may call, each is told apart.
    assert_eq!(
        get_with(&scene.guard, "/any", &user).await,
        (StatusCode::OK, "user alice".to_owned())
    );
    let (_, body) = call(&scene.guard, "/any", &signer).await;
    assert!(body.starts_with("service "), "{body}");
    // What a service says of itself gives it nothing.
    let claims = scene.claims(|claims| claims["scope"] = json!("read:orders admin"));
    assert_eq!(
        get_with(&scene.guard, "/mine", &scene.sign(TYPE, &claims))
            .await
            .0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn gw_11_it_comes_in_one_header_and_by_the_scheme_bearer() {
    let scene = Scene::set().await;
    let token = scene.sign(TYPE, &scene.claims(|_| ()));
    let with = async |values: &[String]| {
        let mut request = Request::get("/close");
        for value in values {
            request = request.header("authorization", value);
        }
        send(&scene.guard, request.body(()).unwrap()).await.0
    };
    assert_eq!(with(&[]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with(&[format!("bearer {token}")]).await, StatusCode::OK);
    assert_eq!(with(&[format!("DPoP {token}")]).await, StatusCode::UNAUTHORIZED);
    let twice = [format!("Bearer {token}"), format!("Bearer {token}")];
    assert_eq!(with(&twice).await, StatusCode::BAD_REQUEST);
    let query = Request::get(format!("/close?access_token={token}"))
        .body(())
        .unwrap();
    assert_eq!(send(&scene.guard, query).await.0, StatusCode::UNAUTHORIZED);
}
