//! The closed list of signature algorithms. `none` has no variant.
//!
//! Spec: RFC 7518 §3.1 · RFC 8037 §3.1 · RFC 8812 §3.2 (ES256K) · RFC 9864 §2.2 (Ed25519) · RFC 9964 §4 (ML-DSA)

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JWS algorithm (RFC 7518 §3.1). `none` (RFC 7518 §3.6) has no variant. Serde reads and writes the name.
///
/// ```
/// use carnet_jose::Algorithm;
///
/// assert_eq!(Algorithm::from_name("ES256"), Some(Algorithm::Es256));
/// assert_eq!(Algorithm::from_name("none"), None);
/// assert_eq!(Algorithm::MlDsa44.to_string(), "ML-DSA-44");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 7518 §3.2), 32 bytes.
    Hs256,
    /// HMAC with SHA-384 (RFC 7518 §3.2), 48 bytes.
    Hs384,
    /// HMAC with SHA-512 (RFC 7518 §3.2), 64 bytes.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3, RFC 8017 §8.2).
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384 (RFC 7518 §3.3, RFC 8017 §8.2).
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512 (RFC 7518 §3.3, RFC 8017 §8.2).
    Rs512,
    /// RSASSA-PSS with SHA-256, salt as long as the hash (RFC 7518 §3.5, RFC 8017 §8.1).
    Ps256,
    /// RSASSA-PSS with SHA-384, salt as long as the hash (RFC 7518 §3.5, RFC 8017 §8.1).
    Ps384,
    /// RSASSA-PSS with SHA-512, salt as long as the hash (RFC 7518 §3.5, RFC 8017 §8.1).
    Ps512,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4), 64 bytes.
    Es256,
    /// ECDSA on P-384 with SHA-384 (RFC 7518 §3.4), 96 bytes.
    Es384,
    /// ECDSA on P-521 with SHA-512 (RFC 7518 §3.4), 132 bytes.
    Es512,
    /// ECDSA on secp256k1 with SHA-256 (RFC 8812 §3.2), 64 bytes.
    Es256k,
    /// EdDSA on Curve25519 (RFC 8037 §3.1, RFC 9864 §2.2, RFC 8032 §5.1), 64 bytes.
    Ed25519,
    /// ML-DSA-44 (RFC 9964 §4, FIPS 204 §4): safe from quantum computers, with signatures of 2,420 bytes.
    MlDsa44,
    /// ML-DSA-65 (RFC 9964 §4, FIPS 204 §4), with signatures of 3,309 bytes.
    MlDsa65,
    /// ML-DSA-87 (RFC 9964 §4, FIPS 204 §4), with signatures of 4,627 bytes.
    MlDsa87,
}

impl Algorithm {
    /// Every algorithm (RFC 7518 §3.1, RFC 8812 §3.2, RFC 9864 §2.2, RFC 9964 §4).
    pub const ALL: &'static [Self] = &[
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Es256k,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The name that stands in `alg` (RFC 7515 §4.1.1). For Ed25519 it is that of RFC 9864 §2.2, not `EdDSA`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Es256k => "ES256K",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The algorithm of this name, byte for byte (RFC 7515 §4.1.1); `EdDSA` (RFC 8037 §3.1) is read as `Ed25519`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "EdDSA" => Some(Self::Ed25519),
            _ => Self::ALL
                .iter()
                .copied()
                .find(|algorithm| algorithm.name() == name),
        }
    }

    /// Whether whoever can check can also forge: one secret on both sides (RFC 7518 §3.2).
    pub fn is_mac(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Whether keys on an elliptic curve sign (RFC 7518 §3.4, RFC 8812 §3.2).
    pub(crate) fn is_ecdsa(self) -> bool {
        matches!(self, Self::Es256 | Self::Es384 | Self::Es512 | Self::Es256k)
    }

    /// Whether the key is an RSA key (RFC 7518 §3.3, §3.5).
    pub fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512
        )
    }

    /// Whether the key is an ML-DSA key: JWK type `AKP`, which has no meaning without its `alg` (RFC 9964 §3).
    pub fn is_ml_dsa(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// The curve of the key, for algorithms that have one.
    pub(crate) fn curve(self) -> Option<&'static str> {
        match self {
            Self::Es256 => Some("P-256"),
            Self::Es384 => Some("P-384"),
            Self::Es512 => Some("P-521"),
            Self::Es256k => Some("secp256k1"),
            Self::Ed25519 => Some("Ed25519"),
            _ => None,
        }
    }

    /// The bytes of one coordinate on the curve.
    pub(crate) fn coordinate_len(self) -> usize {
        match self {
            Self::Es256 | Self::Es256k => 32,
            Self::Es384 => 48,
            Self::Es512 => 66,
            _ => 0,
        }
    }

    /// The bytes of a bare public key, where it is one number (RFC 8032 §5.1.5, FIPS 204 §4).
    pub(crate) fn public_key_len(self) -> Option<usize> {
        match self {
            Self::Ed25519 => Some(32),
            Self::MlDsa44 => Some(1312),
            Self::MlDsa65 => Some(1952),
            Self::MlDsa87 => Some(2592),
            _ => None,
        }
    }

    /// The bytes of a signature, where all have the same.
    pub(crate) fn signature_len(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 | Self::Ed25519 | Self::Es256 | Self::Es256k => Some(64),
            Self::Es384 => Some(96),
            Self::Es512 => Some(132),
            Self::MlDsa44 => Some(2420),
            Self::MlDsa65 => Some(3309),
            Self::MlDsa87 => Some(4627),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|algorithm| algorithm.name()).collect();
            serde::de::Error::custom(format!(
                "unknown algorithm {name:?}; write one of {}",
                known.join(", ")
            ))
        })
    }
}

/// Marker types, so that a key of one algorithm is no key of another at compile time (RFC 8725 §3.1).
pub mod alg {
    use super::Algorithm;

    mod sealed {
        pub trait Sealed {}
    }

    /// An algorithm as a type. Sealed: the list is closed (RFC 7518 §3.1).
    pub trait Jws: sealed::Sealed {
        /// The algorithm as a value: what stands in `alg` (RFC 7515 §4.1.1).
        const ALGORITHM: Algorithm;
    }

    /// One secret signs and checks (RFC 7518 §3.2).
    pub trait Mac: Jws {}

    /// A private key signs, its public key checks (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1, RFC 9964 §4).
    pub trait Signature: Jws {}

    macro_rules! markers {
        ($($kind:ident: $($name:ident),+;)+) => {$($(
            #[doc = concat!("The algorithm [`Algorithm::", stringify!($name), "`] as a type: one value of `alg` (RFC 7515 §4.1.1).")]
            #[derive(Debug)]
            pub enum $name {}
            impl sealed::Sealed for $name {}
            impl Jws for $name {
                const ALGORITHM: Algorithm = Algorithm::$name;
            }
            impl $kind for $name {}
        )+)+};
    }

    markers! {
        Mac: Hs256, Hs384, Hs512;
        Signature: Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, Es256k, Ed25519, MlDsa44, MlDsa65, MlDsa87;
    }
}
