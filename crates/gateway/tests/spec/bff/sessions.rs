//! Where else somebody is logged in.

use std::sync::Arc;
use std::time::Duration;

use carnet_gateway::site::Site;

use super::browser::Browser;
use super::world::{KEY, World};
use crate::upstream_tls::private;

#[tokio::test]
async fn ck_07_people_see_their_own_sessions_and_end_them() {
    let world = World::new().await;
    let (mut here, mut there) = (world.user().await, world.user().await);
    world.issuer.manner(|how| how.sub = "user_2");
    let mut bob = world.user().await;
    let list = here.call("GET", "/bff/sessions").await;
    list.has_no_token();
    let list = list.json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let named = |current: bool| {
        let found = list
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["current"] == current);
        format!("/bff/sessions/{}", found.unwrap()["id"].as_str().unwrap())
    };
    assert_eq!(
        bob.call("DELETE", &named(false)).await.refusal(),
        (404, "session_unknown".to_owned())
    );
    assert_eq!(there.call("GET", "/api").await.status, 200);
    assert_eq!(here.call("DELETE", &named(false)).await.status, 204);
    assert_eq!(there.call("GET", "/api").await.status, 401);
    assert_eq!(here.call("DELETE", &named(false)).await.status, 404);
    assert_eq!(here.call("DELETE", &named(true)).await.status, 204);
    assert_eq!(here.session(), None);
    assert_eq!(world.issuer.revoked.lock().unwrap().len(), 1);
    assert_eq!(bob.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn a_configuration_that_is_read_again_logs_nobody_out() {
    let world = World::new().await;
    let (before, after) = world.reloaded().await;
    let mut user = Browser::new(before.address);
    assert_eq!(user.log_in(&world.issuer).await.status, 200);
    user.gateway = after.address;
    assert_eq!(user.call("GET", "/api").await.status, 200);
    user.gateway = world.gateway.address;
    assert_eq!(
        user.call("GET", "/api").await.status,
        401,
        "it has a memory of its own"
    );
}

#[tokio::test]
async fn secrets_that_change_are_taken_and_log_nobody_out() {
    let world = World::new().await;
    let (gateway, config, running) = world
        .changing(|text| text.replace("sqlite_file = \"bff.db\"", ""))
        .await;
    let mut user = Browser::new(running.address);
    assert_eq!(user.log_in(&world.issuer).await.status, 200);
    let again = async || {
        let clock = Arc::new(world.clock.clone());
        Site::build(&config, clock, Some(&gateway.site())).await
    };
    let write = |name: &str, text: &str| private(&world.folder.path().join(name), text);
    write("client.secret", "another");
    write("bff.key", &format!("{}\n{KEY}\n", KEY.replace('0', "x")));
    gateway.change(again().await.unwrap());
    // It was sealed under the key before, and is in memory.
    assert_eq!(user.call("GET", "/api").await.status, 200);
    world.clock.wait(Duration::from_secs(11 * 60));
    assert_eq!(user.call("GET", "/api").await.status, 200);
    let shown = "Basic YXBwOmFub3RoZXI=";
    assert_eq!(*world.issuer.shown.lock().unwrap(), shown, "app:another");
    // It was sealed anew; the key before may go.
    write("bff.key", &KEY.replace('0', "x"));
    gateway.change(again().await.unwrap());
    assert_eq!(user.call("GET", "/api").await.status, 200);
    for (name, text, place) in [
        ("bff.key", "short", "bff.key_file"),
        ("client.secret", "", "bff.client_secret_file"),
    ] {
        let good = std::fs::read_to_string(world.folder.path().join(name)).unwrap();
        write(name, text);
        assert_eq!(again().await.unwrap_err().place, place);
        write(name, &good);
    }
    assert_eq!(user.call("GET", "/api").await.status, 200);
}
