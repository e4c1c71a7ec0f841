//! Signing keys.

use carnet_oauth::revocation::RevocationKind;
use carnet_store::{AuditAction, KeyState, NewAudit, Reason, SigningKeyRow, StoreError, TokenFacts};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{DAY, NOW, cut, key};

on_every_engine!(
    a_key_lives_through_its_states_and_leaves_nothing_that_signs,
    jk_07_of_nodes_that_stage_at_once_one_is_elected,
    jk_07_of_nodes_that_promote_at_once_one_does_it,
    a_kid_never_comes_back,
    a_revoked_key_is_gone_at_once,
    in_the_place_of_a_revoked_key_another_signs_from_the_same_moment_on,
);

fn audit(action: AuditAction) -> NewAudit {
    NewAudit::success("system", action, "key")
}

async fn add(f: &Fixture, kid: &str, state: KeyState) -> Result<(), StoreError> {
    // Handles sort by time: a staged key is younger than the active one.
    let at = if state == KeyState::Staged { NOW + 1 } else { NOW };
    f.store
        .add_signing_key(&key(kid, state), at, &audit(AuditAction::KeyCreate))
        .await
}

async fn states(f: &Fixture) -> Vec<(String, KeyState)> {
    f.store
        .signing_keys()
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.kid, row.state))
        .collect()
}

async fn a_key_lives_through_its_states_and_leaves_nothing_that_signs(f: &Fixture) {
    let mut epoch = f.store.settings_epoch().await.unwrap();
    let mut moved = async || {
        let now = f.store.settings_epoch().await.unwrap();
        std::mem::replace(&mut epoch, now) < now
    };
    add(f, "one", KeyState::Active).await.unwrap();
    assert!(moved().await);
    add(f, "two", KeyState::Staged).await.unwrap();
    assert!(moved().await);
    assert_eq!(
        f.store.signing_keys().await.unwrap()[1],
        key("two", KeyState::Staged)
    );

    let promoted = f
        .store
        .promote_key("two", NOW + 900, NOW + 5, &audit(AuditAction::KeyPromote))
        .await;
    assert!(promoted.unwrap() && moved().await);
    let rows = f.store.signing_keys().await.unwrap();
    let one = SigningKeyRow {
        state: KeyState::Retiring,
        retires_at: Some(NOW + 5),
        removes_at: Some(NOW + 900),
        ..key("one", KeyState::Active)
    };
    let two = SigningKeyRow {
        state: KeyState::Active,
        activated_at: Some(NOW + 5),
        ..key("two", KeyState::Staged)
    };
    assert_eq!(rows, [one.clone(), two]);

    assert!(
        !f.store
            .remove_key("two", NOW, &audit(AuditAction::KeyRemove))
            .await
            .unwrap(),
        "it signs"
    );
    assert!(!moved().await);
    assert!(
        f.store
            .remove_key("one", NOW + 901, &audit(AuditAction::KeyRemove))
            .await
            .unwrap()
    );
    assert!(moved().await);
    let gone = f.store.signing_keys().await.unwrap().remove(0);
    let removed = SigningKeyRow {
        state: KeyState::Removed,
        removed_at: Some(NOW + 901),
        sealed: None,
        ..one
    };
    assert_eq!(gone, removed);
    assert_eq!(f.store.list_audit(9).await.unwrap().len(), 4);
}

async fn jk_07_of_nodes_that_stage_at_once_one_is_elected(f: &Fixture) {
    for (state, code) in [(KeyState::Active, "key_active"), (KeyState::Staged, "key_staged")] {
        let outcomes =
            join_all((0..20).map(|n| async move { add(f, &format!("{state:?}{n}"), state).await })).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let lost =
            |outcome: &&Result<_, _>| matches!(outcome, Err(StoreError::Conflict(why)) if *why == code);
        assert_eq!(outcomes.iter().filter(lost).count(), 19);
    }
    let other = SigningKeyRow {
        algorithm: "RS256".to_owned(),
        ..key("rsa", KeyState::Active)
    };
    f.store
        .add_signing_key(&other, NOW, &audit(AuditAction::KeyCreate))
        .await
        .unwrap();
    assert_eq!(f.store.signing_keys().await.unwrap().len(), 3);
}

async fn jk_07_of_nodes_that_promote_at_once_one_does_it(f: &Fixture) {
    add(f, "old", KeyState::Active).await.unwrap();
    add(f, "new", KeyState::Staged).await.unwrap();
    let outcomes = join_all((0..20).map(|_| async {
        f.store
            .promote_key("new", NOW + 9, NOW, &audit(AuditAction::KeyPromote))
            .await
            .unwrap()
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1);
    assert_eq!(
        states(f).await,
        [
            ("old".to_owned(), KeyState::Retiring),
            ("new".to_owned(), KeyState::Active)
        ]
    );
    assert!(
        !f.store
            .promote_key("none", NOW, NOW, &audit(AuditAction::KeyPromote))
            .await
            .unwrap()
    );
}

async fn a_kid_never_comes_back(f: &Fixture) {
    add(f, "one", KeyState::Active).await.unwrap();
    assert!(
        f.store
            .revoke_key("one", &cut(NOW, Reason::Revoked))
            .await
            .unwrap()
    );
    assert!(matches!(
        add(f, "one", KeyState::Active).await,
        Err(StoreError::Conflict("key_known"))
    ));
    add(f, "two", KeyState::Active).await.unwrap();
}

async fn a_revoked_key_is_gone_at_once(f: &Fixture) {
    add(f, "one", KeyState::Active).await.unwrap();
    let epoch = f.store.settings_epoch().await.unwrap();
    assert!(
        f.store
            .revoke_key("one", &cut(NOW + 3, Reason::Revoked))
            .await
            .unwrap()
    );
    assert!(
        !f.store
            .revoke_key("one", &cut(NOW + 3, Reason::Revoked))
            .await
            .unwrap()
    );
    let row = f.store.signing_keys().await.unwrap().remove(0);
    assert_eq!(
        (row.state, row.sealed, row.reason.as_deref()),
        (KeyState::Removed, None, Some("revoked"))
    );
    assert_eq!(f.store.settings_epoch().await.unwrap(), epoch + 1);
    let token = TokenFacts {
        kid: Some("one".to_owned()),
        ..TokenFacts::default()
    };
    assert!(f.store.is_revoked(&token).await.unwrap());
    let entry = f.store.revocations_since(0, 9).await.unwrap().remove(0);
    assert_eq!(entry.kind, RevocationKind::Kid);
    // Somebody may have read the key a moment ago, keep it for a day and then not reach us for another.
    assert!(entry.expires > NOW + 2 * DAY);
}

async fn in_the_place_of_a_revoked_key_another_signs_from_the_same_moment_on(f: &Fixture) {
    add(f, "one", KeyState::Active).await.unwrap();
    let cut = cut(NOW + 3, Reason::Revoked);
    let next = key("two", KeyState::Active);
    assert!(f.store.replace_key("one", &next, &cut).await.unwrap());
    let active = |kid: &str| (kid.to_owned(), KeyState::Active);
    let removed = |kid: &str| (kid.to_owned(), KeyState::Removed);
    assert_eq!(states(f).await, [removed("one"), active("two")]);

    // Nothing of it happens when there is nothing to revoke.
    let third = key("three", KeyState::Active);
    assert!(!f.store.replace_key("one", &third, &cut).await.unwrap());
    assert_eq!(states(f).await.len(), 2);

    // The one that caches have seen goes before a new one.
    add(f, "staged", KeyState::Staged).await.unwrap();
    let staged = key("staged", KeyState::Staged);
    assert!(f.store.replace_key("two", &staged, &cut).await.unwrap());
    let mut all = states(f).await;
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all, [removed("one"), active("staged"), removed("two")]);
}
