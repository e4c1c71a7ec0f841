//! What goes on for long ends with the session that asked for it.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::back_channel::tell;
use super::browser::{Browser, SCRIPT};
use super::world::World;
use crate::harness::{Running, mirror, soon};
use crate::streams::{GRANTED, echo, head, speaking};

async fn world() -> World {
    let route = with_sockets().await;
    World::with(mirror().await, |text| format!("{text}{route}")).await
}

/// A route for WebSockets of the app, and the service behind it.
pub(super) async fn with_sockets() -> String {
    let (address, _) = echo(GRANTED).await;
    format!(
        r#"
        [[upstreams]]
        name = "echo"
        urls = ["http://{address}"]
        [[routes]]
        path = "/ws"
        session = true
        upstream = "echo"
        websocket = true
        at_expiry = "keep"
        "#
    )
}

/// A socket of this browser through which something has passed.
pub(super) async fn socket(user: &Browser) -> TcpStream {
    let mut stream = TcpStream::connect(user.gateway).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: x\r\nOrigin: https://app.test\r\n{}\r\n",
        user.cookie_line()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream.write_all(b"\x81\x02hi").await.unwrap();
    let mut back = [0; 4];
    soon(stream.read_exact(&mut back)).await.unwrap();
    stream
}

/// It is closed in time, and told why.
pub(super) async fn closes(mut stream: TcpStream, since: Instant, why: &str) {
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(
        rest,
        [b"\x88\x0f\x11\x31".as_slice(), b"session ended"].concat(),
        "{why}"
    );
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "{why}: {:?}",
        since.elapsed()
    );
}

pub(super) async fn stays(stream: &mut TcpStream) {
    stream.write_all(b"\x81\x01x").await.unwrap();
    soon(stream.read_exact(&mut [0; 3])).await.unwrap();
}

#[tokio::test]
async fn g10_a_websocket_closes_within_two_seconds_of_a_logout_at_any_replica() {
    let world = world().await;
    let other = world.replica().await;
    let untouched = world.user().await;
    let mut open = socket(&untouched).await;
    for gateway in [world.gateway.address, other.address] {
        let user = world.user().await;
        let stream = socket(&user).await;
        let mut leaving = Browser { gateway, ..user };
        let begun = Instant::now();
        assert_eq!(leaving.call("POST", "/bff/logout").await.status, 200);
        closes(stream, begun, "a logout").await;
    }
    stays(&mut open).await;
}

#[tokio::test]
async fn g10_a_websocket_closes_when_its_user_or_the_issuer_ends_the_session_elsewhere() {
    let world = world().await;
    let other = world.replica().await;
    let (user, mut elsewhere) = (world.user().await, world.user().await);
    let stream = socket(&user).await;
    let begun = Instant::now();
    elsewhere.gateway = other.address;
    let list = elsewhere.call("GET", "/bff/sessions").await.json();
    let named = list
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["current"] == false);
    let path = format!("/bff/sessions/{}", named.unwrap()["id"].as_str().unwrap());
    assert_eq!(elsewhere.call("DELETE", &path).await.status, 204);
    closes(stream, begun, "the list").await;

    let stream = socket(&Browser {
        gateway: world.gateway.address,
        ..elsewhere
    })
    .await;
    let begun = Instant::now();
    let token = world.issuer.logout_token(&json!({}));
    let mut issuer = Browser::new(other.address);
    assert_eq!(tell(&mut issuer, &token).await.status, 200);
    closes(stream, begun, "back-channel logout").await;
}

#[tokio::test]
async fn g10_a_websocket_closes_when_its_session_has_rested_for_too_long_and_lives_as_long_as_others_use_it()
{
    let world = world().await;
    let mut user = world.user().await;
    let mut stream = socket(&user).await;
    for _ in 0..3 {
        world.clock.wait(Duration::from_secs(7 * 3600));
        assert_eq!(user.call("GET", "/bff/user").await.status, 200);
        stays(&mut stream).await;
    }
    world.clock.wait(Duration::from_secs(8 * 3600 + 1));
    closes(stream, Instant::now(), "it has rested").await;
}

#[tokio::test]
async fn g10_who_does_not_read_is_not_waited_for() {
    let world = world().await;
    let mut user = world.user().await;
    let stream = socket(&user).await;
    let (mut reads, mut writes) = stream.into_split();
    // The echo fills every buffer on the way: nothing that the gateway says goes through any more.
    let full = tokio::spawn(async move {
        let frame = [b"\x82\x7e\xff\xff".as_slice(), &[7; 65_535]].concat();
        while writes.write_all(&frame).await.is_ok() {}
    });
    assert_eq!(user.call("POST", "/bff/logout").await.status, 200);
    soon(full).await.unwrap();
    let _ = soon(reads.read_to_end(&mut Vec::new())).await;
}

async fn stream_of(kind: &'static str) -> (World, Browser, TcpStream) {
    let (service, say): (Running, _) = speaking(kind).await;
    let world = World::with(service, |text| text).await;
    let user = world.user().await;
    let mut stream = TcpStream::connect(user.gateway).await.unwrap();
    let request = format!(
        "GET /api HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n{SCRIPT}{}\r\n",
        user.cookie_line()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    say.send(Frame::data(Bytes::from_static(b"data: 1\n\n"))).unwrap();
    soon(stream.read_exact(&mut [0; 14])).await.unwrap();
    // The service would go on for ever.
    std::mem::forget(say);
    (world, user, stream)
}

#[tokio::test]
async fn g10_a_stream_of_events_ends_and_any_other_answer_breaks_off_with_the_session() {
    for (kind, last) in [
        ("text/event-stream", "0\r\n\r\n"),
        ("application/octet-stream", ""),
    ] {
        let (_world, mut user, mut stream) = stream_of(kind).await;
        let begun = Instant::now();
        assert_eq!(user.call("POST", "/bff/logout").await.status, 200);
        let mut rest = String::new();
        let _ = soon(stream.read_to_string(&mut rest)).await;
        assert_eq!(rest, last, "{kind}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
