//! Bodies that nobody reads: the next request on the connection is heard all the same, or the answer says that none will be.

use ::http::StatusCode;
use http_body_util::BodyExt as _;

use super::*;

/// Refuses without a look at the body, and at `/held` while somebody else still has it.
fn refusing(held: &Arc<Mutex<Option<axum::body::Body>>>) -> Router {
    let refused = async || (StatusCode::UNAUTHORIZED, "refused");
    let held = Arc::clone(held);
    let hold = move |body: axum::body::Body| {
        *held.lock().unwrap() = Some(body);
        async { "held" }
    };
    plain()
        .route("/refused", any(refused))
        .route("/held", any(hold))
        .route("/closed", any(async || ([("connection", "close")], "closed")))
}

async fn served() -> (Served, Arc<Mutex<Option<axum::body::Body>>>) {
    let held = Arc::default();
    let served = Served::start(ListenConfig::default(), refusing(&held)).await;
    (served, held)
}

fn post(path: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n")
}

/// Whether another request is answered behind these bytes.
async fn goes_on(stream: &mut TcpStream, before: &str) -> bool {
    let bytes = format!("{before}{GET_AND_CLOSE}");
    stream.write_all(bytes.as_bytes()).await.unwrap();
    soon(rest(stream)).await.ends_with("127.0.0.1")
}

#[tokio::test]
async fn a_body_that_comes_after_its_answer_takes_nothing_from_the_next_request() {
    let (served, held) = served().await;
    let chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    for (head, body) in [
        ("Content-Length: 5", "abcde"),
        ("Transfer-Encoding: chunked", chunks),
    ] {
        for path in ["/refused", "/held"] {
            let mut stream = served.connect().await;
            stream.write_all(post(path, head).as_bytes()).await.unwrap();
            let said = soon(answer(&mut stream, &path[1..])).await.unwrap();
            assert!(!said.contains("connection:"), "{said}");
            // Let go of after the answer.
            *held.lock().unwrap() = None;
            assert!(goes_on(&mut stream, body).await, "{head}");
        }
    }
}

#[tokio::test]
async fn where_no_request_can_follow_the_answer_says_so() {
    let (served, _) = served().await;
    for (path, head) in [
        ("/refused", "Content-Length: 65537"),
        ("/refused", "Transfer-Encoding: chunked\r\nExpect: 100-continue"),
        // RFC 9110 §10.1.1: after this answer the body may come, or the next request.
        ("/refused", "Content-Length: 5\r\nExpect: 100-continue"),
        ("/closed", "Content-Length: 5"),
    ] {
        let mut stream = served.connect().await;
        stream.write_all(post(path, head).as_bytes()).await.unwrap();
        let said = soon(rest(&mut stream)).await;
        assert!(said.contains("connection: close\r\n"), "{said}");
        assert!(!said.contains("100 Continue"), "{said}");
    }
}

/// Whole heads, bodies and requests in one segment, as a client that waits for nothing sends them.
#[tokio::test]
async fn nothing_of_what_comes_at_once_is_lost() {
    let (served, _) = served().await;
    let at_once = format!("{}abcde", post("/refused", "Content-Length: 5")).repeat(3);
    let said = soon(served.talk(&(at_once + GET_AND_CLOSE))).await;
    assert_eq!(said.matches("refused").count(), 3, "{said}");
    assert!(said.ends_with("127.0.0.1"), "{said}");
}

/// RFC 9112 §9.6: were the connection closed at once, what the client is sending could cost it the answer.
#[tokio::test]
async fn who_sends_much_gets_the_answer_all_the_same() {
    let (served, _) = served().await;
    for head in ["", "Connection: close\r\n"] {
        let mut stream = served.connect().await;
        let head = post("/refused", &format!("{head}Content-Length: 8000000"));
        stream.write_all(head.as_bytes()).await.unwrap();
        let body = vec![b'x'; 8_000_000];
        soon(stream.write_all(&body)).await.unwrap();
        assert!(soon(rest(&mut stream)).await.ends_with("refused"));
    }
}

#[tokio::test]
async fn a_stop_waits_for_no_body() {
    let (mut served, _) = served().await;
    let mut stream = served.connect().await;
    let head = post("/refused", "Content-Length: 5");
    stream.write_all(head.as_bytes()).await.unwrap();
    soon(answer(&mut stream, "refused")).await.unwrap();
    served.ask_to_stop();
    assert_eq!(soon(rest(&mut stream)).await, "");
}

/// Somebody reads on after the answer: what comes is no head that takes too long.
#[tokio::test]
async fn a_body_that_is_still_read_after_its_answer_may_take_its_time() {
    let held = Arc::default();
    let config = ListenConfig {
        header_timeout: SHORT,
        ..ListenConfig::default()
    };
    let served = Served::start(config, refusing(&held)).await;
    let mut stream = served.connect().await;
    let head = post("/held", "Content-Length: 3");
    stream.write_all(head.as_bytes()).await.unwrap();
    soon(answer(&mut stream, "held")).await.unwrap();
    let mut body = held.lock().unwrap().take().unwrap();
    for byte in [b"a", b"b", b"c"] {
        stream.write_all(byte).await.unwrap();
        let frame = soon(body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), &byte[..]);
        tokio::time::sleep(SHORT * 2).await;
    }
    assert!(goes_on(&mut stream, "").await);
}

#[tokio::test]
async fn whoever_has_sent_the_rest_may_be_idle_as_others_may() {
    let config = ListenConfig {
        header_timeout: SHORT,
        ..ListenConfig::default()
    };
    let served = Served::start(config, refusing(&Arc::default())).await;
    let mut stream = served.connect().await;
    let head = post("/refused", "Content-Length: 5");
    stream.write_all(head.as_bytes()).await.unwrap();
    soon(answer(&mut stream, "refused")).await.unwrap();
    stream.write_all(b"abcde").await.unwrap();
    tokio::time::sleep(SHORT * 3).await;
    assert!(goes_on(&mut stream, "").await);
}
