//! A password as a person typed it, in the one form that is hashed.
//!
//! Spec: NIST SP 800-63B §3.1.1.2 · Unicode UAX #15 (NFC)

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::refused::PasswordRefused;

/// A password in NFC, wiped from memory when it is dropped and never shown.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password that somebody logs in with: anything short enough to be hashed, never cut.
    pub fn to_verify(typed: &str) -> Result<Self, PasswordRefused> {
        if typed.len() > MAX_TYPED_BYTES {
            return Err(PasswordRefused::TooLong);
        }
        // Room for the longest outcome (UAX #15: three times), so that no copy is left behind by growing.
        let mut normal = Zeroizing::new(String::with_capacity(typed.len() * 3));
        normal.extend(typed.nfc());
        if normal.len() > MAX_BYTES {
            return Err(PasswordRefused::TooLong);
        }
        Ok(Self(normal))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(***)")
    }
}

const MAX_BYTES: usize = 1024;
/// Decomposed text shrinks in NFC; this much may come in before it is normalised.
const MAX_TYPED_BYTES: usize = 3 * MAX_BYTES;
