//! Streams that services have opened by tokens of their own: they end with the token, and with what let the service in.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use carnet_guard::testing::TestClock;
use carnet_jose::{Algorithm, AnySigningKey, dangerous};
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;

use crate::calling::{Bundled, bundled};
use crate::followed::{Feed, SECRET, secret};
use crate::harness::{Harness, NOW, Running, soon};
use crate::streams::{GRANTED, HANDSHAKE, echo, head, speaking};

/// An authorization server that says whose keys count and what it takes back, and a gateway that follows it.
struct Scene {
    bundled: Bundled,
    feed: Feed,
    harness: Harness,
    _say: UnboundedSender<Frame<Bytes>>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// In front of a service that answers with a stream of this kind, and takes every handshake at `/ws` and `/kept`.
    async fn set(kind: &'static str) -> Self {
        let (service, say) = speaking(kind).await;
        let (bundled, feed) = (bundled().await, Feed::new());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let told = format!("http://{}/revocations", listener.local_addr().unwrap());
        feed.listen(listener).await;
        let folder = tempfile::tempdir().unwrap();
        secret(folder.path(), "feed.secret", SECRET);
        let file = folder.path().join("feed.secret");
        let issuer = &bundled.url;
        let (sockets, _) = echo(GRANTED).await;
        let text = format!(
            r#"
            [tokens]
            audience = "https://api.test"
            [[issuers]]
            issuer = {issuer:?}
            revocations = {{ client_id = "gateway", client_secret_file = {file:?}, url = {told:?} }}
            [services]
            issuer = {issuer:?}
            name = "edge"
            [[upstreams]]
            name = "service"
            urls = ["http://{{service}}"]
            [[upstreams]]
            name = "sockets"
            urls = ["http://{sockets}"]
            [[routes]]
            path = "/inner"
            callers = ["orders"]
            upstream = "service"
            [[routes]]
            path = "/ws"
            callers = ["orders"]
            or_users = true
            websocket = true
            upstream = "sockets"
            [[routes]]
            path = "/kept"
            callers = ["orders"]
            websocket = true
            at_expiry = "keep"
            upstream = "sockets"
            "#
        );
        tell(&bundled, &feed, 1, &Value::Null);
        let harness = Harness::written(&text, service).await;
        Self {
            bundled,
            feed,
            harness,
            _say: say,
            _folder: folder,
        }
    }

    /// From now on this is the newest bundle, and this is taken back and nothing else.
    fn tells(&self, sequence: i64, entry: &Value) {
        tell(&self.bundled, &self.feed, sequence, entry);
    }

    /// A token of orders, as if it had been made so many seconds ago: each is good for 60.
    fn token(&self, ago: u64) -> String {
        let signer = self.bundled.signer_at(TestClock::at(NOW - ago), "orders");
        let value = signer.authorization("edge").unwrap();
        value.to_str().unwrap().to_owned()
    }

    async fn opens(&self, request: String) -> TcpStream {
        let mut stream = TcpStream::connect(self.harness.gateway.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = head(&mut stream).await;
        assert!(
            head.starts_with("HTTP/1.1 101") || head.starts_with("HTTP/1.1 200"),
            "{head}"
        );
        stream
    }

    async fn socket(&self, path: &str, token: &str) -> TcpStream {
        let handshake = HANDSHAKE.replace("/ws", path);
        self.opens(format!("{handshake}Authorization: {token}\r\n\r\n"))
            .await
    }

    async fn events(&self, token: &str) -> TcpStream {
        self.opens(format!(
            "GET /inner HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        ))
        .await
    }
}

fn tell(bundled: &Bundled, feed: &Feed, sequence: i64, entry: &Value) {
    static EPOCH: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let epoch = EPOCH
        .fetch_add(1, std::sync::atomic::Ordering::SeqCst)
        .to_string();
    let entries: Vec<&Value> = Some(entry).filter(|entry| !entry.is_null()).into_iter().collect();
    let claims = json!({ "iss": bundled.url, "aud": "gateway", "iat": NOW, "epoch": epoch, "since": 0, "cursor": 1,
                         "services": sequence, "entries": entries });
    let message = bundled.signs(carnet_oauth::revocation::TYPE).sign(&claims);
    feed.says.send_replace(Some(message.unwrap()));
}

async fn ends(mut stream: TcpStream, with: &[u8]) {
    let mut rest = vec![0; with.len()];
    soon(stream.read_exact(&mut rest)).await.unwrap();
    assert_eq!(rest, with);
}

async fn goes_on(stream: &mut TcpStream) {
    // A whole frame, so that another one may follow.
    stream.write_all(b"\x82\0").await.unwrap();
    soon(stream.read_exact(&mut [0; 2])).await.unwrap();
}

const EXPIRED: &[u8] = b"\x88\x0f\x11\x31token expired";
const REVOKED: &[u8] = b"\x88\x0f\x11\x31token revoked";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[tokio::test]
async fn what_a_service_has_opened_ends_with_its_token_unless_the_route_keeps_it() {
    let scene = Scene::set("text/event-stream").await;
    // Within what clocks may be apart, and yet over.
    let over = scene.token(65);
    ends(scene.socket("/ws", &over).await, EXPIRED).await;
    ends(scene.events(&over).await, LAST_CHUNK).await;
    let mut kept = scene.socket("/kept", &over).await;
    goes_on(&mut kept).await;
    goes_on(&mut scene.socket("/ws", &scene.token(0)).await).await;
}

#[tokio::test]
async fn gw_13_what_a_service_has_opened_ends_when_it_is_disabled_or_its_key_is_taken_out() {
    let scene = Scene::set("text/event-stream").await;
    let token = scene.token(0);
    let other = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let orders = &scene.bundled.orders;
    for (sequence, names, key) in [(3, ["mail", "post"], orders), (5, ["orders", "mail"], &other)] {
        let open = [
            scene.socket("/ws", &token).await,
            scene.socket("/kept", &token).await,
        ];
        let events = scene.events(&token).await;
        scene.bundled.publish(sequence, &names, key);
        scene.tells(sequence, &Value::Null);
        for stream in open {
            ends(stream, REVOKED).await;
        }
        ends(events, LAST_CHUNK).await;
        let refused = format!("Authorization: {token}\r\n");
        assert_eq!(scene.harness.get("/inner", &refused).await.status, 401);
        // Let in again, as it was.
        scene.bundled.publish(sequence + 1, &["orders", "mail"], orders);
        scene.tells(sequence + 1, &Value::Null);
        soon(async {
            while scene.harness.get("/ws", &refused).await.status == 401 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn gw_13_what_a_service_has_opened_ends_when_its_token_is_taken_back_and_no_other_does() {
    let scene = Scene::set("text/event-stream").await;
    let (token, other) = (scene.token(0), scene.token(1));
    let jti = dangerous::decode(token.trim_start_matches("Bearer "))
        .unwrap()
        .payload["jti"]
        .clone();
    let (ended, mut goes) = (
        scene.socket("/ws", &token).await,
        scene.socket("/ws", &other).await,
    );
    let events = scene.events(&token).await;
    // A bundle that says the same anew is no reason.
    scene
        .bundled
        .publish(2, &["orders", "mail"], &scene.bundled.orders);
    scene.tells(2, &json!({ "kind": "jti", "value": jti, "exp": NOW + 900 }));
    ends(ended, REVOKED).await;
    ends(events, LAST_CHUNK).await;
    goes_on(&mut goes).await;
    let client = json!({ "kind": "client", "value": "orders", "issued_before": NOW, "exp": NOW + 900 });
    scene.tells(2, &client);
    ends(goes, REVOKED).await;
}

#[tokio::test]
async fn gw_13_a_grpc_call_of_a_service_is_broken_off_when_it_is_disabled() {
    let scene = Scene::set("application/grpc").await;
    let request = Request::post("http://api.test/inner/Greeter/Talk")
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("authorization", scene.token(0));
    let response = scene.harness.h2(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 200);
    scene.bundled.publish(2, &["mail"], &scene.bundled.orders);
    scene.tells(2, &Value::Null);
    assert!(soon(response.into_body().collect()).await.is_err());
}

#[tokio::test]
async fn a_bundle_of_which_nobody_tells_is_looked_at_by_streams_too() {
    let bundled = bundled().await;
    let (sockets, _) = echo(GRANTED).await;
    let service = Running {
        address: sockets.parse().unwrap(),
        _stop: tokio::sync::oneshot::channel().0,
    };
    let text = bundled.text("").replace(
        "callers = [\"orders\"]",
        "callers = [\"orders\"]\nwebsocket = true",
    );
    let harness = Harness::written(&text, service).await;
    let token = bundled.header(&harness, "orders", "edge");
    let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let request = format!("{}{token}\r\n", HANDSHAKE.replace("/ws", "/inner"));
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 101"));
    goes_on(&mut stream).await;
    bundled.publish(2, &["mail"], &bundled.orders);
    // The bundle is due, and the next look as well.
    harness.clock.wait(Duration::from_secs(61));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    ends(stream, REVOKED).await;
}

#[tokio::test]
async fn what_a_workload_has_opened_ends_with_its_svid() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, signer) = crate::spiffe::bundle(&folder);
    let (sockets, _) = echo(GRANTED).await;
    let service = Running {
        address: sockets.parse().unwrap(),
        _stop: tokio::sync::oneshot::channel().0,
    };
    let text =
        crate::spiffe::text(&lines).replacen("path = \"/inner\"", "path = \"/inner\"\nwebsocket = true", 1);
    let harness = Harness::written(&text, service).await;
    let open = async |exp: u64| {
        let claims = json!({ "sub": crate::spiffe::ORDERS, "aud": ["edge"], "iat": NOW - 300, "exp": exp });
        let token = signer.sign(&claims).unwrap();
        let mut stream = TcpStream::connect(harness.gateway.address).await.unwrap();
        let handshake = HANDSHAKE.replace("/ws", "/inner");
        let request = format!("{handshake}Authorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101"));
        stream
    };
    ends(open(NOW - 5).await, EXPIRED).await;
    goes_on(&mut open(NOW + 300).await).await;
}
