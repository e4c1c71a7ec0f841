//! Which of a service's servers is asked next, and which is left alone for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::cables::{Cables, Place};
use crate::config::Balance;
use crate::lines::{Connector, Errand, Line, Lines};
use crate::trunks::{Trunk, Trunks};

/// One server of a service, and how it does.
#[derive(Debug)]
pub struct Server {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) host: HeaderValue,
    /// Connections to it, where it speaks HTTP/1.1.
    pub(crate) lines: Lines,
    /// And where it speaks HTTP/2.
    pub(crate) cables: Cables,
    /// How connections for WebSockets come about, where it speaks HTTP/2.
    pub(crate) trunks: Trunks,
    /// Requests without an end so far.
    open: AtomicUsize,
    /// Failures since the last success.
    failures: AtomicUsize,
    /// Milliseconds since the pool began, until which it is left alone.
    left_alone_until: AtomicU64,
    /// What the health check says; `true` without one.
    healthy: AtomicBool,
    /// How often it was left alone, not counted yet.
    ejections: AtomicU64,
    /// How often it failed its health check after it had passed it, not counted yet.
    illnesses: AtomicU64,
}

/// What changed for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is left alone for a while.
    Ejected,
    /// It was left alone, and answers again.
    Returned,
}

/// All servers of a service.
#[derive(Debug)]
pub(crate) struct Pool {
    servers: Vec<Arc<Server>>,
    balance: Balance,
    turn: AtomicUsize,
    began: Instant,
    eject_after: usize,
    eject_for: Duration,
    /// Fifths of a retry.
    budget: AtomicI64,
}

/// A request that a server is busy with.
#[derive(Debug)]
pub struct Load {
    server: Arc<Server>,
    /// The connection on which it is, where that is lent.
    kept: Option<Kept>,
}

/// An answer, and what it comes on, where that is lent.
pub(crate) type Answered = (Response<Incoming>, Option<Kept>);

/// What an answer comes on.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A connection, for as long as the answer lasts.
    Line(Line),
    /// A place on one, given back by being dropped.
    Place(Place),
    /// One of its own, for as long as the WebSocket lasts.
    Trunk {
        /// Given back by being dropped.
        _trunk: Trunk,
    },
}

impl Kept {
    /// Nobody waits for more of the answer, and what is still to be sent has its time.
    pub(crate) fn answered(&mut self) {
        match self {
            Self::Line(line) => line.answered(),
            Self::Place(place) => place.answered(),
            Self::Trunk { .. } => {}
        }
    }
}

impl Server {
    pub(crate) fn new(scheme: Scheme, authority: Authority, host: HeaderValue) -> Self {
        Self {
            scheme,
            authority,
            host,
            lines: Lines::default(),
            cables: Cables::default(),
            trunks: Trunks::default(),
            open: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            left_alone_until: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
            ejections: AtomicU64::new(0),
            illnesses: AtomicU64::new(0),
        }
    }

    /// Something for it.
    pub(crate) fn errand<'a>(&'a self, connector: &'a Connector, patience: Duration) -> Errand<'a> {
        Errand {
            connector,
            scheme: &self.scheme,
            authority: &self.authority,
            patience,
        }
    }

    /// What a health check found; says whether that is news.
    pub(crate) fn is_found(&self, healthy: bool) -> bool {
        let news = self.healthy.swap(healthy, Relaxed) != healthy;
        if news && !healthy {
            self.illnesses.fetch_add(1, Relaxed);
        }
        news
    }

    /// How often it was left alone and failed its health check since this was asked last.
    pub(crate) fn take_counts(&self) -> (u64, u64) {
        (self.ejections.swap(0, Relaxed), self.illnesses.swap(0, Relaxed))
    }
}

impl Load {
    fn of(server: &Arc<Server>) -> Self {
        server.open.fetch_add(1, Relaxed);
        Self {
            server: Arc::clone(server),
            kept: None,
        }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn on(&mut self, kept: Option<Kept>) {
        self.kept = kept;
    }

    /// The answer was read to its end: the connection is free for another request.
    pub(crate) fn give_back(&mut self) {
        let Some(mut kept) = self.kept.take() else {
            return;
        };
        kept.answered();
        let Kept::Line(mut line) = kept else {
            return;
        };
        if line.is_closed() {
            return;
        }
        if line.is_ready() {
            return self.server.lines.give_back(line);
        }
        // The end of the answer is here, and the connection about to notice.
        let server = Arc::clone(&self.server);
        tokio::spawn(async move {
            if line.becomes_ready().await {
                server.lines.give_back(line);
            }
        });
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.server.open.fetch_sub(1, Relaxed);
    }
}

impl Pool {
    pub(crate) fn new(
        servers: Vec<Server>,
        balance: Balance,
        (eject_after, eject_for): (usize, Duration),
    ) -> Self {
        Self {
            servers: servers.into_iter().map(Arc::new).collect(),
            balance,
            turn: AtomicUsize::new(0),
            began: Instant::now(),
            eject_after,
            eject_for,
            budget: AtomicI64::new(MOST_BUDGET),
        }
    }

    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The next server for a request that these have failed already. When none is well, one that is not: it may have recovered.
    pub(crate) fn next(&self, failed: &[Authority]) -> Option<Load> {
        // One is the usual number, and the only choice.
        if let ([only], []) = (self.servers.as_slice(), failed) {
            return Some(Load::of(only));
        }
        let now = self.now();
        let fresh = |server: &&Arc<Server>| !failed.contains(&server.authority);
        let well = |server: &&Arc<Server>| {
            server.healthy.load(Relaxed) && server.left_alone_until.load(Relaxed) <= now
        };
        let mut candidates: Vec<&Arc<Server>> = self.servers.iter().filter(fresh).filter(well).collect();
        if candidates.is_empty() {
            candidates = self.servers.iter().filter(fresh).collect();
        }
        let count = candidates.len().checked_sub(1)? + 1;
        let turn = self.turn.fetch_add(1, Relaxed);
        let chosen = match self.balance {
            Balance::RoundRobin => candidates[turn % count],
            // The less loaded of two is nearly as good as the least loaded of all, and herds nobody to the same one.
            Balance::LeastLoaded => {
                let mixed = mix(turn as u64);
                let below = |bits: u64, count| usize::try_from(bits).unwrap_or_default() % count;
                let at = below(mixed >> 32, count);
                // Never itself: of two servers one would be asked half of the time however loaded it is.
                let step = 1 + below(mixed & 0xffff_ffff, (count - 1).max(1));
                let (one, other) = (candidates[at], candidates[(at + step) % count]);
                match other.open.load(Relaxed) < one.open.load(Relaxed) {
                    true => other,
                    false => one,
                }
            }
        };
        Some(Load::of(chosen))
    }

    /// A server answered, well or not. One that fails again and again is left alone for a while; says when that begins, and when it is over.
    pub(crate) fn note(&self, server: &Server, well: bool) -> Option<News> {
        if well {
            server.failures.store(0, Relaxed);
            let returned =
                server.left_alone_until.load(Relaxed) != 0 && server.left_alone_until.swap(0, Relaxed) != 0;
            return returned.then_some(News::Returned);
        }
        let failures = server.failures.fetch_add(1, Relaxed) + 1;
        if failures < self.eject_after || self.servers.len() < 2 {
            return None;
        }
        server.failures.store(0, Relaxed);
        let pause = u64::try_from(self.eject_for.as_millis()).unwrap_or(u64::MAX);
        let until = self.now().saturating_add(pause);
        server.left_alone_until.store(until, Relaxed);
        server.ejections.fetch_add(1, Relaxed);
        Some(News::Ejected)
    }

    /// Whether a server is asked: it passes its health check, and is not left alone.
    pub(crate) fn is_asked(&self, server: &Server) -> bool {
        server.healthy.load(Relaxed) && server.left_alone_until.load(Relaxed) <= self.now()
    }

    /// Every request pays a fifth of a retry in.
    pub(crate) fn pay_in(&self) {
        if self.budget.load(Relaxed) < MOST_BUDGET {
            self.budget.fetch_add(1, Relaxed);
        }
    }

    /// Whether a retry can be afforded: when everything fails, a fifth more is asked, not twice as much.
    pub(crate) fn pay_out(&self) -> bool {
        let paid = self.budget.fetch_sub(RETRY, Relaxed) >= RETRY;
        if !paid {
            self.budget.fetch_add(RETRY, Relaxed);
        }
        paid
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Spreads consecutive numbers evenly.
const fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

const RETRY: i64 = 5;
/// Ten retries.
const MOST_BUDGET: i64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(count: u16, balance: Balance) -> Pool {
        let servers = (1..=count).map(|port| {
            let authority = format!("10.0.0.1:{port}");
            let host = HeaderValue::from_str(&authority).unwrap();
            Server::new(Scheme::HTTP, authority.parse().unwrap(), host)
        });
        Pool::new(servers.collect(), balance, (3, Duration::from_secs(30)))
    }

    fn port(load: &Load) -> u16 {
        load.server().authority.port_u16().unwrap()
    }

    fn turns(pool: &Pool, count: usize) -> Vec<u16> {
        (0..count).map(|_| port(&pool.next(&[]).unwrap())).collect()
    }

    #[tokio::test]
    async fn round_robin_asks_one_after_the_other() {
        assert_eq!(turns(&pool(3, Balance::RoundRobin), 6), [1, 2, 3, 1, 2, 3]);
    }

    #[tokio::test]
    async fn the_less_loaded_of_two_is_asked() {
        let pool = pool(4, Balance::LeastLoaded);
        let loads: Vec<Load> = (0..400).map(|_| pool.next(&[]).unwrap()).collect();
        for server in pool.servers() {
            let open = server.open.load(Relaxed);
            assert!((95..=105).contains(&open), "{open} of 400 on one of four");
        }
        drop(loads);
        assert!(pool.servers().iter().all(|server| server.open.load(Relaxed) == 0));
    }

    #[tokio::test]
    async fn of_two_the_one_that_is_stuck_is_not_asked() {
        let pool = pool(2, Balance::LeastLoaded);
        let stuck = pool.next(&[]).unwrap();
        let other = 3 - port(&stuck);
        assert_eq!(turns(&pool, 200), [other; 200]);
        let failed = [stuck.server().authority.clone()];
        assert_eq!(port(&pool.next(&failed).unwrap()), other, "of one, that one");
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_again_and_again_is_left_alone_for_a_while() {
        let pool = pool(2, Balance::RoundRobin);
        let first = Arc::clone(&pool.servers()[0]);
        for well in [false, false, true, false, false] {
            assert_eq!(pool.note(&first, well), None);
        }
        assert!(turns(&pool, 4).contains(&1), "a success between failures counts");
        assert_eq!(pool.note(&first, false), Some(News::Ejected));
        assert_eq!(turns(&pool, 4), [2, 2, 2, 2]);
        assert!(!pool.is_asked(&first));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(turns(&pool, 4).contains(&1));
        assert_eq!(pool.note(&first, true), Some(News::Returned));
        assert_eq!(pool.note(&first, true), None);
        assert_eq!((first.take_counts(), first.take_counts()), ((1, 0), (0, 0)));
    }

    #[tokio::test]
    async fn when_nobody_is_well_somebody_is_asked_all_the_same() {
        let pool = pool(2, Balance::RoundRobin);
        assert!(pool.servers()[0].is_found(false));
        assert_eq!(turns(&pool, 3), [2, 2, 2]);
        assert!(pool.servers()[1].is_found(false));
        assert_eq!(turns(&pool, 2).len(), 2);
        let both: Vec<_> = pool
            .servers()
            .iter()
            .map(|server| server.authority.clone())
            .collect();
        assert!(pool.next(&both).is_none());
    }

    #[tokio::test]
    async fn retries_are_a_fifth_of_all_requests() {
        let pool = pool(2, Balance::RoundRobin);
        while pool.pay_out() {}
        let retries = (0..1000).filter(|_| {
            pool.pay_in();
            pool.pay_out()
        });
        assert_eq!(retries.count(), 200);
    }
}
