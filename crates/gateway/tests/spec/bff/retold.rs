//! ID tokens that come with a refresh: what is said of the user after it, and whose they are.

use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{Browser, Told};
use super::world::World;
use crate::harness::mirror;

const MINUTE: Duration = Duration::from_secs(60);

/// The next tokens of this session come with such an ID token.
async fn refreshed(world: &World, user: &mut Browser, retold: Value) -> Told {
    world.issuer.manner(|how| how.retold = Some(retold));
    world.clock.wait(11 * MINUTE);
    user.call("GET", "/api").await
}

async fn known(user: &mut Browser) -> Value {
    let told = user.call("GET", "/bff/user").await;
    assert_eq!(told.status, 200, "{told:?}");
    told.json()
}

#[tokio::test]
async fn cve_2021_41230_what_has_changed_of_a_user_is_told_after_the_next_refresh() {
    let kept = [
        "sqlite_file = \"bff.db\"",
        "redis_url_file = \"redis.url\"",
        "sealed = true",
    ];
    for place in kept {
        let world = World::with(mirror().await, |text| text.replace(kept[0], place)).await;
        let mut user = world.user().await;
        let before = known(&mut user).await;
        assert_eq!(
            (&before["name"], &before["roles"]),
            (&json!("Alice"), &json!(["editor"]))
        );
        let retold = json!({ "name": "Alicia", "email": "alicia@example.com", "roles": null, "sid": null });
        assert_eq!(refreshed(&world, &mut user, retold).await.status, 200, "{place}");
        let after = known(&mut user).await;
        assert_eq!(
            (&after["name"], &after["email"]),
            (&json!("Alicia"), &json!("alicia@example.com"))
        );
        assert_eq!(
            after["roles"],
            Value::Null,
            "what is not said any more is not told: {place}"
        );
        // What is said of the login once stays what it was.
        for name in ["sub", "sid", "auth_time"] {
            assert_eq!(after[name], before[name], "{name}");
        }
        assert_eq!(after["nonce"], Value::Null);
    }
}

#[tokio::test]
async fn an_id_token_that_is_another_s_ends_the_session_and_its_tokens_are_given_back() {
    for of_another in [
        json!({ "sub": "user_2" }),
        json!({ "aud": "other" }),
        json!({ "iss": "https://evil.test" }),
        json!({ "nonce": "another" }),
    ] {
        let world = World::new().await;
        let mut user = world.user().await;
        let told = refreshed(&world, &mut user, of_another.clone()).await;
        assert_eq!(
            told.refusal(),
            (401, "session_missing".to_owned()),
            "{of_another}"
        );
        assert_eq!(user.call("GET", "/bff/user").await.status, 401, "{of_another}");
        world.until_revoked("rt-secret-3").await;
        assert_eq!(world.issuer.refreshes(), 1);
    }
}

#[tokio::test]
async fn an_id_token_that_cannot_be_believed_says_nothing_and_logs_nobody_out() {
    crate::log::keep();
    let world = World::new().await;
    let mut user = world.user().await;
    let long_over = json!({ "name": "Mallory", "exp": world.issuer.now() - 600 });
    assert_eq!(refreshed(&world, &mut user, long_over).await.status, 200);
    assert_eq!(known(&mut user).await["name"], "Alice");
    assert!(crate::log::lines().contains("an ID token that came with a refresh says nothing"));
    // The one of the login is still the one that a logout shows.
    let told = user.call("POST", "/bff/logout").await;
    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    let away = url::Url::parse(&user.open(&url).await.one("location")).unwrap();
    let hint = away.query_pairs().find(|(name, _)| name == "id_token_hint");
    let payload = hint.unwrap().1.split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&carnet_jose::base64url::decode(&payload).unwrap()).unwrap();
    assert_eq!(claims["name"], "Alice");
}
