//! The last administrator stays, unless somebody says that nobody shall.

use carnet_store::{Reason, Store, StoreError, UserState};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{NOW, cut, user};

on_every_engine!(
    the_last_administrator_is_neither_disabled_nor_deposed,
    of_two_administrators_who_depose_each_other_one_stays,
);

async fn two(store: &Store) -> [String; 2] {
    store.add_role("admin", "", NOW).await.unwrap();
    store.add_role("editor", "", NOW).await.unwrap();
    let (alice, bob) = (user(store, "a@x.example").await, user(store, "b@x.example").await);
    for sub in [&alice.sub, &bob.sub] {
        store.give_role(sub, "admin").await.unwrap();
    }
    [alice.sub, bob.sub]
}

fn is_last(result: Result<bool, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict("last_administrator")))
}

async fn the_last_administrator_is_neither_disabled_nor_deposed(f: &Fixture) {
    let store = &f.store;
    let [alice, bob] = two(store).await;
    store.give_role(&alice, "editor").await.unwrap();
    let set = async |sub: &str, state| {
        let cut = cut(NOW, Reason::UserDisabled);
        store
            .set_user_state_unless_last((sub, state), "admin", &cut)
            .await
    };
    assert!(set(&bob, UserState::Disabled).await.unwrap());
    let audit = store.list_audit(99).await.unwrap().len();
    for state in [UserState::Disabled, UserState::Deleted] {
        assert!(is_last(set(&alice, state).await));
    }
    assert!(is_last(store.take_role_unless_last(&alice, "admin").await));
    assert!(is_last(store.remove_role_unless_last("admin").await));
    // Nothing was done.
    let seen = store.user_by_sub(&alice).await.unwrap().unwrap();
    assert_eq!(seen.state, UserState::Active);
    assert_eq!(store.roles_of(seen.id).await.unwrap(), ["admin", "editor"]);
    assert_eq!(store.list_audit(99).await.unwrap().len(), audit);
    // Who is no administrator is no matter, nor a role that is another.
    assert!(store.take_role_unless_last(&bob, "admin").await.unwrap());
    assert!(!store.remove_role_unless_last("nothing").await.unwrap());
    assert!(!set("nobody", UserState::Disabled).await.unwrap());
    let cut = cut(NOW, Reason::UserDisabled);
    assert!(
        store
            .set_user_state(&alice, UserState::Disabled, &cut)
            .await
            .unwrap()
    );
    // Nobody administers any more: there is nothing left to keep.
    assert!(store.remove_role_unless_last("admin").await.unwrap());
}

async fn of_two_administrators_who_depose_each_other_one_stays(f: &Fixture) {
    let [alice, bob] = two(&f.store).await;
    let first = f.store.take_role_unless_last(&alice, "admin");
    let second = f.store.take_role_unless_last(&bob, "admin");
    let (first, second) = tokio::join!(first, second);
    assert_ne!(is_last(first), is_last(second));
}
