//! Connections on which nobody asks.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Rests as soon as it may.
fn weary() -> ListenConfig {
    ListenConfig {
        rest_after: Duration::ZERO,
        ..ListenConfig::default()
    }
}

/// Answers with the body, and at `/early` without having read it.
fn echo() -> Router {
    Router::new()
        .route("/echo", any(async |body: String| format!("[{body}]")))
        .route("/early", any(async || "early"))
}

#[tokio::test]
async fn whoever_has_rested_is_answered_again() {
    let served = Served::start(weary(), plain()).await;
    let mut stream = served.connect().await;
    for _ in 0..20 {
        stream.write_all(GET.as_bytes()).await.unwrap();
        let text = soon(answer(&mut stream, "127.0.0.1")).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_of_a_request_is_lost_to_a_rest() {
    let served = Served::start(weary(), echo()).await;
    let mut stream = served.connect().await;
    for (parts, answers) in [
        (
            vec![
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab",
                "cd",
            ],
            vec!["[abcd]"],
        ),
        (
            vec![
                "POST /ec",
                "ho HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                "2\r\nbc\r\n0\r\n\r",
                "\n",
            ],
            vec!["[abc]"],
        ),
        (
            vec![
                "GET /echo HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nzGET /ear",
                "ly HTTP/1.1\r\nHost: x\r\n\r\n",
            ],
            vec!["[]", "[z]", "early"],
        ),
    ] {
        for part in parts {
            stream.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Those of requests that came at once may come at once.
        let text = soon(answer(&mut stream, answers[answers.len() - 1]))
            .await
            .unwrap();
        let found: Vec<_> = answers.iter().filter_map(|body| text.find(body)).collect();
        assert!(found.len() == answers.len() && found.is_sorted(), "{text}");
    }
}

/// What is left of a body is no request, whatever it looks like.
#[tokio::test]
async fn the_rest_of_a_body_that_nobody_read_is_no_request() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let admin = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { "admin" }
    };
    // Somebody holds on to the body after the answer.
    let held: Arc<Mutex<Vec<axum::body::Body>>> = Arc::default();
    let early = move |body: axum::body::Body| {
        held.lock().unwrap().push(body);
        async { "early" }
    };
    let router = Router::new()
        .route("/early", any(early))
        .route("/admin", any(admin));
    let served = Served::start(weary(), router).await;
    let hidden = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
    for (begun, left) in [(hidden, ""), ("", hidden)] {
        let mut stream = served.connect().await;
        let head = format!(
            "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{begun}",
            hidden.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        soon(answer(&mut stream, "early")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = stream.write_all(left.as_bytes()).await;
        let _ = stream
            .write_all(b"GET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
        soon(rest(&mut stream)).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}
