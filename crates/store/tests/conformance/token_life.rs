//! What is taken back is remembered for as long as tokens live that any server of the database makes, or has made.

use carnet_store::{ConfiguredClient, Ended, Reason, Strength};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ENTRY_TTL, NOW, cut, key, login, user};

on_every_engine!(
    whatever_takes_tokens_back_is_kept_as_long_as_any_server_says_that_they_live,
    a_shorter_life_counts_when_the_longer_ones_have_passed,
    what_a_session_left_is_taken_back_for_as_long_as_its_tokens_live,
    a_start_remembers_how_long_tokens_lived_at_the_one_before,
);

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const LONG: i64 = 2 * ENTRY_TTL;

/// When the newest entries may leave.
async fn kept(f: &Fixture, since: i64) -> Vec<i64> {
    let entries = f.store.revocations_since(since, 99).await.unwrap();
    entries.into_iter().map(|entry| entry.expires).collect()
}

async fn whatever_takes_tokens_back_is_kept_as_long_as_any_server_says_that_they_live(f: &Fixture) {
    let store = &f.store;
    store.say_token_life(LONG, NOW - MINUTE).await.unwrap();
    // Another server, and the one who takes back, know of shorter lives.
    store.say_token_life(ENTRY_TTL / 2, NOW).await.unwrap();
    let (alice, bob) = (
        user(store, "a@example.com").await,
        user(store, "b@example.com").await,
    );
    let (first, second) = (login(store, &alice).await, login(store, &alice).await);
    login(store, &bob).await;
    let cut = cut(NOW, Reason::Revoked);
    store.revoke_token("j", &cut).await.unwrap();
    store.revoke_client("c", None, &cut).await.unwrap();
    store.revoke_client("c", Some("u"), &cut).await.unwrap();
    store.revoke_family(&first.fam, &cut).await.unwrap();
    let ended = store
        .end_session(&second.sid, Strength::DenyList, Some("k"), &cut)
        .await;
    assert_eq!(ended.unwrap(), Ended::Now);
    store.revoke_user((bob.id, &bob.sub), &cut).await.unwrap();
    let withdrawn = store.withdraw_consent((bob.id, &bob.sub), "c", &cut).await;
    withdrawn.unwrap();
    let all = kept(f, 0).await;
    assert_eq!(all, vec![NOW + LONG; all.len()]);
    assert_eq!(all.len(), 11);
    // A key is remembered for longer anyhow.
    let row = key("k", carnet_store::KeyState::Active);
    store.add_signing_key(&row, NOW, &cut.audit).await.unwrap();
    assert!(store.revoke_key("k", &cut).await.unwrap());
    assert!(kept(f, 11).await[0] > NOW + LONG);
}

async fn a_shorter_life_counts_when_the_longer_ones_have_passed(f: &Fixture) {
    let store = &f.store;
    let revoked = async |jti: &str, at: i64| {
        let last = store.revocation_clock().await.unwrap().last;
        store.revoke_token(jti, &cut(at, Reason::Revoked)).await.unwrap();
        kept(f, last).await[0] - at
    };
    // Two servers that make longer ones, each until another time; late news of one changes nothing.
    for at in [NOW, NOW + HOUR, NOW] {
        store.say_token_life(3 * ENTRY_TTL, at).await.unwrap();
    }
    store.say_token_life(LONG, NOW + 3 * HOUR).await.unwrap();
    let longest = NOW + 2 * HOUR + 3 * ENTRY_TTL;
    let long = NOW + 4 * HOUR + LONG;
    for (jti, at, life) in [
        ("a", NOW + HOUR, 3 * ENTRY_TTL),
        ("b", longest, 3 * ENTRY_TTL),
        ("c", longest + 1, LONG),
        ("d", long, LONG),
        ("e", long + 1, ENTRY_TTL),
    ] {
        assert_eq!(revoked(jti, at).await, life, "{jti}");
    }
}

async fn what_a_session_left_is_taken_back_for_as_long_as_its_tokens_live(f: &Fixture) {
    let store = &f.store;
    store.say_token_life(LONG, NOW).await.unwrap();
    let alice = user(store, "a@example.com").await;
    let session = login(store, &alice).await;
    let logout = cut(NOW, Reason::Logout);
    let left = store.end_session(&session.sid, Strength::RefreshOnly, None, &logout);
    assert_eq!(left.await.unwrap(), Ended::Now);
    // Longer ago than tokens live that this server makes.
    let later = cut(NOW + ENTRY_TTL + 1, Reason::Revoked);
    for _ in 0..2 {
        let ended = store.end_session(&session.sid, Strength::DenyList, None, &later);
        assert_eq!(ended.await.unwrap(), Ended::Before);
        store.revoke_family(&session.fam, &later).await.unwrap();
        assert_eq!(kept(f, 0).await, [NOW + LONG; 2], "its sid and its family, once");
    }
    // Nothing of it is left.
    let other = login(store, &alice).await;
    let left = store.end_session(&other.sid, Strength::RefreshOnly, None, &logout);
    assert_eq!(left.await.unwrap(), Ended::Now);
    let too_late = cut(NOW + LONG + 1, Reason::Revoked);
    let ended = store.end_session(&other.sid, Strength::DenyList, Some("j"), &too_late);
    assert_eq!(ended.await.unwrap(), Ended::Before);
    assert_eq!(kept(f, 2).await, [0; 0]);
}

async fn a_start_remembers_how_long_tokens_lived_at_the_one_before(f: &Fixture) {
    let store = &f.store;
    let file = |entry_ttl_ms: i64| ConfiguredClient {
        client_id: "c".to_owned(),
        service: String::new(),
        entry_ttl_ms,
    };
    let start = async |entry_ttl_ms: i64, at: i64| {
        let clients = [file(entry_ttl_ms)];
        let cut = cut(at, Reason::Revoked);
        store.know_configured_clients(&clients, &cut).await.unwrap();
    };
    start(LONG, NOW).await;
    // A version that did not say it has run for a year.
    let restarted = NOW + 365 * 24 * HOUR;
    start(ENTRY_TTL, restarted).await;
    for (jti, at, life) in [
        ("a", restarted + LONG, LONG),
        ("b", restarted + HOUR + LONG + 1, ENTRY_TTL),
    ] {
        let last = store.revocation_clock().await.unwrap().last;
        store.revoke_token(jti, &cut(at, Reason::Revoked)).await.unwrap();
        assert_eq!(kept(f, last).await, [at + life], "{jti}");
    }
}
