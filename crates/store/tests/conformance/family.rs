//! Families: how they begin and how they are taken back.

use carnet_oauth::revocation::RevocationKind;
use carnet_store::{NewLogin, Reason, Rotated, ThrottleRule};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ABSOLUTE, IDLE, NOW, cut, login, new_login, open_sessions, theft, user};

on_every_engine!(
    a_login_begins_session_family_and_audit_in_one,
    a_good_login_forgets_the_counters_that_it_names,
    a_revoked_family_takes_its_session_only_when_nothing_else_holds_it,
    an_idle_window_longer_than_the_life_ends_with_it,
    a_family_is_bound_to_a_key_once,
);

async fn a_login_begins_session_family_and_audit_in_one(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (one, two) = (login(&f.store, &alice).await, login(&f.store, &alice).await);
    assert_eq!(
        (one.generation, one.issued_at, one.sub.as_str()),
        (0, NOW, alice.sub.as_str())
    );
    assert_eq!(
        (one.idle_expires_at, one.absolute_expires_at),
        (NOW + IDLE, NOW + ABSOLUTE)
    );
    assert!(one.fam != two.fam && one.sid != two.sid && one.salt != two.salt && one.id != two.id);
    assert!([&one.fam, &one.sid].iter().all(|name| name.len() == 22));
    let record = f.store.family(&one.fam).await.unwrap().unwrap();
    assert_eq!((&record.family, &record.user), (&one, &alice));
    assert!(f.store.family("none").await.unwrap().is_none());
    let audit = f.store.list_audit(10).await.unwrap();
    assert_eq!(audit.len(), 2);
    assert!(
        audit
            .iter()
            .any(|row| row.event.session == one.sid && row.at == NOW)
    );
}

async fn a_good_login_forgets_the_counters_that_it_names(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let rule = |key: &str| ThrottleRule {
        key: key.to_owned(),
        limit: 1,
        window_ms: 60_000,
    };
    let rules = [rule("mine"), rule("shared")];
    assert_eq!(f.store.count_attempt(&rules, NOW).await.unwrap(), None);
    let clearing = NewLogin {
        throttle_keys_to_clear: vec!["mine".to_owned()],
        ..new_login(&alice)
    };
    f.store.begin_session(&clearing, NOW).await.unwrap().unwrap();
    assert_eq!(f.store.count_attempt(&rules[..1], NOW).await.unwrap(), None);
    assert_eq!(
        f.store.count_attempt(&rules[1..], NOW).await.unwrap(),
        Some(60_000)
    );
}

async fn a_revoked_family_takes_its_session_only_when_nothing_else_holds_it(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (family, other) = (login(&f.store, &alice).await, login(&f.store, &alice).await);
    assert!(
        f.store
            .revoke_family(&family.fam, &cut(NOW + 1, Reason::Revoked))
            .await
            .unwrap()
    );
    assert!(
        !f.store
            .revoke_family(&family.fam, &cut(NOW + 2, Reason::Logout))
            .await
            .unwrap()
    );
    assert!(
        !f.store
            .revoke_family("none", &cut(NOW + 2, Reason::Logout))
            .await
            .unwrap()
    );
    let dead = f.store.family(&family.fam).await.unwrap().unwrap().family;
    assert_eq!(
        (dead.revoked_at, dead.revoked_reason),
        (Some(NOW + 1), Some(Reason::Revoked))
    );
    assert_eq!(
        f.store
            .rotate(family.clone(), (0, None), (NOW + 2, 0), theft)
            .await
            .unwrap(),
        Rotated::Revoked
    );
    let entries = f.store.revocations_since(0, 10).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].kind, &entries[0].value),
        (RevocationKind::Fam, &family.fam)
    );
    let open = open_sessions(&f.store, &alice).await;
    assert_eq!(
        open.iter().map(|session| &session.sid).collect::<Vec<_>>(),
        [&other.sid]
    );
}

async fn an_idle_window_longer_than_the_life_ends_with_it(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let short = NewLogin {
        idle_ms: IDLE,
        absolute_ms: 1_000,
        ..new_login(&alice)
    };
    let family = f.store.begin_session(&short, NOW).await.unwrap().unwrap();
    assert_eq!(family.idle_expires_at, NOW + 1_000);
    let Rotated::Fresh(next) = f
        .store
        .rotate(family.clone(), (0, None), (NOW + 999, 0), theft)
        .await
        .unwrap()
    else {
        panic!("it lives")
    };
    assert_eq!(
        (next.idle_expires_at, next.absolute_expires_at),
        (NOW + 1_000, NOW + 1_000)
    );
    assert_eq!(
        f.store
            .rotate(family.clone(), (1, None), (NOW + 1_000, 0), theft)
            .await
            .unwrap(),
        Rotated::Expired
    );
}

async fn a_family_is_bound_to_a_key_once(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let bound = NewLogin {
        jkt: Some("key-1".to_owned()),
        ..new_login(&alice)
    };
    let bound = f.store.begin_session(&bound, NOW).await.unwrap().unwrap();
    let free = login(&f.store, &alice).await;
    for (family, later) in [(bound, "key-1"), (free, "key-2")] {
        let rotate = async |n, jkt| {
            let rotated = f
                .store
                .rotate(family.clone(), (n, jkt), (NOW + n, 0), theft)
                .await;
            match rotated.unwrap() {
                Rotated::Fresh(family) => family.jkt,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(rotate(0, None).await, family.jkt, "nothing is bound by itself");
        assert_eq!(rotate(1, Some("key-2")).await.as_deref(), Some(later));
        assert_eq!(rotate(2, Some("key-3")).await.as_deref(), Some(later));
        let record = f.store.family(&family.fam).await.unwrap().unwrap();
        assert_eq!(record.family.jkt.as_deref(), Some(later));
    }
}
