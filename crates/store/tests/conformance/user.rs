//! Users.

use carnet_store::{KeyState, Reason, StoreError, TokenFacts, UserState};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{NOW, cut, login, new_login, new_user, open_sessions, user};

on_every_engine!(
    a_user_is_found_by_address_and_by_sub,
    rc_06_one_address_belongs_to_one_user,
    a_user_of_a_taken_address_leaves_nothing_behind,
    users_are_listed_in_the_order_they_were_made,
    rt_08_disabling_a_user_takes_everything_down_at_once,
    disabling_reaches_every_token_made_until_then_and_nobody_else,
    an_enabled_user_begins_anew,
    a_deleted_user_is_a_tombstone,
    handles_and_names_tell_nothing,
);

async fn a_user_is_found_by_address_and_by_sub(f: &Fixture) {
    let made = user(&f.store, "Alice@Example.com").await;
    let record = f.store.find_login("alice@example.com").await.unwrap().unwrap();
    assert_eq!(record.user, made);
    assert_eq!(record.user.email, "Alice@Example.com", "the spelling is kept");
    assert_eq!(
        (record.password_hash.as_deref(), record.password_changed_at),
        (Some("$hash$1"), Some(NOW))
    );
    assert_eq!(f.store.user_by_sub(&made.sub).await.unwrap().unwrap(), made);
    assert!(f.store.find_login("Alice@Example.com").await.unwrap().is_none());
    assert!(f.store.user_by_sub("nobody").await.unwrap().is_none());

    let bare = carnet_store::NewUser {
        password_hash: None,
        name: None,
        ..new_user("b@example.com")
    };
    f.store.create_user(&bare, NOW).await.unwrap();
    let record = f.store.find_login("b@example.com").await.unwrap().unwrap();
    assert_eq!(
        (record.password_hash, record.password_changed_at, record.user.name),
        (None, None, None)
    );
}

async fn rc_06_one_address_belongs_to_one_user(f: &Fixture) {
    let spellings = ["a@x.example", "A@x.example", "a@X.example", "A@X.EXAMPLE"];
    let tries = (0..20).map(|n| {
        let store = f.store.clone();
        async move { store.create_user(&new_user(spellings[n % 4]), NOW).await }
    });
    let outcomes = join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let taken = |outcome: &&Result<_, _>| matches!(outcome, Err(StoreError::Conflict("email_taken")));
    assert_eq!(outcomes.iter().filter(taken).count(), 19);
    assert_eq!(f.store.list_users(None, 100).await.unwrap().len(), 1);
}

async fn a_user_of_a_taken_address_leaves_nothing_behind(f: &Fixture) {
    user(&f.store, "a@x.example").await;
    let unknown_role = carnet_store::NewUser {
        roles: vec!["none".to_owned()],
        ..new_user("b@x.example")
    };
    let refused = f.store.create_user(&unknown_role, NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict("role_unknown"))));
    assert!(f.store.find_login("b@x.example").await.unwrap().is_none());
    let sub = f.store.list_users(None, 9).await.unwrap().remove(0).sub;
    let same_sub = carnet_store::NewUser {
        sub,
        ..new_user("c@x.example")
    };
    let refused = f.store.create_user(&same_sub, NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict("sub_taken"))));
    assert_eq!(f.store.list_users(None, 9).await.unwrap().len(), 1);
}

async fn users_are_listed_in_the_order_they_were_made(f: &Fixture) {
    for n in 0..7 {
        f.store
            .create_user(&new_user(&format!("{}@x.example", 9 - n)), NOW + n)
            .await
            .unwrap();
    }
    let first = f.store.list_users(None, 4).await.unwrap();
    let rest = f.store.list_users(Some(&first[3].sub), 100).await.unwrap();
    let emails: Vec<String> = first.into_iter().chain(rest).map(|user| user.email).collect();
    let expected: Vec<String> = (0..7).map(|n| format!("{}@x.example", 9 - n)).collect();
    assert_eq!(emails, expected);
    assert!(f.store.list_users(Some("nobody"), 9).await.unwrap().is_empty());
}

async fn rt_08_disabling_a_user_takes_everything_down_at_once(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (first, second) = (login(&f.store, &alice).await, login(&f.store, &alice).await);
    let cut = cut(NOW + 5_500, Reason::UserDisabled);
    assert!(
        f.store
            .set_user_state(&alice.sub, UserState::Disabled, &cut)
            .await
            .unwrap()
    );

    assert!(open_sessions(&f.store, &alice).await.is_empty());
    for family in [&first, &second] {
        let record = f.store.family(&family.fam).await.unwrap().unwrap();
        assert_eq!(record.family.revoked_reason, Some(Reason::UserDisabled));
        assert_eq!(record.user.state, UserState::Disabled);
        let token = TokenFacts {
            fam: Some(family.fam.clone()),
            iat: i64::MAX,
            ..TokenFacts::default()
        };
        assert!(f.store.is_revoked(&token).await.unwrap());
    }
    let begun = f.store.begin_session(&new_login(&alice), NOW).await.unwrap();
    assert!(begun.is_none(), "a disabled user begins no session");
    let nobody = f.store.set_user_state("nobody", UserState::Disabled, &cut).await;
    assert!(!nobody.unwrap());
}

async fn disabling_reaches_every_token_made_until_then_and_nobody_else(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let bob = user(&f.store, "b@x.example").await;
    let (own, other) = (login(&f.store, &alice).await, login(&f.store, &bob).await);
    let cut = cut(NOW + 5_500, Reason::UserDisabled);
    f.store
        .set_user_state(&alice.sub, UserState::Disabled, &cut)
        .await
        .unwrap();
    let of = |sub: &str, iat| TokenFacts {
        sub: sub.to_owned(),
        iat,
        ..TokenFacts::default()
    };
    let second_of_the_cut = (NOW + 5_500) / 1_000;
    let is_revoked = async |token: TokenFacts| f.store.is_revoked(&token).await.unwrap();
    assert!(is_revoked(of(&alice.sub, second_of_the_cut - 1)).await);
    // In that second by session, so that a login right after enabling lives.
    let of_a_session = |sid: &str| TokenFacts {
        sid: Some(sid.to_owned()),
        ..of(&alice.sub, second_of_the_cut)
    };
    assert!(is_revoked(of_a_session(&own.sid)).await);
    assert!(!is_revoked(of_a_session("a-later-one")).await);
    assert!(!f.store.is_revoked(&of(&bob.sub, 0)).await.unwrap());
    assert!(
        f.store
            .family(&other.fam)
            .await
            .unwrap()
            .unwrap()
            .family
            .revoked_at
            .is_none()
    );
}

async fn an_enabled_user_begins_anew(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let old = login(&f.store, &alice).await;
    let sub = alice.sub.as_str();
    f.store
        .set_user_state(sub, UserState::Disabled, &cut(NOW, Reason::UserDisabled))
        .await
        .unwrap();
    let clock = f.store.revocation_clock().await.unwrap();
    f.store
        .set_user_state(sub, UserState::Active, &cut(NOW, Reason::Revoked))
        .await
        .unwrap();
    assert_eq!(
        f.store.revocation_clock().await.unwrap(),
        clock,
        "enabling takes nothing back"
    );
    login(&f.store, &alice).await;
    assert!(
        f.store
            .family(&old.fam)
            .await
            .unwrap()
            .unwrap()
            .family
            .revoked_at
            .is_some()
    );
}

async fn a_deleted_user_is_a_tombstone(f: &Fixture) {
    f.store.add_role("editor", "", NOW).await.unwrap();
    let new = carnet_store::NewUser {
        roles: vec!["editor".to_owned()],
        ..new_user("a@x.example")
    };
    let alice = f.store.create_user(&new, NOW).await.unwrap();
    let family = login(&f.store, &alice).await;
    let session = async || f.store.session(&family.sid).await.unwrap().unwrap();
    assert!(!session().await.address.is_empty() && !session().await.user_agent.is_empty());
    let cut = cut(NOW + 1, Reason::UserDeleted);
    assert!(
        f.store
            .set_user_state(&alice.sub, UserState::Deleted, &cut)
            .await
            .unwrap()
    );
    let gone = f.store.user_by_sub(&alice.sub).await.unwrap().unwrap();
    assert_eq!(
        (gone.state, gone.email.as_str(), gone.name),
        (UserState::Deleted, "", None)
    );
    assert!(f.store.find_login("a@x.example").await.unwrap().is_none());
    assert!(f.store.roles_of(alice.id).await.unwrap().is_empty());
    assert!(session().await.address.is_empty() && session().await.user_agent.is_empty());
    let back = f.store.set_user_state(&alice.sub, UserState::Active, &cut).await;
    assert!(matches!(back, Err(StoreError::Conflict("user_deleted"))));
    let again = user(&f.store, "a@x.example").await;
    assert_ne!(again.sub, alice.sub);
    let same_sub = carnet_store::NewUser {
        sub: alice.sub,
        ..new_user("b@x.example")
    };
    assert!(
        f.store.create_user(&same_sub, NOW).await.is_err(),
        "a sub never comes back"
    );
}

async fn handles_and_names_tell_nothing(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    assert_eq!(alice.sub.len(), 22);
    assert_eq!(format!("{:?}", alice.id), "Id(…)");
    let key = crate::support::sample::key("kid", KeyState::Active);
    assert!(!format!("{key:?}").contains("[1, 2, 3]"));
}
