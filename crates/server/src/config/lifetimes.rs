//! How long things may live, for the whole server and for one client alike.

use super::fault::{Fault, fault};
use carnet_listen::value::Ttl;

pub(super) fn check_access_ttl(key: &str, ttl: Ttl) -> Result<(), Fault> {
    if ttl.as_seconds() == 0 || ttl > Ttl::days(1) {
        let what = format!("{ttl} is no life for an access token");
        return Err(fault(key, what, "write 1s to 1d; \"15m\" is usual"));
    }
    Ok(())
}

pub(super) fn check_refresh_grace(key: &str, grace: Ttl) -> Result<(), Fault> {
    if grace > Ttl::seconds(60) {
        let what = format!("{grace} gives a thief too much time");
        return Err(fault(key, what, "write 0s to 60s"));
    }
    Ok(())
}

/// Both as they count: the own ones of a client, or those of everybody.
pub(super) fn check_refresh_life(key: &str, idle: Ttl, absolute: Ttl) -> Result<(), Fault> {
    if idle.as_seconds() == 0 || idle > absolute {
        return Err(fault(
            key,
            "must be at least a second and at most refresh_absolute",
            "write \"7d\"",
        ));
    }
    Ok(())
}
