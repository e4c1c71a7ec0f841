//! Messages in and out of their order.

use carnet_oauth::revocation::{RevocableToken, Revocation, RevocationKind};

use super::*;

fn says(epoch: &str, range: (i64, i64), iat: u64) -> RevocationMessage {
    let sid = |n: i64| Revocation {
        kind: RevocationKind::Sid,
        value: format!("{epoch}{n}"),
        issued_before: None,
        exp: 2_000,
    };
    RevocationMessage {
        iss: String::new(),
        aud: String::new(),
        iat,
        epoch: epoch.to_owned(),
        since: range.0,
        cursor: range.1,
        services: 0,
        more: false,
        entries: (range.0 + 1..=range.1).map(sid).collect(),
    }
}

fn unfinished(epoch: &str, range: (i64, i64), iat: u64) -> RevocationMessage {
    RevocationMessage {
        more: true,
        ..says(epoch, range, iat)
    }
}

struct Follower {
    chain: Chain,
    set: Set,
}

impl Follower {
    fn new() -> Self {
        let hashes = Hashes::default();
        Self {
            chain: Chain::new(hashes.clone()),
            set: Set::new(hashes, Vec::new()),
        }
    }

    fn take(&mut self, message: &RevocationMessage) -> Result<(), Odd> {
        match self.chain.take(message)? {
            Step::More(records) => self.set = self.set.with(&records),
            Step::Anew(records) => self.set = Set::new(self.set.hashes().clone(), records),
            Step::Unfinished => {}
        }
        Ok(())
    }

    fn knows(&self, sid: &str) -> bool {
        self.set.takes_back(&RevocableToken {
            sid: Some(sid),
            ..RevocableToken::default()
        })
    }
}

#[test]
fn messages_go_on_where_the_last_one_ended() {
    let mut follower = Follower::new();
    follower.take(&says("a", (0, 2), 100)).unwrap();
    follower.take(&says("a", (2, 2), 105)).unwrap();
    follower.take(&says("a", (2, 3), 106)).unwrap();
    assert!(["a1", "a2", "a3"].iter().all(|sid| follower.knows(sid)));
    assert_eq!(follower.chain.position(), Some(("a", 3)));
    assert_eq!(follower.take(&says("a", (4, 5), 107)), Err(Odd::Gap));
    assert_eq!(
        follower.take(&says("a", (2, 3), 107)),
        Err(Odd::Gap),
        "once is enough"
    );
    assert_eq!(
        follower.take(&says("b", (3, 4), 107)),
        Err(Odd::Gap),
        "another history"
    );
    assert_eq!(follower.take(&says("a", (3, 1), 107)), Err(Odd::Gap));
    assert!(!follower.knows("a5"));
}

#[test]
fn a_set_in_parts_counts_when_it_is_whole_and_the_old_one_until_then() {
    let mut follower = Follower::new();
    follower.take(&says("a", (0, 2), 100)).unwrap();
    follower.take(&unfinished("b", (0, 1), 101)).unwrap();
    assert!(follower.knows("a1") && !follower.knows("b1"));
    // It goes on there, whatever happened to the connection.
    assert_eq!(follower.chain.position(), Some(("b", 1)));
    follower.take(&unfinished("b", (1, 2), 101)).unwrap();
    // What arrives meanwhile stands at the end of the chain.
    follower.take(&says("b", (2, 3), 102)).unwrap();
    assert!(["b1", "b2", "b3"].iter().all(|sid| follower.knows(sid)) && !follower.knows("a1"));
}

#[test]
fn an_older_message_brings_nothing_back() {
    let mut follower = Follower::new();
    let first = says("a", (0, 1), 100);
    follower.take(&first).unwrap();
    follower.take(&says("a", (1, 2), 101)).unwrap();
    assert_eq!(follower.take(&first), Err(Odd::Old));
    assert!(follower.knows("a2"));
    // Of another node, whose clock is a little behind.
    follower.take(&says("a", (2, 3), 95)).unwrap();
    assert_eq!(follower.take(&says("a", (3, 4), 90)), Err(Odd::Old));
}

#[test]
fn a_heartbeat_that_is_sent_once_more_is_no_sign_of_life() {
    let mut chain = Chain::new(Hashes::default());
    let beat = says("a", (0, 0), 100);
    assert!(chain.take(&beat).is_ok() && chain.is_sign_of_life(&beat));
    assert!(chain.take(&beat).is_ok() && !chain.is_sign_of_life(&beat));
    let next = says("a", (0, 0), 105);
    assert!(chain.take(&next).is_ok() && chain.is_sign_of_life(&next));
    let part = unfinished("a", (0, 1), 110);
    assert!(chain.take(&part).is_ok() && !chain.is_sign_of_life(&part));
}

#[test]
fn what_has_expired_is_forgotten_by_the_issuers_clock() {
    let mut follower = Follower::new();
    follower.take(&says("a", (0, 2), 1_000)).unwrap();
    assert!(
        follower.chain.renewed(&follower.set).is_none(),
        "nothing has expired"
    );
    follower.take(&says("a", (2, 2), 2_600)).unwrap();
    assert!(
        follower.chain.renewed(&follower.set).is_none(),
        "a policy may still forgive ten minutes"
    );
    follower.take(&says("a", (2, 2), 2_661)).unwrap();
    assert_eq!(
        follower.chain.renewed(&follower.set).map(|left| left.len()),
        Some(0)
    );
}
