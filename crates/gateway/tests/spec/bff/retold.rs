//! ID tokens that come with a refresh: what is said of the user after it, and whose they are.

use std::time::Duration;

use serde_json::{Value, json};

use super::back_channel::tell;
use super::browser::{Browser, Told};
use super::world::World;
use crate::harness::{NOW, mirror};

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
        world.until_revoked("rt-secret-2").await;
        assert_eq!(
            *world.issuer.revoked.lock().unwrap(),
            ["rt-secret-2"],
            "what came may be what another session lives on: {of_another}"
        );
        assert_eq!(world.issuer.refreshes(), 1);
    }
}

/// Signed by a key that nobody knows.
fn of_no_key(token: String) -> String {
    let mut header = carnet_jose::dangerous::decode(&token).unwrap().header;
    header["kid"] = json!("gone");
    let (_, rest) = token.split_once('.').unwrap();
    let header = carnet_jose::base64url::encode(header.to_string().as_bytes());
    format!("{header}.{rest}")
}

/// Signed by nobody.
fn forged(token: String) -> String {
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = carnet_jose::base64url::decode(signature).unwrap();
    bytes.reverse();
    format!("{rest}.{}", carnet_jose::base64url::encode(&bytes))
}

#[tokio::test]
async fn an_id_token_that_cannot_be_believed_and_is_another_s_ends_the_session() {
    let as_it_is: fn(String) -> String = |token| token;
    let long_over = |of_another: &Value| {
        let mut claims = of_another.clone();
        claims["exp"] = json!(NOW);
        claims
    };
    for of_another in [
        json!({ "sub": "user_2" }),
        json!({ "aud": ["other"] }),
        json!({ "iss": "https://evil.test" }),
        json!({ "nonce": "another" }),
    ] {
        for (spoils, claims) in [
            (of_no_key as fn(_) -> _, of_another.clone()),
            (as_it_is, long_over(&of_another)),
        ] {
            let world = World::new().await;
            let mut user = world.user().await;
            world.issuer.manner(|how| how.spoils = spoils);
            let told = refreshed(&world, &mut user, claims).await;
            assert_eq!(
                told.refusal(),
                (401, "session_missing".to_owned()),
                "{of_another}"
            );
            world.until_revoked("rt-secret-2").await;
        }
    }
}

#[tokio::test]
async fn an_id_token_with_a_wrong_signature_ends_the_session_and_one_whose_key_is_not_there_does_not() {
    for (spoils, status) in [
        (forged as fn(_) -> _, 401),
        (of_no_key, 200),
        (|_| "x".to_owned(), 401),
    ] {
        let world = World::new().await;
        let mut user = world.user().await;
        world.issuer.manner(|how| how.spoils = spoils);
        let told = refreshed(&world, &mut user, json!({ "name": "Mallory" })).await;
        assert_eq!(told.status, status, "{told:?}");
        if status == 200 {
            assert_eq!(known(&mut user).await["name"], "Alice");
        }
    }
}

#[tokio::test]
async fn a_session_keeps_the_sid_of_its_login_by_which_the_issuer_ends_it() {
    let world = World::new().await;
    let mut user = world.user().await;
    let told = refreshed(&world, &mut user, json!({ "sid": "sid_9" })).await;
    assert_eq!(told.status, 200);
    assert_eq!(known(&mut user).await["sid"], "sid_1");
    let ended = world.issuer.logout_token(&json!({ "sub": null, "sid": "sid_1" }));
    assert_eq!(tell(&mut world.browser(), &ended).await.status, 200);
    assert_eq!(user.call("GET", "/bff/user").await.status, 401);
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
