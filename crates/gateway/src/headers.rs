//! Which headers pass, and which never do: hop-by-hop ones, and those that only the gateway may say.
//!
//! Spec: RFC 9110 §7.6.1 (Connection), §6.5 (trailers), §8.6 (Content-Length) · RFC 9113 §8.2.2, §8.2.3 (Cookie)

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Names that a service believes because they come from the gateway. A name is meant in every spelling that some server folds into it:
/// `X_User.ID` as well as `x-user-id`.
#[derive(Clone, Debug, Default)]
pub struct Reserved {
    /// In order, to be searched.
    names: Vec<String>,
    /// In order; none begins with another.
    beginnings: Vec<String>,
    /// A bit for each byte that one of them begins with: most headers begin with none of these.
    first: u128,
    /// What passes all the same, in this spelling alone.
    excused: Vec<HeaderName>,
}

impl Reserved {
    /// From names, and beginnings of names such as `X-User-*`.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut reserved = Self::default();
        for pattern in patterns {
            match pattern.strip_suffix('*') {
                Some(beginning) => reserved.beginnings.push(folded(beginning).into_owned()),
                None => reserved.names.push(folded(pattern).into_owned()),
            }
        }
        reserved.names.sort_unstable();
        reserved.beginnings.sort_unstable();
        // The shorter of two comes first, and covers the longer.
        reserved
            .beginnings
            .dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        let all = reserved.names.iter().chain(&reserved.beginnings);
        reserved.first = all.fold(0, |first, name| {
            first | name.bytes().next().map_or(u128::MAX, bit)
        });
        reserved
    }

    /// Lets these pass, in their plain spelling.
    pub fn except(mut self, excused: &[HeaderName]) -> Self {
        self.excused = excused.to_vec();
        self
    }

    /// Whether a server could take this name for one of them.
    pub fn covers(&self, name: &str) -> bool {
        if name.bytes().next().is_none_or(|byte| self.first & bit(byte) == 0) {
            return false;
        }
        let name = folded(name);
        // Whatever begins the name comes before it, and nothing can stand between the two.
        let after = self
            .beginnings
            .partition_point(|beginning| beginning.as_str() <= &*name);
        let nearest = after.checked_sub(1).map(|at| self.beginnings[at].as_str());
        nearest.is_some_and(|beginning| name.starts_with(beginning))
            || self
                .names
                .binary_search_by(|other| other.as_str().cmp(&*name))
                .is_ok()
    }

    /// Whether a header of this name is taken out.
    pub fn takes(&self, name: &HeaderName) -> bool {
        self.covers(name.as_str()) && !self.excused.contains(name)
    }

    /// Takes them all out. Says whether there was one.
    pub fn strip(&self, headers: &mut HeaderMap) -> bool {
        strip(headers, |name| self.takes(name))
    }
}

/// Takes out what is meant for the gateway alone: what `Connection` lists, and the hop-by-hop fields. Then what a careless server could take
/// for a field that frames the message.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| *name != header::HOST)
        .collect();
    for name in listed {
        headers.remove(&name);
    }
    // RFC 9110 §10.1.4: this one word may pass on, and gRPC needs it.
    let trailers = headers.get(header::TE).is_some_and(|value| {
        let words = value.to_str().unwrap_or_default().split(',');
        words
            .map(str::trim)
            .any(|word| word.eq_ignore_ascii_case("trailers"))
    });
    strip(headers, |name| {
        HOP_BY_HOP.contains(&name.as_str()) || seems_to_frame(name)
    });
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a careless server could take this for a field that frames the message, which it is not: `Content_Length`.
pub(crate) fn seems_to_frame(name: &HeaderName) -> bool {
    matches!(folded(name.as_str()), Cow::Owned(folded) if FRAMING.contains(&folded.as_str()))
}

/// What of the trailers passes: enough for gRPC and for checksums, nothing that could pass for a header.
pub fn allowed_trailers(mut trailers: HeaderMap) -> HeaderMap {
    strip(&mut trailers, |name| {
        !TRAILERS.contains(&name.as_str()) && !name.as_str().starts_with("x-checksum-")
    });
    trailers
}

/// Leaves of the cookies that a client sends those of these names.
pub fn keep_cookies(headers: &mut HeaderMap, names: &[String]) {
    filter_cookies(headers, |pair| if is_cookie_of(pair, names) { pair } else { b"" });
}

/// Takes cookies of these names out of what a client sends. A star ends the beginning of a name.
pub fn strip_cookies(headers: &mut HeaderMap, names: &[String]) {
    if !names.is_empty() {
        filter_cookies(headers, |pair| before_cookie_of(pair, names));
    }
}

/// What stands before a cookie of these names. Envoy joins lines of cookies by commas, and then one more may stand in what seems to be a value; what follows
/// it up to the next semicolon goes as well.
fn before_cookie_of<'p>(pair: &'p [u8], names: &[String]) -> &'p [u8] {
    if is_cookie_of(pair, names) {
        return b"";
    }
    let mut commas = (0..pair.len()).filter(|at| pair[*at] == b',');
    let cut = commas.find(|at| is_cookie_of(&pair[at + 1..], names));
    cut.map_or(pair, |at| &pair[..at])
}

/// Says in one line what HTTP/2 lets a client say in several, and HTTP/1.1 in one alone: cookies, and a length where each line says the same.
pub fn join_lines(headers: &mut HeaderMap) {
    let is_split = |name| headers.get_all(name).iter().nth(1).is_some();
    let (cookies, lengths) = (is_split(header::COOKIE), is_split(header::CONTENT_LENGTH));
    if cookies {
        filter_cookies(headers, |pair| pair);
    }
    if lengths && let Some(length) = headers.get(header::CONTENT_LENGTH).cloned() {
        headers.insert(header::CONTENT_LENGTH, length);
    }
}

/// Leaves of each cookie what `keeps` does.
fn filter_cookies(headers: &mut HeaderMap, keeps: impl Fn(&[u8]) -> &[u8]) {
    if !headers.contains_key(header::COOKIE) {
        return;
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for value in headers.get_all(header::COOKIE) {
        let pairs = value.as_bytes().split(|byte| *byte == b';');
        kept.extend(
            pairs
                .map(|pair| keeps(pair.trim_ascii()).trim_ascii())
                .filter(|pair| !pair.is_empty())
                .map(<[u8]>::to_vec),
        );
    }
    match HeaderValue::from_bytes(&kept.join(&b"; "[..])) {
        Ok(value) if !kept.is_empty() => drop(headers.insert(header::COOKIE, value)),
        _ => drop(headers.remove(header::COOKIE)),
    }
}

/// Takes `Set-Cookie` of these names out of what a service answers. A cookie without a name comes back as what it says (RFC 6265bis §5.8.3): `=a=b` is `a=b`.
pub fn strip_set_cookies(headers: &mut HeaderMap, names: &[String]) {
    let is_ours = |value: &HeaderValue| {
        let said = value.as_bytes().trim_ascii();
        is_cookie_of(said.strip_prefix(b"=").unwrap_or(said), names)
    };
    if !headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        return;
    }
    let kept: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter(|value| !is_ours(value))
        .cloned()
        .collect();
    headers.remove(header::SET_COOKIE);
    for value in kept {
        headers.append(header::SET_COOKIE, value);
    }
}

fn is_cookie_of(pair: &[u8], names: &[String]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    let name = name.trim_ascii();
    names.iter().any(|own| match own.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning.as_bytes()),
        None => own.as_bytes() == name,
    })
}

/// Whether a message is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    is_of(headers, b"application/grpc")
}

/// Whether the content is of this kind.
pub(crate) fn is_of(headers: &HeaderMap, kind: &[u8]) -> bool {
    let said = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    said.is_some_and(|said| said.starts_with(kind))
}

fn strip(headers: &mut HeaderMap, refused: impl Fn(&HeaderName) -> bool) -> bool {
    let found: Vec<HeaderName> = headers.keys().filter(|name| refused(name)).cloned().collect();
    for name in &found {
        headers.remove(name);
    }
    !found.is_empty()
}

/// CGI and its heirs make `HTTP_X_USER_ID` of every one of these: what is no letter and no digit is one and the same.
fn folded(name: &str) -> Cow<'_, str> {
    let is_folded = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if name.bytes().all(is_folded) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.bytes().map(fold).map(char::from).collect())
}

fn fold(byte: u8) -> u8 {
    match byte.to_ascii_lowercase() {
        byte if byte.is_ascii_alphanumeric() => byte,
        _ => b'-',
    }
}

/// That of a byte in [`Reserved::first`], in whatever spelling.
fn bit(byte: u8) -> u128 {
    1 << fold(byte)
}

/// RFC 9110 §7.6.1, and the three that older programs know. `Expect` is answered by the gateway itself.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A second spelling of one of these could give a message a second end or a second owner.
const FRAMING: [&str; 6] = [
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
];

const TRAILERS: [&str; 3] = ["grpc-message", "grpc-status", "grpc-status-details-bin"];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn a_reserved_name_is_meant_in_every_spelling() {
        let reserved = Reserved::new(["X-User-*", "Forwarded", "X-Role"]);
        for name in [
            "x-user-id",
            "x_user_id",
            "x.user.id",
            "x-user_id",
            "x~user!id",
            "X-USER-ID",
            "x-user-",
            "forwarded",
            "x_role",
            "x`role",
        ] {
            assert!(reserved.covers(name), "{name}");
        }
        for name in ["x-users", "xuser-id", "x-roles", "forwarded-by", "user-id"] {
            assert!(!reserved.covers(name), "{name}");
        }
        let mut sent = headers(&[("x_user_id", "admin"), ("X.User.ID", "admin"), ("accept", "*/*")]);
        assert!(reserved.strip(&mut sent));
        assert_eq!(names(&sent), ["accept"]);
        assert!(!reserved.strip(&mut sent));
    }

    #[test]
    fn what_is_excused_passes_in_its_plain_spelling_alone() {
        let reserved =
            Reserved::new(["X-Real-*", "X-Real-IP", "X-R*"]).except(&[HeaderName::from_static("x-real-ip")]);
        let mut sent = headers(&[("X-Real-IP", "1"), ("X_Real_IP", "2"), ("X-Real-Port", "3")]);
        assert!(reserved.strip(&mut sent));
        assert_eq!(names(&sent), ["x-real-ip"]);
    }

    #[test]
    fn of_beginnings_that_begin_each_other_the_shorter_covers_all() {
        let reserved = Reserved::new(["X-A-*", "X-A-B-*", "X-AB*", "X-A-C"]);
        for name in ["x-a-b-c", "x-a-", "x-a-zz", "x-abc", "x-a-c"] {
            assert!(reserved.covers(name), "{name}");
        }
        for name in ["x-a", "x-b", "x", "x-aa", "y"] {
            assert!(!reserved.covers(name), "{name}");
        }
    }

    #[test]
    fn what_connection_lists_goes_first_and_then_all_of_hop_by_hop() {
        let mut sent = headers(&[
            ("connection", "X-Secret, close"),
            ("connection", "authorization, host"),
            ("x-secret", "1"),
            ("authorization", "Bearer t"),
            ("host", "a"),
            ("te", "gzip, Trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("content_length", "7"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut sent);
        assert_eq!(
            sent,
            headers(&[("host", "a"), ("accept", "*/*"), ("te", "trailers")])
        );
    }

    #[test]
    fn trailers_are_for_grpc_and_checksums() {
        let sent = headers(&[
            ("x-user-id", "admin"),
            ("grpc-status", "0"),
            ("x-checksum-sha256", "x"),
            ("host", "a"),
        ]);
        assert_eq!(
            allowed_trailers(sent),
            headers(&[("grpc-status", "0"), ("x-checksum-sha256", "x")])
        );
    }

    #[test]
    fn own_cookies_pass_in_neither_direction() {
        let own = ["__Host-sid".to_owned()];
        let mut sent = headers(&[
            ("cookie", "a=1; __Host-sid=secret;b=2"),
            ("cookie", "__Host-sid =x"),
        ]);
        strip_cookies(&mut sent, &own);
        assert_eq!(sent, headers(&[("cookie", "a=1; b=2")]));
        // As Envoy joins lines.
        let mut sent = headers(&[(
            "cookie",
            "a=1,__Host-sid=secret; b=2, __Host-sid =x,c=3; d=4,5; __Host-sid,e=5",
        )]);
        strip_cookies(&mut sent, &own);
        assert_eq!(sent, headers(&[("cookie", "a=1; b=2; d=4,5; __Host-sid,e=5")]));
        let mut answered = headers(&[
            ("set-cookie", "__Host-sid=x; Path=/"),
            ("set-cookie", "a=1"),
            ("set-cookie", "=__Host-sid=x"),
            ("set-cookie", " = __Host-sid =x; Path=/"),
            ("set-cookie", "b=2"),
        ]);
        strip_set_cookies(&mut answered, &own);
        assert_eq!(answered, headers(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]));
    }
}
