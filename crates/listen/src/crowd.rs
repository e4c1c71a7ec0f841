//! How many connections each address holds.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedSemaphorePermit;

use crate::peer::PeerAddr;
use crate::value::Listed;

/// Counts connections by address and refuses the one too many.
#[derive(Debug)]
pub(super) struct Crowd {
    counts: Mutex<HashMap<Group, usize>>,
    limit: usize,
    exempt: Vec<Listed>,
}

/// One counted connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    group: Option<Group>,
}

/// Who is counted together: one address, or one IPv6 network; whoever comes over the unix socket has none.
type Group = Option<IpAddr>;

/// A place among the connections. It goes with the stream: one that was upgraded keeps it.
pub(super) struct Seat {
    pub(super) _place: Place,
    pub(super) _permit: OwnedSemaphorePermit,
}

impl Crowd {
    pub(super) fn new(limit: usize, exempt: Vec<Listed>) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            limit,
            exempt,
        })
    }

    /// A place for a connection from there, when there is any left.
    pub(super) fn admit(self: &Arc<Self>, peer: PeerAddr) -> Option<Place> {
        if self.exempt.iter().any(|listed| listed.includes(peer)) {
            return Some(Place {
                crowd: Arc::clone(self),
                group: None,
            });
        }
        let group = peer.ip().map(group);
        let mut counts = self.counts();
        let count = counts.entry(group).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place {
            crowd: Arc::clone(self),
            group: Some(group),
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Group, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        let mut counts = self.crowd.counts();
        if let Some(count) = counts.get_mut(&group) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&group);
            }
        }
    }
}

/// Whoever has one IPv6 address has the whole /64.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> PeerAddr {
        PeerAddr::of((address.parse::<IpAddr>().unwrap(), 4711).into())
    }

    #[test]
    fn an_address_gets_its_places_back() {
        let crowd = Crowd::new(2, Vec::new());
        let address = at("192.0.2.1");
        let first = crowd.admit(address).unwrap();
        let _second = crowd.admit(address).unwrap();
        assert!(crowd.admit(address).is_none());
        assert!(
            crowd.admit(at("::ffff:192.0.2.1")).is_none(),
            "the same address in IPv6 letters"
        );
        assert!(crowd.admit(at("192.0.2.2")).is_some());
        drop(first);
        assert!(crowd.admit(address).is_some());
    }

    #[test]
    fn one_ipv6_network_counts_as_one() {
        let crowd = Crowd::new(1, Vec::new());
        let _held = crowd.admit(at("2001:db8:1:2::1")).unwrap();
        assert!(crowd.admit(at("2001:db8:1:2:ffff::9")).is_none());
        assert!(crowd.admit(at("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn a_trusted_proxy_stands_for_many() {
        let crowd = Crowd::new(1, vec!["10.0.0.0/8".parse().unwrap()]);
        let held: Vec<_> = (0..10).filter_map(|_| crowd.admit(at("10.1.2.3"))).collect();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn who_comes_over_the_unix_socket_counts_as_one_unless_it_is_a_trusted_proxy() {
        let crowd = Crowd::new(1, vec!["0.0.0.0/0".parse().unwrap()]);
        let _held = crowd.admit(PeerAddr::Unix).unwrap();
        assert!(crowd.admit(PeerAddr::Unix).is_none());
        let crowd = Crowd::new(1, vec!["unix".parse().unwrap()]);
        let held: Vec<_> = (0..10).filter_map(|_| crowd.admit(PeerAddr::Unix)).collect();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn nothing_is_kept_for_who_has_left() {
        let crowd = Crowd::new(1, Vec::new());
        drop(crowd.admit(at("192.0.2.1")));
        assert!(crowd.counts().is_empty());
    }
}
