//! A moment as people say it, and exactly.

use serde_json::{Value, json};

/// How long ago it was: the key of a text and its number, and the moment itself (RFC 3339).
pub(super) fn ago(moment: i64, now: i64) -> Value {
    let seconds = now.saturating_sub(moment).max(0) / 1000;
    let (key, value) = match seconds {
        0..60 => ("now", 0),
        60..120 => ("minute", 1),
        120..3_600 => ("minutes", seconds / 60),
        3_600..7_200 => ("hour", 1),
        7_200..86_400 => ("hours", seconds / 3_600),
        86_400..172_800 => ("day", 1),
        _ => ("days", seconds / 86_400),
    };
    let exact = jiff::Timestamp::from_second(moment.div_euclid(1000)).unwrap_or_default();
    json!({ "key": key, "value": value, "exact": exact.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_in_its_largest_whole_unit() {
        let now = 1_800_000_000_000;
        for (seconds, key, value) in [
            (-5, "now", 0),
            (59, "now", 0),
            (60, "minute", 1),
            (3_599, "minutes", 59),
            (3_600, "hour", 1),
            (86_399, "hours", 23),
            (86_400, "day", 1),
            (864_000, "days", 10),
        ] {
            let said = ago(now - seconds * 1000, now);
            assert_eq!(
                (said["key"].as_str(), said["value"].as_i64()),
                (Some(key), Some(value))
            );
        }
        assert_eq!(ago(now, now)["exact"], "2027-01-15T08:00:00Z");
    }
}
