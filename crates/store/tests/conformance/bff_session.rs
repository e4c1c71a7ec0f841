//! Sessions of browsers at a gateway.

use carnet_store::{BffSession, BffSessions, NewBffSession, RedisServer, RedisSessions, Store, StoreError};

use crate::support::engine::{Fixture, on_every_engine, on_shared_engines};
use crate::support::sample::NOW;

on_every_engine!(
    a_session_lives_until_it_rests_or_its_time_is_over,
    a_session_is_changed_by_whoever_has_seen_its_last_version,
    one_at_a_time_holds_the_lease_until_it_ends,
    lo_05_an_end_is_the_end_of_what_was_named,
    many_are_looked_up_at_once_and_the_living_are_told,
    what_has_expired_is_forgotten_with_the_next_login,
);
on_shared_engines!(two_replicas_share_one_lease, what_comes_first_comes_once);
on_redis!(
    a_session_lives_until_it_rests_or_its_time_is_over,
    a_session_is_changed_by_whoever_has_seen_its_last_version,
    one_at_a_time_holds_the_lease_until_it_ends,
    lo_05_an_end_is_the_end_of_what_was_named,
    many_are_looked_up_at_once_and_the_living_are_told,
    what_comes_first_comes_once,
    two_replicas_share_one_lease,
);

/// Somewhere to keep sessions.
trait Kept {
    fn sessions(&self) -> BffSessions;
    /// As another process has them.
    async fn another(&self) -> BffSessions;
}

impl Kept for Fixture {
    fn sessions(&self) -> BffSessions {
        BffSessions::Database(self.store.clone())
    }

    async fn another(&self) -> BffSessions {
        BffSessions::Database(Store::open(&self.config).await.unwrap())
    }
}

/// An app of its own at the Redis that `CARNET_TEST_REDIS` names.
struct InRedis {
    server: RedisServer,
    app: String,
}

impl InRedis {
    fn new(case: &str) -> Self {
        let url = std::env::var("CARNET_TEST_REDIS")
            .expect("CARNET_TEST_REDIS names no Redis; ./test.sh starts one");
        let server = RedisServer::named(&url, None).unwrap();
        let app = format!("{case} {} {:p}", std::process::id(), &url);
        Self { server, app }
    }
}

impl Kept for InRedis {
    fn sessions(&self) -> BffSessions {
        BffSessions::Redis(RedisSessions::of(self.server.clone(), &self.app))
    }

    async fn another(&self) -> BffSessions {
        self.sessions()
    }
}

macro_rules! on_redis {
    ($($case:ident),+ $(,)?) => {
        mod redis { $(
            #[tokio::test]
            async fn $case() {
                super::$case(&super::InRedis::new(stringify!($case))).await;
            }
        )+ }
    };
}
use on_redis;

const IDLE: i64 = 60_000;
const ABSOLUTE: i64 = 600_000;

fn new(digest: u8, sub: &str, sid: &str) -> NewBffSession {
    NewBffSession {
        digest: [digest; 32],
        client_id: "app".to_owned(),
        sub: sub.to_owned(),
        sid: sid.to_owned(),
        user_agent: "a browser".to_owned(),
        absolute_expires_at: NOW + ABSOLUTE,
        sealed: vec![digest],
    }
}

async fn begin(store: &BffSessions, digest: u8, sub: &str, sid: &str) {
    store.begin(&new(digest, sub, sid), NOW).await.unwrap();
}

async fn find(store: &BffSessions, digest: u8, now: i64) -> Option<BffSession> {
    store.find(&[digest; 32], (now, IDLE)).await.unwrap()
}

async fn a_session_lives_until_it_rests_or_its_time_is_over(f: &impl Kept) {
    begin(&f.sessions(), 1, "alice", "s1").await;
    let session = find(&f.sessions(), 1, NOW).await.unwrap();
    assert_eq!(
        (
            session.sub.as_str(),
            session.sid.as_str(),
            session.user_agent.as_str()
        ),
        ("alice", "s1", "a browser")
    );
    assert_eq!(
        (session.used, session.version, session.sealed),
        (false, 1, vec![1])
    );
    assert_eq!(find(&f.sessions(), 2, NOW).await, None);
    assert!(find(&f.sessions(), 1, NOW + IDLE - 1).await.is_some());
    assert_eq!(
        find(&f.sessions(), 1, NOW + IDLE).await,
        None,
        "it has rested too long"
    );
    f.sessions().touch(&[1; 32], NOW + 1).await.unwrap();
    let session = find(&f.sessions(), 1, NOW + IDLE).await.unwrap();
    assert_eq!((session.used, session.last_seen_at), (true, NOW + 1));
    f.sessions().touch(&[1; 32], NOW + 60_000).await.unwrap();
    assert_eq!(
        find(&f.sessions(), 1, NOW + IDLE).await.unwrap().last_seen_at,
        NOW + 1,
        "once a minute"
    );
    for minute in 1..10 {
        f.sessions()
            .touch(&[1; 32], NOW + 1 + minute * 60_000)
            .await
            .unwrap();
    }
    assert!(find(&f.sessions(), 1, NOW + ABSOLUTE - 1).await.is_some());
    assert_eq!(find(&f.sessions(), 1, NOW + ABSOLUTE).await, None);
}

async fn a_session_is_changed_by_whoever_has_seen_its_last_version(f: &impl Kept) {
    begin(&f.sessions(), 1, "alice", "s1").await;
    let digest = [1; 32];
    assert!(f.sessions().renew(&digest, (1, vec![7])).await.unwrap());
    assert!(!f.sessions().renew(&digest, (1, vec![8])).await.unwrap());
    let session = find(&f.sessions(), 1, NOW).await.unwrap();
    assert_eq!((session.version, session.sealed), (2, vec![7]));
    assert!(f.sessions().end(&digest).await.unwrap());
    assert!(!f.sessions().end(&digest).await.unwrap());
    assert!(!f.sessions().renew(&digest, (2, vec![8])).await.unwrap());
}

async fn one_at_a_time_holds_the_lease_until_it_ends(f: &impl Kept) {
    begin(&f.sessions(), 1, "alice", "s1").await;
    let lease = async |owner: &str, at: i64| {
        let times = (NOW + at, NOW + at + 10_000);
        f.sessions().lease(&[1; 32], owner, times).await.unwrap()
    };
    assert!(lease("a", 0).await);
    assert!(!lease("b", 9_999).await);
    assert!(lease("a", 9_999).await, "whoever has it keeps it");
    assert!(!lease("b", 10_000).await);
    assert!(lease("b", 19_999).await, "it has ended");
    f.sessions().release(&[1; 32], "a").await.unwrap();
    assert!(!lease("a", 20_000).await, "nobody gives back what another holds");
    f.sessions().release(&[1; 32], "b").await.unwrap();
    assert!(lease("a", 20_000).await);
    assert!(f.sessions().renew(&[1; 32], (1, vec![7])).await.unwrap());
    assert!(lease("b", 20_000).await, "a change gives it back");
    let times = (NOW, NOW + 1);
    assert!(
        !f.sessions().lease(&[2; 32], "a", times).await.unwrap(),
        "there is no such session"
    );
}

async fn lo_05_an_end_is_the_end_of_what_was_named(f: &impl Kept) {
    let begun = [
        (1, "alice", "s1"),
        (2, "alice", "s2"),
        (3, "bob", "s3"),
        (4, "bob", ""),
    ];
    for (digest, sub, sid) in begun {
        begin(&f.sessions(), digest, sub, sid).await;
    }
    let end = async |client: &str, sub: Option<&str>, sid: Option<&str>| {
        f.sessions().end_said(client, (sub, sid)).await.unwrap()
    };
    assert_eq!(end("app", None, None).await, 0);
    assert_eq!(
        end("app", None, Some("")).await,
        0,
        "no name is no session's name"
    );
    assert_eq!(end("other", Some("alice"), None).await, 0);
    assert_eq!(end("app", Some("bob"), Some("s1")).await, 0);
    assert_eq!(end("app", Some("alice"), Some("s1")).await, 1);
    assert_eq!(end("app", None, Some("s2")).await, 1);
    let list = f.sessions().list(("app", "bob"), (NOW, IDLE)).await.unwrap();
    assert_eq!(list.len(), 2);
    let name = list[0].name.as_str();
    assert!(!f.sessions().end_named(("app", "alice"), name).await.unwrap());
    assert!(f.sessions().end_named(("app", "bob"), name).await.unwrap());
    assert_eq!(end("app", Some("bob"), None).await, 1);
    assert_eq!(f.sessions().list(("app", "bob"), (NOW, IDLE)).await.unwrap(), []);
}

async fn many_are_looked_up_at_once_and_the_living_are_told(f: &impl Kept) {
    for digest in 0..40 {
        begin(&f.sessions(), digest, "alice", "s1").await;
    }
    f.sessions().touch(&[7; 32], NOW + 1).await.unwrap();
    assert!(f.sessions().end(&[9; 32]).await.unwrap());
    let digests: Vec<_> = (0..45).map(|digest| [digest; 32]).collect();
    let living = async |at: i64| {
        let living = f.sessions().living(&digests, (at, IDLE)).await.unwrap();
        let mut living: Vec<u8> = living.iter().map(|digest| digest[0]).collect();
        living.sort_unstable();
        living
    };
    let expected: Vec<u8> = (0..40).filter(|digest| *digest != 9).collect();
    assert_eq!(living(NOW).await, expected, "each once");
    assert_eq!(living(NOW + IDLE).await, [7]);
    assert_eq!(living(NOW + ABSOLUTE).await, Vec::<u8>::new());
    let none = f.sessions().living(&[], (NOW, IDLE)).await.unwrap();
    assert_eq!(none, Vec::<[u8; 32]>::new());
}

async fn what_has_expired_is_forgotten_with_the_next_login(f: &impl Kept) {
    begin(&f.sessions(), 1, "alice", "s1").await;
    let later = NewBffSession {
        absolute_expires_at: NOW + 2 * ABSOLUTE,
        ..new(2, "alice", "s2")
    };
    f.sessions().begin(&later, NOW + ABSOLUTE).await.unwrap();
    assert!(!f.sessions().end(&[1; 32]).await.unwrap());
    assert!(f.sessions().end(&[2; 32]).await.unwrap());
}

async fn two_replicas_share_one_lease(f: &impl Kept) {
    begin(&f.sessions(), 1, "alice", "s1").await;
    let (one, other) = (f.sessions(), f.another().await);
    let times = (NOW, NOW + 10_000);
    let both = futures_util::future::join(one.lease(&[1; 32], "a", times), other.lease(&[1; 32], "b", times));
    let (one, two) = both.await;
    assert_ne!(one.unwrap(), two.unwrap());
}

async fn what_comes_first_comes_once(f: &impl Kept) {
    let (one, other) = (f.sessions(), f.another().await);
    let times = (NOW, 60_000);
    assert!(!other.has_come("a", times).await.unwrap());
    assert!(one.is_first("a", times).await.unwrap());
    assert!(other.has_come("a", times).await.unwrap());
    assert!(!other.is_first("a", times).await.unwrap());
    assert!(other.is_first("b", times).await.unwrap());
    other.forget_first("a").await.unwrap();
    assert!(one.is_first("a", times).await.unwrap());
}

#[tokio::test]
async fn a_question_that_nobody_asks_on_holds_up_no_other_while_redis_does_not_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let server = RedisServer::named(&url, None).unwrap();
    let sessions = BffSessions::Redis(RedisSessions::of(server, "silent"));
    let mut left = Box::pin(sessions.find(&[1; 32], (NOW, IDLE)));
    let _connection = tokio::select! {
        _ = &mut left => panic!("nobody has answered"),
        connection = listener.accept() => connection.unwrap(),
    };
    // From here on it is there, and does nothing.
    let asked = sessions.find(&[2; 32], (NOW, IDLE));
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await;
    assert!(matches!(told, Ok(Err(StoreError::Unavailable(_)))), "{told:?}");
    drop(left);
}
