//! A pretended client that listens on this machine, and counts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, Method};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) struct Listener {
    pub(crate) url: String,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    asked: Mutex<Vec<Asked>>,
    status: Mutex<u16>,
    location: Mutex<Option<String>>,
    says: Mutex<String>,
    held: AtomicBool,
    came: Notify,
}

impl Listener {
    /// One that answers 200.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Heard::default());
        *heard.status.lock().unwrap() = 200;
        let routes = Router::new().fallback(answer).with_state(heard.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, heard }
    }

    /// From now on it answers so.
    pub(crate) fn answers(&self, status: u16, location: Option<&str>) {
        *self.heard.status.lock().unwrap() = status;
        *self.heard.location.lock().unwrap() = location.map(str::to_owned);
    }

    /// From now on this is the body of its answers.
    pub(crate) fn says(&self, body: &str) {
        *self.heard.says.lock().unwrap() = body.to_owned();
    }

    /// From now on it takes what is asked and does not answer, or answers again.
    pub(crate) fn holds(&self, held: bool) {
        self.heard.held.store(held, Ordering::SeqCst);
    }

    /// Waits until it was asked once more.
    pub(crate) async fn is_asked(&self) {
        self.heard.came.notified().await;
    }

    /// What was asked since the last look.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.heard.asked.lock().unwrap())
    }
}

async fn answer(State(heard): State<Arc<Heard>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 100_000).await.unwrap();
    heard.asked.lock().unwrap().push(Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    heard.came.notify_one();
    if heard.held.load(Ordering::SeqCst) {
        return std::future::pending().await;
    }
    let mut response = Response::builder().status(*heard.status.lock().unwrap());
    if let Some(location) = &*heard.location.lock().unwrap() {
        response = response.header("location", location);
    }
    response
        .body(Body::from(heard.says.lock().unwrap().clone()))
        .unwrap()
}

/// An address that counts who knocks and says nothing.
pub(crate) async fn knocked_at() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, knocks) = (
        listener.local_addr().unwrap().port(),
        Arc::new(AtomicUsize::new(0)),
    );
    let counted = knocks.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, knocks)
}
