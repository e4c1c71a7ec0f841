//! What a request is for, in the one spelling that is matched and forwarded.
//!
//! Spec: RFC 3986 §5.2.4, §6.2.2 · RFC 9110 §7.2 (Host) · RFC 9112 §3.2

use std::borrow::Cow;
use std::net::Ipv6Addr;

use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri, Version, header};

use crate::method;
use crate::refusal::{METHOD, Refusal};

/// Host, path and query of a request. Nothing else decides where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Lower case, without port and final dot.
    pub host: String,
    /// As the request said, when it did.
    pub port: Option<u16>,
    /// From the root, without dot segments and needless escapes.
    pub path: String,
    /// As it was sent.
    pub query: Option<String>,
}

impl Target {
    /// Reads it from the head of a request.
    ///
    /// # Errors
    /// 400 for every shape that two programs could read in two ways: no host or two, a target in absolute form, a path with `//`, `\`,
    /// `;`, encoded slashes or control characters, or one that leads above the root, and a method that is a known one but for its case.
    /// 405 for CONNECT, which forwards no path, and for TRACE, which sends back what it is shown (RFC 9110 §9.3.6, §9.3.8).
    pub fn read(parts: &Parts) -> Result<Self, Refusal> {
        let (host, port) = authority(parts)?;
        if method::is_never_passed(&parts.method) {
            return Err(METHOD.with(header::ALLOW, HeaderValue::from_static(METHODS)));
        }
        if method::is_none(&parts.method) {
            return Err(method::MISSPELT);
        }
        let path = path(parts.uri.path())?.into_owned();
        Ok(Self {
            host,
            port,
            path,
            query: parts.uri.query().map(str::to_owned),
        })
    }

    /// Path and query, as they are forwarded.
    pub fn path_and_query(&self) -> Cow<'_, str> {
        match &self.query {
            Some(query) => Cow::Owned(format!("{}?{query}", self.path)),
            None => Cow::Borrowed(&self.path),
        }
    }

    /// Host and port, as a client would write them.
    pub fn authority(&self) -> Cow<'_, str> {
        match self.port {
            Some(port) => Cow::Owned(format!("{}:{port}", self.host)),
            None => Cow::Borrowed(&self.host),
        }
    }
}

/// RFC 9112 §3.2: exactly one Host. RFC 9113 §8.3.1: `:authority`, and a Host beside it must be the same.
fn authority(parts: &Parts) -> Result<(String, Option<u16>), Refusal> {
    let mut values = parts.headers.get_all(header::HOST).iter();
    let (first, more) = (values.next(), values.next().is_some());
    if more {
        return Err(HOST);
    }
    let named = first
        .map(|value| value.to_str().map_err(|_| HOST))
        .transpose()?
        .map(host)
        .transpose()?;
    let asked = parts.uri.authority().map(|authority| host(authority.as_str()));
    match (asked.transpose()?, named) {
        (Some(_), _) if parts.version < Version::HTTP_2 => Err(FORM),
        (Some(asked), Some(named)) if asked != named => Err(HOST),
        (Some(one), _) | (None, Some(one)) => Ok(one),
        (None, None) => Err(HOST),
    }
}

/// A host in its one spelling, and the port behind it.
pub fn host(authority: &str) -> Result<(String, Option<u16>), Refusal> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']').ok_or(HOST)?;
            let address: Ipv6Addr = inside.parse().map_err(|_| HOST)?;
            (
                format!("[{address}]"),
                port.strip_prefix(':').or((port.is_empty()).then_some("")),
            )
        }
        None => match authority.split_once(':') {
            Some((name, port)) => (name.to_ascii_lowercase(), Some(port)),
            None => (authority.to_ascii_lowercase(), Some("")),
        },
    };
    let port = match port.ok_or(HOST)? {
        "" if authority.ends_with(':') => return Err(HOST),
        "" => None,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().map_err(|_| HOST)?),
        _ => return Err(HOST),
    };
    if name.starts_with('[') {
        return Ok((name, port));
    }
    let mut name = name;
    if name.ends_with('.') {
        name.pop();
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let empty_label = name.split('.').any(str::is_empty);
    if empty_label || name.len() > 253 || !name.bytes().all(known) {
        return Err(HOST);
    }
    Ok((name, port))
}

/// A path in its one spelling: escapes of unreserved characters are taken away, all others in upper case, dot segments resolved.
pub fn path(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    if !raw.starts_with('/') {
        return Err(FORM);
    }
    if is_plain(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    let spelled = spell(raw)?;
    let mut segments: Vec<&str> = Vec::new();
    let mut steps = spelled[1..].split('/').peekable();
    while let Some(step) = steps.next() {
        let last = steps.peek().is_none();
        match step {
            "" if !last => return Err(PATH),
            "." => {}
            ".." => {
                segments.pop().ok_or(PATH)?;
            }
            step => {
                segments.push(step);
                continue;
            }
        }
        // §5.2.4: what ends in a dot segment ends in a slash.
        if last {
            segments.push("");
        }
    }
    Ok(Cow::Owned(format!("/{}", segments.join("/"))))
}

/// Most paths: nothing to decode, nothing to resolve, nothing to refuse.
fn is_plain(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    bytes.iter().all(|byte| is_path_byte(*byte))
        && !bytes
            .windows(2)
            .any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'))
}

fn spell(raw: &str) -> Result<String, Refusal> {
    let mut spelled = String::with_capacity(raw.len());
    // What the escapes stand for, to be judged as text.
    let mut meant = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let (value, escaped) = match byte {
            b'%' => (hex(bytes.next())? << 4 | hex(bytes.next())?, true),
            byte => (byte, false),
        };
        meant.push(value);
        match value {
            // Programs disagree on which of these part segments, and on where a path ends.
            0..=0x1f | 0x7f | b'\\' => return Err(PATH),
            b'/' | b';' if escaped || value == b';' => return Err(PATH),
            b'.' | b'-' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => spelled.push(value.into()),
            value if !escaped && is_path_byte(value) => spelled.push(value.into()),
            value => spelled.push_str(&format!("%{value:02X}")),
        }
    }
    std::str::from_utf8(&meant).map_err(|_| PATH)?;
    Ok(spelled)
}

fn hex(digit: Option<u8>) -> Result<u8, Refusal> {
    let value = digit.and_then(|digit| char::from(digit).to_digit(16));
    value.and_then(|value| u8::try_from(value).ok()).ok_or(PATH)
}

/// RFC 3986 §3.3, without `;`.
const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
        )
}

/// Puts the canonical target into the head of a request: what is forwarded is what was matched.
pub fn rewrite(parts: &mut Parts, target: &Target) -> Result<(), Refusal> {
    // Most targets are in their one spelling already.
    if parts.uri.authority().is_none() && parts.uri.path() == target.path {
        return Ok(());
    }
    parts.uri = target.path_and_query().parse::<Uri>().map_err(|_| PATH)?;
    Ok(())
}

const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
const HOST: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "host_invalid",
    "name exactly one host, in Host or :authority",
);
const FORM: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "target_invalid",
    "the request target is a path that begins with a slash",
);
const PATH: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "path_invalid",
    "the path has a part that programs read in different ways: // \\ ; %2F %5C, a control character, no UTF-8, or .. above the root",
);

#[cfg(test)]
mod tests;
