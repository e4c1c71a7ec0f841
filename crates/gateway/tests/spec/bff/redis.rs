//! Sessions in Redis: what ends one ends it at every replica, and what is there says nothing.

use serde_json::json;
use tokio::time::Instant;

use super::back_channel::tell;
use super::browser::Browser;
use super::streams::{closes, socket, with_sockets};
use super::world::World;
use crate::harness::mirror;

#[tokio::test]
async fn whatever_ends_a_session_ends_it_at_every_replica_and_closes_what_it_has_open() {
    let route = with_sockets().await;
    let world = World::in_redis(mirror().await, |text| format!("{text}{route}")).await;
    let other = world.replica().await;
    for way in ["logout", "list", "sid", "sub", "login"] {
        let mut user = world.user().await;
        let mut elsewhere = Browser {
            gateway: other.address,
            ..user.clone()
        };
        assert_eq!(elsewhere.call("GET", "/api").await.status, 200, "{way}");
        let (stream, begun) = (socket(&user).await, Instant::now());
        let mut told_status = 200;
        match way {
            "logout" => told_status = elsewhere.call("POST", "/bff/logout").await.status,
            "list" => {
                let mut second = world.user().await;
                let list = second.call("GET", "/bff/sessions").await.json();
                let list = list.as_array().unwrap();
                assert_eq!(list.len(), 2, "{list:?}");
                let named = list.iter().find(|one| one["current"] == false).unwrap();
                let path = format!("/bff/sessions/{}", named["id"].as_str().unwrap());
                assert_eq!(second.call("DELETE", &path).await.status, 204);
                assert_eq!(second.call("DELETE", &path).await.status, 404);
                assert_eq!(second.call("POST", "/bff/logout").await.status, 200);
            }
            "login" => {
                let mut again = elsewhere.clone();
                assert_eq!(again.log_in(&world.issuer).await.status, 200);
                assert_eq!(again.call("POST", "/bff/logout").await.status, 200);
            }
            which => {
                let gone = if which == "sid" { "sub" } else { "sid" };
                let token = world.issuer.logout_token(&json!({ gone: null }));
                let mut issuer = Browser::new(other.address);
                told_status = tell(&mut issuer, &token).await.status;
                assert_eq!(
                    tell(&mut world.browser(), &token).await.status,
                    400,
                    "it counts once"
                );
            }
        }
        assert_eq!(told_status, 200, "{way}");
        closes(stream, begun, way).await;
        assert_eq!(user.call("GET", "/api").await.status, 401, "{way}");
    }
}

#[tokio::test]
async fn a_redis_that_is_down_logs_nobody_in_and_nobody_out() {
    let service = mirror().await;
    let keys = "redis_url_file = \"client.secret.redis\"";
    let world = World::with(service, |text| text.replace("sqlite_file = \"bff.db\"", keys)).await;
    let told = world.browser().log_in(&world.issuer).await;
    assert_eq!(told.refusal(), (503, "temporarily_unavailable".to_owned()));
    let mut lost = world.browser();
    lost.cookies
        .push((super::browser::COOKIE.to_owned(), "A".repeat(43)));
    let told = lost.call("GET", "/api").await;
    assert_eq!(told.refusal(), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(told.all("set-cookie").len(), 0);
}
