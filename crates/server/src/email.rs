//! E-mail addresses as login names: one strict reading, one canonical form.
//!
//! Spec: RFC 5321 §4.1.2 (the unquoted part of it) · RFC 6531 · RFC 5890 (domains)

use carnet_oauth::unseen::is_unseen;
use unicode_normalization::UnicodeNormalization as _;

/// An address as typed, and as compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// As the person typed it.
    pub display: String,
    /// NFC, lower case, the domain in its ASCII form: two spellings of one address are one account.
    pub canonical: String,
}

/// The longest address, in bytes (RFC 5321 §4.5.3.1.3).
const MAX_BYTES: usize = 254;

impl Email {
    /// Reads an address; `None` when it is none, or one that other software could read differently.
    pub fn parse(text: &str) -> Option<Self> {
        let display: String = text.trim_matches(' ').nfc().collect();
        let (local, domain) = display.split_once('@')?;
        // Quoted parts, comments, lists and control characters are how one address turns into another.
        let harmless = |c: char| !c.is_whitespace() && !"\"(),:;<>@[\\]".contains(c) && !is_unseen(c);
        let dots = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        if local.is_empty() || !local.chars().all(harmless) || !dots || !domain.chars().all(harmless) {
            return None;
        }
        let domain = idna::domain_to_ascii_strict(domain)
            .ok()
            .filter(|domain| domain.contains('.') || domain == "localhost")?;
        let canonical = format!("{}@{domain}", local.to_lowercase().nfc().collect::<String>());
        (display.len() <= MAX_BYTES && canonical.len() <= MAX_BYTES).then_some(Self { display, canonical })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        Email::parse(text).map(|email| email.canonical)
    }

    #[test]
    fn spellings_of_one_address_are_one() {
        assert_eq!(canonical("Alice@Example.COM"), canonical("alice@example.com"));
        assert_eq!(
            canonical("ali@bücher.example"),
            canonical("ali@xn--bcher-kva.example")
        );
        assert_eq!(
            canonical("Caf\u{65}\u{301}@example.com"),
            canonical("café@example.com")
        );
        assert_ne!(canonical("alice+a@example.com"), canonical("alice@example.com"));
    }

    #[test]
    fn pw_12_email_tricks_are_refused() {
        for text in [
            "a@x.test\r\nBcc:e@evil",
            "a@evil.test@x.test",
            "\"a b\"@x.test",
            "a@x.test,b@evil",
            "a\u{0}@x.test",
            "a@",
            "@x.test",
            "a",
            "",
            "a@x..test",
            ".a@x.test",
            "a@[127.0.0.1]",
            "a\u{202e}@x.test",
            "a b@x.test",
        ] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
        assert_eq!(canonical(&format!("{}@x.test", "a".repeat(300))), None);
    }
}
