//! Several servers behind one route, of which some are down, slow or not well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use http::StatusCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::harness::{Answer, Harness, Running, mirror, soon};

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
        "[admin]\naddress = \"127.0.0.1:0\"\n[[upstreams]]\nname = \"all\"\nurls = {urls:?}\n{more}\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"all\"\n"
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
async fn a_health_check_that_hangs_holds_up_no_other() {
    let hanging =
        Running::start(Router::new().fallback(async || std::future::pending::<&'static str>().await));
    let hanging = hanging.await;
    let (ill, _) = named("ill", StatusCode::INTERNAL_SERVER_ERROR).await;
    let (well, _) = named("well", StatusCode::OK).await;
    let servers = [&hanging, &ill, &well].map(|server| server.address.to_string());
    let harness = harness(
        &servers,
        "health_path = \"/health\"\nhealth_interval = \"10ms\"\nanswer_timeout = \"10m\"",
    )
    .await;
    soon(async {
        let is_asked = async |server: &str| says(&harness.metrics().await, "server_asked", server, 1);
        while is_asked(&servers[1]).await || is_asked(&servers[0]).await {}
    })
    .await;
    assert_eq!(harness.get("/", "").await.body, "well");
}

fn says(metrics: &str, name: &str, server: &str, value: u64) -> bool {
    metrics.contains(&format!(
        "carnet_gateway_{name}{{upstream=\"all\",server=\"{server}\"}} {value}\n"
    ))
}

#[tokio::test]
async fn a_server_that_falls_ill_and_gets_well_is_a_line_in_the_log_and_a_metric() {
    let ill = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let state = ill.clone();
    let router = Router::new().fallback(async move || match state.load(Ordering::SeqCst) {
        true => StatusCode::INTERNAL_SERVER_ERROR,
        false => StatusCode::OK,
    });
    let (one, other) = (Running::start(router).await, mirror().await);
    let (one, other) = (one.address.to_string(), (other.address.to_string(), one, other));
    let harness = harness(
        &[one.clone(), other.0.clone()],
        "health_path = \"/health\"\nhealth_interval = \"10ms\"",
    )
    .await;
    let until = async |asked: u64| loop {
        let metrics = harness.metrics().await;
        if says(&metrics, "server_asked", &one, asked) {
            return metrics;
        }
    };
    until(1).await;
    ill.store(true, Ordering::SeqCst);
    let metrics = until(0).await;
    assert!(says(&metrics, "server_asked", &other.0, 1), "{metrics}");
    // Counted once, however often it is looked at.
    assert!(says(
        &harness.metrics().await,
        "server_health_failures_total",
        &one,
        1
    ));
    ill.store(false, Ordering::SeqCst);
    until(1).await;
    let lines = crate::log::lines();
    let told = |what: &str| {
        lines
            .lines()
            .any(|line| line.contains(what) && line.contains(&one) && line.contains("upstream=\"all\""))
    };
    assert!(
        told("failed its health check") && told("is well again"),
        "{lines}"
    );
}

#[tokio::test]
async fn a_server_that_is_left_alone_and_returns_is_a_line_in_the_log_and_a_metric() {
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let state = down.clone();
    let router = Router::new().fallback(async move || match state.load(Ordering::SeqCst) {
        true => StatusCode::BAD_GATEWAY,
        false => StatusCode::OK,
    });
    let (bad, good) = (Running::start(router).await, mirror().await);
    let one = bad.address.to_string();
    let harness = harness(
        &[one.clone(), good.address.to_string()],
        "eject_after = 2\neject_for = \"100ms\"",
    )
    .await;
    while !says(&harness.metrics().await, "server_asked", &one, 0) {
        harness.get("/", "").await;
    }
    down.store(false, Ordering::SeqCst);
    let told = |what: &str| {
        let lines = crate::log::lines();
        lines
            .lines()
            .any(|line| line.contains(what) && line.contains(&one) && line.contains("upstream=\"all\""))
    };
    assert!(told("is left alone for a while"));
    while !told("answers again") {
        harness.get("/", "").await;
    }
    let metrics = harness.metrics().await;
    assert!(says(&metrics, "server_asked", &one, 1), "{metrics}");
    assert!(
        metrics.contains(&format!(
            "carnet_gateway_server_ejections_total{{upstream=\"all\",server=\"{one}\"}}"
        )),
        "{metrics}"
    );
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

/// A way to a server on which, from some moment on, nothing more moves on the connections that are there, as when a host is switched off.
async fn breaking(server: &Running) -> (String, Arc<Notify>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (server, cut) = (server.address, Arc::new(Notify::new()));
    let cuts = cut.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let cut = cuts.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cut.notified() => std::future::pending().await,
                }
            });
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_dead_connection_over_http2_is_found_out_and_given_up() {
    let server = mirror().await;
    let (address, cut) = breaking(&server).await;
    let harness = harness(&[address], "protocol = \"http2\"\nanswer_timeout = \"10m\"").await;
    assert_eq!(harness.get("/", "").await.status, 200);
    cut.notify_waiters();
    // Time goes by as soon as nobody does anything.
    tokio::time::pause();
    assert_eq!(harness.get("/", "").await.status, 502);
    tokio::time::resume();
    assert_eq!(harness.get("/", "").await.status, 200, "on another connection");
}
