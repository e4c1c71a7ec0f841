//! Sessions of browsers at a gateway.

use carnet_store::{BffSession, NewBffSession, Store};

use crate::support::engine::{Fixture, on_every_engine, on_shared_engines};
use crate::support::sample::NOW;

on_every_engine!(
    a_session_lives_until_it_rests_or_its_time_is_over,
    a_session_is_changed_by_whoever_has_seen_its_last_version,
    one_at_a_time_holds_the_lease_until_it_ends,
    lo_05_an_end_is_the_end_of_what_was_named,
    what_has_expired_is_forgotten_with_the_next_login,
);
on_shared_engines!(two_replicas_share_one_lease);

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

async fn begin(store: &Store, digest: u8, sub: &str, sid: &str) {
    store
        .begin_bff_session(&new(digest, sub, sid), NOW)
        .await
        .unwrap();
}

async fn find(store: &Store, digest: u8, now: i64) -> Option<BffSession> {
    store.bff_session(&[digest; 32], (now, IDLE)).await.unwrap()
}

async fn a_session_lives_until_it_rests_or_its_time_is_over(f: &Fixture) {
    begin(&f.store, 1, "alice", "s1").await;
    let session = find(&f.store, 1, NOW).await.unwrap();
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
    assert_eq!(find(&f.store, 2, NOW).await, None);
    assert!(find(&f.store, 1, NOW + IDLE - 1).await.is_some());
    assert_eq!(
        find(&f.store, 1, NOW + IDLE).await,
        None,
        "it has rested too long"
    );
    f.store.touch_bff_session(&[1; 32], NOW + 1).await.unwrap();
    let session = find(&f.store, 1, NOW + IDLE).await.unwrap();
    assert_eq!((session.used, session.last_seen_at), (true, NOW + 1));
    f.store.touch_bff_session(&[1; 32], NOW + 60_000).await.unwrap();
    assert_eq!(
        find(&f.store, 1, NOW + IDLE).await.unwrap().last_seen_at,
        NOW + 1,
        "once a minute"
    );
    for minute in 1..10 {
        f.store
            .touch_bff_session(&[1; 32], NOW + 1 + minute * 60_000)
            .await
            .unwrap();
    }
    assert!(find(&f.store, 1, NOW + ABSOLUTE - 1).await.is_some());
    assert_eq!(find(&f.store, 1, NOW + ABSOLUTE).await, None);
}

async fn a_session_is_changed_by_whoever_has_seen_its_last_version(f: &Fixture) {
    begin(&f.store, 1, "alice", "s1").await;
    let digest = [1; 32];
    assert!(f.store.renew_bff_session(&digest, (1, vec![7])).await.unwrap());
    assert!(!f.store.renew_bff_session(&digest, (1, vec![8])).await.unwrap());
    let session = find(&f.store, 1, NOW).await.unwrap();
    assert_eq!((session.version, session.sealed), (2, vec![7]));
    assert!(f.store.end_bff_session(&digest).await.unwrap());
    assert!(!f.store.end_bff_session(&digest).await.unwrap());
    assert!(!f.store.renew_bff_session(&digest, (2, vec![8])).await.unwrap());
}

async fn one_at_a_time_holds_the_lease_until_it_ends(f: &Fixture) {
    begin(&f.store, 1, "alice", "s1").await;
    let lease = async |owner: &str, at: i64| {
        let times = (NOW + at, NOW + at + 10_000);
        f.store.lease_bff_session(&[1; 32], owner, times).await.unwrap()
    };
    assert!(lease("a", 0).await);
    assert!(!lease("b", 9_999).await);
    assert!(lease("a", 9_999).await, "whoever has it keeps it");
    assert!(!lease("b", 10_000).await);
    assert!(lease("b", 19_999).await, "it has ended");
    f.store.release_bff_session(&[1; 32], "a").await.unwrap();
    assert!(!lease("a", 20_000).await, "nobody gives back what another holds");
    f.store.release_bff_session(&[1; 32], "b").await.unwrap();
    assert!(lease("a", 20_000).await);
    assert!(f.store.renew_bff_session(&[1; 32], (1, vec![7])).await.unwrap());
    assert!(lease("b", 20_000).await, "a change gives it back");
    let times = (NOW, NOW + 1);
    assert!(
        !f.store.lease_bff_session(&[2; 32], "a", times).await.unwrap(),
        "there is no such session"
    );
}

async fn lo_05_an_end_is_the_end_of_what_was_named(f: &Fixture) {
    let begun = [
        (1, "alice", "s1"),
        (2, "alice", "s2"),
        (3, "bob", "s3"),
        (4, "bob", ""),
    ];
    for (digest, sub, sid) in begun {
        begin(&f.store, digest, sub, sid).await;
    }
    let end = async |client: &str, sub: Option<&str>, sid: Option<&str>| {
        f.store.end_bff_sessions(client, sub, sid).await.unwrap()
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
    let list = f
        .store
        .bff_sessions_of(("app", "bob"), (NOW, IDLE))
        .await
        .unwrap();
    assert_eq!(list.len(), 2);
    let name = list[0].name.as_str();
    assert!(
        !f.store
            .end_bff_session_named(("app", "alice"), name)
            .await
            .unwrap()
    );
    assert!(f.store.end_bff_session_named(("app", "bob"), name).await.unwrap());
    assert_eq!(end("app", Some("bob"), None).await, 1);
    assert_eq!(
        f.store
            .bff_sessions_of(("app", "bob"), (NOW, IDLE))
            .await
            .unwrap(),
        []
    );
}

async fn what_has_expired_is_forgotten_with_the_next_login(f: &Fixture) {
    begin(&f.store, 1, "alice", "s1").await;
    let later = NewBffSession {
        absolute_expires_at: NOW + 2 * ABSOLUTE,
        ..new(2, "alice", "s2")
    };
    f.store.begin_bff_session(&later, NOW + ABSOLUTE).await.unwrap();
    assert!(!f.store.end_bff_session(&[1; 32]).await.unwrap());
    assert!(f.store.end_bff_session(&[2; 32]).await.unwrap());
}

async fn two_replicas_share_one_lease(f: &Fixture) {
    begin(&f.store, 1, "alice", "s1").await;
    let other = Store::open(&f.config).await.unwrap();
    let times = (NOW, NOW + 10_000);
    let both = futures_util::future::join(
        f.store.lease_bff_session(&[1; 32], "a", times),
        other.lease_bff_session(&[1; 32], "b", times),
    );
    let (one, two) = both.await;
    assert_ne!(one.unwrap(), two.unwrap());
    other.close().await;
}
