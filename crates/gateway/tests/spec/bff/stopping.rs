//! A gateway that is stopped while its issuer has not answered.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::browser::Browser;
use super::world::World;
use crate::harness::{Running, soon};

const MINUTE: Duration = Duration::from_secs(60);

/// It listens no more.
pub(super) async fn stopped(gateway: Running) {
    let address: SocketAddr = gateway.address;
    drop(gateway);
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}

/// Nothing of it goes on.
pub(super) async fn over(process: std::thread::JoinHandle<()>) {
    let joined = tokio::task::spawn_blocking(move || process.join().unwrap());
    soon(joined).await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_stops_loses_no_tokens_that_are_on_their_way() {
    let world = World::new().await;
    let (gateway, process) = world.process().await;
    let mut user = world.user().await;
    world.clock.wait(9 * MINUTE);
    let held = world.issuer.hold();
    let mut there = Browser {
        gateway: gateway.address,
        ..user.clone()
    };
    // Ahead of its end: nobody waits for the next one.
    assert_eq!(there.call("GET", "/api").await.status, 200);
    world.issuer.until_refreshes(1).await;
    stopped(gateway).await;
    drop(held);
    over(process).await;
    world.clock.wait(2 * MINUTE);
    assert_eq!(user.call("GET", "/api").await.status, 200);
    assert_eq!(world.issuer.refreshes(), 1);
}

#[tokio::test]
async fn a_gateway_that_stops_gives_back_what_it_was_about_to() {
    let world = World::new().await;
    let (gateway, process) = world.process().await;
    let mut user = world.user().await;
    user.gateway = gateway.address;
    let begun = user.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let held = world.issuer.hold_returns();
    assert_eq!(user.open(&back).await.status, 200);
    world.issuer.until_brought_back().await;
    stopped(gateway).await;
    drop(held);
    over(process).await;
    assert_eq!(world.issuer.revoked.lock().unwrap().as_slice(), ["rt-secret-2"]);
}
