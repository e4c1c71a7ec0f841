//! Why a key cannot be used: what it is, where the rule stands, and what to do.
//!
//! Spec: RFC 7517 §4, §5, §9.2 · RFC 7518 §3.2, §3.3, §6 · RFC 8725 §3.1, §3.5 · RFC 7468 §2 (PEM)

use carnet_jose::Error;

use crate::failure::Failure;

/// A key that cannot be used, in words.
pub(crate) fn unusable(error: Error) -> Failure {
    let text = error.to_string();
    // Some of the library's sentences name their section themselves.
    let why = match section(error).filter(|_| !text.contains("RFC")) {
        Some(section) => format!("{text} ({section})"),
        None => text,
    };
    Failure::refused(error.code(), "the key cannot be used")
        .because(why)
        .todo(advice(error))
}

/// Where the rule stands that the key or the key set breaks; none for limits of our own.
fn section(error: Error) -> Option<&'static str> {
    Some(match error {
        Error::KeyInvalid => "RFC 7517 §4, RFC 7518 §6",
        Error::KeyMismatch => "RFC 8725 §3.1",
        Error::KeyTooShort => "RFC 7518 §3.2, §3.3",
        Error::KeyWeak => "RFC 8725 §3.5",
        Error::KeyLooksPublic => "RFC 8725 §2.1",
        Error::KeyUnsupported | Error::JsonInvalid => "RFC 7517 §5",
        Error::DuplicateMember => "RFC 7517 §4",
        Error::DuplicateKeyId => "RFC 7517 §4.5",
        Error::PrivateKeyInSet | Error::SymmetricKeyInSet => "RFC 7517 §9.2",
        Error::SetTooLarge => "Carnet's own limit",
        _ => return None,
    })
}

fn advice(error: Error) -> &'static str {
    match error {
        Error::KeyMismatch => "name an --algorithm of the key's kind, or another key",
        Error::KeyTooShort => "make a new one: carnet jwk generate",
        Error::KeyWeak => "replace it at once: carnet jwk generate",
        Error::KeyLooksPublic => "give a PEM or JWK with --key; --secret-file is for shared secrets",
        Error::SymmetricKeyInSet => {
            "the issuer must not publish shared secrets: it has to take the key out and make a new one; give a secret of your own with --key or --secret-file"
        }
        Error::PrivateKeyInSet => {
            "the issuer must replace this key now: whoever saw the set can sign; carnet jwk public takes private members out"
        }
        Error::DuplicateKeyId => {
            "the issuer must give each key its own kid, best its thumbprint: carnet jwk thumbprint"
        }
        Error::SetTooLarge => {
            "look whether this is the right file or URL; the issuer should take its old keys out"
        }
        _ => "make a new one: carnet jwk generate; or convert it: openssl pkey -in FILE",
    }
}

/// What a text holds instead of a key that can be read, where it says so itself.
pub(super) fn refused_text(text: &str) -> Option<Failure> {
    let unsupported = |what: &str| Failure::refused("key_unsupported", what);
    if text.contains("-----BEGIN CERTIFICATE") {
        let failure = unsupported("this is a certificate, not a key")
            .because("nobody would check its chain here")
            .todo("take its key out: openssl x509 -in FILE -noout -pubkey");
        return Some(failure);
    }
    if text.contains("-----BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
        let todo = "decrypt it to a private file: (umask 077; openssl pkey -in FILE -out plain.pem)";
        return Some(unsupported("the key is encrypted with a passphrase").todo(todo));
    }
    if text.contains("-----BEGIN OPENSSH") {
        let failure = unsupported("this is a key in OpenSSH's own format")
            .because("RFC 7518 §6 knows none of its kind; PKCS#8, PKCS#1 and SEC1 are read")
            .todo("make a new one: carnet jwk generate; a key should not both log in and sign tokens");
        return Some(failure);
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.starts_with("-----BEGIN ") && trimmed.lines().nth(1).is_none() {
        let failure = Failure::refused("key_invalid", "the PEM stands in one line")
            .because("the lines with BEGIN and END must stand alone (RFC 7468 §2): its line breaks were lost on the way")
            .todo("copy the file whole; in an environment variable, keep its line breaks");
        return Some(failure);
    }
    None
}

/// The same failure, with the kind of the key in its words where the key is of one that no algorithm here takes.
pub(super) fn with_kind(failure: Failure, pem: &str) -> Failure {
    let Some(kind) = Some(failure.code)
        .filter(|code| *code == "key_unsupported")
        .and_then(|_| kind(pem))
    else {
        return failure;
    };
    Failure {
        what: format!("this is an {kind} key, which cannot be used here"),
        ..failure
    }
    .todo("make one that can: carnet jwk generate")
}

/// Object identifiers in DER, as they stand in SubjectPublicKeyInfo and PKCS#8: RFC 8410 §3, RFC 8017 appendix C.
const KINDS: [(&str, &[u8]); 4] = [
    ("Ed448", &[0x06, 0x03, 0x2b, 0x65, 0x71]),
    ("X25519", &[0x06, 0x03, 0x2b, 0x65, 0x6e]),
    ("X448", &[0x06, 0x03, 0x2b, 0x65, 0x6f]),
    (
        "RSA-PSS",
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
    ),
];

fn kind(pem: &str) -> Option<&'static str> {
    let body = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN "));
    let body: String = body
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .map(str::trim)
        .collect();
    // The identifier stands at the beginning, before any secret; 64 characters are whole groups.
    let start = body.get(..64).unwrap_or(body.trim_end_matches('='));
    let der = carnet_jose::base64url::decode(&start.replace('+', "-").replace('/', "_")).ok()?;
    let holds = |identifier: &[u8]| der.windows(identifier.len()).any(|part| part == identifier);
    KINDS
        .iter()
        .find_map(|(name, identifier)| holds(identifier).then_some(*name))
}
