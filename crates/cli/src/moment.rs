//! Moments: now, typed ones, and how they are said: "in 14 min, 2026-11-21T10:14:00Z".
//!
//! Spec: RFC 3339 · RFC 7519 §2 (NumericDate)

use carnet_server::clock::{Clock as _, SystemClock};
use jiff::{SignedDuration, Timestamp};

/// Seconds since 1970-01-01T00:00:00Z.
pub(crate) fn now() -> i64 {
    SystemClock.now().div_euclid(1000)
}

/// In words, with the exact time.
pub(crate) fn said(seconds: i64, now: i64) -> String {
    match exact(seconds) {
        Some(exact) => format!("{}, {exact}", words(seconds, now)),
        None => "beyond the calendar".to_owned(),
    }
}

/// `2026-11-21T10:14:00Z`; none for a moment outside the years -9999 to 9999.
pub(crate) fn exact(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds)
        .ok()
        .map(|moment| moment.to_string())
}

/// "in 14 min", "3 days ago", "now".
pub(crate) fn words(seconds: i64, now: i64) -> String {
    let distance = seconds.saturating_sub(now);
    match distance {
        0 => "now".to_owned(),
        1.. => format!("in {}", span(distance.unsigned_abs())),
        _ => format!("{} ago", span(distance.unsigned_abs())),
    }
}

/// A length of time in its largest fitting unit, rounded down.
pub(crate) fn span(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    let counted = |count: u64, one: &str| {
        if count == 1 {
            format!("1 {one}")
        } else {
            format!("{count} {one}s")
        }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..DAY => format!("{} h", seconds / 3_600),
        DAY..5_184_000 => counted(seconds / DAY, "day"),
        5_184_000..63_072_000 => counted(seconds / 2_629_746, "month"),
        _ => counted(seconds / 31_556_952, "year"),
    }
}

/// A moment as typed after `--at`: RFC 3339, or seconds since 1970.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let typed = text
        .parse::<i64>()
        .ok()
        .or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_second));
    typed.ok_or_else(|| "write 2026-11-21T10:14:00Z, or seconds since 1970".to_owned())
}

/// A length of time as typed: `90s`, `15m`, `1h30m`, `7d`.
pub(crate) fn parse_span(text: &str) -> Result<i64, String> {
    parse_span_or_none(text)
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| SPANS.to_owned())
}

/// The same where no time at all may be meant: `0s`, or 0, which needs no unit.
pub(crate) fn parse_span_or_none(text: &str) -> Result<i64, String> {
    if text == "0" {
        return Ok(0);
    }
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
        .map(|days| days.saturating_mul(86_400));
    let typed = days.or_else(|| text.parse::<SignedDuration>().ok().map(|length| length.as_secs()));
    typed
        .filter(|seconds| *seconds >= 0)
        .ok_or_else(|| SPANS.to_owned())
}

const SPANS: &str = "write a length of time such as 90s, 15m, 12h or 7d";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_in_words() {
        let now = 1_795_255_200;
        assert_eq!(said(now + 840, now), "in 14 min, 2026-11-21T10:14:00Z");
        assert_eq!(words(now, now), "now");
        assert_eq!(words(now - 1, now), "1 s ago");
        assert_eq!(words(now - 86_400, now), "1 day ago");
        assert_eq!(words(now + 59 * 86_400, now), "in 59 days");
        assert_eq!(words(now + 400 * 86_400, now), "in 13 months");
        assert_eq!(words(1_716_239_022, now), "2 years ago");
        assert_eq!(said(i64::MAX, now), "beyond the calendar");
        assert_eq!(said(i64::MIN, now), "beyond the calendar");
    }

    #[test]
    fn moments_and_lengths_are_read() {
        assert_eq!(parse("2026-11-21T10:14:00Z"), Ok(1_795_256_040));
        assert_eq!(parse("1716239022"), Ok(1_716_239_022));
        assert!(parse("tomorrow").is_err());
        assert_eq!(parse_span("15m"), Ok(900));
        assert_eq!(parse_span("7d"), Ok(604_800));
        assert_eq!(parse_span("1h30m"), Ok(5_400));
        assert_eq!(parse_span_or_none("0s"), Ok(0));
        assert_eq!(parse_span_or_none("0"), Ok(0));
        assert!(parse_span_or_none("-1s").is_err() && parse_span_or_none("7").is_err());
        assert!(parse_span("0s").is_err() && parse_span("-5m").is_err() && parse_span("soon").is_err());
    }
}
