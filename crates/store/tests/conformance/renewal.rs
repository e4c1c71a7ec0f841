//! Renewal: the live token goes on, and nothing is written over.

use carnet_store::Rotated;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{NOW, login, open_sessions, theft, user};

on_every_engine!(
    rt_01_what_is_renewed_stays_the_live_token_and_what_was_spent_is_a_theft,
    what_has_changed_since_the_family_was_read_is_not_written_over,
);

const GRACE: i64 = 10_000;

async fn rt_01_what_is_renewed_stays_the_live_token_and_what_was_spent_is_a_theft(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    for wait in [1_000, 500, 2_000] {
        let renewed = f
            .store
            .renew(family.clone(), (0, None), (NOW + wait, GRACE), theft)
            .await;
        let Rotated::Fresh(renewed) = renewed.unwrap() else {
            panic!("the live token")
        };
        // It rests anew; the clock that steps back takes nothing away.
        let latest = NOW + wait.max(1_000) + family.idle_ms;
        assert_eq!((renewed.generation, renewed.idle_expires_at), (0, latest));
        assert_eq!(renewed.issued_at, family.issued_at);
    }
    let sessions = open_sessions(&f.store, &alice).await;
    assert_eq!(sessions[0].last_seen_at, NOW + 2_000);
    let late = family.absolute_expires_at;
    let expired = f
        .store
        .renew(family.clone(), (0, None), (late, GRACE), theft)
        .await;
    assert_eq!(expired.unwrap(), Rotated::Expired);
    let rotated = f
        .store
        .rotate(family.clone(), (0, None), (NOW + 3_000, GRACE), theft)
        .await;
    assert!(matches!(rotated.unwrap(), Rotated::Fresh(_)));
    let spent = f
        .store
        .renew(family.clone(), (0, None), (NOW + 3_000 + GRACE, GRACE), theft)
        .await;
    assert!(matches!(spent.unwrap(), Rotated::Reused(_)));
    let dead = f
        .store
        .renew(family.clone(), (1, None), (NOW + 3_000 + GRACE, GRACE), theft)
        .await;
    assert_eq!(dead.unwrap(), Rotated::Revoked);
}

async fn what_has_changed_since_the_family_was_read_is_not_written_over(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    // Bound to a key, and nothing else.
    let bound = f
        .store
        .renew(family.clone(), (0, Some("key-1")), (NOW, GRACE), theft)
        .await;
    let Rotated::Fresh(bound) = bound.unwrap() else {
        panic!("the live token")
    };
    assert_eq!(bound.idle_expires_at, family.idle_expires_at);
    let other = f
        .store
        .renew(family, (0, Some("key-2")), (NOW, GRACE), theft)
        .await;
    assert_eq!(
        other.unwrap(),
        Rotated::Fresh(bound.clone()),
        "the first key stays"
    );
    // It rests anew, of the same generation.
    let rested = f
        .store
        .renew(bound.clone(), (0, None), (NOW + 9, GRACE), theft)
        .await;
    assert!(matches!(rested.unwrap(), Rotated::Fresh(_)));
    let rotated = f.store.rotate(bound, (0, None), (NOW + 5, GRACE), theft).await;
    let Rotated::Fresh(family) = rotated.unwrap() else {
        panic!("the live token")
    };
    assert_eq!((family.generation, family.jkt.as_deref()), (1, Some("key-1")));
    assert_eq!(family.idle_expires_at, NOW + 9 + family.idle_ms);
    let stored = f.store.family(&family.fam).await.unwrap().unwrap().family;
    assert_eq!(stored, family);
    // Revoked since it was read.
    assert!(f.store.revoke_family(&family.fam, &theft(NOW + 6)).await.unwrap());
    let dead = f
        .store
        .rotate(family.clone(), (1, None), (NOW + 7, GRACE), theft)
        .await;
    assert_eq!(dead.unwrap(), Rotated::Revoked);
    let stored = f.store.family(&family.fam).await.unwrap().unwrap().family;
    assert_eq!((stored.generation, stored.revoked_at), (1, Some(NOW + 6)));
}
