//! Logout notices: whom the end of a session concerns, and that each is told once.

use carnet_oauth::extent::Extent;
use carnet_store::{
    AuditAction, BrowserLogin, Family, GrantKey, LogoutNotice, NewAudit, NewBrowserSession, NewLogin,
    NewRegistration, Reason, RegisteredBy, ReplacedSession, Strength, Tie, User,
};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{ABSOLUTE, DAY, IDLE, NOW, cut, new_login, user};

on_every_engine!(
    the_end_of_a_browser_session_concerns_every_client_that_began_in_it,
    clients_without_an_id_token_and_sessions_that_had_ended_concern_nobody,
    of_two_nodes_that_claim_at_once_one_gets_each_notice,
    of_a_client_no_more_than_eight_are_taken_at_the_same_time,
    the_users_of_a_client_take_turns,
    what_strangers_have_registered_is_claimed_apart,
    a_notice_comes_back_when_its_lease_has_ended_and_is_gone_when_it_is_finished,
    ending_the_others_leaves_what_began_in_the_kept_browser,
    cn_06_what_is_withdrawn_takes_sessions_and_codes_along,
    what_has_expired_is_no_live_session,
    a_client_is_told_when_the_browser_is_signed_out_even_if_its_tokens_ended_long_ago,
    a_client_that_gave_its_token_back_is_told_when_the_browser_is_signed_out,
);

const LEASE: i64 = 30_000;

async fn signed_in(f: &Fixture, user: &User) -> String {
    signed_in_at(f, user, (NOW, None)).await
}

async fn signed_in_at(f: &Fixture, user: &User, (at, before): (i64, Option<&str>)) -> String {
    let new = NewBrowserSession {
        user: user.id,
        password_changed_at: None,
        address: "192.0.2.7".to_owned(),
        user_agent: "a browser".to_owned(),
        replaces: before.map(|sid| ReplacedSession {
            sid: sid.to_owned(),
            user: user.id,
            strength: Strength::DenyList,
            cut: cut(at, Reason::Logout),
        }),
        absolute_ms: ABSOLUTE,
        throttle_keys_to_clear: Vec::new(),
        audit: NewAudit::success(user.sub.clone(), AuditAction::Login, user.sub.clone()),
    };
    f.store.begin_browser_session(&new, at).await.unwrap().unwrap()
}

async fn begin(f: &Fixture, user: &User, client: &str, (sid, ends_with_it): (&str, bool)) -> Option<Family> {
    let login = NewLogin {
        client_id: client.to_owned(),
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
        ..new_login(user)
    };
    f.store.begin_session(&login, NOW).await.unwrap()
}

async fn end(f: &Fixture, sid: &str) {
    let cut = cut(NOW + 1, Reason::Logout);
    f.store
        .end_session(sid, Strength::DenyList, None, &cut)
        .await
        .unwrap();
}

async fn claim(f: &Fixture, now: i64) -> Vec<LogoutNotice> {
    let of_operator = (RegisteredBy::Operator, 100);
    let claimed = f.store.claim_logout_notices((now, LEASE), of_operator);
    let mut claimed = claimed.await.unwrap();
    claimed.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    claimed
}

async fn the_end_of_a_browser_session_concerns_every_client_that_began_in_it(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let online = begin(f, &alice, "web", (&sid, true)).await.unwrap();
    let offline = begin(f, &alice, "web2", (&sid, false)).await.unwrap();
    let elsewhere = signed_in(f, &alice).await;
    begin(f, &alice, "spa", (&elsewhere, true)).await.unwrap();
    let concerned = f.store.clients_concerned(&sid, 9).await.unwrap();
    assert_eq!(concerned.len(), 2);
    end(f, &sid).await;
    let told = claim(f, NOW + 1).await;
    let told: Vec<_> = told.iter().map(|n| (&*n.client_id, &*n.sid, &*n.sub)).collect();
    assert_eq!(
        told,
        [
            ("web", &*online.sid, &*alice.sub),
            ("web2", &*offline.sid, &*alice.sub)
        ]
    );
    let session = f.store.session(&offline.sid).await.unwrap().unwrap();
    assert!(session.ended_at.is_none(), "told, and goes on");
}

async fn clients_without_an_id_token_and_sessions_that_had_ended_concern_nobody(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let login = NewLogin {
        scope: "openids read".to_owned(),
        ..new_login(&alice)
    };
    let plain = f.store.begin_session(&login, NOW).await.unwrap().unwrap();
    end(f, &plain.sid).await;
    assert!(claim(f, NOW + 1).await.is_empty());
    let sid = signed_in(f, &alice).await;
    begin(f, &alice, "web", (&sid, true)).await.unwrap();
    end(f, &sid).await;
    let notice = claim(f, NOW + 1).await.remove(0);
    f.store.drop_logout_notices(&[notice.sid]).await.unwrap();
    end(f, &sid).await;
    assert!(claim(f, NOW + LEASE + 2).await.is_empty(), "it had ended");
}

async fn of_two_nodes_that_claim_at_once_one_gets_each_notice(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    for n in 0..20 {
        begin(f, &alice, &format!("web{n}"), (&sid, true)).await.unwrap();
    }
    end(f, &sid).await;
    let most = (RegisteredBy::Operator, 20);
    let claims = join_all((0..8).map(|_| f.store.claim_logout_notices((NOW + 1, LEASE), most))).await;
    let mut sids: Vec<_> = claims
        .into_iter()
        .flat_map(Result::unwrap)
        .map(|notice| notice.sid)
        .collect();
    assert_eq!(sids.len(), 20);
    sids.sort();
    sids.dedup();
    assert_eq!(sids.len(), 20);
}

async fn of_a_client_no_more_than_eight_are_taken_at_the_same_time(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    for _ in 0..10 {
        begin(f, &alice, "hangs", (&sid, true)).await.unwrap();
    }
    begin(f, &alice, "web", (&sid, true)).await.unwrap();
    end(f, &sid).await;
    let taken = claim(f, NOW + 1).await;
    let of = |client: &str| taken.iter().filter(|n| n.client_id == client).count();
    assert_eq!((of("hangs"), of("web")), (8, 1));
    assert!(claim(f, NOW + 2).await.is_empty(), "the others wait");
    for notice in &taken[..2] {
        let later = f.store.postpone_logout_notice(notice, NOW + 9 * LEASE);
        later.await.unwrap();
    }
    assert_eq!(claim(f, NOW + 3).await.len(), 2, "whoever waits is at nothing");
    assert_eq!(claim(f, NOW + 1 + LEASE).await.len(), 7, "the lease has ended");
}

async fn the_users_of_a_client_take_turns(f: &Fixture) {
    let (alice, bob) = (
        user(&f.store, "a@x.example").await,
        user(&f.store, "b@x.example").await,
    );
    let (many, one) = (signed_in(f, &alice).await, signed_in(f, &bob).await);
    for _ in 0..10 {
        begin(f, &alice, "web", (&many, true)).await.unwrap();
    }
    begin(f, &bob, "web", (&one, true)).await.unwrap();
    end(f, &many).await;
    end(f, &one).await;
    let told = claim(f, NOW + 1).await;
    assert_eq!(told.len(), 8);
    assert!(told.iter().any(|notice| notice.sub == bob.sub), "{told:?}");
}

async fn what_strangers_have_registered_is_claimed_apart(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let new = NewRegistration {
        client_id: "stranger".to_owned(),
        settings: "{}".to_owned(),
        metadata: "{}".to_owned(),
        secret: None,
        registration_digest: [2; 32],
        initial_digest: None,
    };
    let audit = NewAudit::success("", AuditAction::ClientRegister, "stranger");
    f.store.register_client(&new, 1_000, (NOW, &audit)).await.unwrap();
    for client in ["stranger", "web"] {
        begin(f, &alice, client, (&sid, true)).await.unwrap();
    }
    end(f, &sid).await;
    for (registered_by, client) in [
        (RegisteredBy::Operator, "web"),
        (RegisteredBy::Themselves, "stranger"),
    ] {
        let told = f.store.claim_logout_notices((NOW + 1, LEASE), (registered_by, 9));
        let told = told.await.unwrap();
        assert_eq!(told.iter().map(|n| &*n.client_id).collect::<Vec<_>>(), [client]);
    }
}

async fn a_notice_comes_back_when_its_lease_has_ended_and_is_gone_when_it_is_finished(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    begin(f, &alice, "web", (&sid, true)).await.unwrap();
    end(f, &sid).await;
    let first = claim(f, NOW + 1).await.remove(0);
    assert_eq!((first.attempts, first.created_at), (1, NOW + 1));
    assert!(claim(f, NOW + LEASE).await.is_empty());
    let second = claim(f, NOW + 1 + LEASE).await.remove(0);
    assert_eq!(second.attempts, 2);
    // Whoever was too slow moves nothing any more.
    f.store.postpone_logout_notice(&first, NOW).await.unwrap();
    assert!(claim(f, NOW + 2 + LEASE).await.is_empty());
    f.store
        .postpone_logout_notice(&second, NOW + 9 * LEASE)
        .await
        .unwrap();
    assert!(claim(f, NOW + 8 * LEASE).await.is_empty());
    let third = claim(f, NOW + 9 * LEASE).await.remove(0);
    let audit = NewAudit::success("system", AuditAction::LogoutNotice, "web");
    f.store.finish_logout_notice(&third, (NOW, &audit)).await.unwrap();
    assert!(claim(f, NOW + 99 * LEASE).await.is_empty());
    let rows = f.store.list_audit(9).await.unwrap();
    assert!(
        rows.iter()
            .any(|row| row.event.action == AuditAction::LogoutNotice)
    );
}

async fn ending_the_others_leaves_what_began_in_the_kept_browser(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (here, there) = (signed_in(f, &alice).await, signed_in(f, &alice).await);
    let own = begin(f, &alice, "web", (&here, true)).await.unwrap();
    let other = begin(f, &alice, "web", (&there, true)).await.unwrap();
    let cut = cut(NOW + 1, Reason::Logout);
    f.store
        .end_sessions_of(alice.id, Strength::DenyList, Some(&here), &cut)
        .await
        .unwrap();
    let left = f
        .store
        .live_sessions_of(alice.id, NOW + 1, (IDLE, ABSOLUTE))
        .await
        .unwrap();
    let mut left: Vec<_> = left
        .iter()
        .map(|s| (s.ends_with.as_deref(), s.sid.as_str()))
        .collect();
    left.sort();
    assert_eq!(left, [(None, &*here), (Some(&*here), &*own.sid)]);
    let told = claim(f, NOW + 1).await;
    assert_eq!(told.iter().map(|n| &n.sid).collect::<Vec<_>>(), [&other.sid]);
}

async fn cn_06_what_is_withdrawn_takes_sessions_and_codes_along(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let gone = begin(f, &alice, "web", (&sid, true)).await.unwrap();
    let stays = begin(f, &alice, "web2", (&sid, true)).await.unwrap();
    let extent = Extent {
        scope: "openid".parse().unwrap(),
        ..Extent::default()
    };
    let audit = NewAudit::success("a", AuditAction::Consent, "web");
    for client_id in ["web", "web2"] {
        let key = GrantKey {
            user: alice.id,
            client_id,
            audience: "https://api.example",
        };
        f.store.remember_grant(key, &extent, (NOW, &audit)).await.unwrap();
    }
    assert_eq!(f.store.grants_of(alice.id).await.unwrap().len(), 2);
    let cut = cut(NOW + 5, Reason::Revoked);
    let ended = f
        .store
        .withdraw_consent((alice.id, &alice.sub), "web", &cut)
        .await;
    assert_eq!(ended.unwrap(), 1);
    let left = f.store.grants_of(alice.id).await.unwrap();
    assert_eq!(left.iter().map(|g| &*g.client_id).collect::<Vec<_>>(), ["web2"]);
    let revoked = async |family: &Family| {
        let record = f.store.family(&family.fam).await.unwrap().unwrap();
        record.family.revoked_at.is_some()
    };
    assert!(revoked(&gone).await && !revoked(&stays).await);
    // A code of before; then one that was allowed anew.
    assert!(begin(f, &alice, "web", (&sid, true)).await.is_none());
    let login = |allowed_at| NewLogin {
        client_id: "web".to_owned(),
        browser: Some(BrowserLogin {
            sid: sid.clone(),
            auth_time: NOW,
            allowed_at,
            absolute_ms: ABSOLUTE,
            tie: Tie::EndsWithIt,
        }),
        ..new_login(&alice)
    };
    let again = f.store.begin_session(&login(NOW + 5), NOW + 6).await.unwrap();
    assert!(again.is_none());
    let again = f.store.begin_session(&login(NOW + 6), NOW + 6).await.unwrap();
    assert!(again.is_some());
}

async fn what_has_expired_is_no_live_session(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    begin(f, &alice, "web", (&sid, true)).await.unwrap();
    let live = async |now| {
        let live = f.store.live_sessions_of(alice.id, now, (IDLE, ABSOLUTE)).await;
        live.unwrap().len()
    };
    assert_eq!(live(NOW + 1).await, 2);
    f.store.touch_browser_session(&sid, NOW + IDLE - 1).await.unwrap();
    assert_eq!(live(NOW + IDLE).await, 1, "the family has rested too long");
    assert_eq!(live(NOW + ABSOLUTE).await, 0);
}

async fn a_client_is_told_when_the_browser_is_signed_out_even_if_its_tokens_ended_long_ago(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let first = signed_in(f, &alice).await;
    let mut sids = Vec::new();
    for tie in [Tie::EndsWithIt, Tie::HearsOfIt, Tie::Apart] {
        let login = NewLogin {
            browser: Some(BrowserLogin {
                sid: first.clone(),
                auth_time: NOW,
                allowed_at: NOW,
                absolute_ms: ABSOLUTE,
                tie,
            }),
            absolute_ms: DAY,
            ..new_login(&alice)
        };
        let begun = f.store.begin_session(&login, NOW).await.unwrap().unwrap();
        sids.push(begun.sid);
    }
    let sweep = async |now| f.store.sweep(now, 100).await.unwrap().sessions;
    assert_eq!(
        sweep(NOW + 20 * DAY).await,
        1,
        "of what stands apart nobody is told"
    );
    // Another login there: what hangs together lives as long as that one may.
    let second = signed_in_at(f, &alice, (NOW + 20 * DAY, Some(&first))).await;
    assert_eq!(sweep(NOW + 40 * DAY).await, 1, "the first login in the browser");
    let concerned = f.store.clients_concerned(&second, 9).await.unwrap();
    assert_eq!(concerned.len(), 2, "in frames");
    end(f, &second).await;
    let told: Vec<_> = claim(f, NOW + 1).await.into_iter().map(|n| n.sid).collect();
    assert!(
        told.len() == 2 && told.iter().all(|sid| sids[..2].contains(sid)),
        "{told:?}"
    );
    assert_eq!(sweep(NOW + 53 * DAY).await, 3, "nothing stays for ever");
}

async fn a_client_that_gave_its_token_back_is_told_when_the_browser_is_signed_out(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let sid = signed_in(f, &alice).await;
    let stolen = begin(f, &alice, "spa", (&sid, true)).await.unwrap();
    let given_back = begin(f, &alice, "web", (&sid, true)).await.unwrap();
    for (family, reason) in [(&stolen, Reason::Reuse), (&given_back, Reason::Revoked)] {
        let cut = cut(NOW + 1, reason);
        assert!(f.store.revoke_family(&family.fam, &cut).await.unwrap());
    }
    let told = claim(f, NOW + 1).await.remove(0);
    assert_eq!(told.sid, stolen.sid, "it cannot know");
    f.store.drop_logout_notices(&[told.sid]).await.unwrap();
    let live = f
        .store
        .live_sessions_of(alice.id, NOW + 1, (IDLE, ABSOLUTE))
        .await
        .unwrap();
    assert_eq!(live.len(), 1, "the browser's: nothing can be done in the other");
    end(f, &sid).await;
    let told: Vec<_> = claim(f, NOW + 1).await.into_iter().map(|n| n.sid).collect();
    assert_eq!(told, [given_back.sid], "once, and nobody who knows");
}
