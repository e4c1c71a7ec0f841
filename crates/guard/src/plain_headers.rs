//! Who asks, in plain headers: believed from listed peers alone, and read as the gateway writes them.
//!
//! Spec: RFC 9110 §5.5 (field values) · RFC 3986 §2.1 (percent-encoding)

use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::challenge::{Denial, Refused};
use crate::peer::Peers;
use crate::token::Token;

/// Headers, and what they say.
pub(crate) struct PlainHeaders {
    peers: Peers,
    said: Vec<Said>,
    /// The header that names a service that calls in its own name.
    calling: Option<HeaderName>,
}

/// One header.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) name: HeaderName,
    /// The claim that it carries.
    pub(crate) claim: String,
    /// Several words with commas between them, rather than one text.
    pub(crate) list: bool,
}

impl PlainHeaders {
    pub(crate) fn new(peers: Peers, said: Vec<Said>, calling: Option<HeaderName>) -> Self {
        Self { peers, said, calling }
    }

    /// The user.
    pub(crate) fn read(&self, request: &Parts) -> Result<Arc<Token>, Denial> {
        self.demand_peer(request)?;
        let claims = self.claims(&request.headers)?;
        match (claims.contains_key("sub"), self.calling_service(request)?) {
            (true, None) => Ok(Arc::new(Token::from(claims))),
            (true, Some(_)) => Err(Refused::CallerUnclear.because("user_and_service")),
            (false, _) => Err(Refused::CallerMissing.because("user_missing")),
        }
    }

    /// The service that calls in its own name.
    pub(crate) fn read_service(&self, request: &Parts) -> Result<Caller, Denial> {
        self.demand_peer(request)?;
        let name = self.calling_service(request)?;
        let name = name.ok_or(Refused::CallerMissing.because("service_missing"))?;
        if self.claims(&request.headers)?.contains_key("sub") {
            return Err(Refused::CallerUnclear.because("user_and_service"));
        }
        Ok(Caller::new(name.into(), name, ("", None)))
    }

    /// Whether a header says that a service calls.
    pub(crate) fn name_a_service(&self, request: &Parts) -> bool {
        !matches!(self.calling_service(request), Ok(None))
    }

    fn calling_service<'r>(&self, request: &'r Parts) -> Result<Option<&'r str>, Denial> {
        match &self.calling {
            Some(header) => single(&request.headers, header.as_str()),
            None => Ok(None),
        }
    }

    fn demand_peer(&self, request: &Parts) -> Result<(), Denial> {
        let mut names = self.said.iter().map(|said| &said.name).chain(&self.calling);
        let anything = names.any(|name| request.headers.contains_key(name));
        let no = |reason| match anything {
            true => Refused::CallerNotBelieved.because(reason),
            false => Refused::CallerMissing.because(reason),
        };
        match self.peers.sent(request) {
            Some(true) => Ok(()),
            Some(false) => Err(no("peer_not_listed")),
            None => {
                tracing::error!(
                    "nobody says which peer a request came from: serve with connect info, or put PeerAddress into the extensions"
                );
                Err(no("peer_unknown"))
            }
        }
    }

    fn claims(&self, headers: &HeaderMap) -> Result<Map<String, Value>, Denial> {
        let mut claims = Map::new();
        for said in &self.said {
            let Some(text) = single(headers, said.name.as_str())? else {
                continue;
            };
            let read = match said.list {
                false => decoded(text).map(Value::from),
                true => words(text).map(Value::from),
            };
            let read = read.ok_or(Refused::CallerUnclear.because("header_unreadable"))?;
            claims.insert(said.claim.clone(), read);
        }
        Ok(claims)
    }
}

/// The value of a header that may be there once: by this name to the letter, and by no name that a server of the CGI family would take for it.
/// An empty one says nothing: some proxies cannot leave a header away.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Denial> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refused::CallerUnclear.because("header_twice"));
    }
    let text = value.to_str();
    let text = text.map_err(|_| Refused::CallerUnclear.because("header_unreadable"))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// What stands between commas. No word has a comma of its own: it would be written `%2C`.
fn words(text: &str) -> Option<Vec<String>> {
    let words = text.split(',').map(|word| word.trim_matches(' '));
    words.filter(|word| !word.is_empty()).map(decoded).collect()
}

/// Takes the percent-encoding away; `None` when it is broken, or when what comes out is no text.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.extend(HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_meant_or_not_at_all() {
        for (text, said) in [
            ("user_123", Some("user_123")),
            ("Zo%C3%AB", Some("Zoë")),
            ("Zo%c3%ab", Some("Zoë")),
            ("100%25", Some("100%")),
            ("%2525", Some("%25")),
            ("a%2Cb", Some("a,b")),
            ("%20a", Some(" a")),
            ("a b", Some("a b")),
            ("100%", None),
            ("%2", None),
            ("%zz", None),
            ("%+1", None),
            ("%C3", None),
            ("%C0%AE", None),
            ("%ED%A0%80", None),
        ] {
            assert_eq!(decoded(text).as_deref(), said, "{text}");
        }
    }

    #[test]
    fn a_comma_inside_a_word_divides_nothing() {
        let read = |text| words(text).unwrap();
        assert_eq!(read("editor,reviewer"), ["editor", "reviewer"]);
        assert_eq!(read("a%2Cadmin,b"), ["a,admin", "b"]);
        assert_eq!(read("editor, reviewer,,"), ["editor", "reviewer"]);
        assert!(words("editor,%").is_none());
    }
}
