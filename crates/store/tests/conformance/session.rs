//! Sessions.

use carnet_oauth::revocation::RevocationKind;
use carnet_store::{AuditAction, Ended, Reason, Rotated, Strength, TokenFacts};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ENTRY_TTL, NOW, cut, login, open_sessions, theft, user};

on_every_engine!(
    rt_08_an_ended_session_takes_its_family_and_its_tokens,
    the_weak_logout_leaves_the_access_token_and_can_be_made_strong_later,
    ending_all_sessions_but_one_names_each,
    a_session_is_last_seen_when_it_was_last_refreshed,
);

fn facts(family: &carnet_store::Family) -> TokenFacts {
    TokenFacts {
        sid: Some(family.sid.clone()),
        ..TokenFacts::default()
    }
}

async fn rt_08_an_ended_session_takes_its_family_and_its_tokens(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (family, other) = (login(&f.store, &alice).await, login(&f.store, &alice).await);
    let out = |at| cut(at, Reason::Logout);
    let end = async |at| {
        let ended = f
            .store
            .end_session(&family.sid, Strength::DenyList, Some("jti-1"), &out(at))
            .await;
        ended.unwrap()
    };
    assert_eq!(end(NOW + 1).await, Ended::Now);
    let clock = f.store.revocation_clock().await.unwrap();
    // At once, later, and when no token of it can live any more.
    for later in [1, 2, 60_000, ENTRY_TTL + 2] {
        assert_eq!(end(NOW + later).await, Ended::Before);
    }
    assert_eq!(
        f.store.revocation_clock().await.unwrap(),
        clock,
        "a repeated logout writes nothing"
    );

    let entries = f.store.revocations_since(0, 100).await.unwrap();
    let written: Vec<_> = entries
        .iter()
        .map(|entry| (entry.kind, entry.value.as_str()))
        .collect();
    assert_eq!(
        written,
        [
            (RevocationKind::Sid, &*family.sid),
            (RevocationKind::Fam, &*family.fam),
            (RevocationKind::Jti, "jti-1")
        ]
    );
    assert!(f.store.is_revoked(&facts(&family)).await.unwrap());
    assert!(!f.store.is_revoked(&facts(&other)).await.unwrap());
    let late = f
        .store
        .rotate(family.clone(), (0, None), (NOW + 2, 10_000), theft)
        .await
        .unwrap();
    assert_eq!(late, Rotated::Revoked);
    assert_eq!(
        f.store.session(&family.sid).await.unwrap().unwrap().ended_at,
        Some(NOW + 1)
    );
    let nothing = f
        .store
        .end_session("nothing", Strength::DenyList, None, &out(NOW))
        .await;
    assert_eq!(nothing.unwrap(), Ended::Unknown);
    let revokes = f.store.list_audit(100).await.unwrap();
    assert_eq!(
        revokes
            .iter()
            .filter(|row| row.event.action == AuditAction::Revoke)
            .count(),
        1
    );
}

async fn the_weak_logout_leaves_the_access_token_and_can_be_made_strong_later(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    let out = cut(NOW + 1, Reason::Logout);
    let weak = f
        .store
        .end_session(&family.sid, Strength::RefreshOnly, Some("j"), &out)
        .await;
    assert_eq!(weak.unwrap(), Ended::Now);
    assert!(!f.store.is_revoked(&facts(&family)).await.unwrap());
    let late = f
        .store
        .rotate(family.clone(), (0, None), (NOW + 2, 10_000), theft)
        .await
        .unwrap();
    assert_eq!(late, Rotated::Revoked);
    let strong = f
        .store
        .end_session(
            &family.sid,
            Strength::DenyList,
            None,
            &cut(NOW + 2, Reason::Revoked),
        )
        .await;
    assert_eq!(strong.unwrap(), Ended::Before);
    assert!(f.store.is_revoked(&facts(&family)).await.unwrap());
    // It was said by whom.
    assert_eq!(f.store.list_audit(1).await.unwrap()[0].at, NOW + 2);
}

async fn ending_all_sessions_but_one_names_each(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let mut families = Vec::new();
    for _ in 0..4 {
        families.push(login(&f.store, &alice).await);
    }
    let out = cut(NOW + 1, Reason::Logout);
    let except = families[2].sid.clone();
    let ended = f
        .store
        .end_sessions_of(alice.id, Strength::DenyList, Some(&except), &out)
        .await
        .unwrap();
    assert_eq!(ended, 3);
    for (n, family) in families.iter().enumerate() {
        assert_eq!(f.store.is_revoked(&facts(family)).await.unwrap(), n != 2);
    }
    let left = open_sessions(&f.store, &alice).await;
    assert_eq!(
        left.iter().map(|session| &session.sid).collect::<Vec<_>>(),
        [&except]
    );
    let kinds = f.store.revocations_since(0, 100).await.unwrap();
    assert!(
        kinds
            .iter()
            .all(|entry| matches!(entry.kind, RevocationKind::Sid | RevocationKind::Fam))
    );
}

async fn a_session_is_last_seen_when_it_was_last_refreshed(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    f.store
        .rotate(family.clone(), (0, None), (NOW + 77, 0), theft)
        .await
        .unwrap();
    let sid = open_sessions(&f.store, &alice).await.remove(0).sid;
    let session = f.store.session(&sid).await.unwrap().unwrap();
    assert_eq!(
        (session.created_at, session.auth_time, session.last_seen_at),
        (NOW, NOW, NOW + 77)
    );
    assert_eq!(
        (session.address.as_str(), session.user_agent.as_str()),
        ("192.0.2.7", "a browser")
    );
}
