//! Why a token is refused, for the person who has to find out.
//!
//! Spec: RFC 7519 §7.2 · RFC 7515 §5.2 · RFC 8725 §3

use carnet_jose::Error;
use serde_json::{Map, Value};

use super::claim_suspicion::seconds;
use crate::failure::Failure;
use crate::moment;

/// What is known about a token whose verification failed.
pub(crate) struct Circumstances<'a> {
    pub(crate) header: &'a Map<String, Value>,
    pub(crate) claims: &'a Map<String, Value>,
    pub(crate) issuer: Option<&'a str>,
    pub(crate) audiences: &'a [String],
    pub(crate) now: i64,
}

/// Where the rule stands that the token breaks; none for a limit that is our own.
pub(crate) fn section(error: Error) -> Option<&'static str> {
    Some(match error {
        Error::TokenTooLarge => return None,
        Error::Malformed => "RFC 7515 §7.1",
        Error::EncryptedToken => "RFC 7516 §7.1",
        Error::Base64Invalid => "RFC 7515 §2",
        Error::JsonInvalid | Error::ClaimsInvalid => "RFC 7519 §7.2",
        Error::DuplicateMember | Error::HeaderInvalid => "RFC 7515 §4",
        Error::CriticalHeader => "RFC 7515 §4.1.11",
        Error::TokenTypeMismatch => "RFC 8725 §3.11",
        Error::AlgorithmNotAllowed | Error::AlgorithmMismatch => "RFC 8725 §3.1",
        Error::UnknownKeyId | Error::KeyIdMissing => "RFC 7515 §4.1.4",
        Error::SignatureInvalid => "RFC 7515 §5.2",
        Error::ClaimMissing | Error::ClaimWrongType => "RFC 7519 §4.1",
        Error::IssuerMismatch => "RFC 7519 §4.1.1",
        Error::AudienceMismatch => "RFC 7519 §4.1.3",
        Error::Expired => "RFC 7519 §4.1.4",
        Error::NotYetValid => "RFC 7519 §4.1.5",
        Error::TokenTooOld | Error::IssuedInFuture => "RFC 7519 §4.1.6",
        _ => "RFC 7519 §7.2",
    })
}

/// The refusal in three lines.
pub(crate) fn failure(error: Error, about: &Circumstances<'_>) -> Failure {
    let (why, todo) = reason(error, about);
    let text = error.to_string();
    let text = text.split(" (RFC").next().unwrap_or_default();
    let why = match section(error) {
        Some(section) => format!("{why} ({section})"),
        None => why,
    };
    Failure::refused(error.code(), format!("the token is refused: {text}"))
        .because(why)
        .todo(todo)
}

fn reason(error: Error, about: &Circumstances<'_>) -> (String, String) {
    let text = |members: &Map<String, Value>, name: &str| {
        members.get(name).map_or("nothing".to_owned(), Value::to_string)
    };
    let pair = |why: String, todo: &str| (why, todo.to_owned());
    match error {
        Error::Expired | Error::NotYetValid | Error::TokenTooOld | Error::IssuedInFuture => {
            reason_of_time(error, about)
        }
        Error::IssuerMismatch => pair(
            format!(
                "iss is {}, expected {:?}",
                text(about.claims, "iss"),
                about.issuer.unwrap_or_default()
            ),
            "compare letter by letter, the slash at the end included; or the token is from elsewhere",
        ),
        Error::AudienceMismatch => pair(
            format!(
                "aud is {}, expected {}",
                text(about.claims, "aud"),
                about.audiences.join(" or ")
            ),
            "ask the issuer for a token for this audience; a token for another service must not be accepted",
        ),
        Error::TokenTypeMismatch => pair(
            format!("typ is {}", text(about.header, "typ")),
            "name the type with --type, or send the right kind of token",
        ),
        Error::AlgorithmNotAllowed | Error::AlgorithmMismatch => pair(
            format!(
                "alg is {}, and the key and --algorithm decide, never the token",
                text(about.header, "alg")
            ),
            "if the issuer really changed, name the new --algorithm and key; else somebody tampers",
        ),
        Error::UnknownKeyId | Error::KeyIdMissing => pair(
            format!("kid is {}", text(about.header, "kid")),
            "get the issuer's newest key set; the key may have been rotated",
        ),
        Error::SignatureInvalid => pair(
            "the token was changed, or another key signed it".to_owned(),
            "compare kid and issuer, and copy the token whole; carnet jwt decode shows what it says",
        ),
        Error::TokenTooLarge => pair(
            "this is Carnet's own limit: no specification sets one".to_owned(),
            "put less into the token, or look who sends such tokens: large ones can be meant to keep a service busy",
        ),
        Error::ClaimMissing => pair(
            "exp and every claim that is asked for must be there".to_owned(),
            "carnet jwt decode shows what is missing",
        ),
        _ => pair(
            "the token is not what the specification describes".to_owned(),
            "carnet jwt decode shows what is wrong with it",
        ),
    }
}

fn reason_of_time(error: Error, about: &Circumstances<'_>) -> (String, String) {
    let said = |name: &str| {
        let at = seconds(about.claims, name);
        format!(
            "{name}: {}",
            at.map_or_else(String::new, |at| moment::said(at, about.now))
        )
    };
    match error {
        Error::Expired => (
            said("exp"),
            "get a new token: refresh, or log in again".to_owned(),
        ),
        Error::NotYetValid => (
            said("nbf"),
            "wait, or compare the clocks of issuer and verifier".to_owned(),
        ),
        _ => (
            said("iat"),
            "get a new token; if it is new, compare the clocks of issuer and verifier".to_owned(),
        ),
    }
}
