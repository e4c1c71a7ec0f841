//! Sweeping.

use carnet_store::{NewLogin, SweepReport, ThrottleRule};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ABSOLUTE, DAY, NOW, login, new_login, until, user};

on_every_engine!(
    a_sweep_removes_what_has_expired_and_nothing_else,
    a_sweep_is_bounded
);

async fn a_sweep_removes_what_has_expired_and_nothing_else(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    let long = login(store, &alice).await;
    let short = NewLogin {
        absolute_ms: 2 * DAY,
        ..new_login(&alice)
    };
    let short = store.begin_session(&short, NOW).await.unwrap().unwrap();
    store.revoke_token("old", &until(NOW + DAY)).await.unwrap();
    store.revoke_token("new", &until(NOW + 9 * DAY)).await.unwrap();
    let rule = ThrottleRule {
        key: "k".to_owned(),
        limit: 1,
        window_ms: DAY,
    };
    store
        .count_attempt(std::slice::from_ref(&rule), NOW)
        .await
        .unwrap();

    assert_eq!(store.sweep(NOW, 100).await.unwrap(), SweepReport::default());
    let swept = store.sweep(NOW + 4 * DAY, 100).await.unwrap();
    assert_eq!(
        swept,
        SweepReport {
            revocations: 1,
            throttles: 1,
            families: 1,
            sessions: 1,
            tickets: 0,
            clients: 0
        }
    );
    assert!(store.family(&short.fam).await.unwrap().is_none());
    assert!(store.session(&short.sid).await.unwrap().is_none());
    assert!(store.family(&long.fam).await.unwrap().is_some());
    let left = store.revocations_since(0, 9).await.unwrap();
    assert_eq!(
        left.iter().map(|entry| entry.value.as_str()).collect::<Vec<_>>(),
        ["new"]
    );
    let last = store.sweep(NOW + ABSOLUTE + 2 * DAY, 100).await.unwrap();
    assert_eq!((last.families, last.sessions), (1, 1));
    assert!(store.user_by_sub(&alice.sub).await.unwrap().is_some());
    assert_eq!(
        store.revocation_clock().await.unwrap().last,
        2,
        "the clock never goes back"
    );
}

async fn a_sweep_is_bounded(f: &Fixture) {
    for n in 0..25 {
        f.store.revoke_token(&format!("j{n}"), &until(NOW)).await.unwrap();
    }
    let first = f.store.sweep(NOW + 1, 10).await.unwrap();
    assert!(first.revocations == 10 && first.is_full(10));
    f.store.sweep(NOW + 1, 10).await.unwrap();
    let last = f.store.sweep(NOW + 1, 10).await.unwrap();
    assert!(last.revocations == 5 && !last.is_full(10));
}
