//! The way to a store, on which answers can be held up, and which can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::soon;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// As open, until a question comes that says this.
    Watched(&'static str),
    /// Questions go through, answers do not.
    Held,
    /// Nothing goes through.
    Cut,
}

/// The way to a store.
pub(super) struct Wire {
    pub(super) address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    /// Changes when whoever is connected is no more.
    severed: Arc<watch::Sender<()>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Questions that came while answers were held up.
    asked: AtomicUsize,
    /// Connections that came while answers were held up.
    connected: AtomicUsize,
    /// Connections that came while it was cut.
    turned_away: AtomicUsize,
}

impl Wire {
    pub(super) async fn to(store: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State::Open));
        let (severed, counts) = (Arc::new(watch::Sender::new(())), Arc::new(Counts::default()));
        let (watched, severing, counting) = (state.clone(), severed.clone(), counts.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *watched.borrow() == State::Cut {
                    counting.turned_away.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                if *watched.borrow() == State::Held {
                    counting.connected.fetch_add(1, Ordering::SeqCst);
                }
                let mut end = severing.subscribe();
                let far = TcpStream::connect(store).await.unwrap();
                let joined = joined(near, far, watched.clone(), counting.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        _ = end.changed() => {}
                        () = joined => {}
                    }
                });
            }
        });
        Self {
            address,
            state,
            severed,
            counts,
        }
    }

    /// Answers do not come any more.
    pub(super) fn hold(&self) {
        self.state.send_replace(State::Held);
    }

    /// From the question that says this on, answers do not come any more: what is under way now does not count.
    pub(super) fn hold_at(&self, words: &'static str) {
        self.state.send_replace(State::Watched(words));
    }

    /// Whoever is connected is no more, and nobody connects.
    pub(super) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Whoever is connected is no more, and all is well for whoever connects.
    pub(super) fn sever(&self) {
        self.severed.send_replace(());
        self.open();
    }

    /// All is well again.
    pub(super) fn open(&self) {
        self.state.send_replace(State::Open);
    }

    /// Somebody waits for an answer that is held up.
    pub(super) async fn until_asked(&self) {
        until(&self.counts.asked, 1).await;
    }

    /// So many connections have come to a store that does not answer.
    pub(super) async fn until_connected(&self, count: usize) {
        until(&self.counts.connected, count).await;
    }

    /// Somebody has found out that it is cut.
    pub(super) async fn until_turned_away(&self) {
        until(&self.counts.turned_away, 1).await;
    }
}

async fn until(count: &AtomicUsize, number: usize) {
    soon(async {
        while count.load(Ordering::SeqCst) < number {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn joined(near: TcpStream, far: TcpStream, state: Arc<watch::Sender<State>>, counts: Arc<Counts>) {
    let ((mut asks, mut hears), (mut tells, mut listens)) = (near.into_split(), far.into_split());
    let (mut at_answers, mut cut) = (state.subscribe(), state.subscribe());
    let questions = async move {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = asks.read(&mut bytes).await {
            state.send_if_modified(|state| {
                let is_it = matches!(state, State::Watched(words) if says(&bytes[..length], words));
                if is_it {
                    *state = State::Held;
                }
                is_it
            });
            if listens.write_all(&bytes[..length]).await.is_err() {
                break;
            }
            if *state.borrow() == State::Held {
                counts.asked.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let answers = async move {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = tells.read(&mut bytes).await {
            let _ = at_answers.wait_for(|state| *state != State::Held).await;
            if hears.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        biased;
        _ = cut.wait_for(|state| *state == State::Cut) => {}
        () = questions => {}
        () = answers => {}
    }
}

fn says(question: &[u8], words: &str) -> bool {
    question
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}
