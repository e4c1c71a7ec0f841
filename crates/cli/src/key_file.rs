//! Keys in files: PEM, DER, one JWK, or a JWKS, told apart by what they hold.
//!
//! Spec: RFC 7468 (PEM) · RFC 7517 §4, §5 (JWK, JWKS)

mod unusable;

use std::path::Path;

use carnet_jose::{Algorithm, AnySigningKey, AnyVerifyingKey, Error, Jwk};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::output::Output;
pub(crate) use unusable::unusable;

/// What a key file holds.
pub(crate) enum KeyText {
    /// `-----BEGIN …-----`
    Pem(Zeroizing<String>),
    /// The same without its letters.
    Der(Zeroizing<Vec<u8>>),
    /// One JSON Web Key.
    Jwk(Zeroizing<String>),
    /// A set of them: `{"keys":[…]}`.
    Jwks(Zeroizing<String>),
}

/// Reads a file, or stdin for `-`, and looks what it holds.
pub(crate) fn read(path: &Path, output: &Output) -> Result<KeyText, Failure> {
    let bytes = input::bytes_file(path, "the key", output)?;
    let read = match std::str::from_utf8(&bytes) {
        Ok(text) => KeyText::of(Zeroizing::new(text.to_owned())),
        // Every key in DER is a SEQUENCE.
        Err(_) if bytes.first() == Some(&0x30) => Ok(KeyText::Der(bytes)),
        Err(_) => Err(Failure::refused("key_invalid", "this is neither a key nor text")
            .todo("name a file with a key: PEM, DER, JWK or JWKS")),
    };
    read.map_err(|failure| Failure {
        what: format!("{}: {}", path.display(), failure.what),
        ..failure
    })
}

impl KeyText {
    /// Looks what a text holds.
    pub(crate) fn of(text: Zeroizing<String>) -> Result<Self, Failure> {
        if let Some(failure) = unusable::refused_text(&text) {
            return Err(failure);
        }
        // RFC 7468 §2: text in front of it explains; a line of JSON never begins so.
        if text.lines().any(|line| {
            line.trim_start_matches('\u{feff}')
                .trim_start()
                .starts_with("-----BEGIN")
        }) {
            return Ok(Self::Pem(text));
        }
        let is_set =
            serde_json::from_str::<serde_json::Value>(&text).map(|value| value.get("keys").is_some());
        match is_set {
            Ok(true) => Ok(Self::Jwks(text)),
            Ok(false) if text.trim_start().starts_with('{') => Ok(Self::Jwk(text)),
            _ => Err(
                Failure::refused("key_invalid", "this is neither PEM nor a JWK nor a JWKS")
                    .because("a key file begins with -----BEGIN or with {")
                    .todo("for a shared secret use --secret-file"),
            ),
        }
    }

    /// The key that signs: for this algorithm, or for the first one that fits.
    pub(crate) fn signing(&self, algorithm: Option<Algorithm>) -> Result<AnySigningKey, Failure> {
        match self {
            Self::Pem(text) => first_fit(algorithm, |one| AnySigningKey::from_pem(text, one))
                .map_err(|failure| unusable::with_kind(failure, text)),
            Self::Der(der) => first_fit(algorithm, |one| AnySigningKey::from_der(der, one)),
            Self::Jwk(text) => {
                let named = Jwk::parse(text).and_then(|jwk| {
                    if jwk.is_private() {
                        Ok(jwk.algorithm().is_some())
                    } else {
                        Err(Error::KeyUnsupported)
                    }
                });
                let key = match named.map_err(|error| not_private(error, self))? {
                    true => AnySigningKey::from_jwk(text),
                    false => first_fit_raw(algorithm, |one| {
                        AnySigningKey::from_jwk(&with_algorithm(text, one)?)
                    }),
                };
                let key = key.map_err(unusable)?;
                match algorithm.filter(|wanted| *wanted != key.algorithm()) {
                    Some(_) => Err(unusable(Error::KeyMismatch)),
                    None => Ok(key),
                }
            }
            Self::Jwks(_) => Err(Failure::usage(
                "key_ambiguous",
                "a key set has many keys: name a file with one private key",
            )),
        }
        .map_err(|failure| {
            if self.is_public_pem() {
                not_private(Error::KeyUnsupported, self)
            } else {
                failure
            }
        })
    }

    /// The key that checks: for this algorithm, or for the first one that fits. A private key gives its public half.
    pub(crate) fn verifying(&self, algorithm: Option<Algorithm>) -> Result<AnyVerifyingKey, Failure> {
        match self {
            Self::Pem(_) | Self::Der(_) if self.holds_private_key() => {
                Ok(self.signing(algorithm)?.verifying_key())
            }
            Self::Pem(text) => first_fit(algorithm, |one| AnyVerifyingKey::from_pem(text, one))
                .map_err(|failure| unusable::with_kind(failure, text)),
            Self::Der(der) => first_fit(algorithm, |one| AnyVerifyingKey::from_der(der, one)),
            Self::Jwk(text) => {
                let jwk = Jwk::parse(text).map_err(unusable)?;
                first_fit(algorithm, |one| AnyVerifyingKey::from_jwk_as(&jwk, one))
            }
            Self::Jwks(_) => Err(Failure::usage(
                "key_ambiguous",
                "a key set has many keys: name a file with one key",
            )),
        }
    }

    /// The `kid` of a JWK.
    pub(crate) fn key_id(&self) -> Option<String> {
        let Self::Jwk(text) = self else { return None };
        Jwk::parse(text).ok()?.key_id().map(str::to_owned)
    }

    /// Whether somebody could sign with what the file holds.
    pub(crate) fn holds_private_key(&self) -> bool {
        match self {
            Self::Pem(text) => text.contains("PRIVATE KEY-----"),
            Self::Der(der) => Algorithm::ALL
                .iter()
                .any(|one| AnySigningKey::from_der(der, *one).is_ok()),
            Self::Jwk(text) => Jwk::parse(text).is_ok_and(|jwk| jwk.is_private()),
            Self::Jwks(_) => false,
        }
    }

    fn is_public_pem(&self) -> bool {
        matches!(self, Self::Pem(_)) && !self.holds_private_key()
    }
}

/// `--algorithm`, with the nearest word for a typo.
pub(crate) fn algorithm_parser() -> impl TypedValueParser<Value = Algorithm> {
    let names = Algorithm::ALL
        .iter()
        .map(|algorithm| PossibleValue::new(algorithm.name()));
    PossibleValuesParser::new(names.chain([PossibleValue::new("EdDSA").hide(true)]))
        .try_map(|name| Algorithm::from_name(&name).ok_or("unknown algorithm"))
}

fn not_private(error: Error, text: &KeyText) -> Failure {
    match text.holds_private_key() || error != Error::KeyUnsupported {
        true => unusable(error),
        false => Failure::refused("key_public", "this is a public key: it cannot sign")
            .because("signing needs the private half")
            .todo("name the file with the private key; carnet jwk generate makes a pair"),
    }
}

fn first_fit<K>(
    algorithm: Option<Algorithm>,
    load: impl Fn(Algorithm) -> Result<K, Error>,
) -> Result<K, Failure> {
    first_fit_raw(algorithm, load).map_err(unusable)
}

/// Tries the wanted algorithm, or all of them; of the refusals the one that says most is told.
fn first_fit_raw<K>(
    algorithm: Option<Algorithm>,
    load: impl Fn(Algorithm) -> Result<K, Error>,
) -> Result<K, Error> {
    let candidates = algorithm.as_ref().map_or(Algorithm::ALL, std::slice::from_ref);
    let mut told = Error::KeyMismatch;
    for candidate in candidates {
        match load(*candidate) {
            Ok(key) => return Ok(key),
            Err(error) if told == Error::KeyMismatch => told = error,
            Err(_) => {}
        }
    }
    Err(told)
}

/// A JWK that names no algorithm, with one.
fn with_algorithm(text: &str, algorithm: Algorithm) -> Result<Zeroizing<String>, Error> {
    let mut members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| Error::KeyInvalid)?;
    members.insert("alg".to_owned(), algorithm.name().into());
    serde_json::to_string(&members)
        .map(Zeroizing::new)
        .map_err(|_| Error::KeyInvalid)
}
