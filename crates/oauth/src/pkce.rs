//! Proof Key for Code Exchange: only who began may redeem. `plain` has no variant.
//!
//! Spec: RFC 7636 §4.1, §4.2, §4.6

use carnet_jose::{base64url, primitive};

/// A `code_challenge` with the method `S256`: the SHA-256 of a verifier.
///
/// ```
/// use carnet_oauth::pkce::Challenge;
///
/// // The example of RFC 7636, appendix B.
/// let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
/// assert!(challenge.matches("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// assert!(!challenge.matches("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

/// The one value of `code_challenge_method`.
pub const S256: &str = "S256";

impl Challenge {
    /// Reads a challenge: 43 characters of base64url; nothing else is the hash of anything.
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The challenge of a verifier.
    pub fn of(verifier: &str) -> Self {
        Self(primitive::sha256(verifier.as_bytes()))
    }

    /// Whether this is the challenge of the verifier (§4.6). A verifier has 43 to 128 unreserved characters (§4.1).
    pub fn matches(&self, verifier: &str) -> bool {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(unreserved)
            && primitive::verify_equal(&self.0, &primitive::sha256(verifier.as_bytes()))
    }
}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pk_01_a_challenge_has_one_spelling_and_32_bytes() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(
            Challenge::parse(good).map(|c| c.to_string()).as_deref(),
            Some(good)
        );
        for text in [
            "",
            "short",
            &format!("{good}="),
            &good[..42],
            &format!("{good}AA"),
            &good.replace('-', "+"),
        ] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn pk_02_verifiers_of_other_lengths_or_characters_match_nothing() {
        for verifier in [
            "a".repeat(42),
            "a".repeat(129),
            "ü".repeat(30),
            format!("{} ", "a".repeat(50)),
            String::new(),
        ] {
            assert!(!Challenge::of(&verifier).matches(&verifier), "{verifier}");
        }
        let long = "a".repeat(128);
        assert!(Challenge::of(&long).matches(&long));
    }
}
