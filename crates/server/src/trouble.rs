//! A trouble that comes back with every round: told when it begins and then seldom, so that it does not drown the log.

use std::time::{Duration, Instant};

/// When it was told last.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    told: Option<Instant>,
}

impl Trouble {
    /// It is there. Whether that is to be told.
    pub(crate) fn is_told(&mut self, now: Instant) -> bool {
        let due = self
            .told
            .is_none_or(|told| now.duration_since(told) >= TOLD_AGAIN);
        if due {
            self.told = Some(now);
        }
        due
    }

    /// It is over. Whether it was there.
    pub(crate) fn ends(&mut self) -> bool {
        self.told.take().is_some()
    }
}

/// How often a trouble that lasts is told.
const TOLD_AGAIN: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_that_lasts_is_told_every_ten_minutes() {
        let (mut trouble, begun) = (Trouble::default(), Instant::now());
        let rounds = (0..4 * 600_u64).map(|round| begun + Duration::from_millis(500 * round));
        assert_eq!(rounds.filter(|now| trouble.is_told(*now)).count(), 2);
        assert!(trouble.ends());
        assert!(!trouble.ends());
        assert!(trouble.is_told(begun));
    }
}
