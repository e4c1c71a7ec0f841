//! Roles.

use carnet_store::{Access, NewUser, StoreError};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{NOW, login, new_user, user};

on_every_engine!(
    rt_10_access_follows_what_roles_permit_now,
    a_role_bound_to_one_audience_appears_only_there,
    a_family_is_read_with_what_its_user_may_do_at_its_audience,
    every_change_of_roles_moves_the_settings_epoch,
    removing_a_role_takes_it_from_everybody,
);

fn access(roles: &[&str], permissions: &[&str]) -> Access {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Access {
        roles: owned(roles),
        permissions: owned(permissions),
    }
}

async fn rt_10_access_follows_what_roles_permit_now(f: &Fixture) {
    let store = &f.store;
    for (role, permissions) in [
        ("editor", ["articles:write", "articles:read"]),
        ("Author", ["articles:read", "b"]),
    ] {
        store.add_role(role, "writes", NOW).await.unwrap();
        for permission in permissions {
            assert!(store.permit(role, permission, None).await.unwrap());
            assert!(!store.permit(role, permission, None).await.unwrap());
        }
    }
    let new = NewUser {
        roles: vec!["editor".to_owned()],
        ..new_user("a@x.example")
    };
    let alice = store.create_user(&new, NOW).await.unwrap();
    assert!(store.give_role(&alice.sub, "Author").await.unwrap());
    assert!(!store.give_role(&alice.sub, "Author").await.unwrap());
    let expected = access(&["Author", "editor"], &["articles:read", "articles:write", "b"]);
    assert_eq!(
        store.access_of(alice.id, "https://api.example").await.unwrap(),
        expected
    );
    assert_eq!(store.roles_of(alice.id).await.unwrap(), ["Author", "editor"]);

    assert!(store.forbid("editor", "articles:write").await.unwrap());
    assert!(!store.forbid("editor", "articles:write").await.unwrap());
    assert!(store.take_role(&alice.sub, "Author").await.unwrap());
    assert!(!store.take_role(&alice.sub, "Author").await.unwrap());
    assert_eq!(
        store.access_of(alice.id, "x").await.unwrap(),
        access(&["editor"], &["articles:read"])
    );

    let listed = store.list_roles().await.unwrap();
    assert_eq!(
        listed.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(),
        ["Author", "editor"]
    );
    assert_eq!(listed[0].permissions, ["articles:read", "b"]);
    assert_eq!(
        (listed[1].description.as_str(), listed[1].audience.as_deref()),
        ("writes", None)
    );
}

async fn a_role_bound_to_one_audience_appears_only_there(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    store.add_role("local", "", NOW).await.unwrap();
    store
        .permit("local", "p", Some("https://one.example"))
        .await
        .unwrap();
    store
        .permit("local", "q", Some("https://one.example"))
        .await
        .unwrap();
    store.permit("local", "r", None).await.unwrap();
    let elsewhere = store.permit("local", "s", Some("https://two.example")).await;
    assert!(matches!(elsewhere, Err(StoreError::Conflict("role_audience"))));
    store.give_role(&alice.sub, "local").await.unwrap();
    assert_eq!(
        store.access_of(alice.id, "https://one.example").await.unwrap(),
        access(&["local"], &["p", "q", "r"])
    );
    assert_eq!(
        store.access_of(alice.id, "https://two.example").await.unwrap(),
        Access::default()
    );
    assert_eq!(
        store.list_roles().await.unwrap()[0].audience.as_deref(),
        Some("https://one.example")
    );

    store.add_role("wide", "", NOW).await.unwrap();
    store.permit("wide", "p", None).await.unwrap();
    let narrowed = store.permit("wide", "q", Some("https://one.example")).await;
    assert!(
        matches!(narrowed, Err(StoreError::Conflict("role_audience"))),
        "a role is not narrowed in passing"
    );
}

async fn a_family_is_read_with_what_its_user_may_do_at_its_audience(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    let (record, none) = f.store.family_and_access(&family.fam).await.unwrap().unwrap();
    assert_eq!((record.family, record.user), (family.clone(), alice.clone()));
    assert_eq!(none, Access::default());
    for (role, audience) in [
        ("here", family.audience.as_str()),
        ("there", "https://elsewhere.example"),
    ] {
        f.store.add_role(role, "", NOW).await.unwrap();
        assert!(f.store.permit(role, role, Some(audience)).await.unwrap());
        assert!(f.store.give_role(&alice.sub, role).await.unwrap());
    }
    let (_, access) = f.store.family_and_access(&family.fam).await.unwrap().unwrap();
    assert_eq!(
        (access.roles, access.permissions),
        (vec!["here".to_owned()], vec!["here".to_owned()])
    );
    assert_eq!(f.store.family_and_access("none").await.unwrap(), None);
}

async fn every_change_of_roles_moves_the_settings_epoch(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    let mut last = store.settings_epoch().await.unwrap();
    macro_rules! moves {
        ($change:expr) => {
            $change.await.unwrap();
            let now = store.settings_epoch().await.unwrap();
            assert!(now > last, stringify!($change));
            last = now;
        };
    }
    moves!(store.add_role("r", "", NOW));
    moves!(store.permit("r", "p", None));
    moves!(store.give_role(&alice.sub, "r"));
    moves!(store.take_role(&alice.sub, "r"));
    moves!(store.forbid("r", "p"));
    moves!(store.remove_role("r"));
    moves!(store.bump_settings_epoch());
    assert!(matches!(
        store.permit("r", "p", None).await,
        Err(StoreError::Conflict("role_unknown"))
    ));
    assert!(matches!(
        store.give_role(&alice.sub, "r").await,
        Err(StoreError::Conflict("role_unknown"))
    ));
    assert!(matches!(
        store.give_role("nobody", "r").await,
        Err(StoreError::Conflict("user_unknown"))
    ));
    assert_eq!(
        store.settings_epoch().await.unwrap(),
        last,
        "what failed moves nothing"
    );
}

async fn removing_a_role_takes_it_from_everybody(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    store.add_role("r", "", NOW).await.unwrap();
    assert!(matches!(
        store.add_role("r", "", NOW).await,
        Err(StoreError::Conflict("role_taken"))
    ));
    store.permit("r", "p", None).await.unwrap();
    store.give_role(&alice.sub, "r").await.unwrap();
    assert!(store.remove_role("r").await.unwrap());
    assert!(!store.remove_role("r").await.unwrap());
    assert_eq!(store.access_of(alice.id, "x").await.unwrap(), Access::default());
    store.add_role("r", "", NOW).await.unwrap();
    assert!(
        store.list_roles().await.unwrap()[0].permissions.is_empty(),
        "a new role begins empty"
    );
}
