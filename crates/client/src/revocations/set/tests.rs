//! A set by what it says of tokens.

use super::*;

fn entry(kind: RevocationKind, value: &str, issued_before: Option<i64>) -> Revocation {
    Revocation {
        kind,
        value: value.to_owned(),
        issued_before,
        exp: 1_000,
    }
}

fn set(entries: &[Revocation]) -> Set {
    let hashes = Hashes::default();
    let records = entries.iter().map(|entry| hashes.record(entry)).collect();
    Set::new(hashes, records)
}

const TOKEN: RevocableToken<'_> = RevocableToken {
    jti: Some("jti"),
    sid: Some("sid"),
    fam: Some("fam"),
    sub: Some("sub"),
    client_id: Some("client"),
    kid: Some("kid"),
    iat: Some(100),
};

#[test]
fn each_kind_matches_its_claim_and_no_other() {
    for kind in RevocationKind::ALL {
        let own = match kind {
            RevocationKind::SubClient => "sub client".to_owned(),
            other => other.as_str().to_owned(),
        };
        for claim in [
            "jti",
            "sid",
            "fam",
            "sub",
            "client",
            "kid",
            "sub client",
            "sub clien t",
            "subclient",
        ] {
            let set = set(&[entry(kind, claim, Some(100))]);
            assert_eq!(set.takes_back(&TOKEN), claim == own, "{kind:?} {claim}");
            let later = Set::new(Hashes::default(), Vec::new());
            let record = later.hashes().record(&entry(kind, claim, Some(100)));
            assert_eq!(
                later.with(&[record]).takes_back(&TOKEN),
                claim == own,
                "{kind:?} {claim}"
            );
            assert!(!set.takes_back(&RevocableToken::default()));
        }
    }
}

#[test]
fn a_time_means_tokens_made_at_or_before_it() {
    use RevocationKind::{Client, Sub, SubClient};
    for (kind, value) in [(Sub, "sub"), (SubClient, "sub client"), (Client, "client")] {
        let set = set(&[entry(kind, value, Some(100))]);
        for (iat, taken) in [
            (None, true),
            (Some(99), true),
            (Some(100), true),
            (Some(101), false),
        ] {
            assert_eq!(
                set.takes_back(&RevocableToken { iat, ..TOKEN }),
                taken,
                "{kind:?} {iat:?}"
            );
        }
    }
}

#[test]
fn the_later_of_two_times_counts() {
    for times in [[100, 200], [200, 100]] {
        let entries = times.map(|time| entry(RevocationKind::Sub, "sub", Some(time)));
        let token = RevocableToken {
            iat: Some(200),
            ..TOKEN
        };
        let whole = set(&entries);
        assert!(whole.takes_back(&token) && whole.len() == 1);
        let first = set(&entries[..1]);
        let second = first.hashes().record(&entries[1]);
        assert!(first.with(&[second]).takes_back(&token));
    }
}

#[test]
fn what_has_expired_is_left_out_when_it_is_made_anew() {
    let mut entries = vec![
        entry(RevocationKind::Sid, "sid", None),
        entry(RevocationKind::Fam, "fam", None),
    ];
    entries[1].exp = 2_000;
    let all = set(&entries);
    assert_eq!(all.living(1_000).len(), 2);
    let left = Set::new(all.hashes().clone(), all.living(1_001));
    assert_eq!(left.len(), 1);
    assert!(left.takes_back(&TOKEN) && !left.takes_back(&RevocableToken { fam: None, ..TOKEN }));
}

#[test]
fn none_of_many_is_missed_and_no_other_is_taken() {
    let hashes = Hashes::default();
    let named = |n: u32| entry(RevocationKind::Sid, &format!("sid-{n}"), None);
    let records = (0..100_000).map(|n| hashes.record(&named(n))).collect();
    let mut set = Set::new(hashes.clone(), records);
    for n in 100_000..101_000 {
        set = set.with(&[hashes.record(&named(n))]);
    }
    assert!(!set.is_due() && set.len() == 101_000);
    for n in 0..202_000 {
        let sid = format!("sid-{n}");
        let token = RevocableToken {
            sid: Some(&sid),
            ..RevocableToken::default()
        };
        assert_eq!(set.takes_back(&token), n < 101_000, "{n}");
    }
}

#[test]
fn a_record_has_24_bytes() {
    assert_eq!(size_of::<Record>(), 24);
}
