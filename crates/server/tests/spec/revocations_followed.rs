//! Spec tests of the revocation feed as it is followed: over a real listener, by our own follower and by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::http::{HttpClient, Streamed};
use carnet_client::revocations::{Keys, OnLoss, Revocations, Source, Verdict};
use carnet_jose::Algorithm;
use carnet_listen::{ListenConfig, Listener};
use carnet_oauth::revocation::{RevocableToken, RevocationMessage};
use carnet_server::clock::{Clock as _, FrozenClock};
use http::{HeaderMap, StatusCode};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::{ALICE, PASSWORD, Server, claims, secret_of};
use crate::revocations::{behind, read};

const SOON: Duration = Duration::from_secs(10);

/// The router on a port of this machine.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Node {
    /// Port 0 lets the system choose.
    pub(crate) async fn start(server: &Server, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let config = ListenConfig {
            address: address.into(),
            shutdown_grace: Duration::from_secs(5),
            ..ListenConfig::default()
        };
        let listener = Listener::bind(config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let address = listener.local_addr().tcp().unwrap();
        let router = carnet_server::router(server.app.clone());
        let running = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            listener.serve(router, stopped).await;
        });
        Self {
            address,
            stop,
            running,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/revocations", self.address)
    }

    /// As a crash leaves it: connections break.
    async fn kill(self) -> u16 {
        self.running.abort();
        let _ = self.running.await;
        drop(self.stop);
        self.address.port()
    }
}

/// The server's clock as a follower reads it.
struct Same(Arc<FrozenClock>);

impl Clock for Same {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now()).unwrap())
    }
}

fn follow(server: &Server, node: &Node, on_loss: OnLoss) -> Revocations {
    let source = Source {
        url: node.url(),
        id: "orders-api".to_owned(),
        secret: secret_of("orders.secret"),
        issuer: server.app.config.issuer.as_str().to_owned(),
        keys: Keys::Fixed(server.app.keys.source()),
        algorithms: vec![Algorithm::Es256],
    };
    Revocations::with_clock(
        HttpClient::new().unwrap(),
        source,
        on_loss,
        Same(server.clock.clone()),
    )
    .unwrap()
}

/// What the follower says of a token of ours.
fn verdict(revocations: &Revocations, token: &str) -> Verdict {
    let claims = claims(token);
    let text = |name: &str| claims[name].as_str();
    revocations.check(&RevocableToken {
        jti: text("jti"),
        sid: text("sid"),
        fam: text("fam"),
        sub: text("sub"),
        client_id: text("client_id"),
        kid: None,
        iat: claims["iat"].as_u64(),
    })
}

async fn until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}

async fn log_out(server: &Server, refresh: &str) {
    let reply = server.post("/auth/logout").cookie(refresh).send().await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn gw_13_a_consumer_learns_what_happens_and_loses_nothing_when_the_server_is_killed() {
    let server = Server::start().await;
    let node = Node::start(&server, 0).await;
    let (before, during, after) = (
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
    );
    log_out(&server, &before.refresh).await;
    let revocations = follow(&server, &node, OnLoss::default());
    revocations.prepare(SOON).await;
    assert_eq!(
        verdict(&revocations, &before.access),
        Verdict::Revoked,
        "the set comes first"
    );
    assert_eq!(verdict(&revocations, &during.access), Verdict::Good);
    assert!(revocations.status().streaming);

    let port = node.kill().await;
    log_out(&server, &during.refresh).await;
    let again = Node::start(&server, port).await;
    server.wait(Duration::from_secs(1)).await;
    until(|| verdict(&revocations, &during.access) == Verdict::Revoked).await;
    log_out(&server, &after.refresh).await;
    until(|| verdict(&revocations, &after.access) == Verdict::Revoked).await;
    assert_eq!(
        revocations.status().cursor,
        server.app.store.revocation_clock().await.unwrap().last
    );

    // A backup was restored: another history, a whole new set.
    let cut = server.cut(carnet_store::Reason::Revoked);
    let renewed = server.app.store.renew_revocation_epoch(cut.at, &cut.audit);
    renewed.await.unwrap();
    let last = server.log_in(ALICE, PASSWORD).await;
    log_out(&server, &last.refresh).await;
    until(|| verdict(&revocations, &last.access) == Verdict::Revoked).await;
    assert_eq!(verdict(&revocations, &before.access), Verdict::Revoked);
    drop(again);
}

#[tokio::test]
async fn gw_13_whoever_hears_nothing_says_so_after_the_time_of_its_policy() {
    let server = Server::start().await;
    let node = Node::start(&server, 0).await;
    let (gone, here) = (
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
    );
    log_out(&server, &gone.refresh).await;
    let closed = follow(&server, &node, OnLoss::Closed(Duration::from_secs(20)));
    let open = follow(&server, &node, OnLoss::Open);
    closed.prepare(SOON).await;
    open.prepare(SOON).await;
    let port = node.kill().await;
    server.clock.advance(Duration::from_secs(19));
    assert_eq!(verdict(&closed, &here.access), Verdict::Good);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(verdict(&closed, &here.access), Verdict::Unavailable);
    assert_eq!(
        verdict(&closed, &gone.access),
        Verdict::Revoked,
        "what is known stays known"
    );
    assert_eq!(verdict(&open, &here.access), Verdict::Good);
    assert_eq!(verdict(&open, &gone.access), Verdict::Revoked);
    assert_eq!(closed.status().age, Some(Duration::from_secs(20)));
    let again = Node::start(&server, port).await;
    until(|| verdict(&closed, &here.access) == Verdict::Good).await;
    drop(again);
}

#[tokio::test]
async fn before_the_first_word_nothing_is_known() {
    let server = Server::start().await;
    let node = Node::start(&server, 0).await;
    let token = server.log_in(ALICE, PASSWORD).await.access;
    let port = node.kill().await;
    let gone = Node {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        stop: oneshot::channel().0,
        running: tokio::spawn(async {}),
    };
    let closed = follow(&server, &gone, OnLoss::default());
    let open = follow(&server, &gone, OnLoss::Open);
    assert_eq!(verdict(&closed, &token), Verdict::Unavailable);
    assert_eq!(verdict(&open, &token), Verdict::Good);
    assert_eq!(closed.status().age, None);
}

/// A stream as its bytes come.
struct Stream {
    answer: Streamed,
    read: String,
}

/// An event: its id and its message; neither for a mere hint.
type Event = (String, Option<RevocationMessage>);

impl Stream {
    async fn open(node: &Node, last_event_id: &str) -> Self {
        let mut headers = HeaderMap::new();
        let basic = format!("orders-api:{}", secret_of("orders.secret"));
        let basic = format!("Basic {}", data_encoding::BASE64.encode(basic.as_bytes()));
        headers.insert("authorization", basic.parse().unwrap());
        headers.insert("accept", "text/event-stream".parse().unwrap());
        if !last_event_id.is_empty() {
            headers.insert("last-event-id", last_event_id.parse().unwrap());
        }
        let answer = HttpClient::new()
            .unwrap()
            .stream(&node.url(), headers)
            .await
            .unwrap();
        Self {
            answer,
            read: String::new(),
        }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                };
                let (id, data) = (field("id: ").to_owned(), field("data: "));
                let message = (!data.is_empty()).then(|| read(data));
                self.read = rest.to_owned();
                return Some((id, message));
            }
            let piece = tokio::time::timeout(SOON, self.answer.piece()).await.unwrap();
            self.read.push_str(std::str::from_utf8(&piece.unwrap()?).unwrap());
        }
    }

    async fn message(&mut self) -> (String, RevocationMessage) {
        let (id, message) = self.next().await.unwrap();
        (id, message.unwrap())
    }
}

#[tokio::test]
async fn a_stream_goes_on_behind_the_last_event_and_says_when_nothing_happens() {
    let server = Server::with("[revocation_feed]\nheartbeat = \"100ms\"").await;
    let node = Node::start(&server, 0).await;
    let mut stream = Stream::open(&node, "").await;
    assert_eq!(stream.answer.status, StatusCode::OK);
    assert_eq!(stream.answer.headers["content-type"], "text/event-stream");
    let (id, first) = stream.message().await;
    assert_eq!((first.since, first.cursor, first.entries.len()), (0, 0, 0));
    assert_eq!(id, format!("{}.0", first.epoch));
    // Signed like every other message: nobody between us can pretend it.
    server.clock.advance(Duration::from_secs(7));
    let mut beat = stream.message().await.1;
    while beat.iat != server.app.now_seconds() {
        beat = stream.message().await.1;
    }
    assert_eq!((beat.since, beat.cursor, beat.entries.len()), (0, 0, 0));
    let mut cursor = 0;
    for _ in 0..3 {
        let session = server.log_in(ALICE, PASSWORD).await;
        log_out(&server, &session.refresh).await;
        let mut told = 0;
        while told < 2 {
            let (_, message) = stream.message().await;
            assert_eq!(message.since, cursor);
            (cursor, told) = (message.cursor, told + message.entries.len());
        }
    }
    assert_eq!(cursor, 6);
    drop(stream);
    let mut resumed = Stream::open(&node, &format!("{}.2", first.epoch)).await;
    let (id, message) = resumed.message().await;
    assert_eq!((message.since, message.cursor, message.entries.len()), (2, 6, 4));
    assert_eq!(id, format!("{}.6", first.epoch));
}

#[tokio::test]
async fn no_more_follow_than_there_are_places_and_a_place_comes_back() {
    let server = Server::with("[revocation_feed]\nmax_consumers = 2").await;
    let node = Node::start(&server, 0).await;
    let (mut first, mut second) = (Stream::open(&node, "").await, Stream::open(&node, "").await);
    first.message().await;
    second.message().await;
    let third = Stream::open(&node, "").await;
    assert_eq!(third.answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(third.answer.headers["retry-after"], "5");
    drop(first);
    let mut status = StatusCode::SERVICE_UNAVAILABLE;
    while status != StatusCode::OK {
        status = Stream::open(&node, "").await.answer.status;
    }
}

#[tokio::test]
async fn one_consumer_does_not_take_the_places_of_the_others() {
    let server = Server::with("[revocation_feed]\nmax_streams_per_consumer = 2").await;
    let node = Node::start(&server, 0).await;
    let (mut first, mut second) = (Stream::open(&node, "").await, Stream::open(&node, "").await);
    first.message().await;
    second.message().await;
    let third = Stream::open(&node, "").await;
    assert_eq!(third.answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(third.answer.headers["retry-after"], "5");
    // Another API has its own.
    let ask = async |query: &str| {
        let asked = server.get(&format!("/revocations{query}"));
        let told = asked
            .basic("legacy-api", "legacy-introspection.secret")
            .send()
            .await;
        assert_eq!(told.status, StatusCode::OK, "{told:?}");
        read(std::str::from_utf8(&told.body).unwrap())
    };
    let known = ask("").await;
    // Nothing is new: it has to wait, in a place.
    ask(&format!("{}&wait=1", behind(&known))).await;
    drop(first);
    let comes_back = async { while Stream::open(&node, "").await.answer.status != StatusCode::OK {} };
    tokio::time::timeout(SOON, comes_back).await.unwrap();
}

#[tokio::test]
async fn a_server_that_goes_ends_its_streams_and_waits_for_none() {
    let server = Server::start().await;
    let node = Node::start(&server, 0).await;
    let mut stream = Stream::open(&node, "").await;
    stream.message().await;
    server.app.feed.close();
    assert_eq!(
        stream.next().await,
        Some((String::new(), None)),
        "a hint when to come back"
    );
    assert_eq!(stream.next().await, None);
    let _ = node.stop.send(());
    tokio::time::timeout(Duration::from_secs(4), node.running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn gw_13_without_its_store_a_server_does_not_say_that_all_is_well() {
    let server = Server::with("[revocation_feed]\nheartbeat = \"100ms\"").await;
    let node = Node::start(&server, 0).await;
    let mut stream = Stream::open(&node, "").await;
    stream.message().await;
    server.app.store.clone().close().await;
    let ended = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(SOON, ended).await.unwrap();
    let refused = Stream::open(&node, "").await;
    assert_eq!(refused.answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn gw_13_a_change_of_services_is_told_to_whoever_follows() {
    let server = Server::start().await;
    let node = Node::start(&server, 0).await;
    let revocations = follow(&server, &node, OnLoss::default());
    revocations.prepare(SOON).await;
    let before = revocations.of_services().sequence;
    assert_eq!(before, server.app.store.settings_epoch().await.unwrap());
    server.app.store.bump_settings_epoch().await.unwrap();
    until(|| revocations.of_services().sequence == before + 1).await;
    assert!(revocations.status().streaming);
}
