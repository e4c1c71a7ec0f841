//! Which addresses may be asked, judged when the connection is made: what a name leads to then is what counts.
//!
//! Spec: RFC 6890 (special-purpose addresses) · RFC 9700 §4.11 (addresses that others registered)

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

/// Which addresses a client may connect to.
#[derive(Clone)]
pub struct Reach(Option<Arc<Allowed>>);

type Allowed = dyn Fn(IpAddr) -> bool + Send + Sync;

impl Reach {
    /// Every address: for those that an operator has written into the configuration.
    pub fn anywhere() -> Self {
        Self(None)
    }

    /// The public internet, and what `allowed` says: for addresses that others have registered.
    pub fn public_and(allowed: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(allowed)))
    }

    /// Whether this address may be asked.
    pub fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0
            .as_ref()
            .is_none_or(|allowed| is_public(address) || allowed(address))
    }
}

/// Looks names up and keeps what may be asked.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
    pub(crate) system: GaiResolver,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.system.call(name), self.reach.clone());
        Box::pin(async move {
            let reachable: Vec<_> = found
                .await?
                .filter(|address| reach.includes(address.ip()))
                .collect();
            if reachable.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, NOT_PUBLIC));
            }
            Ok(reachable.into_iter())
        })
    }
}

const NOT_PUBLIC: &str = "the name leads to no address that may be asked";

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network; private; carrier-grade NAT; loopback; link-local, where clouds keep their metadata.
        [0 | 10 | 127, ..] | [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => {
            true
        }
        // Protocols, documentation, the old 6to4 relays, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            true
        }
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

/// Global unicast without what stands for an IPv4 address or for nobody.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64: what it stands for counts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)),
        // 6to4.
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo and other protocols, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(address: &str) -> bool {
        Reach::public_and(|_| false).includes(address.parse().unwrap())
    }

    #[test]
    fn ad_08_what_is_not_the_public_internet_is_not_asked() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fd00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
        ] {
            assert!(!public(address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1",
            "64:ff9b::101:101",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_asked_under_either_spelling() {
        let reach = Reach::public_and(|address| address == IpAddr::from([10, 0, 0, 7]));
        assert!(reach.includes("10.0.0.7".parse().unwrap()));
        assert!(reach.includes("::ffff:10.0.0.7".parse().unwrap()));
        assert!(!reach.includes("10.0.0.8".parse().unwrap()));
        assert!(Reach::anywhere().includes("127.0.0.1".parse().unwrap()));
    }
}
