//! A pretended authorization server that counts, and time that stands still.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use carnet_client::clock::Clock;
use carnet_client::http::HttpClient;
use carnet_client::jwks::{Location, RemoteKeys};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, KeySource as _};
use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// When every test begins.
pub(crate) const START: u64 = 1_800_000_000;

/// Time that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Frozen(Arc<AtomicU64>);

impl Frozen {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START)))
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

type Answer = Box<dyn Fn(&Asked) -> Response + Send>;

pub(crate) struct Pretended {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    asked: Mutex<Vec<Asked>>,
    answer: Mutex<Answer>,
    /// Closed: questions are taken, answers wait.
    open: watch::Sender<bool>,
}

impl Pretended {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            asked: Mutex::default(),
            answer: Mutex::new(Box::new(answer)),
            open: watch::Sender::new(true),
        });
        let routes = Router::new().fallback(handle).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, inner }
    }

    /// From now on it answers so.
    pub(crate) fn answer(&self, answer: impl Fn(&Asked) -> Response + Send + 'static) {
        *self.inner.answer.lock().unwrap() = Box::new(answer);
    }

    pub(crate) fn open(&self, open: bool) {
        self.inner.open.send_replace(open);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.inner.asked.lock().unwrap().len()
    }

    /// Until it was asked this often.
    pub(crate) async fn is_asked(&self, times: usize) {
        until(|| self.count() >= times).await;
    }
}

async fn handle(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 100_000).await.unwrap();
    let asked = Asked {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    inner.asked.lock().unwrap().push(asked.clone());
    let mut open = inner.open.subscribe();
    open.wait_for(|open| *open).await.unwrap();
    inner.answer.lock().unwrap()(&asked)
}

/// Lets the others run until it is so.
pub(crate) async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

/// An answer with this status, these headers and this body.
pub(crate) fn says(status: u16, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// A JWKS with a fresh key of this name.
pub(crate) fn jwks(kid: &str) -> String {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap().verifying_key();
    let set = KeySet::new(vec![(Some(kid.to_owned()), key)]).unwrap();
    set.to_jwks_json().unwrap()
}

/// The keys at `/jwks` of a server.
pub(crate) fn keys_at(server: &Pretended, clock: &Frozen) -> Arc<RemoteKeys> {
    let location = Location::Jwks(format!("{}/jwks", server.url));
    let http = HttpClient::new().unwrap();
    Arc::new(RemoteKeys::with_clock(
        http,
        location,
        &[Algorithm::Es256, Algorithm::Rs256],
        clock.clone(),
    ))
}

/// Whether this key is known.
pub(crate) fn knows(keys: &RemoteKeys, kid: &str) -> bool {
    keys.keys().is_ok_and(|set| set.kids().any(|known| known == kid))
}
