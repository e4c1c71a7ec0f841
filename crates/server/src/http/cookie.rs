//! Cookies: read without guessing, written with every attribute.
//!
//! Spec: RFC 6265bis §4.1 (attributes, name prefixes), §5.8 (reading)

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::failure::{Failure, Refusal};
use crate::app::App;

/// The value of a cookie; refused when it stands twice, since the two could come from two hands.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let mut found = None;
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    // What is not ASCII is a cookie of somebody else on this host, and hides none of ours.
    let pairs = pairs.filter(|pair| pair.is_ascii()).map(std::str::from_utf8);
    for pair in pairs.flatten() {
        let Some((key, value)) = pair.trim().split_once('=') else {
            continue;
        };
        if key != name {
            continue;
        }
        if found.replace(value.trim_matches('"')).is_some() {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "duplicate_cookie",
                "the same cookie was sent twice",
            )
            .into());
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// The name of a cookie: with the prefix that browsers enforce, or the plain one on a loopback issuer without https, where they would refuse it.
/// All ports of a host share their cookies: a plain name is one that no app beside us is likely to have.
pub fn name(app: &App, prefixed: &'static str, plain: &'static str) -> &'static str {
    match app.config.issuer.is_https() {
        true => prefixed,
        false => plain,
    }
}

/// A cookie that scripts cannot read and the pages of other sites cannot use.
#[derive(Debug)]
pub struct Cookie<'a> {
    /// Its name, with the prefix that browsers enforce.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
    /// The paths it is sent to.
    pub path: &'a str,
    /// Seconds until the browser forgets it; 0 deletes it.
    pub max_age: i64,
    /// Whether it is sent over https alone.
    pub secure: bool,
    /// Which requests that begin elsewhere carry it.
    pub same_site: SameSite,
}

/// Which requests that begin on another site carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None at all.
    Strict,
    /// The links that people follow, and nothing that changes anything.
    Lax,
}

impl Cookie<'_> {
    /// The value of `Set-Cookie`.
    pub fn header(&self) -> Result<HeaderValue, Failure> {
        let Self {
            name,
            value,
            path,
            max_age,
            same_site,
            ..
        } = self;
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!(
            "{name}={value}; Path={path}; Max-Age={max_age}; HttpOnly{secure}; SameSite={same_site:?}"
        );
        HeaderValue::from_str(&text).map_err(Failure::broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (header::COOKIE, HeaderValue::from_static(line)))
            .collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_every_line() {
        let headers = headers(&["a=1; xb=2", "b=3"]);
        assert_eq!(read(&headers, "b").unwrap(), Some("3"));
        assert_eq!(read(&headers, "c").unwrap(), None);
    }

    #[test]
    fn a_cookie_that_is_no_ascii_hides_no_other() {
        let mut headers = headers(&[]);
        let line = HeaderValue::from_bytes(b"x=\xc3\xa9; b=3; \xff=1").unwrap();
        headers.append(header::COOKIE, line);
        assert_eq!(read(&headers, "b").unwrap(), Some("3"));
    }

    #[test]
    fn a_cookie_that_stands_twice_is_refused() {
        assert!(read(&headers(&["b=1; b=2"]), "b").is_err());
        assert!(read(&headers(&["b=1", "b=1"]), "b").is_err());
    }
}
