//! Values of a configuration file that know what they may be: durations, addresses and networks.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::peer::PeerAddr;

/// A duration such as `20s`, `15m`, `12h`, `90d` or `500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(Duration);

impl Ttl {
    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// So many minutes.
    pub const fn minutes(n: u64) -> Self {
        Self::seconds(n * 60)
    }

    /// So many days.
    pub const fn days(n: u64) -> Self {
        Self::seconds(n * 86_400)
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// In milliseconds, as the store counts.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// In whole seconds, as tokens count.
    pub const fn as_seconds(self) -> u64 {
        self.0.as_secs()
    }
}

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const LONGEST_TTL_MS: u64 = 10 * 365 * 86_400_000;

impl FromStr for Ttl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!("{text:?} is no duration; write a number and a unit (ms, s, m, h, d), such as \"15m\"")
        };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let unit = text.get(digits.len()..).unwrap_or_default();
        let factor = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor)
            .ok_or_else(refuse)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let millis = digits
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(factor))
            .filter(|n| *n <= LONGEST_TTL_MS);
        millis
            .map(|n| Self(Duration::from_millis(n)))
            .ok_or_else(|| format!("{text:?} is longer than ten years"))
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (name, factor) = UNITS
            .iter()
            .rev()
            .find(|(_, factor)| millis > 0 && millis.is_multiple_of(*factor))
            .unwrap_or(&UNITS[1]);
        write!(f, "{}{name}", millis / factor)
    }
}

/// A network in CIDR notation, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(ipnet::IpNet);

impl Network {
    /// Whether the address lies in the network; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether it is wider than the private networks there are: 10.0.0.0/8 and fc00::/7.
    pub fn is_too_wide(&self) -> bool {
        self.0.prefix_len() < if self.0.addr().is_ipv4() { 8 } else { 7 }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = || text.parse::<IpAddr>().map(ipnet::IpNet::from);
        let network = text.parse::<ipnet::IpNet>().or_else(|_| single());
        network
            .map(Self)
            .map_err(|_| format!("{text:?} is no network; write one such as \"10.0.0.0/8\" or \"127.0.0.1\""))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who may be at the other end of a connection: a network, a single address, or `unix`, whoever can open our unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// These addresses.
    Network(Network),
    /// Who comes over our unix socket.
    Unix,
}

const UNIX: &str = "unix";

impl Listed {
    /// Whether it is this peer, or this peer is in it.
    pub fn includes(&self, peer: PeerAddr) -> bool {
        match (self, peer.ip()) {
            (Self::Network(network), Some(address)) => network.contains(address),
            (Self::Unix, None) => true,
            _ => false,
        }
    }

    /// Whether the address lies in it, as [`Network::contains`].
    pub fn contains(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(address))
    }

    /// As [`Network::is_too_wide`].
    pub fn is_too_wide(&self) -> bool {
        matches!(self, Self::Network(network) if network.is_too_wide())
    }
}

impl FromStr for Listed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            UNIX => Ok(Self::Unix),
            text => text.parse().map(Self::Network),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Unix => f.write_str(UNIX),
        }
    }
}

/// Where a server listens: `127.0.0.1:8080`, or `unix:` and the path of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Address and port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A socket with a name in the file system.
    Unix(PathBuf),
}

impl Address {
    /// Address and port, when there are any.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Whether nobody reaches it from another machine.
    pub fn is_local(&self) -> bool {
        self.tcp().is_none_or(|address| address.ip().is_loopback())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix(BY_NAME) else {
            let address = text.parse().map(Self::Tcp);
            return address.map_err(|_| {
                format!("{text:?} is no address; write one such as \"127.0.0.1:8080\" or \"unix:/run/carnet/socket\"")
            });
        };
        let path = PathBuf::from(path);
        if !path.is_absolute() || path.file_name().is_none() {
            return Err(format!(
                "{text:?} names no file from the root; write it as in \"unix:/run/carnet/socket\""
            ));
        }
        if path.as_os_str().len() > LONGEST_NAME {
            return Err(format!(
                "{text:?} is longer than the {LONGEST_NAME} bytes that the name of a socket may have"
            ));
        }
        Ok(Self::Unix(path))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{BY_NAME}{}", path.display()),
        }
    }
}

const BY_NAME: &str = "unix:";
/// Of the 108 that Linux has, one is its end.
const LONGEST_NAME: usize = 107;

/// Reads and writes these types as the strings of a configuration file, by their `FromStr` and `Display`, so that a wrong one is refused
/// where it stands.
///
/// ```
/// #[derive(Debug)]
/// struct Port(u16);
///
/// impl std::str::FromStr for Port {
///     type Err = String;
///     fn from_str(text: &str) -> Result<Self, String> {
///         text.parse().map(Self).map_err(|_| format!("{text:?} is no port"))
///     }
/// }
/// impl std::fmt::Display for Port {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         self.0.fmt(f)
///     }
/// }
/// carnet_listen::as_string!(Port);
///
/// let error = serde_json::from_str::<Port>("\"many\"").unwrap_err();
/// assert!(error.to_string().starts_with("\"many\" is no port"));
/// ```
#[macro_export]
macro_rules! as_string {
    ($($name:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

as_string!(Ttl, Network, Listed, Address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!("15m".parse(), Ok(Ttl::minutes(15)));
        assert_eq!("0s".parse(), Ok(Ttl::seconds(0)));
        assert_eq!(
            "90d".parse::<Ttl>().map(|ttl| ttl.to_string()),
            Ok("90d".to_owned())
        );
        for text in [
            "15",
            "m",
            "15 m",
            "-1s",
            "1.5h",
            "15M",
            "",
            "1w",
            "99999999999999999999s",
            "4000d",
        ] {
            assert!(text.parse::<Ttl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_is_a_port_or_the_name_of_a_socket() {
        let unix: Address = "unix:/run/carnet/socket".parse().unwrap();
        assert_eq!((unix.tcp(), unix.is_local()), (None, true));
        assert_eq!(unix.to_string(), "unix:/run/carnet/socket");
        for (text, local) in [("127.0.0.1:0", true), ("[::1]:80", true), ("0.0.0.0:80", false)] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.is_local()), (text, local));
        }
        let long = format!("unix:/{}", "x".repeat(107));
        for text in [
            "",
            "127.0.0.1",
            "localhost:80",
            "unix:",
            "unix:socket",
            "unix:/",
            "unix:/run/..",
            "/run/socket",
            &long,
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn who_is_listed_by_address_does_not_come_over_the_socket() {
        let everybody: Listed = "0.0.0.0/0".parse().unwrap();
        let over_the_socket: Listed = "unix".parse().unwrap();
        let peer = PeerAddr::Tcp(([127, 0, 0, 1], 80).into());
        assert_eq!(
            (everybody.includes(peer), everybody.includes(PeerAddr::Unix)),
            (true, false)
        );
        let includes = |peer| over_the_socket.includes(peer);
        assert_eq!((includes(peer), includes(PeerAddr::Unix)), (false, true));
        assert!(!over_the_socket.contains([127, 0, 0, 1].into()));
        assert!("Unix".parse::<Listed>().is_err());
    }
}
