//! What the members of a header and the registered claims mean, in one line each.
//!
//! Spec: RFC 7515 §4.1 · RFC 7518 §4.1 (JWE) · RFC 7519 §4.1 · IANA JSON Web Token Claims

use carnet_jose::Algorithm;

/// What a header member is for.
pub(crate) fn of_header(name: &str) -> &'static str {
    match name {
        "alg" => "how it is signed",
        "typ" => "what kind of token it is",
        "cty" => "what kind of content it has",
        "kid" => "which key signed it",
        "jku" => "where the sender says the keys are",
        "jwk" => "the key that the sender says to use",
        "x5u" => "where the sender says the certificate is",
        "x5c" => "the sender's certificate chain",
        "x5t" | "x5t#S256" => "hash of the signer's certificate",
        "crit" => "extensions that a verifier must understand",
        "enc" => "how the content is encrypted",
        "zip" => "how the content is compressed",
        "b64" => "whether the payload is encoded",
        _ => "",
    }
}

/// What an algorithm does.
pub(crate) fn of_algorithm(name: &str) -> Option<&'static str> {
    let text = match Algorithm::from_name(name)? {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            "HMAC: one shared secret makes and checks it"
        }
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => "RSA PKCS#1 v1.5: the public key checks it",
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => "RSA-PSS: the public key checks it",
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => "ECDSA: the public key checks it",
        Algorithm::Es256k => "ECDSA on secp256k1: the public key checks it",
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
            "ML-DSA, against quantum computers (RFC 9964): the public key checks it"
        }
        Algorithm::Ed25519 => "EdDSA on Curve25519: the public key checks it",
        _ => "a signature",
    };
    Some(text)
}

/// What the `alg` of an encrypted token does: nothing with a signature, but with the key that its content is encrypted with.
pub(crate) fn of_key_wrapping(name: &str) -> &'static str {
    match name {
        "dir" => "the shared secret itself encrypts the content",
        _ if name.starts_with("RSA") => "the key of the content is wrapped for an RSA key",
        _ if name.starts_with("ECDH-ES") => "the key of the content is agreed on with an elliptic curve key",
        _ if name.starts_with("PBES2") => "the key of the content is wrapped with a password",
        "A128KW" | "A192KW" | "A256KW" | "A128GCMKW" | "A192GCMKW" | "A256GCMKW" => {
            "the key of the content is wrapped with a shared secret"
        }
        _ => "how the key of the content is wrapped",
    }
}

/// What a token type promises.
pub(crate) fn of_type(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("application/").unwrap_or(&name) {
        "jwt" => "a JWT of no particular kind",
        "at+jwt" => "an access token (RFC 9068)",
        "dpop+jwt" => "a DPoP proof (RFC 9449)",
        "logout+jwt" => "a logout token (OpenID Connect Back-Channel Logout)",
        "secevent+jwt" => "a security event (RFC 8417)",
        "token-introspection+jwt" => "an introspection answer (RFC 9701)",
        "oauth-authz-req+jwt" => "an authorization request (RFC 9101)",
        "entity-statement+jwt" => "a federation entity statement",
        _ => "",
    }
}

/// What a claim says; empty for private claims.
pub(crate) fn of_claim(name: &str) -> &'static str {
    match name {
        "iss" => "issuer: who made it",
        "sub" => "subject: whom it is about",
        "aud" => "audience: for whom it is meant",
        "exp" => "refused from then on",
        "nbf" => "refused before then",
        "iat" => "when it was made",
        "jti" => "its name, so that it can be told from others and taken back",
        "scope" => "what it may be used for",
        "client_id" => "the app that got it",
        "azp" => "the app that it was issued to",
        "sid" => "the session it belongs to",
        "fam" => "the refresh family behind it: one login, with all tokens refreshed from it",
        "auth_time" => "when the user logged in",
        "acr" => "how sure the login was",
        "amr" => "how the user logged in",
        "nonce" => "ties it to one login request",
        "at_hash" => "ties it to an access token",
        "c_hash" => "ties it to an authorization code",
        "s_hash" => "ties it to the state of a request",
        "cnf" => "the key that its bearer must hold (RFC 7800)",
        "act" => "who acts for the subject (RFC 8693)",
        "may_act" => "who may act for the subject (RFC 8693)",
        "roles" | "role" => "roles of the subject",
        "groups" => "groups of the subject",
        "permissions" | "entitlements" => "what the subject may do",
        "authorization_details" => "what it allows, in detail (RFC 9396)",
        "name" => "full name",
        "given_name" => "first name",
        "family_name" => "last name",
        "middle_name" => "middle name",
        "nickname" => "nickname",
        "preferred_username" => "the name the user likes to be called by; may change",
        "profile" | "website" | "picture" => "a page or picture of the user",
        "email" => "e-mail address",
        "email_verified" => "whether the address was checked",
        "gender" => "gender",
        "birthdate" => "date of birth",
        "zoneinfo" => "time zone",
        "locale" => "language and region",
        "phone_number" => "phone number",
        "phone_number_verified" => "whether the number was checked",
        "address" => "postal address",
        "updated_at" => "when the profile was last changed",
        "events" => "what happened (RFC 8417)",
        "toe" => "when it happened (RFC 8417)",
        "txn" => "the transaction it belongs to (RFC 8417)",
        "htm" | "htu" => "the request that a DPoP proof is for (RFC 9449)",
        "ath" => "ties a DPoP proof to an access token (RFC 9449)",
        "vc" | "vp" => "a verifiable credential",
        "jwks" => "keys",
        "tenant" | "tid" => "the tenant",
        _ => "",
    }
}

/// Claims that are moments.
pub(crate) const TIMES: [&str; 6] = ["exp", "nbf", "iat", "auth_time", "updated_at", "toe"];

/// The order in which claims are shown; the others follow by name.
pub(crate) const ORDER: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "azp",
    "scope",
    "sid",
    "auth_time",
    "role",
    "roles",
    "permissions",
    "groups",
];
