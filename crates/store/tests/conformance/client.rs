//! Registered clients, and what users let them do.

use carnet_oauth::extent::Extent;
use carnet_store::{
    AuditAction, ClientChange, ClientState, Cut, GrantKey, NewAudit, NewRegistration, Reason,
    RegistrationChange, RegistryChange, RegistryStep, StoreError, TokenFacts,
};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{DAY, NOW, cut, login, new_login, user};

on_every_engine!(
    a_client_is_registered_once_and_its_name_never_comes_back,
    ca_09_two_secrets_overlap_while_a_client_changes_over,
    ca_09_however_often_a_secret_is_rotated_two_count,
    a_disabled_client_loses_tokens_and_families_at_once,
    a_grant_is_remembered_and_grows,
    each_change_of_a_client_has_a_time_of_its_own,
);

fn audit() -> NewAudit {
    NewAudit::success("cli", AuditAction::ClientCreate, "c")
}

async fn a_client_is_registered_once_and_its_name_never_comes_back(f: &Fixture) {
    let store = &f.store;
    let epoch = store.settings_epoch().await.unwrap();
    store
        .add_client(("c", "{}"), None, (NOW, &audit()))
        .await
        .unwrap();
    assert!(store.settings_epoch().await.unwrap() > epoch);
    let again = async || store.add_client(("c", "{}"), None, (NOW, &audit())).await;
    assert!(matches!(again().await, Err(StoreError::Conflict("client_taken"))));
    let rows = store.clients().await.unwrap();
    assert_eq!((rows.len(), rows[0].state), (1, ClientState::Active));

    let cut = cut(NOW, Reason::Revoked);
    assert!(
        store
            .set_client_state("c", ClientState::Deleted, &cut)
            .await
            .unwrap()
    );
    assert!(
        !store
            .set_client_state("c", ClientState::Active, &cut)
            .await
            .unwrap()
    );
    assert_eq!(store.clients().await.unwrap(), []);
    assert!(matches!(again().await, Err(StoreError::Conflict("client_taken"))));
}

async fn ca_09_two_secrets_overlap_while_a_client_changes_over(f: &Fixture) {
    let store = &f.store;
    store
        .add_client(("c", "{}"), Some([1; 32]), (NOW, &audit()))
        .await
        .unwrap();
    let rotate = async |secret, until, now| {
        store
            .rotate_client_secret("c", (secret, until), (now, &audit()))
            .await
            .unwrap()
    };
    assert!(rotate([2; 32], NOW + DAY, NOW + 1).await);
    let ends = |secrets: Vec<carnet_store::ClientSecret>| -> Vec<_> {
        secrets
            .iter()
            .map(|secret| (secret.digest[0], secret.expires_at))
            .collect()
    };
    let now = ends(store.client_secrets().await.unwrap());
    assert_eq!(now, [(1, Some(NOW + DAY)), (2, None)]);
    // The next one a day later: what had ended by then is gone.
    assert!(rotate([3; 32], NOW + 3 * DAY, NOW + 2 * DAY).await);
    let later = ends(store.client_secrets().await.unwrap());
    assert_eq!(later, [(2, Some(NOW + 3 * DAY)), (3, None)]);
    assert!(
        !store
            .rotate_client_secret("d", ([0; 32], NOW), (NOW, &audit()))
            .await
            .unwrap()
    );
}

async fn ca_09_however_often_a_secret_is_rotated_two_count(f: &Fixture) {
    let store = &f.store;
    store
        .add_client(("c", "{}"), Some([1; 32]), (NOW, &audit()))
        .await
        .unwrap();
    store
        .add_client(("other", "{}"), Some([9; 32]), (NOW, &audit()))
        .await
        .unwrap();
    // All within one moment as well.
    for (secret, now) in [(2, NOW), (3, NOW), (4, NOW), (5, NOW + 7), (6, NOW + 8)] {
        let row = audit();
        let rotated = store.rotate_client_secret("c", ([secret; 32], NOW + DAY), (now, &row));
        assert!(rotated.await.unwrap());
        let secrets = store.client_secrets().await.unwrap();
        let of_c = secrets.iter().filter(|one| one.client_id == "c");
        let mut counting: Vec<_> = of_c.map(|one| (one.digest[0], one.expires_at)).collect();
        counting.sort_unstable();
        assert_eq!(counting, [(secret - 1, Some(NOW + DAY)), (secret, None)]);
        assert!(
            secrets.iter().any(|one| one.client_id == "other"),
            "nobody else's"
        );
    }
}

async fn a_disabled_client_loses_tokens_and_families_at_once(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    let family = login(store, &alice).await;
    store
        .add_client(("first-party", "{}"), None, (NOW, &audit()))
        .await
        .unwrap();
    let cut = cut(NOW + 5_000, Reason::Revoked);
    assert!(
        store
            .set_client_state("first-party", ClientState::Disabled, &cut)
            .await
            .unwrap()
    );
    let token = |iat: i64| TokenFacts {
        client_id: "first-party".to_owned(),
        iat,
        ..TokenFacts::default()
    };
    // Until a few seconds after: a request that was on its way may still have been answered.
    for seconds in [0, 10] {
        assert!(store.is_revoked(&token(NOW / 1000 + seconds)).await.unwrap());
    }
    assert!(!store.is_revoked(&token(NOW / 1000 + 11)).await.unwrap());
    let later = new_login(&alice);
    assert!(store.begin_session(&later, NOW + 20_000).await.unwrap().is_none());
    // Enabled again, what was made before stays dead, and what is made now lives. Again, it changes nothing.
    let enabled = Cut {
        at: NOW + 30_000,
        ..cut.clone()
    };
    for _ in 0..2 {
        let done = store.set_client_state("first-party", ClientState::Active, &enabled);
        assert!(done.await.unwrap());
    }
    assert!(store.is_revoked(&token(NOW / 1000 + 10)).await.unwrap());
    assert!(!store.is_revoked(&token(NOW / 1000 + 30)).await.unwrap());
    assert!(store.begin_session(&later, NOW + 40_000).await.unwrap().is_some());
    let family = store.family(&family.fam).await.unwrap().unwrap().family;
    assert_eq!(family.revoked_reason, Some(Reason::Revoked));
}

async fn a_grant_is_remembered_and_grows(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    let extent = |scope: &str, claims: &[&str]| Extent {
        scope: scope.parse().unwrap(),
        claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
    };
    let key = |client_id, audience| GrantKey {
        user: alice.id,
        client_id,
        audience,
    };
    assert_eq!(store.granted(key("c", "api")).await.unwrap(), None);
    let contact = ["email", "phone_number"];
    for (more, all) in [
        (extent("openid", &contact), extent("openid", &contact)),
        (extent("profile", &[]), extent("openid profile", &contact)),
    ] {
        let row = audit();
        let remembered = store.remember_grant(key("c", "api"), &more, (NOW, &row));
        remembered.await.unwrap();
        assert_eq!(store.granted(key("c", "api")).await.unwrap(), Some(all));
    }
    for (client, audience) in [("d", "api"), ("c", "other")] {
        assert_eq!(
            store.granted(key(client, audience)).await.unwrap(),
            None,
            "{client} {audience}"
        );
    }
}

async fn each_change_of_a_client_has_a_time_of_its_own(f: &Fixture) {
    let store = &f.store;
    let new = NewRegistration {
        client_id: "own-time".to_owned(),
        settings: "{}".to_owned(),
        metadata: "{}".to_owned(),
        secret: None,
        registration_digest: [2; 32],
        initial_digest: None,
    };
    store.register_client(&new, 1_000, (NOW, &audit())).await.unwrap();
    let changed_at = async || {
        let rows = store.clients().await.unwrap();
        let row = rows.into_iter().find(|row| row.client_id == "own-time");
        row.unwrap().updated_at
    };
    let mut before = changed_at().await;
    // The clock stands still, or goes back.
    for now in [NOW, NOW, NOW - DAY] {
        let change = RegistrationChange {
            client_id: "own-time".to_owned(),
            registration_digest: [2; 32],
            settings: "{}".to_owned(),
            metadata: "{}".to_owned(),
            secret: None,
            shown: None,
        };
        store
            .change_client_registration(&change, (now, &audit()))
            .await
            .unwrap();
        let after = changed_at().await;
        assert!(after > before, "a client changes itself");
        before = after;
        let cut = cut(now, Reason::Revoked);
        for state in [ClientState::Disabled, ClientState::Active] {
            store.set_client_state("own-time", state, &cut).await.unwrap();
            let after = changed_at().await;
            assert!(after > before, "the operator says whether it may");
            before = after;
        }
        let steps = vec![RegistryStep::ChangeClient(ClientChange {
            client_id: "own-time".to_owned(),
            settings: Some("{}".to_owned()),
            ..Default::default()
        })];
        let apply = RegistryChange {
            epoch: store.settings_epoch().await.unwrap(),
            cut,
            administrators: "admin".to_owned(),
            steps,
        };
        store.change_registry(&apply).await.unwrap();
        let after = changed_at().await;
        assert!(after > before, "the operator changes it");
        before = after;
    }
}
