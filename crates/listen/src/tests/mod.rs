//! A real listener on a real port, and clients that behave and misbehave.

mod floods;
mod http;
mod limits;
mod resting;
mod shutdown;
mod streams;
#[cfg(unix)]
mod tls;
mod unix;
mod unread;

use std::{
    future::Future,
    io::Result,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Extension, Router, routing::any};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::*;

/// A server that is stopped when it is dropped.
struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(config: ListenConfig, router: Router) -> Self {
        let listener = Listener::bind(config).await.unwrap();
        // Those at a unix socket have their own way in.
        let address = listener.local_addr().tcp();
        let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        Self {
            address,
            stop: Some(stop),
            task: tokio::spawn(listener.serve(router, stopped)),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and reads until the server closes.
    async fn talk(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }
}

/// What comes until the end of the connection, whatever end that is.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one whole answer that has this body.
async fn answer(stream: &mut (impl tokio::io::AsyncRead + Unpin), body: &str) -> Result<String> {
    let mut text = String::new();
    while !text.ends_with(body) {
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes).await? {
            0 => break,
            count => text.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    Ok(text)
}

/// `/peer` names the caller's address; `/slow` answers once `release` is told.
fn router(release: &Arc<Notify>) -> Router {
    let release = Arc::clone(release);
    let slow = move || {
        let release = Arc::clone(&release);
        async move {
            release.notified().await;
            "slow"
        }
    };
    Router::new()
        .route(
            "/peer",
            any(|Extension(peer): Extension<PeerAddr>| async move {
                peer.ip().map_or("unix".to_owned(), |ip| ip.to_string())
            }),
        )
        .route("/slow", any(slow))
}

fn plain() -> Router {
    router(&Arc::default())
}

/// Fails the test rather than hanging it.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it takes far too long")
}

const SHORT: Duration = Duration::from_millis(60);
const GET: &str = "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n";
const GET_AND_CLOSE: &str = "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
