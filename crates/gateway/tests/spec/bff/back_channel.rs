//! The issuer says that a session has ended.

use serde_json::json;

use super::browser::{Browser, Told};
use super::world::World;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

pub(super) async fn tell(issuer: &mut Browser, token: &str) -> Told {
    let form = format!("logout_token={token}");
    issuer.ask("POST", "/bff/backchannel", (FORM, &form)).await
}

#[tokio::test]
async fn lo_05_a_session_ends_at_every_replica_when_its_issuer_says_so() {
    let world = World::new().await;
    let other = world.replica().await;
    for claims in [json!({}), json!({ "sid": null }), json!({ "sub": null })] {
        let user = world.user().await;
        let told = tell(&mut world.browser(), &world.issuer.logout_token(&claims)).await;
        assert_eq!(
            (told.status, told.one("cache-control").as_str()),
            (200, "no-store"),
            "{told:?}"
        );
        for gateway in [world.gateway.address, other.address] {
            let mut user = Browser {
                gateway,
                ..user.clone()
            };
            assert_eq!(user.call("GET", "/api").await.status, 401, "{claims}");
        }
    }
    let mut user = world.user().await;
    for claims in [json!({ "sub": "user_2", "sid": null }), json!({ "sid": "sid_2" })] {
        assert_eq!(
            tell(&mut world.browser(), &world.issuer.logout_token(&claims))
                .await
                .status,
            200
        );
        assert_eq!(user.call("GET", "/api").await.status, 200, "somebody else's");
    }
}

#[tokio::test]
async fn lo_05_a_logout_token_that_is_none_ends_nothing() {
    let world = World::new().await;
    let mut user = world.user().await;
    let now = world.issuer.now();
    for claims in [
        json!({ "aud": "other" }),
        json!({ "iss": "https://evil.test" }),
        json!({ "nonce": "n" }),
        json!({ "events": null }),
        json!({ "events": { "http://other.test": {} } }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": 1 } }),
        json!({ "sub": null, "sid": null }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "iat": null }),
        json!({ "iat": now - 200 }),
        json!({ "exp": now - 200, "iat": now - 300 }),
    ] {
        let told = tell(&mut world.browser(), &world.issuer.logout_token(&claims)).await;
        assert_eq!(
            told.refusal(),
            (400, "logout_token_invalid".to_owned()),
            "{claims}"
        );
    }
    let token = world.issuer.mistyped_logout_token();
    assert_eq!(
        tell(&mut world.browser(), &token).await.status,
        400,
        "an ID token is no logout token"
    );
    assert_eq!(tell(&mut world.browser(), "x").await.status, 400);
    let token = world.issuer.logout_token(&json!({}));
    let mut issuer = world.browser();
    let json = "Content-Type: application/json\r\n";
    let twice = format!("logout_token={token}&logout_token={token}");
    for (kind, body) in [
        (json, format!("logout_token={token}")),
        (FORM, twice),
        (FORM, String::new()),
    ] {
        assert_eq!(
            issuer.ask("POST", "/bff/backchannel", (kind, &body)).await.status,
            400
        );
    }
    assert_eq!(user.call("GET", "/api").await.status, 200);

    let once = world.issuer.logout_token(&json!({ "sid": "sid_2" }));
    assert_eq!(tell(&mut world.browser(), &once).await.status, 200);
    let other = world.replica().await;
    let mut elsewhere = Browser::new(other.address);
    let body = format!("logout_token={once}");
    let replayed = elsewhere.ask("POST", "/bff/backchannel", (FORM, &body)).await;
    assert_eq!(replayed.status, 400, "it counts once, wherever it comes");
}
