//! Many changes as one: all or nothing, never over somebody else's, with everything that the single changes bring along.

use carnet_store::{
    AuditAction, ClientChange, ClientState, Reason, Registry, RegistryChange, RegistryStep, Role, Store,
    StoreError, TokenFacts, UserChange, UserProfile, UserState,
};

use crate::support::engine::{Fixture, on_every_engine, on_shared_engines};
use crate::support::sample::{NOW, cut, login, new_user, user};

on_every_engine!(
    a_registry_is_read_whole_and_changed_in_one_go,
    a_change_made_from_an_older_registry_does_nothing,
    of_several_steps_one_that_fails_undoes_all,
    the_last_administrator_stays,
    who_is_disabled_in_a_change_loses_everything_at_once,
);

on_shared_engines!(two_changes_at_once_do_not_lose_each_other);

fn change(registry: &Registry, steps: Vec<RegistryStep>) -> RegistryChange {
    RegistryChange {
        epoch: registry.epoch,
        cut: cut(NOW + 5_000, Reason::Revoked),
        administrators: "admin".to_owned(),
        steps,
    }
}

async fn apply(store: &Store, steps: Vec<RegistryStep>) -> Result<(), StoreError> {
    let registry = store.registry().await.unwrap();
    store.change_registry(&change(&registry, steps)).await
}

fn role(name: &str, permissions: &[&str]) -> RegistryStep {
    RegistryStep::PutRole(Role {
        name: name.to_owned(),
        audience: None,
        permissions: permissions.iter().map(|text| (*text).to_owned()).collect(),
        description: "for a test".to_owned(),
    })
}

fn client(id: &str) -> ClientChange {
    ClientChange {
        client_id: id.to_owned(),
        settings: Some("{}".to_owned()),
        ..ClientChange::default()
    }
}

fn of(registry: &Registry, email: &str) -> UserChange {
    let found = registry
        .users
        .iter()
        .find(|user| user.user.email == email)
        .unwrap();
    UserChange {
        sub: found.user.sub.clone(),
        seen_at: found.user.updated_at,
        ..UserChange::default()
    }
}

fn code(outcome: Result<(), StoreError>) -> &'static str {
    outcome.err().map_or("done", |error| error.code())
}

async fn first_registry(store: &Store) -> Registry {
    let mut alice = new_user("a@x.example");
    alice.roles = vec!["editor".to_owned()];
    let first = vec![
        role("editor", &["articles:write"]),
        RegistryStep::AddClient(ClientChange {
            secrets: Some(vec![[1; 32], [2; 32]]),
            ..client("shop")
        }),
        RegistryStep::AddUser(alice, UserState::Active),
        RegistryStep::AddUser(new_user("b@x.example"), UserState::Disabled),
    ];
    let before = store.settings_epoch().await.unwrap();
    apply(store, first).await.unwrap();
    assert!(store.settings_epoch().await.unwrap() > before);
    let registry = store.registry().await.unwrap();
    assert_eq!((registry.roles.len(), registry.clients.len()), (1, 1));
    assert_eq!(registry.users[0].roles, ["editor"]);
    assert_eq!(registry.users[0].password_hash.as_deref(), Some("$hash$1"));
    assert_eq!(registry.users[1].user.state, UserState::Disabled);
    registry
}

async fn a_registry_is_read_whole_and_changed_in_one_go(f: &Fixture) {
    let store = &f.store;
    let registry = first_registry(store).await;
    let second = vec![
        role("writer", &["articles:read"]),
        role("editor", &["articles:read"]),
        RegistryStep::ChangeClient(ClientChange {
            settings: None,
            secrets: Some(vec![[2; 32], [3; 32]]),
            ..client("shop")
        }),
        RegistryStep::ChangeUser(UserChange {
            roles: Some(vec!["writer".to_owned()]),
            profile: Some(UserProfile {
                email_display: "A@x.example".to_owned(),
                email_verified: false,
                name: None,
                claims: "{\"locale\":\"de\"}".to_owned(),
                attributes: "{}".to_owned(),
            }),
            ..of(&registry, "a@x.example")
        }),
        RegistryStep::RemoveRole("editor".to_owned()),
    ];
    apply(store, second).await.unwrap();
    let registry = store.registry().await.unwrap();
    assert_eq!(registry.roles[0].name, "writer");
    let mut digests: Vec<u8> = registry.secrets.iter().map(|secret| secret.digest[0]).collect();
    digests.sort_unstable();
    assert_eq!(digests, [2, 3], "one stays, one goes, one comes");
    let alice = &registry.users[0];
    assert_eq!(
        (alice.roles.as_slice(), &alice.user.name),
        (&["writer".to_owned()][..], &None)
    );
    assert_eq!(
        (alice.user.email.as_str(), alice.user.email_verified),
        ("A@x.example", false)
    );
    assert_eq!(alice.user.claims, "{\"locale\":\"de\"}");
    names_of_deleted_clients_and_audit_rows_stay(store).await;
}

async fn names_of_deleted_clients_and_audit_rows_stay(store: &Store) {
    let deleted = ClientChange {
        settings: None,
        state: Some(ClientState::Deleted),
        ..client("shop")
    };
    apply(store, vec![RegistryStep::ChangeClient(deleted)])
        .await
        .unwrap();
    assert_eq!(store.registry().await.unwrap().deleted_clients, ["shop"]);
    let again = vec![RegistryStep::AddClient(client("shop"))];
    assert_eq!(code(apply(store, again).await), "client_taken");
    let actions: Vec<AuditAction> = store
        .list_audit(50)
        .await
        .unwrap()
        .iter()
        .map(|row| row.event.action)
        .collect();
    for action in [
        AuditAction::RoleCreate,
        AuditAction::RoleChange,
        AuditAction::RoleRemove,
        AuditAction::RoleGive,
        AuditAction::RoleTake,
        AuditAction::ClientCreate,
        AuditAction::ClientSecret,
        AuditAction::ClientDelete,
        AuditAction::UserCreate,
        AuditAction::UserChange,
        AuditAction::UserDisable,
    ] {
        assert!(actions.contains(&action), "{}", action.as_str());
    }
}

async fn a_change_made_from_an_older_registry_does_nothing(f: &Fixture) {
    let store = &f.store;
    user(store, "a@x.example").await;
    let old = store.registry().await.unwrap();
    store.add_role("meanwhile", "", NOW).await.unwrap();
    let late = store
        .change_registry(&change(&old, vec![role("late", &[])]))
        .await;
    assert_eq!(code(late), "registry_changed");
    // A user has no part in the epoch, but a time of the last change.
    let seen = store.registry().await.unwrap();
    let one = |name: &str| UserChange {
        roles: Some(vec!["meanwhile".to_owned()]),
        password_hash: Some(name.to_owned()),
        ..of(&seen, "a@x.example")
    };
    let same_moment = change(&seen, vec![RegistryStep::ChangeUser(one("$1"))]);
    store.change_registry(&same_moment).await.unwrap();
    let mut stale = change(&seen, vec![RegistryStep::ChangeUser(one("$2"))]);
    stale.epoch = store.settings_epoch().await.unwrap();
    assert_eq!(code(store.change_registry(&stale).await), "registry_changed");
    let registry = store.registry().await.unwrap();
    assert_eq!(registry.users[0].password_hash.as_deref(), Some("$1"));
    assert_eq!(registry.roles.len(), 1);
}

async fn of_several_steps_one_that_fails_undoes_all(f: &Fixture) {
    let store = &f.store;
    user(store, "a@x.example").await;
    let epoch = store.settings_epoch().await.unwrap();
    let steps = vec![
        role("editor", &["x"]),
        RegistryStep::AddClient(client("shop")),
        RegistryStep::AddUser(new_user("a@x.example"), UserState::Active),
    ];
    assert_eq!(code(apply(store, steps).await), "email_taken");
    let registry = store.registry().await.unwrap();
    assert_eq!(
        (registry.roles.len(), registry.clients.len(), registry.users.len()),
        (0, 0, 1)
    );
    assert_eq!(registry.epoch, epoch);
    assert_eq!(store.list_audit(10).await.unwrap(), []);
}

async fn the_last_administrator_stays(f: &Fixture) {
    let store = &f.store;
    let admin = |email: &str| {
        let mut new = new_user(email);
        new.roles = vec!["admin".to_owned()];
        RegistryStep::AddUser(new, UserState::Active)
    };
    let first = vec![role("admin", &[]), admin("a@x.example"), admin("b@x.example")];
    apply(store, first).await.unwrap();
    let registry = store.registry().await.unwrap();
    let disabled = |email: &str, state| {
        RegistryStep::ChangeUser(UserChange {
            state: Some(state),
            ..of(&registry, email)
        })
    };
    let both = vec![
        disabled("a@x.example", UserState::Disabled),
        disabled("b@x.example", UserState::Deleted),
    ];
    assert_eq!(code(apply(store, both).await), "last_administrator");
    let role_gone = vec![RegistryStep::RemoveRole("admin".to_owned())];
    assert_eq!(code(apply(store, role_gone).await), "last_administrator");
    let one = vec![disabled("a@x.example", UserState::Disabled)];
    assert_eq!(code(apply(store, one).await), "done");
    let the_last = RegistryStep::ChangeUser(UserChange {
        roles: Some(Vec::new()),
        ..of(&registry, "b@x.example")
    });
    assert_eq!(code(apply(store, vec![the_last]).await), "last_administrator");
}

async fn who_is_disabled_in_a_change_loses_everything_at_once(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    let family = login(store, &alice).await;
    apply(store, vec![RegistryStep::AddClient(client("shop"))])
        .await
        .unwrap();
    let registry = store.registry().await.unwrap();
    let steps = vec![
        RegistryStep::ChangeClient(ClientChange {
            settings: None,
            state: Some(ClientState::Disabled),
            ..client("shop")
        }),
        RegistryStep::ChangeUser(UserChange {
            state: Some(UserState::Disabled),
            ..of(&registry, "a@x.example")
        }),
    ];
    apply(store, steps).await.unwrap();
    let token = |client: &str, fam: Option<String>| TokenFacts {
        client_id: client.to_owned(),
        fam,
        iat: NOW / 1000,
        ..TokenFacts::default()
    };
    assert!(store.is_revoked(&token("shop", None)).await.unwrap());
    assert!(!store.is_revoked(&token("other", None)).await.unwrap());
    assert!(
        store
            .is_revoked(&token("other", Some(family.fam.clone())))
            .await
            .unwrap()
    );
    let family = store.family(&family.fam).await.unwrap().unwrap().family;
    assert_eq!(family.revoked_reason, Some(Reason::UserDisabled));
}

async fn two_changes_at_once_do_not_lose_each_other(f: &Fixture) {
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(Store::open(&f.config).await.unwrap());
    }
    let registry = f.store.registry().await.unwrap();
    let mut running = tokio::task::JoinSet::new();
    for (number, store) in others.into_iter().enumerate() {
        let change = change(&registry, vec![role(&format!("role-{number}"), &["x"])]);
        running.spawn(async move {
            let outcome = store.change_registry(&change).await;
            store.close().await;
            code(outcome)
        });
    }
    let mut outcomes = running.join_all().await;
    outcomes.sort_unstable();
    assert_eq!(
        outcomes,
        ["done", "registry_changed", "registry_changed", "registry_changed"]
    );
    assert_eq!(f.store.list_roles().await.unwrap().len(), 1);
}
