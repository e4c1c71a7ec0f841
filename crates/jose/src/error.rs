//! Everything that can be wrong, as one Copy enum with stable codes.

use std::fmt;

macro_rules! errors {
    ($($(#[$meta:meta])* $name:ident, $code:literal, $text:literal;)+) => {
        /// Why a key, a token or a policy is refused. Never quotes a byte of what was refused. The list is our own: no spec has one.
        ///
        /// ```
        /// use carnet_jose::{Error, base64url};
        ///
        /// let error = base64url::decode("AB==").unwrap_err();
        /// assert_eq!(error, Error::Base64Invalid);
        /// assert_eq!(error.code(), "base64_invalid");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$meta])* $name,)+
        }

        impl Error {
            /// Every error, for tables and tests. Our own.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// A stable name that programs may switch on. Our own: no spec gives these names.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }

        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

errors! {
    /// The token is longer than 16 KiB, or its header segment than 8 KiB: our own limits,
    /// [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES) and [`MAX_HEADER_BYTES`](crate::MAX_HEADER_BYTES).
    TokenTooLarge, "token_too_large", "the token is larger than 16 KiB, or its header than 8 KiB";
    /// Not three segments (RFC 7515 §7.1).
    Malformed, "token_malformed", "the token is not three base64url segments joined by dots (RFC 7515 §7.1)";
    /// Five segments: JWE (RFC 7516 §9), which is not read here.
    EncryptedToken, "token_encrypted", "the token has five segments: it is encrypted (RFC 7516), which is not supported";
    /// A character, padding or trailing bit that strict base64url does not have (RFC 4648 §3.5, §5).
    Base64Invalid, "base64_invalid", "not strict base64url without padding (RFC 4648 §5)";
    /// Not one UTF-8 JSON object (RFC 8259 §4, §8.1), or nested deeper than 32, our own limit.
    JsonInvalid, "json_invalid", "not one JSON object in UTF-8, or nested deeper than 32 levels";
    /// A member name stands twice in one object (RFC 7515 §4, RFC 7517 §4, RFC 7519 §4).
    DuplicateMember, "member_duplicate", "a member name stands twice in one JSON object (RFC 7515 §4)";
    /// The header is not an object whose members have the types of RFC 7515 §4.1, or its `kid` does not have 1 to 128 bytes.
    HeaderInvalid, "header_invalid", "the header is not what RFC 7515 §4.1 describes";
    /// `crit` names an extension: none is understood here (RFC 7515 §4.1.11), `b64` (RFC 7797 §3) with or without `crit` included.
    CriticalHeader, "header_critical", "the header demands an extension that is not understood (RFC 7515 §4.1.11)";
    /// `typ` is not the one that the policy demands (RFC 8725 §3.11).
    TokenTypeMismatch, "token_type_mismatch", "the token is of another type than the policy demands (RFC 8725 §3.11)";
    /// The `alg` is unknown, `none`, or not in the policy (RFC 8725 §3.1).
    AlgorithmNotAllowed, "algorithm_not_allowed", "the token's algorithm is not one that the policy allows (RFC 8725 §3.1)";
    /// The key is bound to another algorithm than the header names (RFC 8725 §3.1).
    AlgorithmMismatch, "algorithm_mismatch", "the key belongs to another algorithm than the header names (RFC 8725 §3.1)";
    /// No key of the set has this `kid` (RFC 7515 §4.1.4).
    UnknownKeyId, "key_id_unknown", "no key of the set has the token's kid";
    /// The token names no key (RFC 7515 §4.1.4) and the set has not exactly one that fits.
    KeyIdMissing, "key_id_missing", "the token names no key, and the set does not have exactly one of its algorithm";
    /// The keys have never been loaded. Our own: no spec says where keys come from.
    KeysUnavailable, "keys_unavailable", "the keys to check the token with have never been loaded";
    /// The signature does not verify (RFC 7515 §5.2).
    SignatureInvalid, "signature_invalid", "the signature does not verify";
    /// A required claim is missing. Which are required is for the application to say (RFC 7519 §4).
    ClaimMissing, "claim_missing", "a claim that the policy requires is missing";
    /// A claim has another type than RFC 7519 §4.1 gives it, or a time lies outside the years 1970 to 9999.
    ClaimWrongType, "claim_wrong_type", "a registered claim has another type than RFC 7519 §4.1 gives it";
    /// The claims do not fit the caller's type. Our own.
    ClaimsInvalid, "claims_invalid", "the claims do not have the shape that the application expects";
    /// `iss` is not one that the policy names (RFC 7519 §4.1.1, RFC 8725 §3.8).
    IssuerMismatch, "issuer_mismatch", "the token comes from another issuer than the policy names";
    /// `aud` does not contain an audience that the policy names (RFC 7519 §4.1.3, RFC 8725 §3.9).
    AudienceMismatch, "audience_mismatch", "the token is meant for another audience than the policy names";
    /// `exp` has passed, leeway included (RFC 7519 §4.1.4).
    Expired, "token_expired", "the token has expired";
    /// `nbf` is in the future, leeway included (RFC 7519 §4.1.5).
    NotYetValid, "token_not_yet_valid", "the token is not valid yet";
    /// `iat` (RFC 7519 §4.1.6) is longer ago than the policy allows.
    TokenTooOld, "token_too_old", "the token was issued longer ago than the policy allows";
    /// `iat` (RFC 7519 §4.1.6) is in the future where the policy asks for the token's age.
    IssuedInFuture, "token_issued_in_future", "the token was issued in the future, so its age cannot be told";
    /// The secret is shorter than its hash (RFC 7518 §3.2), or the RSA modulus than 2,048 bits (RFC 7518 §3.3, §3.5), or it is longer than 8,192.
    KeyTooShort, "key_too_short", "the key is too short: an HMAC secret needs the bytes of its hash (32, 48 or 64), RSA 2048 to 8192 bits";
    /// An RSA key of a generator whose keys can be factored (CVE-2017-15361), or an Ed25519 point of small order. Our own: no spec asks for it.
    KeyWeak, "key_weak", "the key protects nothing: RSA of a broken generator (ROCA, CVE-2017-15361), or an Ed25519 point of small order";
    /// An HMAC secret that is a key file: PEM, DER, OpenSSH or JSON, bare or in base64 (RFC 8725 §2.1).
    KeyLooksPublic, "key_looks_public", "this secret is a PEM or JWK text: a key file was given where a secret belongs";
    /// The key cannot be read, or its parts do not fit together (RFC 8725 §3.4); or its `kid` does not have 1 to 128 bytes.
    KeyInvalid, "key_invalid", "the key cannot be read, or its parts do not fit together";
    /// A key of a type, curve or use that is not supported (RFC 7517 §5), or a form that this key does not have.
    KeyUnsupported, "key_unsupported", "the key's type, curve, algorithm or use is not supported";
    /// The key does not fit the algorithm it is loaded for (RFC 8725 §3.1).
    KeyMismatch, "key_mismatch", "the key does not fit the algorithm";
    /// A private key where only public ones belong (RFC 7517 §9.2).
    PrivateKeyInSet, "key_set_private", "a key set holds private members: whoever publishes it has lost its keys";
    /// A private or symmetric key in a token's header (RFC 7515 §4.1.3, RFC 9449 §4.3).
    PrivateKeyInHeader, "header_key_private", "the token's header holds a private key: whoever sent it has lost its key";
    /// A symmetric key in a JWKS (RFC 7517 §9.2), or beside public keys.
    SymmetricKeyInSet, "key_set_symmetric", "a key set holds a symmetric key where only public keys belong";
    /// Two keys have one `kid` (RFC 7517 §4.5).
    DuplicateKeyId, "key_id_duplicate", "two keys of the set have the same kid";
    /// More than 1 MiB or 100 keys: our own limits, [`MAX_SET_BYTES`](crate::MAX_SET_BYTES) and [`MAX_SET_KEYS`](crate::MAX_SET_KEYS).
    SetTooLarge, "key_set_too_large", "a key set has 1 MiB and 100 keys at most";
    /// A verifier without algorithms (RFC 8725 §3.1).
    PolicyWithoutAlgorithms, "policy_without_algorithms", "the policy names no algorithm";
    /// A verifier without a token type (RFC 8725 §3.11).
    PolicyWithoutTokenType, "policy_without_token_type", "the policy names no token type";
    /// A verifier without issuer decision (RFC 8725 §3.8).
    PolicyWithoutIssuer, "policy_without_issuer", "the policy neither names an issuer nor opts out of the check";
    /// A verifier without audience decision (RFC 8725 §3.9).
    PolicyWithoutAudience, "policy_without_audience", "the policy neither names an audience nor opts out of the check";
    /// A verifier with more than ten minutes of leeway: our own limit, where RFC 7519 §4.1.4 says a few minutes.
    PolicyLeewayTooLong, "policy_leeway_too_long", "ten minutes are the most leeway that a policy may give";
    /// What should be signed cannot be written as a JSON object (RFC 7519 §7.1).
    ClaimsUnserializable, "claims_unserializable", "the claims cannot be written as a JSON object";
    /// The cryptographic library refused, or gave no randomness. Our own.
    CryptoFailed, "crypto_failed", "the cryptographic operation failed";
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique() {
        let codes: std::collections::HashSet<_> = Error::ALL.iter().map(|error| error.code()).collect();
        assert_eq!(codes.len(), Error::ALL.len());
    }
}
