//! Bodies that nobody reads: the next request on the connection is heard all the same, or the answer says that none will be.

use ::http::StatusCode;

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

#[tokio::test(start_paused = true)]
async fn a_body_that_is_slow_or_has_no_end_is_not_waited_for() {
    let (served, _) = served().await;
    let endless = format!("10000\r\n{}\r\n1\r\na\r\n", "a".repeat(0x1_0000));
    for sent in ["1\r\na\r\n", &endless] {
        let mut stream = served.connect().await;
        let head = post("/refused", "Transfer-Encoding: chunked");
        stream.write_all(head.as_bytes()).await.unwrap();
        soon(answer(&mut stream, "refused")).await.unwrap();
        let _ = stream.write_all(sent.as_bytes()).await;
        assert_eq!(soon(rest(&mut stream)).await, "");
    }
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
