//! What tokens are checked with, and whether it is there.

use std::fmt;

use carnet_guard::Guard;
use carnet_oauth::spiffe;

/// Something that tokens are checked with.
pub(crate) struct Needed {
    /// Its table in the configuration.
    pub(crate) table: &'static str,
    /// Whose it is.
    pub(crate) of: String,
    pub(crate) there: bool,
}

/// All that a guard needs.
pub(super) fn of_guard(guard: &Guard) -> impl Iterator<Item = Needed> {
    let keys = guard.health().into_iter().map(|one| Needed {
        table: match one.issuer.starts_with(spiffe::SCHEME) {
            true => "spiffe",
            false => "issuers",
        },
        of: one.issuer,
        there: one.loaded,
    });
    let services = guard.services_health().map(|one| Needed {
        table: SERVICES,
        of: one.issuer,
        there: one.loaded,
    });
    keys.chain(services)
}

impl Needed {
    /// Whether both are the same thing of the same issuer.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (self.table, &self.of) == (other.table, &other.of)
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.table == SERVICES {
            "the bundle of services"
        } else {
            "the keys"
        };
        write!(f, "{what} of {}", self.of)
    }
}

const SERVICES: &str = "services";
