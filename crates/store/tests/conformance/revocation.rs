//! Revocation entries and their clock.

use carnet_oauth::revocation::RevocationKind;
use carnet_store::{Ended, Reason, Strength, TokenFacts};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ENTRY_TTL, NOW, cut, new_login, new_user, until};

on_every_engine!(
    a_token_is_revoked_by_what_it_says_of_itself,
    cursors_are_the_order_of_commits_without_gaps_or_repeats,
    a_reader_never_sees_a_later_cursor_first,
    a_repeated_revocation_writes_nothing,
    a_new_epoch_is_another_one,
    whoever_waits_is_woken_by_the_commit_of_a_revocation_and_of_nothing_else,
    revoking_a_user_takes_back_what_lives_on_of_sessions_that_ended_before,
);

fn token() -> TokenFacts {
    TokenFacts {
        jti: "j".to_owned(),
        sid: Some("s".to_owned()),
        fam: None,
        sub: "u".to_owned(),
        client_id: "c".to_owned(),
        kid: Some("k".to_owned()),
        iat: NOW / 1_000,
    }
}

async fn a_token_is_revoked_by_what_it_says_of_itself(f: &Fixture) {
    let store = &f.store;
    assert!(!store.is_revoked(&token()).await.unwrap());
    assert!(!store.is_revoked(&TokenFacts::default()).await.unwrap());
    // A value of another kind is another thing.
    for value in ["s", "u", "c", "k"] {
        store.revoke_token(value, &until(NOW + 1)).await.unwrap();
    }
    assert!(!store.is_revoked(&token()).await.unwrap());
    store.revoke_token("j", &until(NOW + 1)).await.unwrap();
    assert!(store.is_revoked(&token()).await.unwrap());

    let other = |iat: i64| TokenFacts {
        jti: "x".to_owned(),
        iat,
        ..token()
    };
    store
        .revoke_client("c", Some("u"), &cut(NOW, Reason::Revoked))
        .await
        .unwrap();
    assert!(store.is_revoked(&other(NOW / 1_000)).await.unwrap());
    assert!(!store.is_revoked(&other(NOW / 1_000 + 1)).await.unwrap());
    let of_another_user = TokenFacts {
        sub: "v".to_owned(),
        ..other(0)
    };
    assert!(!store.is_revoked(&of_another_user).await.unwrap());
    store
        .revoke_client("c", None, &cut(NOW, Reason::Revoked))
        .await
        .unwrap();
    assert!(store.is_revoked(&of_another_user).await.unwrap());
    assert!(
        !store
            .is_revoked(&TokenFacts {
                client_id: "d".to_owned(),
                ..of_another_user
            })
            .await
            .unwrap()
    );
}

async fn cursors_are_the_order_of_commits_without_gaps_or_repeats(f: &Fixture) {
    let tasks = (0..50).map(|n| {
        let store = f.store.clone();
        tokio::spawn(async move { store.revoke_token(&format!("j{n}"), &until(NOW)).await.unwrap() })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let entries = f.store.revocations_since(0, 1_000).await.unwrap();
    let cursors: Vec<i64> = entries.iter().map(|entry| entry.cursor).collect();
    assert_eq!(cursors, (1..=50).collect::<Vec<_>>());
    assert_eq!(f.store.revocation_clock().await.unwrap().last, 50);
    let page = f.store.revocations_since(20, 10).await.unwrap();
    assert_eq!(
        page.iter().map(|entry| entry.cursor).collect::<Vec<_>>(),
        (21..=30).collect::<Vec<_>>()
    );
    assert_eq!(
        (page[0].kind, page[0].issued_before, page[0].expires),
        (RevocationKind::Jti, None, NOW)
    );
}

async fn a_reader_never_sees_a_later_cursor_first(f: &Fixture) {
    let writers = (0..4).map(|writer| {
        let store = f.store.clone();
        tokio::spawn(async move {
            for n in 0..40 {
                store
                    .revoke_token(&format!("{writer}-{n}"), &until(NOW))
                    .await
                    .unwrap();
            }
        })
    });
    let writers = join_all(writers);
    let reader = async {
        let mut cursor = 0;
        while cursor < 160 {
            for entry in f.store.revocations_since(cursor, 1_000).await.unwrap() {
                assert_eq!(
                    entry.cursor,
                    cursor + 1,
                    "a gap that fills later would be passed over"
                );
                cursor = entry.cursor;
            }
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::join(writers, reader).await;
}

async fn a_repeated_revocation_writes_nothing(f: &Fixture) {
    let store = &f.store;
    for _ in 0..3 {
        store.revoke_token("j", &until(NOW)).await.unwrap();
        store
            .revoke_client("c", None, &cut(NOW, Reason::Revoked))
            .await
            .unwrap();
    }
    assert_eq!(store.revocation_clock().await.unwrap().last, 2);
    store.revoke_token("j", &until(NOW + 1)).await.unwrap();
    store
        .revoke_client("c", None, &cut(NOW + 1_000, Reason::Revoked))
        .await
        .unwrap();
    let entries = store.revocations_since(2, 9).await.unwrap();
    assert_eq!(entries.len(), 2, "one that reaches further is written");
    assert_eq!(entries[1].issued_before, Some(NOW / 1_000 + 1));
    assert_eq!(entries[1].expires, NOW + 1_000 + ENTRY_TTL);
}

async fn a_new_epoch_is_another_one(f: &Fixture) {
    f.store.revoke_token("j", &until(NOW)).await.unwrap();
    let before = f.store.revocation_clock().await.unwrap();
    let cut = cut(NOW, Reason::Revoked);
    f.store.renew_revocation_epoch(cut.at, &cut.audit).await.unwrap();
    let after = f.store.revocation_clock().await.unwrap();
    assert_ne!(before.epoch, after.epoch);
    assert_eq!((before.last, after.last), (1, 1));
}

async fn whoever_waits_is_woken_by_the_commit_of_a_revocation_and_of_nothing_else(f: &Fixture) {
    let mut news = f.store.revocation_news();
    f.store.bump_settings_epoch().await.unwrap();
    assert!(!news.has_changed().unwrap());
    f.store.revoke_token("j", &until(NOW)).await.unwrap();
    assert!(news.has_changed().unwrap());
    news.mark_unchanged();
    // Nothing is written, so there is nothing to see.
    f.store.revoke_token("j", &until(NOW)).await.unwrap();
    assert!(!news.has_changed().unwrap());
    assert!(f.store.revoke_token("k", &until(NOW)).await.is_ok() && news.has_changed().unwrap());
}

async fn revoking_a_user_takes_back_what_lives_on_of_sessions_that_ended_before(f: &Fixture) {
    let user = f
        .store
        .create_user(&new_user("a@example.com"), NOW)
        .await
        .unwrap();
    let ended = f
        .store
        .begin_session(&new_login(&user), NOW)
        .await
        .unwrap()
        .unwrap();
    let logout = cut(NOW, Reason::Logout);
    let refresh_only = f
        .store
        .end_session(&ended.sid, Strength::RefreshOnly, None, &logout);
    assert_eq!(refresh_only.await.unwrap(), Ended::Now);
    let live = f
        .store
        .begin_session(&new_login(&user), NOW + 1_000)
        .await
        .unwrap()
        .unwrap();
    let made = |sid: &str, iat: i64| TokenFacts {
        sid: Some(sid.to_owned()),
        sub: user.sub.clone(),
        iat: iat.div_euclid(1_000),
        ..TokenFacts::default()
    };
    let (old, new) = (made(&ended.sid, NOW), made(&live.sid, NOW + 1_000));
    assert!(!f.store.is_revoked(&old).await.unwrap());
    let by_operator = cut(NOW + 1_000, Reason::Revoked);
    let revoked = f.store.revoke_user((user.id, &user.sub), &by_operator);
    assert_eq!(revoked.await.unwrap(), 1);
    assert!(f.store.is_revoked(&old).await.unwrap() && f.store.is_revoked(&new).await.unwrap());
    // A login in the same second lives.
    assert!(!f.store.is_revoked(&made("next", NOW + 1_000)).await.unwrap());
}
