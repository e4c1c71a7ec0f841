//! A session that the issuer takes back: the app learns of it when it asks who is logged in, as on every route.

use std::time::Duration;

use serde_json::json;

use super::browser::Browser;
use super::world::World;
use crate::harness::{mirror, soon};

/// Its gateway follows the issuer.
async fn world(more: &str) -> World {
    World::with(mirror().await, |text| {
        let feed = "revocations = { client_id = \"gateway\", client_secret_file = \"client.secret\" }";
        let text = text.replace("    [bff]", &format!("    {feed}\n    [bff]"));
        text.replace(
            "sqlite_file = \"bff.db\"",
            if more.is_empty() {
                "sqlite_file = \"bff.db\""
            } else {
                more
            },
        )
    })
    .await
}

async fn becomes(user: &mut Browser, status: u16) {
    soon(async {
        while user.call("GET", "/bff/user?slide=false").await.status != status {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn gw_13_who_is_logged_in_is_nobody_when_the_issuer_has_taken_the_session_back() {
    for kept in ["", "sealed = true"] {
        let world = world(kept).await;
        let mut user = world.user().await;
        // As on every route, while nobody can tell.
        let told = user.call("GET", "/bff/user").await;
        assert_eq!(told.refusal(), (503, "temporarily_unavailable".to_owned()));
        assert!(told.one("retry-after").parse::<u64>().is_ok());
        world.issuer.takes_back(&json!(null));
        becomes(&mut user, 200).await;
        assert_eq!(world.issuer.refreshes(), 0);

        // The token alone: there is another, and the browser has it.
        let exp = world.issuer.now() + 900;
        let jti = world.issuer.first_token();
        let carried = user.session().map(str::to_owned);
        world
            .issuer
            .takes_back(&json!({ "kind": "jti", "value": jti, "exp": exp }));
        soon(async {
            while world.issuer.refreshes() == 0 {
                assert_eq!(user.call("GET", "/bff/user?slide=false").await.status, 200);
            }
        })
        .await;
        // Whoever carries the session itself has what is new of it.
        assert_eq!(user.session() != carried.as_deref(), !kept.is_empty());
        assert_eq!(user.call("GET", "/api").await.status, 200);
        assert_eq!(world.issuer.refreshes(), 1, "{kept}");

        let ended = |how: &mut super::provider::Manner| how.trouble = Some((400, "invalid_grant"));
        world.issuer.manner(ended);
        world
            .issuer
            .takes_back(&json!({ "kind": "sid", "value": "sid_1", "exp": exp }));
        becomes(&mut user, 401).await;
        assert_eq!(
            user.call("GET", "/bff/user").await.refusal(),
            (401, "session_missing".to_owned())
        );
        assert_eq!(user.call("GET", "/api").await.status, 401);
    }
}

#[tokio::test]
async fn an_issuer_that_goes_on_giving_tokens_of_a_session_that_it_took_back_opens_nothing() {
    let world = world("").await;
    let mut user = world.user().await;
    world.issuer.takes_back(&json!({ "kind": "sub", "value": "user_1", "issued_before": world.issuer.now(), "exp": world.issuer.now() + 900 }));
    becomes(&mut user, 401).await;
}
