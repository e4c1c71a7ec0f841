//! Tickets.

use carnet_store::{NewLogin, Redeemed, TicketKind};
use futures_util::future::join_all;

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::{DAY, NOW, new_login, user};

on_every_engine!(
    of_forty_that_redeem_at_once_one_does,
    tk_03_an_expired_ticket_is_unknown_and_so_is_one_of_another_kind,
    a_ticket_is_kept_once_and_may_be_amended_until_it_is_redeemed,
    of_forty_that_replace_at_once_one_does,
    tk_02_a_code_that_is_seen_again_names_what_it_bought_and_buys_nothing_more,
    a_code_is_remembered_for_what_it_bought_alone,
);

async fn of_forty_that_redeem_at_once_one_does(f: &Fixture) {
    assert!(
        f.store
            .keep_ticket(TicketKind::Code, "c", "{}", NOW + 60)
            .await
            .unwrap()
    );
    let tasks = (0..40).map(|_| {
        let store = f.store.clone();
        tokio::spawn(async move { store.redeem_ticket(TicketKind::Code, "c", NOW).await.unwrap() })
    });
    let outcomes: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let fresh = outcomes
        .iter()
        .filter(|outcome| **outcome == Redeemed::Fresh("{}".to_owned()));
    assert_eq!(fresh.count(), 1);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Redeemed::Again(None))
            .count(),
        39
    );
}

async fn tk_03_an_expired_ticket_is_unknown_and_so_is_one_of_another_kind(f: &Fixture) {
    let store = &f.store;
    store
        .keep_ticket(TicketKind::Code, "c", "x", NOW + 60)
        .await
        .unwrap();
    assert_eq!(
        store
            .ticket(TicketKind::Code, "c", NOW + 59)
            .await
            .unwrap()
            .as_deref(),
        Some("x")
    );
    assert_eq!(store.ticket(TicketKind::Code, "c", NOW + 60).await.unwrap(), None);
    for (kind, secret, now) in [
        (TicketKind::Code, "c", NOW + 60),
        (TicketKind::Interaction, "c", NOW),
        (TicketKind::Code, "d", NOW),
    ] {
        assert_eq!(
            store.redeem_ticket(kind, secret, now).await.unwrap(),
            Redeemed::Unknown
        );
    }
    assert_eq!(store.sweep(NOW + 2 * DAY, 10).await.unwrap().tickets, 1);
}

async fn a_ticket_is_kept_once_and_may_be_amended_until_it_is_redeemed(f: &Fixture) {
    let (store, kind) = (&f.store, TicketKind::Interaction);
    assert!(store.keep_ticket(kind, "i", "a", NOW + 60).await.unwrap());
    assert!(!store.keep_ticket(kind, "i", "b", NOW + 60).await.unwrap());
    assert!(store.amend_ticket(kind, "i", "c", NOW).await.unwrap());
    assert!(!store.amend_ticket(kind, "i", "c", NOW + 60).await.unwrap());
    assert!(!store.is_redeemed(kind, "i").await.unwrap());
    assert_eq!(
        store.redeem_ticket(kind, "i", NOW).await.unwrap(),
        Redeemed::Fresh("c".to_owned())
    );
    assert!(store.is_redeemed(kind, "i").await.unwrap());
    assert!(!store.is_redeemed(TicketKind::Code, "i").await.unwrap());
    assert!(!store.amend_ticket(kind, "i", "d", NOW).await.unwrap());
    assert_eq!(store.ticket(kind, "i", NOW).await.unwrap(), None);
}

async fn tk_02_a_code_that_is_seen_again_names_what_it_bought_and_buys_nothing_more(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    let by = |code: &str| NewLogin {
        code: Some(code.to_owned()),
        ..new_login(&alice)
    };
    for code in ["good", "raced"] {
        store
            .keep_ticket(TicketKind::Code, code, "{}", NOW + 60)
            .await
            .unwrap();
    }
    let early = store.begin_session(&by("good"), NOW).await.unwrap();
    assert!(early.is_none(), "not redeemed yet");
    store.redeem_ticket(TicketKind::Code, "good", NOW).await.unwrap();
    let family = store.begin_session(&by("good"), NOW).await.unwrap().unwrap();
    let again = store
        .redeem_ticket(TicketKind::Code, "good", NOW + 99)
        .await
        .unwrap();
    assert_eq!(again, Redeemed::Again(Some(family.fam)));

    store.redeem_ticket(TicketKind::Code, "raced", NOW).await.unwrap();
    store.redeem_ticket(TicketKind::Code, "raced", NOW).await.unwrap();
    assert!(store.begin_session(&by("raced"), NOW).await.unwrap().is_none());
}

async fn a_code_is_remembered_for_what_it_bought_alone(f: &Fixture) {
    let store = &f.store;
    let alice = user(store, "a@x.example").await;
    for code in ["bought", "spent", "left"] {
        store
            .keep_ticket(TicketKind::Code, code, "{}", NOW + 60)
            .await
            .unwrap();
    }
    for code in ["bought", "spent"] {
        store.redeem_ticket(TicketKind::Code, code, NOW).await.unwrap();
    }
    let login = NewLogin {
        code: Some("bought".to_owned()),
        ..new_login(&alice)
    };
    let family = store.begin_session(&login, NOW).await.unwrap().unwrap();
    let sweep = async |now| store.sweep(now, 10).await.unwrap().tickets;
    assert_eq!(sweep(NOW + 60_000).await, 0, "one may be about to buy");
    assert_eq!(sweep(NOW + 60_061).await, 2);
    let again = async || store.redeem_ticket(TicketKind::Code, "bought", NOW + 99).await;
    assert_eq!(again().await.unwrap(), Redeemed::Again(Some(family.fam)));
    assert_eq!(sweep(NOW + 60 + DAY).await, 0);
    assert_eq!(sweep(NOW + 61 + DAY).await, 1);
    assert_eq!(again().await.unwrap(), Redeemed::Unknown);
}

async fn of_forty_that_replace_at_once_one_does(f: &Fixture) {
    let ticket = (TicketKind::UserCode, "WDJBMJHT");
    f.store
        .keep_ticket(ticket.0, ticket.1, "pending", NOW + 60)
        .await
        .unwrap();
    let tasks = (0..40).map(|i| {
        let (store, after) = (f.store.clone(), format!("decided {i}"));
        tokio::spawn(async move {
            store
                .replace_ticket(ticket, ("pending", &after), NOW)
                .await
                .unwrap()
        })
    });
    let made: Vec<bool> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let winner = made.iter().position(|made| *made).unwrap();
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    let kept = f.store.ticket(ticket.0, ticket.1, NOW).await.unwrap();
    assert_eq!(kept.as_deref(), Some(format!("decided {winner}").as_str()));
    let late = f
        .store
        .replace_ticket(ticket, (&kept.unwrap(), "late"), NOW + 60)
        .await;
    assert!(!late.unwrap());
}
