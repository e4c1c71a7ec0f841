//! Services over HTTP/2: many requests on a connection, and none that waits for what another's client does not take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

use crate::harness::{Harness, mirror, soon, talk};

/// A service that speaks HTTP/2 and nothing else, and does what the path says.
#[derive(Clone)]
struct Service {
    /// How many streams it takes on a connection.
    streams: u32,
    connections: Arc<AtomicUsize>,
    /// How many connections it takes.
    most: Arc<AtomicUsize>,
    turned_away: Arc<AtomicUsize>,
    /// Of `/endless`.
    sent: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Request<()>>>>,
    /// Lets `/late` read its body.
    reads: Arc<Notify>,
    /// How its body ended.
    broken: Arc<Notify>,
}

impl Service {
    fn new(streams: u32) -> Self {
        Self {
            streams,
            connections: Arc::default(),
            most: Arc::new(AtomicUsize::new(usize::MAX)),
            turned_away: Arc::default(),
            sent: Arc::default(),
            refused: Arc::default(),
            seen: Arc::default(),
            reads: Arc::default(),
            broken: Arc::default(),
        }
    }

    async fn behind_gateway(&self) -> Harness {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if service.connections() >= service.most.load(Ordering::SeqCst) {
                    service.turned_away.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                service.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(service.clone().attend(stream));
            }
        });
        let text = format!(
            "[[upstreams]]\nname = \"h2\"\nurls = [\"http://{address}\"]\nprotocol = \"http2\"\nanswer_timeout = \"10s\"\n\
             [[upstreams]]\nname = \"other\"\nurls = [\"http://{{service}}\"]\n\
             [[routes]]\npath = \"/\"\nupstream = \"h2\"\npublic = true\n\
             [[routes]]\npath = \"/other\"\nupstream = \"other\"\npublic = true\n"
        );
        Harness::with(&text, mirror().await).await
    }

    async fn attend(self, stream: TcpStream) {
        let mut http = h2::server::Builder::new();
        http.max_concurrent_streams(self.streams);
        let mut connection = http.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(self.clone().answer(request, respond));
        }
    }

    async fn answer(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (head, mut body) = request.into_parts();
        let path = head.uri.path().to_owned();
        self.seen.lock().unwrap().push(Request::from_parts(head, ()));
        let mut response = Response::new(());
        match path.as_str() {
            "/endless" => self.flood(respond.send_response(response, false).unwrap()).await,
            "/silent" => {
                let _open = respond.send_response(response, false).unwrap();
                std::future::pending::<()>().await;
            }
            "/late" => {
                self.reads.notified().await;
                while let Some(Ok(data)) = body.data().await {
                    body.flow_control().release_capacity(data.len()).unwrap();
                }
                self.broken.notify_one();
            }
            "/answered" => {
                respond.send_response(response, true).unwrap();
                let _unread = body;
                std::future::pending::<()>().await;
            }
            "/early" => drop(respond.send_response(response, true)),
            "/refused" if self.refused.fetch_add(1, Ordering::SeqCst) == 0 => {
                // Some of the body was sent by then.
                let _ = body.data().await;
                respond.send_reset(Reason::REFUSED_STREAM);
            }
            path => {
                for field in 0..if path == "/long" { 200 } else { 0 } {
                    let name: http::HeaderName = format!("x-{field}").parse().unwrap();
                    let value = "v".repeat(200).parse().unwrap();
                    response.headers_mut().insert(name, value);
                }
                let mut body_bytes = Vec::new();
                while let Some(Ok(data)) = body.data().await {
                    body_bytes.extend_from_slice(&data);
                }
                let told = format!("ok {}", body_bytes.len());
                let length = told.len().to_string().parse().unwrap();
                response.headers_mut().insert("content-length", length);
                let mut stream = respond.send_response(response, false).unwrap();
                let _ = stream.send_data(told.into(), true);
            }
        }
    }

    async fn flood(self, mut stream: SendStream<Bytes>) {
        loop {
            stream.reserve_capacity(16 * 1024);
            let Some(Ok(room)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else {
                return;
            };
            if stream.send_data(vec![b'x'; room].into(), false).is_err() {
                return;
            }
            self.sent.fetch_add(room, Ordering::SeqCst);
        }
    }

    async fn until_asked(&self, times: usize) {
        soon(async {
            while self.seen.lock().unwrap().len() < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn until_turned_away(&self) {
        soon(async {
            while self.turned_away.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Asks and reads nothing.
async fn stalled(harness: &Harness, request: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(harness.gateway.address).await.unwrap();
    let request = format!("{request}\r\n\r\n").replace("HTTP", "HTTP/1.1\r\nHost: api.test");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads the head of an answer.
async fn has_head(client: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(soon(client.read_buf(&mut head)).await.unwrap() > 0);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{head:?}");
}

const ENDLESS: &str = "GET /endless HTTP";
/// Its body does not come.
const ENDLESS_UPLOAD: &str = "POST /endless HTTP\r\nContent-Length: 9";

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_nothing_hold_up_nobody_else() {
    held_up(ENDLESS, 6, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_do_those_whose_answer_begins_before_their_request_has_ended() {
    held_up(ENDLESS_UPLOAD, 65, 2).await;
}

async fn held_up(request: &str, clients: usize, connections: usize) {
    let service = Service::new(200);
    let harness = service.behind_gateway().await;
    let mut stalls = Vec::new();
    for _ in 0..clients {
        stalls.push(stalled(&harness, request).await);
    }
    // Until nothing more goes to any of them, and then for a while.
    let mut calm = 0;
    while calm < 20 {
        let before = service.sent.load(Ordering::SeqCst);
        let answer = harness.get("/small", "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok 0"));
        let still = before > 0 && service.sent.load(Ordering::SeqCst) == before;
        calm = if still { calm + 1 } else { 0 };
    }
    assert_eq!(service.connections(), connections);
}

#[tokio::test]
async fn who_waits_for_a_place_gets_the_one_that_becomes_free() {
    let service = Service::new(1);
    service.most.store(1, Ordering::SeqCst);
    let harness = service.behind_gateway().await;
    let first = stalled(&harness, "GET /silent HTTP").await;
    service.until_asked(1).await;
    let second = stalled(&harness, "GET /small HTTP\r\nConnection: close");
    let mut second = second.await;
    // One more connection is tried, and turned away.
    service.until_turned_away().await;
    drop(first);
    let mut answer = String::new();
    soon(second.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn a_service_that_takes_few_requests_at_once_gets_one_more_connection() {
    let service = Service::new(2);
    let harness = service.behind_gateway().await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(stalled(&harness, "GET /silent HTTP").await);
    }
    let answer = harness.get("/small", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok 0"));
    assert!(
        (3..=4).contains(&service.connections()),
        "{}",
        service.connections()
    );
}

#[tokio::test]
async fn a_request_that_the_service_did_not_look_at_is_sent_once_more_whatever_its_method() {
    let service = Service::new(200);
    let harness = service.behind_gateway().await;
    let answer = harness
        .talk("POST /refused HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok 3"),
        "{answer}"
    );
    assert_eq!(service.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_service_that_answers_before_it_has_the_body_costs_nobody_the_connection() {
    let harness = Service::new(200).behind_gateway().await;
    let mut client = stalled(&harness, "POST /early HTTP\r\nContent-Length: 5").await;
    has_head(&mut client).await;
    let next = "GET /small HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
    client.write_all(format!("abcde{next}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("ok 0"), "{answer}");
}

#[tokio::test]
async fn an_upload_that_goes_on_after_its_answer_takes_a_place_until_it_ends() {
    // The client has not sent it, or the service has not taken the end of it.
    for (length, sent) in [(5, 0), (80_000, 80_000)] {
        let service = Service::new(2);
        let harness = service.behind_gateway().await;
        let mut uploads = Vec::new();
        for _ in 0..2 {
            let head = format!("POST /answered HTTP\r\nContent-Length: {length}");
            let mut client = stalled(&harness, &head).await;
            client.write_all(&vec![b'x'; sent]).await.unwrap();
            has_head(&mut client).await;
            uploads.push(client);
        }
        let next = soon(harness.get("/small", "")).await;
        assert_eq!((next.status, service.connections()), (200, 2));
    }
}

#[tokio::test]
async fn an_upload_that_its_client_gives_up_costs_nobody_else_the_connection() {
    let service = Service::new(200);
    let harness = service.behind_gateway().await;
    let stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://api.test/late").body(()).unwrap();
    let (_answer, mut body) = client.send_request(request, false).unwrap();
    // More than a service takes that has not looked at it.
    body.send_data(vec![b'x'; 100_000].into(), false).unwrap();
    service.until_asked(1).await;
    assert_eq!(harness.get("/small", "").await.body, "ok 0");
    body.send_reset(Reason::CANCEL);
    service.reads.notify_one();
    soon(service.broken.notified()).await;
    assert_eq!(harness.get("/small", "").await.body, "ok 0");
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn uploads_that_a_service_does_not_take_leave_their_room_to_the_next_one() {
    let service = Service::new(200);
    let harness = service.behind_gateway().await;
    // Its connection goes on.
    let _other = stalled(&harness, "GET /silent HTTP").await;
    let stream = TcpStream::connect(harness.gateway.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let send = async |path: &str, bytes: usize| {
        let request = Request::post(format!("http://api.test{path}")).body(()).unwrap();
        let mut client = client.clone().ready().await.unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data(vec![b'x'; bytes].into(), true).unwrap();
        (answer, body)
    };
    let mut uploads = Vec::new();
    for _ in 0..20 {
        let (answer, body) = send("/silent", 100_000).await;
        uploads.push((soon(answer).await.unwrap(), body));
    }
    for (_, body) in &mut uploads {
        body.send_reset(Reason::CANCEL);
    }
    let (answer, _body) = send("/other", 300_000).await;
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn whom_a_request_is_for_is_said_once() {
    let service = Service::new(200);
    let harness = service.behind_gateway().await;
    let body =
        "POST /small?a=b HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    assert!(talk(harness.gateway.address, body).await.ends_with("ok 3"));
    let seen = service.seen.lock().unwrap().pop().unwrap();
    assert!(!seen.headers().contains_key("host"), "{seen:?}");
    assert_eq!(seen.uri().scheme_str(), Some("http"));
    assert!(
        seen.uri().authority().unwrap().as_str().starts_with("127.0.0.1:"),
        "{seen:?}"
    );
    assert_eq!(seen.uri().path_and_query().unwrap(), "/small?a=b");
}

#[tokio::test]
async fn the_head_of_an_answer_may_be_as_long_as_over_http_1() {
    let harness = Service::new(200).behind_gateway().await;
    let answer = harness.get("/long", "").await;
    assert_eq!(answer.status, StatusCode::OK.as_u16());
    assert!(answer.head.len() > 40_000, "{}", answer.head.len());
}
