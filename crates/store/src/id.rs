//! Handles: time-ordered primary keys and random outside names.

use std::fmt;

use carnet_jose::{base64url, primitive};

use crate::error::StoreError;

/// A primary key: 48 bits of milliseconds, then 80 random bits, so that new rows land side by side in the index.
///
/// Its time prefix tells when a row was made, so no answer, cookie, token or log shows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 16]);

impl Id {
    /// A new handle for a row made at `now` (milliseconds).
    pub(crate) fn new(now: i64) -> Result<Self, StoreError> {
        let mut bytes = random_bytes()?;
        bytes[..6].copy_from_slice(&now.max(0).to_be_bytes()[2..]);
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id(…)")
    }
}

/// A name for the outside: 128 random bits as 22 characters, with nothing of time or order in it.
pub(crate) fn random_name() -> Result<String, StoreError> {
    Ok(base64url::encode(&random_bytes()?))
}

/// 128 random bits.
pub(crate) fn random_bytes() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    primitive::fill_random(&mut bytes)
        .map_err(|_| StoreError::Broken("the system gives no randomness".to_owned()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_never_repeat() {
        let ids: Vec<Id> = (1_000..2_000).map(|now| Id::new(now).unwrap()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_ne!(Id::new(5).unwrap(), Id::new(5).unwrap());
    }

    #[test]
    fn st_04_outside_names_carry_no_prefix() {
        let names: std::collections::HashSet<String> = (0..1_000).map(|_| random_name().unwrap()).collect();
        assert_eq!(names.len(), 1_000);
        assert!(names.iter().all(|name| name.len() == 22));
        let first: std::collections::HashSet<&str> = names.iter().map(|name| &name[..1]).collect();
        assert!(
            first.len() > 32,
            "the first character hardly varies: {}",
            first.len()
        );
    }
}
