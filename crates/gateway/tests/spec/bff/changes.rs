//! Another configuration while people are logged in: what ended before has ended, what is open can be ended.

use std::time::Duration;

use carnet_gateway::config::Config;
use carnet_listen::value::Ttl;
use tokio::time::Instant;

use super::browser::Browser;
use super::streams::{closes, socket, stays, with_sockets};
use super::world::World;
use crate::harness::mirror;

async fn world() -> World {
    let route = with_sockets().await;
    World::with(mirror().await, |text| format!("{text}{route}")).await
}

fn in_memory(text: String) -> String {
    text.replace("sqlite_file = \"bff.db\"", "")
}

/// What needs another app, with the same sessions.
fn changes() -> [fn(&mut Config); 3] {
    [
        |config| config.tokens.leeway = Ttl::minutes(1),
        |config| config.bff.as_mut().unwrap().idle = Ttl::minutes(60),
        |config| config.bff.as_mut().unwrap().scope.push_str(" email"),
    ]
}

#[tokio::test]
async fn sessions_in_memory_outlive_another_configuration_and_their_streams_still_end_with_them() {
    let world = world().await;
    let (gateway, mut config, running) = world.changing(in_memory).await;
    let mut user = Browser::new(running.address);
    assert_eq!(user.log_in(&world.issuer).await.status, 200);
    let mut stream = socket(&user).await;
    for change in changes() {
        change(&mut config);
        world.change(&gateway, &config).await;
        assert_eq!(user.call("GET", "/api").await.status, 200);
        stays(&mut stream).await;
    }
    let begun = Instant::now();
    assert_eq!(user.call("POST", "/bff/logout").await.status, 200);
    closes(stream, begun, "a logout after another configuration").await;
}

#[tokio::test]
async fn what_is_open_ends_by_the_measure_of_the_configuration_in_force() {
    let world = world().await;
    let (gateway, mut config, running) = world.changing(in_memory).await;
    let user = async || {
        let mut user = Browser::new(running.address);
        assert_eq!(user.log_in(&world.issuer).await.status, 200);
        let stream = socket(&user).await;
        (user, stream)
    };
    let idle = |config: &mut Config, minutes| config.bff.as_mut().unwrap().idle = Ttl::minutes(minutes);
    let minute = Duration::from_secs(60);
    // Of eight hours there is one left.
    let (_rests, stream) = user().await;
    idle(&mut config, 60);
    world.change(&gateway, &config).await;
    world.clock.wait(59 * minute);
    let (_kept, mut kept) = user().await;
    world.clock.wait(2 * minute);
    closes(stream, Instant::now(), "it has rested for the shorter time").await;
    stays(&mut kept).await;
    // And of one hour there are eight.
    idle(&mut config, 480);
    world.change(&gateway, &config).await;
    world.clock.wait(2 * 60 * minute);
    let (mut other, gone) = user().await;
    assert_eq!(other.call("POST", "/bff/logout").await.status, 200);
    closes(gone, Instant::now(), "by then all were looked at").await;
    stays(&mut kept).await;
}

#[tokio::test]
async fn a_sealed_session_that_has_ended_here_stays_ended_with_another_configuration() {
    let world = world().await;
    let sealed = |text: String| text.replace("sqlite_file = \"bff.db\"", "sealed = true");
    let (gateway, mut config, running) = world.changing(sealed).await;
    let mut user = Browser::new(running.address);
    assert_eq!(user.log_in(&world.issuer).await.status, 200);
    let mut copy = user.clone();
    assert_eq!(user.call("POST", "/bff/logout").await.status, 200);
    for change in changes() {
        change(&mut config);
        world.change(&gateway, &config).await;
        assert_eq!(copy.call("GET", "/api").await.status, 401);
    }
}

#[tokio::test]
async fn what_is_open_ends_when_another_configuration_keeps_sessions_elsewhere_or_none_at_all() {
    let world = world().await;
    let elsewhere: fn(&mut Config) = |config| {
        config.bff.as_mut().unwrap().sqlite_file = None;
    };
    let nowhere: fn(&mut Config) = |config| {
        config.bff = None;
        config.routes.retain(|route| !route.session);
    };
    for change in [elsewhere, nowhere] {
        let (gateway, mut config, running) = world.changing(|text| text).await;
        let mut user = Browser::new(running.address);
        assert_eq!(user.log_in(&world.issuer).await.status, 200);
        let stream = socket(&user).await;
        let begun = Instant::now();
        change(&mut config);
        world.change(&gateway, &config).await;
        closes(stream, begun, "nobody knows the session").await;
    }
}
