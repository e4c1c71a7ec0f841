//! A token taken apart, with everything in it that can be read, whole or not.
//!
//! Spec: RFC 7515 §7.1 · RFC 7516 §7.1 (five parts: encrypted)

use carnet_jose::json::{MAX_DEPTH, check_object};
use serde_json::{Map, Value};

use super::finding::Finding;
use super::{salvage, segment};

/// What a token is, by its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Signed: three parts.
    Jws,
    /// Encrypted: five parts, of which the header can be read.
    Jwe,
}

/// A token taken apart.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What it is.
    pub(crate) kind: Kind,
    /// What its header says.
    pub(crate) header: Option<Map<String, Value>>,
    /// What it claims.
    pub(crate) claims: Option<Map<String, Value>>,
    /// Whether header and claims were read to their end.
    pub(crate) whole: bool,
    /// The bytes of the signature, as far as they can be decoded.
    pub(crate) signature: Vec<u8>,
    /// Characters of each part.
    pub(crate) lengths: Vec<usize>,
    /// What is damaged.
    pub(crate) damage: Vec<Finding>,
}

/// Takes a token apart; none when nothing in it can be read.
pub(crate) fn read(token: &str) -> Option<Reading> {
    let segments: Vec<&str> = token.split('.').collect();
    let kind = if segments.len() == 5 { Kind::Jwe } else { Kind::Jws };
    let mut damage = Vec::new();
    shape(&segments, &mut damage);
    let (mut header, header_whole) = part(segments[0], "header", &mut damage);
    let payload = segments.get(1).filter(|_| kind == Kind::Jws);
    let (mut claims, claims_whole) =
        payload.map_or((None, true), |payload| part(payload, "claims", &mut damage));
    if segments.len() == 1
        && header
            .as_ref()
            .is_some_and(|members| !members.contains_key("alg"))
    {
        std::mem::swap(&mut header, &mut claims);
        damage
            .iter_mut()
            .filter(|finding| finding.place == "header")
            .for_each(|finding| finding.place = "claims".to_owned());
    }
    header.as_ref().or(claims.as_ref())?;
    let signature = segments.get(2).filter(|_| kind == Kind::Jws);
    let signature = signature.map_or_else(Vec::new, |text| segment::decode(text, "signature", &mut damage));
    let whole = header_whole && claims_whole && (segments.len() > 1);
    Some(Reading {
        kind,
        header,
        claims,
        whole,
        signature,
        lengths: segments.iter().map(|text| text.len()).collect(),
        damage,
    })
}

fn shape(segments: &[&str], damage: &mut Vec<Finding>) {
    let text = match segments.len() {
        1 => "is one part of a token, without dots: a signed token has three (RFC 7515 §7.1)".to_owned(),
        2 => "has two parts: the signature is missing, the token was cut off".to_owned(),
        3 | 5 => return,
        count => format!(
            "has {count} parts: a signed token has three, an encrypted one five; the first three are shown"
        ),
    };
    damage.push(Finding::error("token_malformed", "token", text));
}

/// Header or claims: what can be read, and whether that is all.
fn part(text: &str, place: &'static str, damage: &mut Vec<Finding>) -> (Option<Map<String, Value>>, bool) {
    let before = damage.len();
    let bytes = segment::decode(text, place, damage);
    let (mut members, whole) = salvage::object(&bytes);
    if !whole {
        members = beyond(text, members);
    }
    if !whole {
        let text = match &members {
            Some(members) => format!(
                "is cut off or damaged: {} of its members can be read",
                members.len()
            ),
            None if text.is_empty() => "is missing".to_owned(),
            None => "holds no JSON object that can be read".to_owned(),
        };
        damage.push(Finding::error("json_invalid", place, text));
    } else if let Err(error) = check_object(&bytes, MAX_DEPTH) {
        damage.push(Finding::error(
            error.code(),
            place,
            format!("{error}; of members that stand twice the last is shown"),
        ));
    }
    (members, whole && damage.len() == before)
}

/// With the members behind the break: a character that is lost moves everything that follows, so every shift is tried.
fn beyond(text: &str, members: Option<Map<String, Value>>) -> Option<Map<String, Value>> {
    let tails = text.char_indices().take(4).filter_map(|(shift, _)| {
        let bytes = segment::decode(text.get(shift..)?, "", &mut Vec::new());
        salvage::tail(&bytes)
    });
    let Some(tail) = tails.max_by_key(Map::len) else {
        return members;
    };
    let mut all = members.unwrap_or_default();
    for (name, value) in tail {
        all.entry(name).or_insert(value);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnet_jose::base64url::encode;

    fn codes(token: &str) -> Vec<(String, &'static str)> {
        read(token).map_or_else(Vec::new, |reading| {
            reading
                .damage
                .into_iter()
                .map(|finding| (finding.place, finding.code))
                .collect()
        })
    }

    #[test]
    fn every_beginning_of_a_token_is_read_as_far_as_it_goes() {
        let token = format!(
            "{}.{}.{}",
            encode(br#"{"alg":"HS256"}"#),
            encode(br#"{"sub":"alice","exp":1}"#),
            encode(&[7; 32])
        );
        assert!(read(&token).unwrap().whole && codes(&token).is_empty());
        for end in 0..token.len() {
            let reading = read(&token[..end]);
            assert!(
                reading.is_none_or(|reading| !reading.damage.is_empty() || reading.lengths.len() == 3),
                "{end}"
            );
        }
        let cut = read(&token[..token.find('.').unwrap() + 20]).unwrap();
        assert_eq!(cut.claims.unwrap()["sub"], "alice");
        assert!(!cut.whole);
    }

    #[test]
    fn a_character_that_is_lost_or_changed_costs_its_own_member_alone() {
        let claims =
            br#"{"iss":"https://auth","sub":"alice","name":"Alice Liddell","exp":1716239022,"scope":"a b"}"#;
        let (header, payload) = (encode(br#"{"alg":"HS256"}"#), encode(claims));
        let at = payload.len() / 2;
        for broken in [
            format!("{}{}", &payload[..at], &payload[at + 1..]),
            format!("{}{}", &payload[..at], &payload[at + 2..]),
            format!("{}*{}", &payload[..at], &payload[at + 1..]),
            format!("{}x{}", &payload[..at], &payload[at..]),
        ] {
            let reading = read(&format!("{header}.{broken}.c2ln")).unwrap();
            let claims = reading.claims.unwrap();
            assert!(!reading.whole, "{broken}");
            for name in ["iss", "sub", "exp", "scope"] {
                assert!(claims.contains_key(name), "{name} in {claims:?}");
            }
        }
    }

    #[test]
    fn claims_pasted_alone_are_claims() {
        let reading = read(&encode(br#"{"sub":"alice"}"#)).unwrap();
        assert!(reading.header.is_none() && reading.claims.unwrap()["sub"] == "alice");
    }

    #[test]
    fn shapes_that_are_no_signed_token_are_told() {
        let header = encode(br#"{"alg":"dir","enc":"A256GCM"}"#);
        assert_eq!(read(&format!("{header}..iv.text.tag")).unwrap().kind, Kind::Jwe);
        assert_eq!(
            codes(&format!("{header}.{}", encode(b"{}")))[0],
            ("token".to_owned(), "token_malformed")
        );
        assert_eq!(
            codes(&format!(
                "{}.{}.",
                encode(br#"{"alg":"none","alg":"HS256"}"#),
                encode(b"{}")
            ))[0]
                .1,
            "member_duplicate"
        );
        for hopeless in ["", ".", "..", "no token", "a.b.c", "x.y", "ü.ü.ü"] {
            assert!(read(hopeless).is_none(), "{hopeless}");
        }
    }
}
