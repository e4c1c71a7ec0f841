//! Passwords.

use carnet_store::{NewLogin, NewPassword, Reason, TokenFacts};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{NOW, cut, login, new_login, open_sessions, user};

on_every_engine!(
    rt_08_a_new_password_ends_every_other_session_and_no_login_of_the_same_second,
    a_stronger_hash_of_the_same_password_changes_nothing_else,
    a_session_does_not_begin_with_a_password_that_has_changed,
    of_two_changes_from_the_same_password_one_wins,
    imported_hashes_are_found,
);

fn second(sub: &str) -> NewPassword {
    NewPassword::given(sub, "$hash$2".to_owned())
}

async fn imported_hashes_are_found(f: &Fixture) {
    let (alice, bob) = (
        user(&f.store, "a@x.example").await,
        user(&f.store, "b@x.example").await,
    );
    let change = cut(NOW, Reason::PasswordChanged);
    for (sub, hash) in [(&alice.sub, "$argon2id$v=19$ours"), (&bob.sub, "$2b$12$theirs")] {
        let new = NewPassword::given(sub, hash.to_owned());
        assert!(f.store.set_password(&new, &change).await.unwrap());
    }
    let foreign = f.store.password_hashes_unlike("$argon2id$").await.unwrap();
    assert_eq!(foreign, ["$2b$12$theirs"]);
}

async fn of_two_changes_from_the_same_password_one_wins(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let change = cut(NOW, Reason::PasswordChanged);
    let (first, late) = (
        NewPassword {
            unless_changed_since: Some(NOW),
            ..second(&alice.sub)
        },
        NewPassword {
            hash: "$late".to_owned(),
            unless_changed_since: Some(NOW),
            ..second(&alice.sub)
        },
    );
    assert!(f.store.set_password(&first, &change).await.unwrap());
    let kept = login(&f.store, &alice).await;
    assert!(!f.store.set_password(&late, &change).await.unwrap());
    let record = f.store.find_login("a@x.example").await.unwrap().unwrap();
    assert_eq!(record.password_hash.as_deref(), Some("$hash$2"));
    let kept = f.store.family(&kept.fam).await.unwrap().unwrap().family;
    assert!(
        kept.revoked_at.is_none(),
        "a change that came to nothing ends nothing"
    );
}

async fn rt_08_a_new_password_ends_every_other_session_and_no_login_of_the_same_second(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (kept, other) = (login(&f.store, &alice).await, login(&f.store, &alice).await);
    let change = cut(NOW + 100, Reason::PasswordChanged);
    let changed = NewPassword {
        keep_session: Some(kept.sid.clone()),
        ..second(&alice.sub)
    };
    assert!(f.store.set_password(&changed, &change).await.unwrap());
    let later = f
        .store
        .begin_session(&new_login(&alice), NOW + 101)
        .await
        .unwrap()
        .unwrap();

    let facts = |family: &carnet_store::Family| TokenFacts {
        sid: Some(family.sid.clone()),
        fam: Some(family.fam.clone()),
        sub: alice.sub.clone(),
        client_id: family.client_id.clone(),
        iat: NOW / 1_000,
        ..TokenFacts::default()
    };
    assert!(f.store.is_revoked(&facts(&other)).await.unwrap());
    for family in [&kept, &later] {
        assert!(!f.store.is_revoked(&facts(family)).await.unwrap());
        assert!(
            f.store
                .family(&family.fam)
                .await
                .unwrap()
                .unwrap()
                .family
                .revoked_at
                .is_none()
        );
    }
    let dead = f.store.family(&other.fam).await.unwrap().unwrap().family;
    assert_eq!(dead.revoked_reason, Some(Reason::PasswordChanged));
    assert_eq!(open_sessions(&f.store, &alice).await.len(), 2);
    assert!(!f.store.set_password(&second("nobody"), &change).await.unwrap());
}

async fn a_stronger_hash_of_the_same_password_changes_nothing_else(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    let store = &f.store;
    assert!(
        store
            .replace_password_hash(&alice.sub, "$hash$1", "$strong", NOW + 9)
            .await
            .unwrap()
    );
    assert!(
        !store
            .replace_password_hash(&alice.sub, "$hash$1", "$other", NOW + 9)
            .await
            .unwrap()
    );
    let record = store.find_login("a@x.example").await.unwrap().unwrap();
    assert_eq!(record.password_hash.as_deref(), Some("$strong"));
    assert_eq!(record.password_changed_at, Some(NOW));
    assert!(
        store
            .family(&family.fam)
            .await
            .unwrap()
            .unwrap()
            .family
            .revoked_at
            .is_none()
    );
}

async fn a_session_does_not_begin_with_a_password_that_has_changed(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let seen = f
        .store
        .find_login("a@x.example")
        .await
        .unwrap()
        .unwrap()
        .password_changed_at;
    // In the same millisecond: the time of change advances all the same.
    f.store
        .set_password(&second(&alice.sub), &cut(NOW, Reason::PasswordChanged))
        .await
        .unwrap();
    let stale = NewLogin {
        password_changed_at: seen,
        ..new_login(&alice)
    };
    assert!(f.store.begin_session(&stale, NOW).await.unwrap().is_none());
    let now = f
        .store
        .find_login("a@x.example")
        .await
        .unwrap()
        .unwrap()
        .password_changed_at;
    let fresh = NewLogin {
        password_changed_at: now,
        ..new_login(&alice)
    };
    assert!(f.store.begin_session(&fresh, NOW).await.unwrap().is_some());
}
