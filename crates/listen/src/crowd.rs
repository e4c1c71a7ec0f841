//! How many connections each address holds.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedSemaphorePermit;

use crate::value::Network;

/// Counts connections by address and refuses the one too many.
#[derive(Debug)]
pub(super) struct Crowd {
    counts: Mutex<HashMap<IpAddr, usize>>,
    limit: usize,
    exempt: Vec<Network>,
}

/// One counted connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    group: Option<IpAddr>,
}

/// A place among the connections. It goes with the stream: one that was upgraded keeps it.
pub(super) struct Seat {
    pub(super) _place: Place,
    pub(super) _permit: OwnedSemaphorePermit,
}

impl Crowd {
    pub(super) fn new(limit: usize, exempt: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::default(),
            limit,
            exempt,
        })
    }

    /// A place for a connection from this address, when it has any left.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        if self.exempt.iter().any(|network| network.contains(address)) {
            return Some(Place {
                crowd: Arc::clone(self),
                group: None,
            });
        }
        let group = group(address);
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

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
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

    #[test]
    fn an_address_gets_its_places_back() {
        let crowd = Crowd::new(2, Vec::new());
        let address = "192.0.2.1".parse().unwrap();
        let first = crowd.admit(address).unwrap();
        let _second = crowd.admit(address).unwrap();
        assert!(crowd.admit(address).is_none());
        assert!(
            crowd.admit("::ffff:192.0.2.1".parse().unwrap()).is_none(),
            "the same address in IPv6 letters"
        );
        assert!(crowd.admit("192.0.2.2".parse().unwrap()).is_some());
        drop(first);
        assert!(crowd.admit(address).is_some());
    }

    #[test]
    fn one_ipv6_network_counts_as_one() {
        let crowd = Crowd::new(1, Vec::new());
        let _held = crowd.admit("2001:db8:1:2::1".parse().unwrap()).unwrap();
        assert!(crowd.admit("2001:db8:1:2:ffff::9".parse().unwrap()).is_none());
        assert!(crowd.admit("2001:db8:1:3::1".parse().unwrap()).is_some());
    }

    #[test]
    fn a_trusted_proxy_stands_for_many() {
        let crowd = Crowd::new(1, vec!["10.0.0.0/8".parse().unwrap()]);
        let held: Vec<_> = (0..10)
            .filter_map(|_| crowd.admit("10.1.2.3".parse().unwrap()))
            .collect();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn nothing_is_kept_for_who_has_left() {
        let crowd = Crowd::new(1, Vec::new());
        drop(crowd.admit("192.0.2.1".parse().unwrap()));
        assert!(crowd.counts().is_empty());
    }
}
