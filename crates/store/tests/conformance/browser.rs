//! Browser sessions, and the sessions of clients that stand on them.

use std::collections::HashSet;

use carnet_store::{
    AuditAction, BrowserLogin, Cut, Ended, Family, NewAudit, NewBrowserSession, NewLogin, Reason,
    RegisteredBy, ReplacedSession, Strength, Tie, TokenFacts, User,
};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ABSOLUTE, NOW, cut, new_login, user};

on_every_engine!(
    a_browser_session_ends_with_everything_that_began_in_it,
    nothing_begins_in_a_browser_session_that_has_ended,
    a_family_that_ends_with_a_browser_session_lives_no_longer_than_that_may,
    a_revoked_family_leaves_the_browser_signed_in,
    a_new_login_takes_the_place_of_the_one_before,
    lo_04_whoever_signs_in_as_somebody_else_signs_the_one_before_out,
    a_second_login_takes_the_place_of_the_first_whose_answer_was_lost,
    what_a_weak_logout_has_left_can_be_taken_back_later,
    nothing_is_told_twice_when_all_sessions_of_a_user_end,
);

fn in_a_browser(user: &User) -> NewBrowserSession {
    NewBrowserSession {
        user: user.id,
        password_changed_at: None,
        address: "192.0.2.7".to_owned(),
        user_agent: "a browser".to_owned(),
        replaces: None,
        absolute_ms: ABSOLUTE,
        throttle_keys_to_clear: Vec::new(),
        audit: NewAudit::success(user.sub.clone(), AuditAction::Login, user.sub.clone()),
    }
}

async fn signed_in(f: &Fixture, user: &User) -> String {
    let begun = f.store.begin_browser_session(&in_a_browser(user), NOW).await;
    begun.unwrap().unwrap()
}

async fn begun(f: &Fixture, user: &User, sid: &str, ends_with_it: bool) -> Option<Family> {
    let login = NewLogin {
        browser: Some(BrowserLogin {
            sid: sid.to_owned(),
            auth_time: NOW,
            allowed_at: NOW,
            absolute_ms: ABSOLUTE,
            tie: match ends_with_it {
                true => Tie::EndsWithIt,
                false => Tie::HearsOfIt,
            },
        }),
        claims: Some("{}".to_owned()),
        ..new_login(user)
    };
    f.store.begin_session(&login, NOW + 60_000).await.unwrap()
}

async fn a_browser_session_ends_with_everything_that_began_in_it(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let session = f.store.browser_session(&sid).await.unwrap().unwrap();
    assert_eq!(
        (session.user.sub.as_str(), session.auth_time),
        (alice.sub.as_str(), NOW)
    );
    let (online, offline) = (
        begun(f, &alice, &sid, true).await.unwrap(),
        begun(f, &alice, &sid, false).await.unwrap(),
    );
    let record = f.store.family(&online.fam).await.unwrap().unwrap();
    assert_eq!(record.auth_time, NOW, "of the login in the browser");
    assert_eq!(record.claims.as_deref(), Some("{}"), "as they were written");
    let ended = f
        .store
        .end_session(&sid, Strength::DenyList, None, &cut(NOW + 70_000, Reason::Logout))
        .await;
    assert_eq!(ended.unwrap(), Ended::Now);
    assert!(f.store.browser_session(&sid).await.unwrap().is_none());
    let revoked = async |family: &Family| {
        f.store
            .family(&family.fam)
            .await
            .unwrap()
            .unwrap()
            .family
            .revoked_at
    };
    assert!(revoked(&online).await.is_some());
    assert!(revoked(&offline).await.is_none());
    let values: Vec<_> = f
        .store
        .revocations_since(0, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.value)
        .collect();
    assert!(values.contains(&online.sid) && values.contains(&online.fam) && !values.contains(&offline.fam));
}

async fn nothing_begins_in_a_browser_session_that_has_ended(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let mallory = user(&f.store, "m@x.example").await;
    let sid = signed_in(f, &alice).await;
    assert!(begun(f, &mallory, &sid, true).await.is_none(), "somebody else's");
    let cut = cut(NOW, Reason::Logout);
    f.store
        .end_session(&sid, Strength::RefreshOnly, None, &cut)
        .await
        .unwrap();
    assert!(begun(f, &alice, &sid, true).await.is_none());
    assert!(begun(f, &alice, &sid, false).await.is_none());
}

async fn a_family_that_ends_with_a_browser_session_lives_no_longer_than_that_may(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let begun_at = async |at, tie| {
        let login = NewLogin {
            browser: Some(BrowserLogin {
                sid: sid.clone(),
                auth_time: NOW,
                allowed_at: NOW,
                absolute_ms: ABSOLUTE,
                tie,
            }),
            ..new_login(&alice)
        };
        f.store.begin_session(&login, at).await.unwrap()
    };
    let (late, end) = (NOW + ABSOLUTE - 60_000, NOW + ABSOLUTE);
    let family = begun_at(late, Tie::EndsWithIt).await.unwrap();
    assert_eq!((family.absolute_expires_at, family.idle_expires_at), (end, end));
    let kept = f.store.family(&family.fam).await.unwrap().unwrap().family;
    assert_eq!(kept, family, "as it was written");
    for tie in [Tie::HearsOfIt, Tie::Apart] {
        let family = begun_at(late, tie).await.unwrap();
        assert_eq!(family.absolute_expires_at, late + ABSOLUTE);
    }
    assert!(begun_at(end, Tie::EndsWithIt).await.is_none(), "it would be dead");
}

async fn a_revoked_family_leaves_the_browser_signed_in(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let family = begun(f, &alice, &sid, true).await.unwrap();
    assert!(
        f.store
            .revoke_family(&family.fam, &cut(NOW, Reason::Revoked))
            .await
            .unwrap()
    );
    assert!(f.store.browser_session(&sid).await.unwrap().is_some());
    f.store.touch_browser_session(&sid, NOW + 9).await.unwrap();
    assert_eq!(
        f.store.browser_session(&sid).await.unwrap().unwrap().last_seen_at,
        NOW + 9
    );
}

/// A login in a browser in which this user was signed in.
async fn instead(f: &Fixture, user: &User, before: Option<(&User, &str)>) -> String {
    let audit = NewAudit::success("", AuditAction::Logout, "");
    let new = NewBrowserSession {
        replaces: before.map(|(user, sid)| ReplacedSession {
            sid: sid.to_owned(),
            user: user.id,
            strength: Strength::DenyList,
            cut: Cut {
                audit,
                ..cut(NOW + 70_000, Reason::Logout)
            },
        }),
        ..in_a_browser(user)
    };
    let begun = f.store.begin_browser_session(&new, NOW + 70_000).await;
    begun.unwrap().unwrap()
}

async fn a_second_login_takes_the_place_of_the_first_whose_answer_was_lost(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let first = instead(f, &alice, None).await;
    let online = begun(f, &alice, &first, true).await.unwrap();
    let second = instead(f, &alice, Some((&alice, &first))).await;
    let third = instead(f, &alice, Some((&alice, &first))).await;
    assert!(f.store.browser_session(&second).await.unwrap().is_none());
    for before in [&first, &second] {
        let after = f.store.browser_session_after(before).await.unwrap().unwrap();
        assert_eq!(after.sid, third);
    }
    f.store.touch_browser_session(&third, NOW + 70_001).await.unwrap();
    for before in [&first, &second] {
        let after = f.store.browser_session_after(before).await.unwrap();
        assert_eq!(after, None, "somebody has come in its name");
    }
    let ended = cut(NOW + 80_000, Reason::Logout);
    let ended = f.store.end_session(&third, Strength::DenyList, None, &ended);
    assert_eq!(ended.await.unwrap(), Ended::Now);
    let session = f.store.session(&online.sid).await.unwrap().unwrap();
    assert!(session.ended_at.is_some());
}

async fn lo_04_whoever_signs_in_as_somebody_else_signs_the_one_before_out(f: &Fixture) {
    let (alice, bob) = (
        user(&f.store, "a@x.example").await,
        user(&f.store, "b@x.example").await,
    );
    let first = instead(f, &alice, None).await;
    let (online, offline) = (
        begun(f, &alice, &first, true).await.unwrap(),
        begun(f, &alice, &first, false).await.unwrap(),
    );
    let elsewhere = begun(f, &alice, &instead(f, &alice, None).await, true)
        .await
        .unwrap();
    // Her second login came a moment before his: it is the one that ends.
    let second = instead(f, &alice, Some((&alice, &first))).await;
    instead(f, &bob, Some((&alice, &first))).await;
    assert!(f.store.browser_session(&second).await.unwrap().is_none());
    let mut going_on = Vec::new();
    for family in [&online, &offline, &elsewhere] {
        let record = f.store.family(&family.fam).await.unwrap().unwrap();
        let session = f.store.session(&family.sid).await.unwrap().unwrap();
        assert_eq!(record.family.revoked_at.is_none(), session.ended_at.is_none());
        going_on.push(session.ended_at.is_none());
    }
    assert_eq!(going_on, [false, true, true]);
    let entries = f.store.revocations_since(0, 9).await.unwrap();
    let taken_back: Vec<_> = entries.iter().map(|entry| entry.value.as_str()).collect();
    assert_eq!(taken_back.len(), 3, "{taken_back:?}");
    for name in [&second, &online.sid, &online.fam] {
        assert!(taken_back.contains(&name.as_str()), "{taken_back:?}");
    }
    let of_operator = (RegisteredBy::Operator, 9);
    let told = f.store.claim_logout_notices((NOW + 70_000, 1), of_operator);
    let told = told.await.unwrap();
    let told: HashSet<_> = told.iter().map(|notice| notice.sid.as_str()).collect();
    assert_eq!(told, HashSet::from([online.sid.as_str(), offline.sid.as_str()]));
    let rows = f.store.list_audit(9).await.unwrap();
    let logouts = rows.iter().filter(|row| row.event.action == AuditAction::Logout);
    assert_eq!(logouts.count(), 1);
}

async fn a_new_login_takes_the_place_of_the_one_before(f: &Fixture) {
    let (alice, bob) = (
        user(&f.store, "a@x.example").await,
        user(&f.store, "b@x.example").await,
    );
    let again = async |user: &User, before: Option<(&User, &str)>| instead(f, user, before).await;
    let first = again(&alice, None).await;
    let family = begun(f, &alice, &first, true).await.unwrap();
    let second = again(&alice, Some((&alice, &first))).await;
    assert!(f.store.browser_session(&first).await.unwrap().is_none());
    // What Alice had allowed before the second login, and what is redeemed only now, begins in the second.
    let late = begun(f, &alice, &first, true).await.unwrap();
    assert!(f.store.is_within(&late.sid, &second).await.unwrap());
    let lives = async || {
        let session = f.store.session(&family.sid).await.unwrap().unwrap();
        session.ended_at.is_none()
    };
    assert!(lives().await, "what had begun goes on");
    // Somebody else at the same browser: nothing of Alice's is theirs.
    let third = again(&bob, Some((&alice, &second))).await;
    assert!(f.store.browser_session(&second).await.unwrap().is_none());
    assert!(!lives().await);
    for before in [&first, &second, &third] {
        assert!(begun(f, &alice, before, true).await.is_none());
    }
    // The same user's logout ends what an earlier login began.
    let (fourth, other) = (again(&alice, None).await, user(&f.store, "c@x.example").await);
    let family = begun(f, &alice, &fourth, true).await.unwrap();
    let fifth = again(&alice, Some((&alice, &fourth))).await;
    assert!(begun(f, &other, &fifth, true).await.is_none());
    let cut = cut(NOW, Reason::Logout);
    f.store
        .end_session(&fifth, Strength::DenyList, None, &cut)
        .await
        .unwrap();
    let session = f.store.session(&family.sid).await.unwrap().unwrap();
    assert!(session.ended_at.is_some());
}

async fn what_a_weak_logout_has_left_can_be_taken_back_later(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let family = begun(f, &alice, &sid, true).await.unwrap();
    let end = async |strength, at| {
        let cut = cut(at, Reason::Logout);
        f.store.end_session(&sid, strength, None, &cut).await.unwrap()
    };
    let token = |sid: &str, fam: &str| TokenFacts {
        sid: Some(sid.to_owned()),
        fam: Some(fam.to_owned()),
        ..TokenFacts::default()
    };
    let of_the_client = token(&family.sid, &family.fam);
    assert_eq!(end(Strength::RefreshOnly, NOW + 70_000).await, Ended::Now);
    assert!(!f.store.is_revoked(&of_the_client).await.unwrap());
    // By the client: its own family.
    let by_client = cut(NOW + 80_000, Reason::Revoked);
    assert!(!f.store.revoke_family(&family.fam, &by_client).await.unwrap());
    assert!(f.store.is_revoked(&token("", &family.fam)).await.unwrap());
    assert!(!f.store.is_revoked(&token(&family.sid, "")).await.unwrap());
    // By an operator: the browser's session, and what began in it.
    assert_eq!(end(Strength::DenyList, NOW + 90_000).await, Ended::Before);
    assert!(f.store.is_revoked(&token(&family.sid, "")).await.unwrap());
    // Nothing of this grows when it is said again.
    let clock = f.store.revocation_clock().await.unwrap();
    let again = cut(NOW + 100_000, Reason::Revoked);
    assert!(!f.store.revoke_family(&family.fam, &again).await.unwrap());
    assert_eq!(end(Strength::DenyList, NOW + 100_000).await, Ended::Before);
    assert_eq!(f.store.revocation_clock().await.unwrap(), clock);
}

async fn nothing_is_told_twice_when_all_sessions_of_a_user_end(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let family = begun(f, &alice, &sid, true).await.unwrap();
    let cut = cut(NOW + 70_000, Reason::Revoked);
    let ended = f.store.end_sessions_of(alice.id, Strength::DenyList, None, &cut);
    assert_eq!(ended.await.unwrap(), 2);
    let told = f.store.revocations_since(0, 100).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| entry.value.as_str()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for value in [&sid, &family.sid, &family.fam] {
        assert!(told.contains(&value.as_str()), "{told:?}");
    }
}
