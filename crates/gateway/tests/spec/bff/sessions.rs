//! Where else somebody is logged in.

use super::browser::Browser;
use super::world::World;

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
