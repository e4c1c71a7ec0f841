//! From which address a request comes, for limits and the audit log.
//!
//! Spec: RFC 7239 (Forwarded)

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use carnet_listen::PeerAddr;
use http::{HeaderMap, header};

use crate::config::{ForwardedHeader, Listen};

/// The address of the person or program behind a request.
///
/// Headers are believed only from a trusted proxy, and read from the right: the first address that no trusted proxy has is the client's. Behind
/// a unix socket whose proxy says none, everybody is 0.0.0.0 and counts as one.
pub fn client_address(peer: PeerAddr, headers: &HeaderMap, listen: &Listen) -> IpAddr {
    let trusted = &listen.trusted_proxies;
    let mut believed = trusted.iter().any(|listed| listed.includes(peer));
    let mut address = peer
        .ip()
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        .to_canonical();
    for hop in hops(headers, listen.forwarded_header).into_iter().rev() {
        if !believed {
            break;
        }
        match parse(&hop) {
            Some(next) => address = next.to_canonical(),
            // Text that is no address ends the walk: nothing to its left can be trusted.
            None => break,
        }
        believed = trusted.iter().any(|listed| listed.contains(address));
    }
    address
}

/// An address, perhaps with a port, perhaps in the brackets of a URI.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let with_port = || hop.parse::<SocketAddr>().map(|address| address.ip());
    bare.unwrap_or(hop).parse().or_else(|_| with_port()).ok()
}

/// Counted together: an IPv4 address, or the /64 that one IPv6 customer has.
pub fn throttle_unit(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn hops(headers: &HeaderMap, header: ForwardedHeader) -> Vec<String> {
    let values = |name: &str| -> Vec<String> {
        let lines = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        lines
            .flat_map(|line| line.split(','))
            .map(|hop| hop.trim().to_owned())
            .collect()
    };
    // Proxies write one of the two and pass the other on as the caller sent it.
    match header {
        ForwardedHeader::XForwardedFor => values("x-forwarded-for"),
        ForwardedHeader::Forwarded => {
            let elements = values(header::FORWARDED.as_str());
            elements.iter().map(|element| node(element)).collect()
        }
    }
}

/// `for=192.0.2.60;proto=http` or `for="[2001:db8::17]:4711"` (RFC 7239 §4, §6).
fn node(element: &str) -> String {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value = pairs
        .filter(|(name, _)| name.eq_ignore_ascii_case("for"))
        .map(|(_, value)| value.trim_matches('"'))
        .next();
    let value = value.unwrap_or_default();
    match value.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6.to_owned(),
        None => value.split(':').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(forwarded_header: ForwardedHeader) -> Listen {
        Listen {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            forwarded_header,
            ..Listen::default()
        }
    }

    fn seen(peer: &str, name: &'static str, value: &str) -> String {
        let headers = [(http::HeaderName::from_static(name), value.parse().unwrap())]
            .into_iter()
            .collect();
        let forwarded_header = match name {
            "forwarded" => ForwardedHeader::Forwarded,
            _ => ForwardedHeader::XForwardedFor,
        };
        client_address(from(peer), &headers, &behind(forwarded_header)).to_string()
    }

    fn from(peer: &str) -> PeerAddr {
        PeerAddr::Tcp((peer.parse::<IpAddr>().unwrap(), 4711).into())
    }

    #[test]
    fn gw_08_who_comes_over_a_unix_socket_is_believed_when_it_is_listed_alone() {
        let headers: HeaderMap = [(
            http::HeaderName::from_static("x-forwarded-for"),
            "192.0.2.7".parse().unwrap(),
        )]
        .into_iter()
        .collect();
        for (trusted, address) in [("unix", "192.0.2.7"), ("0.0.0.0/8", "0.0.0.0")] {
            let listen = Listen {
                trusted_proxies: vec![trusted.parse().unwrap()],
                ..Listen::default()
            };
            let seen = client_address(PeerAddr::Unix, &headers, &listen);
            assert_eq!(seen.to_string(), address, "{trusted}");
        }
    }

    #[test]
    fn gw_08_forged_forwarded_headers_of_a_stranger_count_for_nothing() {
        assert_eq!(seen("192.0.2.1", "x-forwarded-for", "1.2.3.4"), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", "forwarded", "for=1.2.3.4"), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        assert_eq!(
            seen("10.0.0.1", "x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.2"),
            "192.0.2.7"
        );
        assert_eq!(
            seen(
                "10.0.0.1",
                "forwarded",
                "for=6.6.6.6, for=\"[2001:db8::1]:80\";proto=https"
            ),
            "2001:db8::1"
        );
        assert_eq!(
            seen("10.0.0.1", "x-forwarded-for", "1.2.3.4, a.b.evil.test"),
            "10.0.0.1"
        );
        assert_eq!(
            seen("::ffff:10.0.0.1", "x-forwarded-for", "192.0.2.7"),
            "192.0.2.7"
        );
    }

    #[test]
    fn gw_08_the_header_that_the_proxy_does_not_write_is_not_read() {
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "192.0.2.7")];
        let headers: HeaderMap = both
            .into_iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        for (header, address) in [
            (ForwardedHeader::XForwardedFor, "192.0.2.7"),
            (ForwardedHeader::Forwarded, "6.6.6.6"),
        ] {
            let seen = client_address(from("10.0.0.1"), &headers, &behind(header));
            assert_eq!(seen.to_string(), address);
        }
        for (hop, address) in [
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
        ] {
            assert_eq!(seen("10.0.0.1", "x-forwarded-for", hop), address);
        }
    }

    #[test]
    fn one_ipv6_customer_is_one_unit() {
        let unit = |text: &str| throttle_unit(text.parse().unwrap());
        assert_eq!(unit("2001:db8:1:2::1"), unit("2001:db8:1:2:ffff::9"));
        assert_ne!(unit("2001:db8:1:2::1"), unit("2001:db8:1:3::1"));
    }
}
