//! Several servers behind one route, of which some are down, slow or not well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use http::StatusCode;
use tokio::net::TcpListener;

use crate::harness::{Answer, Harness, Running, mirror};

/// A server that says its name, and counts what it is asked besides its health.
async fn named(name: &'static str, health: StatusCode) -> (Running, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(move |request: Request| {
        let healthy = request.uri().path() == "/health";
        if !healthy {
            count.fetch_add(1, Ordering::SeqCst);
        }
        async move {
            if healthy {
                (health, "")
            } else {
                (StatusCode::OK, name)
            }
        }
    });
    (Running::start(router).await, asked)
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn harness(urls: &[String], more: &str) -> Harness {
    let urls: Vec<String> = urls.iter().map(|address| format!("http://{address}")).collect();
    let text = format!(
        "[[upstreams]]\nname = \"all\"\nurls = {urls:?}\n{more}\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"all\"\n"
    );
    Harness::with(&text, mirror().await).await
}

#[tokio::test]
async fn servers_take_turns() {
    let (one, _) = named("one", StatusCode::OK).await;
    let (two, _) = named("two", StatusCode::OK).await;
    let harness = harness(&[one.address.to_string(), two.address.to_string()], "").await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(harness.get("/", "").await.body);
    }
    assert_eq!(answers, ["one", "two", "one", "two"]);
}

#[tokio::test]
async fn a_server_that_is_down_costs_no_request() {
    let service = mirror().await;
    let harness = harness(&[nobody().await, service.address.to_string()], "eject_after = 3").await;
    for turn in 0..8 {
        assert_eq!(harness.get("/", "").await.status, 200, "{turn}");
        // Nothing of it was sent to the one that is down, so that it can be sent to the other, whatever it is.
        let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let seen = Answer::read(&harness.talk(request).await).seen();
        assert_eq!(
            (&seen.0["method"], &seen.0["body"]),
            (&"POST".into(), &"hello".into())
        );
    }
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_asked_once_for_what_may_not_come_twice() {
    let dead = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = dead.local_addr().unwrap().to_string();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = dead.accept().await {
            stream.readable().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (well, asked) = named("well", StatusCode::OK).await;
    let harness = harness(&[address, well.address.to_string()], "").await;
    // GET may come twice: the second server answers.
    assert_eq!(harness.get("/", "").await.body, "well");
    assert_eq!(harness.get("/", "").await.body, "well");
    let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\na";
    let before = asked.load(Ordering::SeqCst);
    let answer = Answer::read(&harness.talk(request).await);
    assert!(
        answer.status == 502 && asked.load(Ordering::SeqCst) == before
            || answer.body == "well" && taken.load(Ordering::SeqCst) < 3,
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_server_that_fails_its_health_check_is_not_asked() {
    let (ill, asked) = named("ill", StatusCode::INTERNAL_SERVER_ERROR).await;
    let (well, _) = named("well", StatusCode::NO_CONTENT).await;
    let harness = harness(
        &[ill.address.to_string(), well.address.to_string()],
        "health_path = \"/health\"\nhealth_interval = \"10ms\"",
    )
    .await;
    // Until it was found out.
    while harness.get("/", "").await.body == "ill" || harness.get("/", "").await.body == "ill" {}
    let before = asked.load(Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(harness.get("/", "").await.body, "well");
    }
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn a_server_that_takes_too_long_is_a_504_and_a_client_that_does_a_408() {
    let router = Router::new().fallback(async |request: Request| {
        if request.uri().path() == "/reads" {
            let _ = axum::body::to_bytes(request.into_body(), 100).await;
        }
        std::future::pending::<&'static str>().await
    });
    let slow = Running::start(router).await;
    let harness = harness(&[slow.address.to_string()], "answer_timeout = \"100ms\"").await;
    let answer = harness.get("/", "").await;
    assert_eq!((answer.status, answer.code()), (504, "upstream_slow".to_owned()));
    let request = "POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nshort";
    let answer = Answer::read(&harness.talk(request).await);
    assert_eq!((answer.status, answer.code()), (408, "body_slow".to_owned()));
}
