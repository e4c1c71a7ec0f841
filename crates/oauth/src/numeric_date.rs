//! Times in tokens: seconds since 1970, of which others may write fractions.
//!
//! Spec: RFC 7519 §2 (NumericDate)

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// Whole seconds since the epoch; a fraction is cut off, as by the verifier that looks at the same claim (RFC 7519 §2).
///
/// # Errors
///
/// What is no number, is negative, or lies thousands of years ahead.
pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    whole(&number).ok_or_else(|| D::Error::custom("no time in seconds since 1970"))
}

/// As [`seconds`], for a time that need not be there (RFC 7519 §4.1).
///
/// # Errors
///
/// As [`seconds`].
pub fn seconds_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Number>::deserialize(deserializer)?;
    let whole = |number| whole(number).ok_or_else(|| D::Error::custom("no time in seconds since 1970"));
    number.as_ref().map(whole).transpose()
}

fn whole(number: &Number) -> Option<u64> {
    if let Some(seconds) = number.as_u64() {
        return Some(seconds).filter(|seconds| *seconds < 1_000_000_000_000);
    }
    let seconds = number.as_f64().filter(|seconds| (0.0..1e12).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1e12"
    )]
    let whole = seconds as u64;
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Times {
        #[serde(deserialize_with = "seconds")]
        exp: u64,
        #[serde(default, deserialize_with = "seconds_if_any")]
        iat: Option<u64>,
    }

    #[test]
    fn a_fraction_of_a_second_is_cut_off_and_what_is_no_time_refused() {
        let read = |text: &str| serde_json::from_str::<Times>(text).ok();
        let times = |exp, iat| Some(Times { exp, iat });
        assert_eq!(read(r#"{"exp":12}"#), times(12, None));
        assert_eq!(read(r#"{"exp":1000000000000}"#), None);
        assert_eq!(read(r#"{"exp":12.999,"iat":3.5}"#), times(12, Some(3)));
        assert_eq!(read(r#"{"exp":1.8e9,"iat":null}"#), times(1_800_000_000, None));
        for no_time in ["-1", "-0.5", "1e13", "1e300", "\"12\"", "null", "true"] {
            assert_eq!(read(&format!("{{\"exp\":{no_time}}}")), None, "{no_time}");
            if no_time != "null" {
                assert_eq!(
                    read(&format!("{{\"exp\":1,\"iat\":{no_time}}}")),
                    None,
                    "{no_time}"
                );
            }
        }
    }
}
