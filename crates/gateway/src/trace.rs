//! The name of a request, by which its lines in all logs are found: one for us, and one that goes through every service.
//!
//! Spec: W3C Trace Context §3.2 (traceparent), §3.3 (tracestate), §4.3 (mutating)

use carnet_jose::primitive;
use carnet_listen::PeerAddr;
use carnet_listen::value::Listed;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header with the name of a request; its answer has it as well.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// What a request is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    id: HeaderValue,
    parent: HeaderValue,
    state: Vec<HeaderValue>,
}

impl Trace {
    /// From what the request says of itself, as far as it may: `X-Request-ID` from a trusted proxy alone, `traceparent` from everybody who
    /// writes it as it must be written, and `tracestate` beside that. Everything else begins anew.
    pub(crate) fn of(headers: &HeaderMap, peer: Option<PeerAddr>, trusted: &[Listed]) -> Self {
        let believed = peer.is_some_and(|peer| trusted.iter().any(|listed| listed.includes(peer)));
        let said = single(headers, &REQUEST_ID).filter(|said| believed && is_name(said.as_bytes()));
        // Of a process without randomness no request could be told from another anyway.
        let mut random = [0; 40];
        let _ = primitive::fill_random(&mut random);
        let (id, rest) = random.split_at(16);
        let (trace, span) = rest.split_at(16);
        let id = said.cloned().unwrap_or_else(|| value(&hex(id)));
        match single(headers, &PARENT).and_then(passed_on) {
            Some(parent) => Self {
                id,
                parent,
                state: headers.get_all(&STATE).iter().cloned().collect(),
            },
            None => Self {
                id,
                // Whether it is recorded is for services to say.
                parent: value(&format!("00-{}-{}-00", hex(trace), hex(span))),
                state: Vec::new(),
            },
        }
    }

    /// Says it to the service, or to the client.
    pub(crate) fn name(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.id.clone());
    }

    /// Says all of it to the service. Whatever was there before must be gone.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        self.name(headers);
        headers.insert(PARENT, self.parent.clone());
        for state in &self.state {
            headers.append(STATE, state.clone());
        }
    }

    /// The name, for the log.
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The trace that it belongs to, for the log.
    pub(crate) fn trace_id(&self) -> &str {
        self.parent
            .to_str()
            .ok()
            .and_then(|parent| parent.split('-').nth(1))
            .unwrap_or_default()
    }
}

/// What a request is called whose headers say it already, for the log.
pub(crate) fn named(headers: &HeaderMap) -> &str {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// What fits into a line of a log and means nothing there.
fn is_name(text: &[u8]) -> bool {
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'=' | b'+')
    };
    (1..=128).contains(&text.len()) && text.iter().all(fits)
}

/// §3.2.2: as it came when it is of our version; what a later one adds is not ours to pass on (§4.3).
fn passed_on(parent: &HeaderValue) -> Option<HeaderValue> {
    let text = parent.to_str().ok()?;
    let (known, more) = text.split_at_checked(55)?;
    let mut parts = known.split('-');
    let [version, trace, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let lengths = [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2];
    let names_nothing = |text: &str| text.bytes().all(|byte| byte == b'0');
    if !lengths
        || ![version, trace, span, flags].into_iter().all(is_hex)
        || names_nothing(trace)
        || names_nothing(span)
        || version == "ff"
    {
        return None;
    }
    match (version, more) {
        ("00", "") => Some(parent.clone()),
        ("00", _) => None,
        (_, more) if more.is_empty() || more.starts_with('-') => {
            let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
            Some(value(&format!("00-{trace}-{span}-0{sampled}")))
        }
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_passed_on_as_it_must_be_written_or_not_at_all() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (sent, passed) in [
            (good, Some(good)),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"),
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-more",
                Some(good),
            ),
            (
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                Some(good),
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
                None,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                None,
            ),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
            ("", None),
        ] {
            let found = passed_on(&HeaderValue::from_static(sent));
            assert_eq!(
                found.as_ref().map(HeaderValue::as_bytes),
                passed.map(str::as_bytes),
                "{sent}"
            );
        }
    }
}
