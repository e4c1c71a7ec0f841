//! Audit rows.

use carnet_store::{AuditAction, NewAudit, Outcome};

use crate::support::engine::{Fixture, on_every_engine};
use crate::support::sample::NOW;

on_every_engine!(
    an_audit_row_keeps_everything_it_was_given,
    every_action_can_be_recorded
);

async fn an_audit_row_keeps_everything_it_was_given(f: &Fixture) {
    let event = NewAudit {
        actor: "alice".to_owned(),
        action: AuditAction::Login,
        object: "o".to_owned(),
        outcome: Outcome::Refused,
        code: "invalid_credentials".to_owned(),
        address: "2001:db8::1".to_owned(),
        session: "sid".to_owned(),
        correlation: "c-1".to_owned(),
        details: "{\"ü\":\"'; DROP TABLE users; --\"}".to_owned(),
    };
    f.store.record_audit(&event, NOW).await.unwrap();
    let row = f.store.list_audit(1).await.unwrap().remove(0);
    assert_eq!((row.at, row.event, row.hash), (NOW, event, None));
}

async fn every_action_can_be_recorded(f: &Fixture) {
    for (action, at) in AuditAction::ALL.iter().zip(NOW..) {
        f.store
            .record_audit(&NewAudit::success("cli", *action, "x"), at)
            .await
            .unwrap();
    }
    let rows = f.store.list_audit(1_000).await.unwrap();
    let newest_first: Vec<AuditAction> = rows.iter().map(|row| row.event.action).collect();
    assert_eq!(
        newest_first,
        AuditAction::ALL.iter().rev().copied().collect::<Vec<_>>()
    );
    assert_eq!(f.store.list_audit(2).await.unwrap().len(), 2);
}
