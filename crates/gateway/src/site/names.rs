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

pub(super) fn identity(config: &[config::Identity]) -> Result<Vec<ClaimHeader>, ConfigError> {
    let header = |(at, identity): (usize, &config::Identity)| {
        let key = |member: &str| format!("identity[{at}].{member}");
        let todo = "write a header name that is for this alone, such as \"X-User-ID\"";
        let name = HeaderName::from_bytes(identity.name.as_bytes())
            .map_err(|error| ConfigError::at(key("name"), error, todo))?;
        // A name with other characters is one that servers fold into this one.
        let plain = name
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain || STANDARD.contains(&name.as_str()) {
            let what = format!("{:?} cannot say who asks", identity.name);
            return Err(ConfigError::at(key("name"), what, todo));
        }
        let default = identity.default.as_deref().map(HeaderValue::from_str).transpose();
        Ok(ClaimHeader {
            name,
            claim: identity.claim.clone(),
            join: identity.join.clone(),
            default: default
                .map_err(|error| ConfigError::at(key("default"), error, "write visible ASCII"))?,
            encode: identity.encode,
        })
    };
    config.iter().enumerate().map(header).collect()
}

/// Headers that mean something else already.
const STANDARD: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "te",
    "transfer-encoding",
];
