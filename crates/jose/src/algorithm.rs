//! The closed list of signature algorithms. `none` has no variant.
//!
//! Spec: RFC 7518 §3.1 · RFC 8037 §3.1 · RFC 8812 §3.2 (ES256K) · RFC 9864 §2.2 (Ed25519) · RFC 9964 §4 (ML-DSA)

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JWS algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, salt as long as the hash.
    Ps256,
    /// RSASSA-PSS with SHA-384, salt as long as the hash.
    Ps384,
    /// RSASSA-PSS with SHA-512, salt as long as the hash.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// ECDSA on secp256k1 with SHA-256.
    Es256k,
    /// EdDSA on Curve25519.
    Ed25519,
    /// ML-DSA-44 (FIPS 204): safe from quantum computers, with signatures of 2,420 bytes.
    MlDsa44,
    /// ML-DSA-65 (FIPS 204), with signatures of 3,309 bytes.
    MlDsa65,
    /// ML-DSA-87 (FIPS 204), with signatures of 4,627 bytes.
    MlDsa87,
}

impl Algorithm {
    /// Every algorithm.
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

    /// The name that stands in `alg`.
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

    /// The algorithm of this name, byte for byte; `EdDSA` is read as `Ed25519`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "EdDSA" => Some(Self::Ed25519),
            _ => Self::ALL
                .iter()
                .copied()
                .find(|algorithm| algorithm.name() == name),
        }
    }

    /// Whether whoever can check can also forge: one secret on both sides.
    pub fn is_mac(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Whether the key is an RSA key.
    pub fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512
        )
    }

    /// Whether the key is an ML-DSA key: JWK type `AKP`, which has no meaning without its `alg`.
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

/// Marker types, so that a key of one algorithm is no key of another at compile time.
pub mod alg {
    use super::Algorithm;

    mod sealed {
        pub trait Sealed {}
    }

    /// An algorithm as a type. Sealed: the list is closed.
    pub trait Jws: sealed::Sealed {
        /// The algorithm as a value.
        const ALGORITHM: Algorithm;
    }

    /// One secret signs and checks.
    pub trait Mac: Jws {}

    /// A private key signs, its public key checks.
    pub trait Signature: Jws {}

    macro_rules! markers {
        ($($kind:ident: $($name:ident),+;)+) => {$($(
            #[doc = concat!("The algorithm [`Algorithm::", stringify!($name), "`] as a type.")]
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
