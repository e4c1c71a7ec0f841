//! Which headers no client may send: those that are built in, and what the operator adds or lets pass.
//!
//! Spec: OWASP ASVS 5.0 §4.1.3

use http::{HeaderName, HeaderValue};

use crate::believed::{self, Says, WRITTEN};
use crate::config;
use crate::headers::Reserved;
use crate::identity::ClaimHeader;
use crate::load::ConfigError;

/// The names by which a service could be told something.
#[derive(Clone, Debug)]
pub struct Names {
    /// Who asks.
    pub identity: Reserved,
    /// Everything else that proxies say.
    pub others: Reserved,
    /// Of these, what makes services see another path or method.
    pub overriding: Reserved,
    /// And what says which certificate the client has shown.
    pub certificates: Reserved,
}

impl Names {
    /// From what the operator says, beside what is built in.
    ///
    /// # Errors
    /// Names what cannot be let pass.
    pub(crate) fn new(config: &config::Headers, spoken: &[ClaimHeader]) -> Result<Self, ConfigError> {
        for (at, pattern) in config.reserved.iter().enumerate() {
            reservable(at, pattern)?;
        }
        for (at, name) in config.own_cookies.iter().enumerate() {
            if !is_token(name.strip_suffix('*').unwrap_or(name)) && name != "*" {
                let key = format!("headers.own_cookies[{at}]");
                let what = format!("{name:?} is the name of no cookie");
                let todo = "write the name alone, or its beginning and a star: \"__Host-sid\"";
                return Err(ConfigError::at(key, what, todo));
            }
        }
        let spoken = spoken.iter().map(|header| header.name.as_str());
        let reserved = config.reserved.iter().map(String::as_str);
        let identity = Reserved::new(believed::names(&[Says::Who]).chain(reserved).chain(spoken));
        let certificates = Reserved::new(believed::names(&[Says::Certificate]));
        let may_pass = Reserved::new(believed::names(&[Says::Whence, Says::What]));
        let excused: Result<Vec<HeaderName>, ConfigError> = config
            .allow
            .iter()
            .enumerate()
            .map(|(at, name)| excused(at, name, &[&identity, &certificates], &may_pass))
            .collect();
        let excused = excused?;
        let others = believed::names(&[Says::Certificate, Says::Whence, Says::What]);
        Ok(Self {
            identity,
            others: Reserved::new(others).except(&excused),
            overriding: Reserved::new(believed::names(&[Says::What])).except(&excused),
            certificates,
        })
    }
}

fn excused(
    at: usize,
    text: &str,
    never: &[&Reserved],
    may_pass: &Reserved,
) -> Result<HeaderName, ConfigError> {
    let wrong = |what: &str| {
        let key = format!("headers.allow[{at}]");
        let todo = "name one header, such as \"CF-Ray\", that says where a request came from";
        ConfigError::at(key, format!("{text:?} {what}"), todo)
    };
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|_| plain);
    let name = name.ok_or_else(|| wrong("is no plain name of one header"))?;
    if never.iter().any(|reserved| reserved.covers(name.as_str())) {
        let row = believed::why(|names| Reserved::new(names.iter().copied()).covers(name.as_str()));
        return Err(wrong(&format!("says who asks, and nothing lets it pass: {row}")));
    }
    if WRITTEN.iter().any(|written| written.eq_ignore_ascii_case(text)) {
        return Err(wrong("is written by the gateway itself"));
    }
    if !may_pass.covers(name.as_str()) {
        return Err(wrong("passes as it is"));
    }
    Ok(name)
}

/// What is taken out of every request before anything of it is read.
fn reservable(at: usize, pattern: &str) -> Result<(), ConfigError> {
    let wrong = |what: String| {
        let todo = "write a name, or its beginning and a star: \"X-Tenant-*\"";
        Err(ConfigError::at(format!("headers.reserved[{at}]"), what, todo))
    };
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    if !is_token(name) {
        return wrong(format!(
            "{pattern:?} is no name of a header, nor the beginning of one"
        ));
    }
    let covers = Reserved::new([pattern]);
    match NEEDED.iter().find(|needed| covers.covers(needed)) {
        Some(needed) => wrong(format!("{pattern:?} would take {needed} out of every request")),
        None => Ok(()),
    }
}

/// RFC 9110 §5.6.2, without the star that stands for more.
fn is_token(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok() && !text.contains('*')
}

pub(super) fn identity(config: &[config::Identity]) -> Result<Vec<ClaimHeader>, ConfigError> {
    let mut headers: Vec<ClaimHeader> = Vec::new();
    for (at, identity) in config.iter().enumerate() {
        let header = claim_header(at, identity)?;
        if headers.iter().any(|other| other.name == header.name) {
            return Err(ConfigError::at(
                format!("identity[{at}].name"),
                format!(
                    "{:?} stands twice, and the last would be all that is said",
                    identity.name
                ),
                "give each claim a header of its own",
            ));
        }
        headers.push(header);
    }
    Ok(headers)
}

fn claim_header(at: usize, identity: &config::Identity) -> Result<ClaimHeader, ConfigError> {
    let key = |member: &str| format!("identity[{at}].{member}");
    let todo = "write a header name that is for this alone, such as \"X-User-ID\"";
    let name = HeaderName::from_bytes(identity.name.as_bytes())
        .map_err(|error| ConfigError::at(key("name"), error, todo))?;
    // A name with other characters is one that servers fold into this one.
    let plain = name
        .as_str()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let taken = Reserved::new(TAKEN.into_iter().chain(WRITTEN));
    if !plain || taken.covers(name.as_str()) {
        let what = format!("{:?} cannot say who asks", identity.name);
        return Err(ConfigError::at(key("name"), what, todo));
    }
    if identity.claim.is_empty() {
        let todo = "write the name of a claim, such as \"sub\"";
        return Err(ConfigError::at(key("claim"), "is empty", todo));
    }
    // Of two elements with nothing between them services would read one.
    if identity.join.is_empty() || !is_visible(&identity.join) {
        let what = format!("{:?} joins nothing in a header", identity.join);
        return Err(ConfigError::at(
            key("join"),
            what,
            "write visible ASCII, such as \",\"",
        ));
    }
    let default = identity.default.as_deref();
    let default = default.map(|text| {
        HeaderValue::from_str(text)
            .ok()
            .filter(|_| is_visible(text))
            .ok_or(text)
    });
    let default = default.transpose().map_err(|text| {
        let what = format!("{text:?} does not fit into a header");
        ConfigError::at(key("default"), what, "write visible ASCII")
    })?;
    Ok(ClaimHeader {
        name,
        claim: identity.claim.clone(),
        join: identity.join.clone(),
        default,
        encode: identity.encode,
    })
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Without which no request can be judged or passed on.
const NEEDED: [&str; 10] = [
    "Authorization",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "DPoP",
    "Host",
    "Origin",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
];

/// Headers that mean something else already, in a request or, where a proxy asks, in an answer; and two that the gateway says itself.
#[rustfmt::skip]
const TAKEN: [&str; 53] = [
    "Accept", "Accept-*", "Access-Control-*", "Authorization", "Cache-Control", "Connection", "Content-*", "Cookie", "Date", "DPoP",
    "Early-Data", "Expect", "Host", "HTTP2-Settings", "If-*", "Keep-Alive", "Location", "Max-Forwards", "Origin", "Pragma", "Proxy-Authenticate", "Proxy-Authorization",
    "Proxy-Connection", "Range", "RateLimit*", "Referer", "Retry-After", "Sec-*", "Set-Cookie", "TE", "Trailer", "Transfer-Encoding",
    "Upgrade", "User-Agent", "Vary", "Via", "WWW-Authenticate",
    "X-Forwarded-By", "X-Forwarded-Client-Cert", "X-Forwarded-Method", "X-Forwarded-Path", "X-Forwarded-Port", "X-Forwarded-Prefix",
    "X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-SSL", "X-Forwarded-TLS-*", "X-Forwarded-URI",
    "X-HTTP-*", "X-Original-URL",
    "X-Calling-Service", "X-Identity-Assertion",
];
