//! Device authorization: what a device is told, and the code that a person types.
//!
//! Spec: RFC 8628 §3.2 (answer), §3.3.1 (the code is shown beside the link), §6.1 (user codes)

use serde::{Deserialize, Serialize};

/// The letters of a user code: no vowels, so that no words come about, and nothing that looks like a digit.
pub const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many of them a code has: 20⁸ codes.
pub const USER_CODE_LENGTH: usize = 8;
/// How many seconds a device is to wait between two requests, when it is not told (§3.2).
pub const DEFAULT_INTERVAL: u64 = 5;

/// What the device authorization endpoint answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAuthorizationResponse {
    /// What the device shows at the token endpoint. Nobody else sees it.
    pub device_code: String,
    /// What the person types, as it is shown.
    pub user_code: String,
    /// Where they type it.
    pub verification_uri: String,
    /// The same with the code in it, for a link or a QR code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// Seconds until both codes expire.
    pub expires_in: u64,
    /// Seconds between two requests at the token endpoint.
    #[serde(default = "default_interval")]
    pub interval: u64,
}

impl std::fmt::Debug for DeviceAuthorizationResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceAuthorizationResponse")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

fn default_interval() -> u64 {
    DEFAULT_INTERVAL
}

/// A user code that somebody typed, as it is kept: capitals, and whatever stands between them left out (§6.1). `None` for what no
/// code of ours can be.
///
/// ```
/// use carnet_oauth::device::read_user_code;
///
/// assert_eq!(read_user_code(" wdjb-mjht ").as_deref(), Some("WDJBMJHT"));
/// assert_eq!(read_user_code("WDJB-MJH"), None);
/// ```
pub fn read_user_code(typed: &str) -> Option<String> {
    let between = |char: char| char.is_whitespace() || matches!(char, '-' | '.' | '_' | '‐' | '–');
    let letters = typed.chars().filter(|char| !between(*char));
    let code: String = letters
        .take(USER_CODE_LENGTH + 1)
        .map(|char| char.to_ascii_uppercase())
        .collect();
    let known = |letter: &u8| USER_CODE_LETTERS.contains(letter);
    (code.len() == USER_CODE_LENGTH && code.as_bytes().iter().all(known)).then_some(code)
}

/// A user code as it is shown: `WDJB-MJHT`.
pub fn show_user_code(code: &str) -> String {
    match code.split_at_checked(USER_CODE_LENGTH / 2) {
        Some((first, second)) => format!("{first}-{second}"),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_with_or_without_a_hyphen_in_either_case_is_the_same_code() {
        for typed in [
            "WDJB-MJHT",
            "wdjbmjht",
            "WDJB MJHT",
            "wdjb–mjht",
            "W.D.J.B.M.J.H.T",
        ] {
            assert_eq!(read_user_code(typed).as_deref(), Some("WDJBMJHT"), "{typed}");
        }
        assert_eq!(show_user_code("WDJBMJHT"), "WDJB-MJHT");
    }

    #[test]
    fn what_no_code_can_be_is_none() {
        for typed in [
            "",
            "WDJB",
            "WDJB-MJHTX",
            "WDJB-MJHA",
            "WDJB-MJH1",
            "ẄDJBMJHT",
            "\0",
            &"W".repeat(1_000_000),
        ] {
            assert_eq!(read_user_code(typed), None, "{}", typed.len());
        }
    }
}
