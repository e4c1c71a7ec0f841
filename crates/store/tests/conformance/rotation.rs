//! Rotation: what the SQL does is what `judge` says.

use carnet_oauth::revocation::RevocationKind;
use carnet_store::{AuditAction, Family, NewLogin, Reason, Rotated, TokenFacts, Verdict, judge};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{NOW, login, new_login, open_sessions, theft, user};

on_every_engine!(
    rt_01_a_spent_token_kills_its_family_and_no_other,
    rt_02_a_lost_answer_is_given_again,
    rt_09_rotation_never_moves_the_absolute_end,
    the_clock_steps_back_and_nothing_else_does,
    random_histories_agree_with_the_judgement,
    rt_02_sixty_four_at_once_get_the_same_successor,
    rt_01_of_sixty_four_at_once_without_grace_one_wins_and_the_family_dies,
    many_families_rotate_at_once,
);

const GRACE: i64 = 10_000;

async fn rt_01_a_spent_token_kills_its_family_and_no_other(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let (family, other) = (login(&f.store, &alice).await, login(&f.store, &alice).await);
    assert!(matches!(
        f.store
            .rotate(family.clone(), (0, None), (NOW, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Fresh(_)
    ));
    let late = NOW + GRACE;
    let Rotated::Reused(dead) = f
        .store
        .rotate(family.clone(), (0, None), (late, GRACE), theft)
        .await
        .unwrap()
    else {
        panic!("a spent token outside the grace is theft")
    };
    assert_eq!(
        (dead.revoked_at, dead.revoked_reason),
        (Some(NOW + GRACE), Some(Reason::Reuse))
    );
    for n in [0, 1, 2, -1] {
        assert_eq!(
            f.store
                .rotate(family.clone(), (n, None), (late, GRACE), theft)
                .await
                .unwrap(),
            Rotated::Revoked
        );
    }
    let token = |family: &Family| TokenFacts {
        fam: Some(family.fam.clone()),
        ..TokenFacts::default()
    };
    assert!(f.store.is_revoked(&token(&family)).await.unwrap());
    assert!(!f.store.is_revoked(&token(&other)).await.unwrap());
    assert!(matches!(
        f.store
            .rotate(other.clone(), (0, None), (late, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Fresh(_)
    ));
    let entries = f.store.revocations_since(0, 9).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [RevocationKind::Fam]);
    let audit = f.store.list_audit(99).await.unwrap();
    let noted = audit
        .iter()
        .filter(|row| row.event.action == AuditAction::RefreshReuse);
    assert_eq!(noted.count(), 1);
    assert_eq!(
        open_sessions(&f.store, &alice).await.len(),
        1,
        "the stolen login is over"
    );
}

async fn rt_02_a_lost_answer_is_given_again(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    let Rotated::Fresh(first) = f
        .store
        .rotate(family.clone(), (0, None), (NOW + 5, GRACE), theft)
        .await
        .unwrap()
    else {
        panic!("the live token")
    };
    for wait in [5, 100, GRACE + 4] {
        let again = f
            .store
            .rotate(family.clone(), (0, None), (NOW + wait, GRACE), theft)
            .await
            .unwrap();
        assert_eq!(again, Rotated::Same(first.clone()), "nothing changes");
    }
    assert_eq!(
        f.store
            .rotate(family.clone(), (2, None), (NOW + 6, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Unknown
    );
    assert_eq!(
        f.store
            .rotate(family.clone(), (i64::MAX, None), (NOW + 6, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Unknown
    );
    let nobodys = Family {
        fam: "none".to_owned(),
        ..family.clone()
    };
    assert_eq!(
        f.store
            .rotate(nobodys.clone(), (0, None), (NOW + 6, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Unknown
    );
    assert!(matches!(
        f.store
            .rotate(family.clone(), (1, None), (NOW + 6, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Fresh(_)
    ));
    // Its successor is spent now, so the first token is no retry any more, however early.
    assert!(matches!(
        f.store
            .rotate(family.clone(), (0, None), (NOW + 6, GRACE), theft)
            .await
            .unwrap(),
        Rotated::Reused(_)
    ));
}

async fn rt_09_rotation_never_moves_the_absolute_end(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let short = NewLogin {
        idle_ms: 1_000,
        absolute_ms: 5_000,
        ..new_login(&alice)
    };
    let family = f.store.begin_session(&short, NOW).await.unwrap().unwrap();
    for (n, at) in [500, 1_400, 2_300, 3_200, 4_100].into_iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        let rotated = f
            .store
            .rotate(family.clone(), (n, None), (NOW + at, 0), theft)
            .await
            .unwrap();
        let Rotated::Fresh(next) = rotated else {
            panic!("{at}: {rotated:?}")
        };
        assert_eq!(next.absolute_expires_at, NOW + 5_000);
        assert_eq!(next.idle_expires_at, NOW + (at + 1_000).min(5_000));
    }
    assert_eq!(
        f.store
            .rotate(family.clone(), (5, None), (NOW + 5_000, 0), theft)
            .await
            .unwrap(),
        Rotated::Expired
    );
    let idle = f.store.begin_session(&short, NOW).await.unwrap().unwrap();
    assert_eq!(
        f.store
            .rotate(idle.clone(), (0, None), (NOW + 1_000, 0), theft)
            .await
            .unwrap(),
        Rotated::Expired
    );
}

async fn the_clock_steps_back_and_nothing_else_does(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    f.store
        .rotate(family.clone(), (0, None), (NOW + 60_000, GRACE), theft)
        .await
        .unwrap();
    let Rotated::Fresh(next) = f
        .store
        .rotate(family.clone(), (1, None), (NOW - 60_000, GRACE), theft)
        .await
        .unwrap()
    else {
        panic!("the live token")
    };
    assert_eq!(next.issued_at, NOW + 60_000);
    assert_eq!(next.idle_expires_at, NOW + 60_000 + family.idle_ms);
    let retry = f
        .store
        .rotate(family.clone(), (1, None), (NOW - 60_000, GRACE), theft)
        .await
        .unwrap();
    assert_eq!(
        retry,
        Rotated::Same(next),
        "no time has passed as far as anyone can tell"
    );
}

async fn random_histories_agree_with_the_judgement(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..60 {
        let grace = [0, 400][dice.below(2)];
        let short = NewLogin {
            idle_ms: 2_000,
            absolute_ms: 7_000,
            ..new_login(&alice)
        };
        let mut row = f.store.begin_session(&short, NOW).await.unwrap().unwrap();
        let (mut now, mut read) = (NOW, row.clone());
        for _ in 0..14 {
            now += [0, 1, 150, 399, 400, 900, 2_100, -200][dice.below(8)];
            let n = row.generation + [0, 0, 0, 0, -1, -1, -2, 1][dice.below(8)];
            let verdict = judge(&row, n, now, grace);
            seen.insert(verdict);
            // Sometimes the family has moved, or died, since it was read.
            if dice.below(3) > 0 {
                read = row.clone();
            }
            let rotated = f
                .store
                .rotate(read.clone(), (n, None), (now, grace), theft)
                .await
                .unwrap();
            let expected = expected(&row, verdict, now);
            assert_eq!(
                rotated, expected,
                "token {n} at {now} with grace {grace} of {row:?}"
            );
            let stored = f.store.family(&row.fam).await.unwrap().unwrap().family;
            if let Rotated::Fresh(family) | Rotated::Reused(family) = rotated {
                row = family;
            }
            assert_eq!(stored, row, "the row is what the answers say");
        }
    }
    assert_eq!(seen.len(), 6, "every verdict came up: {seen:?}");
}

fn expected(row: &Family, verdict: Verdict, now: i64) -> Rotated {
    match verdict {
        Verdict::Rotate => Rotated::Fresh(Family {
            generation: row.generation + 1,
            issued_at: row.issued_at.max(now),
            idle_expires_at: row
                .idle_expires_at
                .max((now + row.idle_ms).min(row.absolute_expires_at)),
            ..row.clone()
        }),
        Verdict::Retry => Rotated::Same(row.clone()),
        Verdict::Reuse => Rotated::Reused(Family {
            revoked_at: Some(now),
            revoked_reason: Some(Reason::Reuse),
            ..row.clone()
        }),
        Verdict::Expired => Rotated::Expired,
        Verdict::Revoked => Rotated::Revoked,
        Verdict::Unknown => Rotated::Unknown,
    }
}

async fn sixty_four(f: &Fixture, grace: i64) -> (Family, Vec<Rotated>) {
    let alice = user(&f.store, "a@x.example").await;
    let family = login(&f.store, &alice).await;
    let tasks = (0..64).map(|_| {
        let (store, family) = (f.store.clone(), family.clone());
        tokio::spawn(async move {
            store
                .rotate(family.clone(), (0, None), (NOW + 1, grace), theft)
                .await
                .unwrap()
        })
    });
    let answers = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    (
        f.store.family(&family.fam).await.unwrap().unwrap().family,
        answers,
    )
}

async fn rt_02_sixty_four_at_once_get_the_same_successor(f: &Fixture) {
    let (family, answers) = sixty_four(f, GRACE).await;
    assert_eq!((family.generation, family.revoked_at), (1, None));
    let fresh = answers
        .iter()
        .filter(|answer| **answer == Rotated::Fresh(family.clone()))
        .count();
    let same = answers
        .iter()
        .filter(|answer| **answer == Rotated::Same(family.clone()))
        .count();
    assert_eq!((fresh, same), (1, 63));
}

async fn rt_01_of_sixty_four_at_once_without_grace_one_wins_and_the_family_dies(f: &Fixture) {
    let (family, answers) = sixty_four(f, 0).await;
    assert_eq!(
        (family.generation, family.revoked_reason),
        (1, Some(Reason::Reuse))
    );
    let count = |wanted: fn(&Rotated) -> bool| answers.iter().filter(|answer| wanted(answer)).count();
    assert_eq!(count(|answer| matches!(answer, Rotated::Fresh(_))), 1);
    assert_eq!(
        count(|answer| matches!(answer, Rotated::Reused(_))),
        1,
        "the theft is on record once"
    );
    assert_eq!(count(|answer| *answer == Rotated::Revoked), 62);
    assert_eq!(f.store.revocations_since(0, 9).await.unwrap().len(), 1);
}

async fn many_families_rotate_at_once(f: &Fixture) {
    let alice = user(&f.store, "a@x.example").await;
    let mut families = Vec::new();
    for _ in 0..40 {
        families.push(login(&f.store, &alice).await);
    }
    let tasks = families.into_iter().map(|family| {
        let store = f.store.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                let rotated = store
                    .rotate(family.clone(), (n, None), (NOW + n, 0), theft)
                    .await
                    .unwrap();
                assert!(matches!(rotated, Rotated::Fresh(moved) if moved.generation == n + 1));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
