//! Clients that register themselves, and the tokens that let them in.

use carnet_oauth::extent::Extent;
use carnet_store::{
    AuditAction, ClientState, Cut, GrantKey, InitialAccessToken, NewAudit, NewRegistration, Reason,
    RegistrationChange, SecretsLeft, Store, StoreError,
};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{DAY, NOW, cut, user};

on_every_engine!(
    of_racing_uses_of_an_initial_access_token_as_many_count_as_are_left,
    of_racing_registrations_no_more_are_kept_than_there_may_be,
    an_initial_access_token_that_does_not_count_registers_nobody,
    a_registration_is_changed_by_its_token_alone,
    a_secret_that_is_shown_has_to_count,
    of_racing_changes_the_last_one_says_whether_there_is_a_secret,
    a_client_that_is_deleted_leaves_no_grant_and_no_registration,
    unused_clients_are_forgotten_and_those_of_the_operator_stay,
);

fn audit() -> NewAudit {
    NewAudit::success("", AuditAction::ClientRegister, "c")
}

fn new(client_id: &str, initial_digest: Option<[u8; 32]>) -> NewRegistration {
    NewRegistration {
        client_id: client_id.to_owned(),
        settings: "{}".to_owned(),
        metadata: "{\"software_id\":\"x\"}".to_owned(),
        secret: Some([1; 32]),
        registration_digest: [2; 32],
        initial_digest,
    }
}

async fn register(store: &Store, client_id: &str, initial: Option<[u8; 32]>) -> Result<(), StoreError> {
    let (new, row) = (new(client_id, initial), audit());
    store.register_client(&new, 1_000, (NOW, &row)).await
}

async fn token(store: &Store, name: &str, (digest, uses): ([u8; 32], i64)) -> Result<(), StoreError> {
    let token = InitialAccessToken {
        name: name.to_owned(),
        uses_left: uses,
        created_at: NOW,
        expires_at: NOW + DAY,
        revoked_at: None,
    };
    store.add_initial_access_token(&token, digest, &audit()).await
}

fn is_conflict<T>(outcome: &Result<T, StoreError>, code: &str) -> bool {
    matches!(outcome, Err(StoreError::Conflict(found)) if *found == code)
}

async fn of_racing_uses_of_an_initial_access_token_as_many_count_as_are_left(f: &Fixture) {
    token(&f.store, "race", ([7; 32], 5)).await.unwrap();
    let one = |n: usize| {
        let store = f.store.clone();
        tokio::spawn(async move { register(&store, &format!("c{n}"), Some([7; 32])).await })
    };
    let outcomes: Vec<_> = join_all((0..20).map(one))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    let spent = |outcome: &&Result<(), StoreError>| is_conflict(outcome, "initial_access_token_spent");
    assert_eq!(outcomes.iter().filter(spent).count(), 15);
    assert_eq!(f.store.clients().await.unwrap().len(), 5);
    assert_eq!(f.store.initial_access_tokens().await.unwrap()[0].uses_left, 0);
}

async fn of_racing_registrations_no_more_are_kept_than_there_may_be(f: &Fixture) {
    let one = |n: usize| {
        let store = f.store.clone();
        tokio::spawn(async move {
            let (new, row) = (new(&format!("c{n}"), None), audit());
            store.register_client(&new, 4, (NOW, &row)).await
        })
    };
    let outcomes: Vec<_> = join_all((0..16).map(one))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    assert!(
        outcomes
            .iter()
            .filter(|outcome| outcome.is_err())
            .all(|outcome| is_conflict(outcome, "too_many_clients"))
    );
    // Those of the operator do not count, and those that are gone do not either.
    f.store
        .add_client(("own", "{}"), None, (NOW, &audit()))
        .await
        .unwrap();
    let row = f.store.clients().await.unwrap().remove(0);
    let cut = cut(NOW, Reason::Revoked);
    assert!(
        f.store
            .set_client_state(&row.client_id, ClientState::Deleted, &cut)
            .await
            .unwrap()
    );
    let last = f
        .store
        .register_client(&new("last", None), 4, (NOW, &audit()))
        .await;
    assert!(last.is_ok(), "{last:?}");
}

async fn an_initial_access_token_that_does_not_count_registers_nobody(f: &Fixture) {
    let store = &f.store;
    token(store, "a", ([1; 32], 9)).await.unwrap();
    token(store, "b", ([2; 32], 9)).await.unwrap();
    assert!(is_conflict(&token(store, "a", ([3; 32], 1)).await, "token_taken"));
    assert_eq!(
        store.initial_access_token([1; 32], NOW).await.unwrap().as_deref(),
        Some("a")
    );
    let revoke = async || {
        store
            .revoke_initial_access_token("b", (NOW, &audit()))
            .await
            .unwrap()
    };
    assert!(revoke().await && !revoke().await);
    for (digest, now) in [([1; 32], NOW + DAY), ([2; 32], NOW), ([9; 32], NOW)] {
        assert_eq!(store.initial_access_token(digest, now).await.unwrap(), None);
        let refused = store
            .register_client(&new("c", Some(digest)), 9, (now, &audit()))
            .await;
        assert!(is_conflict(&refused, "initial_access_token_spent"));
    }
    // What is refused for another reason uses nothing up.
    let refused = store
        .register_client(&new("c", Some([1; 32])), 0, (NOW, &audit()))
        .await;
    assert!(is_conflict(&refused, "too_many_clients"));
    assert_eq!(store.initial_access_tokens().await.unwrap()[0].uses_left, 9);
    assert_eq!(store.clients().await.unwrap(), []);
}

async fn a_registration_is_changed_by_its_token_alone(f: &Fixture) {
    let store = &f.store;
    register(store, "c", None).await.unwrap();
    let row = store.client_registration("c").await.unwrap().unwrap();
    assert_eq!(
        (row.settings.as_str(), row.digest.as_slice(), row.created_at),
        ("{}", &[2; 32][..], NOW)
    );
    let change = |digest, secret, shown| RegistrationChange {
        client_id: "c".to_owned(),
        registration_digest: digest,
        settings: "{\"name\":\"x\"}".to_owned(),
        metadata: "{}".to_owned(),
        secret,
        shown,
    };
    let row = audit();
    let epoch = store.settings_epoch().await.unwrap();
    let changed = async |change: RegistrationChange, now: i64| -> Option<SecretsLeft> {
        let done = store.change_client_registration(&change, (now, &row));
        done.await.unwrap()
    };
    assert_eq!(changed(change([3; 32], None, None), NOW).await, None);
    assert_eq!(store.settings_epoch().await.unwrap(), epoch);
    for (secret, is_new, left) in [
        (Some([4; 32]), false, vec![1]),
        (None, false, vec![]),
        (Some([5; 32]), true, vec![5]),
    ] {
        let done = changed(change([2; 32], secret, None), NOW + 1).await;
        assert_eq!(done.map(|done| done.is_new), Some(is_new));
        let known = store.client_secrets().await.unwrap();
        assert_eq!(
            known.iter().map(|secret| secret.digest[0]).collect::<Vec<_>>(),
            left
        );
    }
    assert!(store.settings_epoch().await.unwrap() > epoch);
    // An operator's client has no registration, and a disabled one shows and changes none.
    store.add_client(("own", "{}"), None, (NOW, &row)).await.unwrap();
    assert!(store.client_registration("own").await.unwrap().is_none());
    let cut = cut(NOW, Reason::Revoked);
    assert!(
        store
            .set_client_state("c", ClientState::Disabled, &cut)
            .await
            .unwrap()
    );
    assert!(store.client_registration("c").await.unwrap().is_none());
    assert_eq!(changed(change([2; 32], None, None), NOW).await, None);
}

async fn a_secret_that_is_shown_has_to_count(f: &Fixture) {
    let store = &f.store;
    store
        .register_client(&new("c", None), 9, (NOW, &audit()))
        .await
        .unwrap();
    let change = |digest, secret, shown| RegistrationChange {
        client_id: "c".to_owned(),
        registration_digest: digest,
        settings: "{\"name\":\"x\"}".to_owned(),
        metadata: "{}".to_owned(),
        secret,
        shown,
    };
    let row = audit();
    let changed = async |change: RegistrationChange, now: i64| -> Option<SecretsLeft> {
        let done = store.change_client_registration(&change, (now, &row));
        done.await.unwrap()
    };
    let wrong = change([2; 32], None, Some([8; 32]));
    let refused = store.change_client_registration(&wrong, (NOW + 1, &row)).await;
    assert!(is_conflict(&refused, "secret_unknown"), "and it keeps its secret");
    let rotated = store
        .rotate_client_secret("c", ([6; 32], NOW + 50), (NOW + 2, &row))
        .await;
    assert!(rotated.unwrap());
    let shown = changed(change([2; 32], Some([7; 32]), Some([1; 32])), NOW + 3).await;
    assert_eq!(
        shown,
        Some(SecretsLeft {
            is_new: false,
            shown_until: Some(NOW + 50)
        })
    );
    let over = change([2; 32], Some([7; 32]), Some([1; 32]));
    let refused = store.change_client_registration(&over, (NOW + 50, &row)).await;
    assert!(is_conflict(&refused, "secret_unknown"), "it has run out");
}

async fn of_racing_changes_the_last_one_says_whether_there_is_a_secret(f: &Fixture) {
    f.store
        .register_client(&new("c", None), 9, (NOW, &audit()))
        .await
        .unwrap();
    let change = |settings: &str, secret| RegistrationChange {
        client_id: "c".to_owned(),
        registration_digest: [2; 32],
        settings: settings.to_owned(),
        metadata: "{}".to_owned(),
        secret,
        shown: None,
    };
    let mut issued = vec![vec![1; 32]];
    for round in 0..10_u8 {
        let one = |n: u8| {
            let store = f.store.clone();
            let change = match n % 2 {
                0 => change("{\"none\":1}", None),
                _ => change("{\"secret\":1}", Some([10 + 6 * round + n; 32])),
            };
            tokio::spawn(async move {
                let done = store
                    .change_client_registration(&change, (NOW + 1, &audit()))
                    .await;
                change.secret.filter(|_| done.unwrap().unwrap().is_new)
            })
        };
        let made = join_all((0..6).map(one))
            .await
            .into_iter()
            .filter_map(Result::unwrap);
        issued.extend(made.map(|digest| digest.to_vec()));
        let row = f.store.clients().await.unwrap().remove(0);
        let known = f.store.client_secrets().await.unwrap();
        match row.settings.contains("secret") {
            true => {
                assert_eq!(known.len(), 1, "{round}");
                assert!(issued.contains(&known[0].digest), "somebody was told");
            }
            false => assert!(known.is_empty(), "{round}"),
        }
    }
}

async fn a_client_that_is_deleted_leaves_no_grant_and_no_registration(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    register(store, "c", None).await.unwrap();
    let key = |client_id| GrantKey {
        user: alice.id,
        client_id,
        audience: "api",
    };
    let extent = Extent {
        scope: "openid".parse().unwrap(),
        claims: [].into(),
    };
    for client in ["c", "d"] {
        store
            .remember_grant(key(client), &extent, (NOW, &audit()))
            .await
            .unwrap();
    }
    let cut = cut(NOW + 1, Reason::Revoked);
    assert!(
        store
            .set_client_state("c", ClientState::Deleted, &cut)
            .await
            .unwrap()
    );
    assert_eq!(store.granted(key("c")).await.unwrap(), None);
    assert!(store.granted(key("d")).await.unwrap().is_some());
    assert!(store.client_registration("c").await.unwrap().is_none());
    assert_eq!(store.client_secrets().await.unwrap().len(), 0);
    // The operator's tombstones stay, those of clients that came by themselves go after a month.
    store
        .add_client(("own", "{}"), None, (NOW, &audit()))
        .await
        .unwrap();
    assert!(
        store
            .set_client_state("own", ClientState::Deleted, &cut)
            .await
            .unwrap()
    );
    assert_eq!(store.sweep(NOW + 30 * DAY, 10).await.unwrap().clients, 0);
    assert_eq!(store.sweep(NOW + 32 * DAY, 10).await.unwrap().clients, 1);
    assert_eq!(store.registry().await.unwrap().deleted_clients, ["own"]);
}

async fn unused_clients_are_forgotten_and_those_of_the_operator_stay(f: &Fixture) {
    let store = &f.store;
    for client in ["idle", "used"] {
        register(store, client, None).await.unwrap();
    }
    store
        .add_client(("own", "{}"), None, (NOW, &audit()))
        .await
        .unwrap();
    store.note_client_use("used", NOW + 2 * DAY).await.unwrap();
    // A clock that is set back takes nothing away.
    store.note_client_use("used", NOW).await.unwrap();
    assert_eq!(store.unused_clients(NOW, 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.unused_clients(NOW + DAY, 10).await.unwrap(), ["idle"]);
    let cut = Cut {
        at: NOW + 3 * DAY,
        ..cut(NOW, Reason::Revoked)
    };
    let forget = async |id, before| store.forget_unused_client(id, before, &cut).await.unwrap();
    assert!(!forget("used", NOW + DAY).await && !forget("own", NOW + 9 * DAY).await);
    assert!(forget("idle", NOW + DAY).await && !forget("idle", NOW + DAY).await);
    let left: Vec<String> = store
        .clients()
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.client_id)
        .collect();
    assert_eq!(left, ["own", "used"]);
}
