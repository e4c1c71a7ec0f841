//! Where a request came from, told anew: nothing that a stranger says of it is passed on.
//!
//! Spec: RFC 7239

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use bytes::Bytes;
use carnet_listen::PeerAddr;
use carnet_listen::value::Listed;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::target::{self, Target};

/// The client behind a request, as far as those in between can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the nearest one that is no trusted proxy. Nobody knows it behind a unix socket, unless a proxy there that is
    /// trusted says it.
    pub client: Option<IpAddr>,
    /// The addresses from the client to the last proxy before us, the client first. A proxy behind a unix socket has none.
    pub path: Vec<IpAddr>,
    /// Whether the client spoke TLS.
    pub https: bool,
    /// The host and port that the client asked for.
    pub authority: String,
}

impl Origin {
    /// From the peer of the connection and, only where that is a trusted proxy, from what it says in `X-Forwarded-For`, `-Proto` and `-Host`.
    pub fn read(
        peer: PeerAddr,
        https: bool,
        headers: &HeaderMap,
        target: &Target,
        trusted: &[Listed],
    ) -> Self {
        let is_trusted = |address: &IpAddr| trusted.iter().any(|listed| listed.contains(*address));
        let mut origin = Self {
            client: peer.ip(),
            path: peer.ip().into_iter().collect(),
            https,
            authority: target.authority().into_owned(),
        };
        if !trusted.iter().any(|listed| listed.includes(peer)) {
            return origin;
        }
        // From the end: each address was written by the one behind it.
        for address in addresses(headers).into_iter().rev() {
            let Some(address) = address else { break };
            origin.path.insert(0, address);
            origin.client = Some(address);
            if !is_trusted(&address) {
                break;
            }
        }
        if let Some(proto) = last_word(headers, PROTO) {
            origin.https = proto.eq_ignore_ascii_case("https");
        }
        if let Some(host) = last_word(headers, HOST)
            && let Ok((name, port)) = target::host(host)
        {
            origin.authority = match port {
                Some(port) => format!("{name}:{port}"),
                None => name,
            };
        }
        origin
    }

    /// Says it to the service. Whatever was there before must be gone.
    pub fn write(&self, headers: &mut HeaderMap) {
        let proto = if self.https { "https" } else { "http" };
        headers.insert(PROTO, HeaderValue::from_static(proto));
        let mut text = String::with_capacity(128);
        for (at, address) in self.path.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            // Nothing fails that is written into a text.
            let _ = write!(text, "{comma}{}", Node(address));
        }
        if self.path.is_empty() {
            // RFC 7239 §6.2.
            text.push_str("for=unknown");
        }
        let (nodes, from) = (text.len(), text.len() + ";host=\"".len());
        let _ = write!(text, ";host=\"{}\";proto={proto}", self.authority);
        // One text for three headers, where they say the same.
        let forwarded = Bytes::from(text);
        let host = forwarded.slice(from..from + self.authority.len());
        let client = match self.path.as_slice() {
            [IpAddr::V4(_)] => forwarded.slice("for=".len()..nodes),
            // There is no word for it that programs would not take for an address.
            [] => Bytes::new(),
            path => Bytes::from(path.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")),
        };
        for (name, value) in [(FOR, client), (HOST, host), (header::FORWARDED, forwarded)] {
            if let Ok(value) = HeaderValue::from_maybe_shared(value)
                && !value.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

/// RFC 7239 §6: an IPv6 address stands in brackets and quotes.
struct Node<'a>(&'a IpAddr);

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "for={address}"),
            IpAddr::V6(address) => write!(f, "for=\"[{address}]\""),
        }
    }
}

/// The list as it was written; `None` for what is no address.
fn addresses(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(FOR).iter();
    let words = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    words
        .map(|word| word.trim().parse().ok().map(|ip: IpAddr| ip.to_canonical()))
        .collect()
}

/// What the nearest proxy wrote.
fn last_word(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value
        .rsplit(',')
        .next()
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: PeerAddr, pairs: &[(&'static str, &'static str)]) -> (Origin, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let target = Target {
            host: "api.test".to_owned(),
            port: Some(8443),
            path: "/".to_owned(),
            query: None,
        };
        let trusted = ["10.0.0.0/8".parse().unwrap(), Listed::Unix];
        let trusted = if headers.contains_key("x-untrusted") {
            &trusted[..1]
        } else {
            &trusted
        };
        let origin = Origin::read(peer, false, &headers, &target, trusted);
        let mut headers = HeaderMap::new();
        origin.write(&mut headers);
        let forwarded = headers["forwarded"].to_str().unwrap().to_owned();
        (origin, forwarded)
    }

    fn from(address: &str) -> PeerAddr {
        PeerAddr::Tcp((address.parse::<IpAddr>().unwrap(), 4711).into())
    }

    #[test]
    fn who_comes_over_a_unix_socket_has_the_address_that_a_trusted_proxy_says_or_none() {
        let said = ("x-forwarded-for", "192.0.2.1, 2001:db8::1");
        let (origin, forwarded) = told(PeerAddr::Unix, &[said, ("x-forwarded-proto", "https")]);
        assert_eq!(origin.client, "2001:db8::1".parse().ok());
        assert_eq!(
            forwarded,
            "for=\"[2001:db8::1]\";host=\"api.test:8443\";proto=https"
        );
        for pairs in [&[said, ("x-untrusted", "1")][..], &[]] {
            let (origin, forwarded) = told(PeerAddr::Unix, pairs);
            assert_eq!(origin.client, None);
            assert_eq!(forwarded, "for=unknown;host=\"api.test:8443\";proto=http");
            let mut headers = HeaderMap::new();
            origin.write(&mut headers);
            assert!(!headers.contains_key("x-forwarded-for"), "{headers:?}");
        }
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        let (origin, forwarded) = told(
            from("192.0.2.1"),
            &[
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "evil.test"),
            ],
        );
        assert_eq!(origin.client, Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(forwarded, "for=192.0.2.1;host=\"api.test:8443\";proto=http");
    }

    #[test]
    fn behind_a_trusted_proxy_the_nearest_stranger_is_the_client() {
        let (origin, forwarded) = told(
            from("10.0.0.1"),
            &[
                ("x-forwarded-for", "127.0.0.1, 2001:db8::1"),
                ("x-forwarded-for", "10.0.0.9"),
                ("x-forwarded-proto", "http, https"),
                ("x-forwarded-host", "WWW.test"),
            ],
        );
        assert_eq!(origin.client, "2001:db8::1".parse().ok());
        assert_eq!(
            forwarded,
            "for=\"[2001:db8::1]\", for=10.0.0.9, for=10.0.0.1;host=\"www.test\";proto=https"
        );
        let (origin, _) = told(
            from("10.0.0.1"),
            &[
                ("x-forwarded-for", "192.0.2.1, unknown"),
                ("x-forwarded-host", "a b"),
            ],
        );
        assert_eq!(origin.client, Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(origin.authority, "api.test:8443");
    }
}
