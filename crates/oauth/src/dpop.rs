//! DPoP: the proof that whoever sends a request holds a key. Made and checked; whether it came before, only its receiver can know.
//!
//! Spec: RFC 9449 §4.2 (the proof), §4.3 (checking it), §5.1 (algorithms), §6.1 (jkt) · RFC 3986 §6.2 (comparing URIs)

mod target;

use carnet_jose::{Algorithm, AnySigningKey, Error, Possession, Signer, TokenType, base64url, primitive};
use serde::{Deserialize, Serialize};

use target::target;

/// The name of the header that carries a proof, in the lower case of `http`.
pub const HEADER: &str = "dpop";
/// The name of the header in which a server gives a nonce (§8).
pub const NONCE_HEADER: &str = "dpop-nonce";
/// The `token_type` of bound tokens, and the authentication scheme that they are sent with (§5, §7.1).
pub const SCHEME: &str = "DPoP";
/// How far `iat` may be from the time of the server, before it or behind it, in seconds (§11.1).
pub const WINDOW_SECONDS: u64 = 10;

/// The algorithms that proofs may be signed with: asymmetric ones alone (§4.2).
pub const ALGORITHMS: &[Algorithm] = &[
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ed25519,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

const TYPE: TokenType = TokenType::Other("dpop+jwt");

/// The names of [`ALGORITHMS`], as metadata and challenges list them (§5.1, §7.1); Ed25519 by its older name as well.
pub fn algorithm_names() -> Vec<&'static str> {
    let names = ALGORITHMS.iter().map(|algorithm| algorithm.name());
    names.chain(["EdDSA"]).collect()
}

/// What a request is, as its receiver knows it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The URL that it was sent to, as its sender knows it. Query and fragment do not count.
    pub uri: &'a str,
    /// The access token that it carries: none at the token endpoint.
    pub access_token: Option<&'a str>,
}

/// What a proof that holds says of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The RFC 7638 thumbprint of the sender's key: the `jkt` of tokens that are bound to it.
    pub thumbprint: String,
    /// Its own name, for this key alone.
    pub jti: String,
    /// When it was made, in seconds since the epoch.
    pub iat: u64,
    /// The server's nonce, when it has one. Whether the server gave it is for the server to say.
    pub nonce: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    htm: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    htu: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<serde_json::Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

/// The one proof of a request, from the values of its `DPoP` headers (§4.3, 1); `None` when there is none.
///
/// # Errors
///
/// [`ProofError::NotOne`] for two, and for one that is no text.
pub fn single<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<&'a str>, ProofError> {
    let mut values = values.into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|_| values.next().is_none());
    text.map(Some).ok_or(ProofError::NotOne)
}

/// Checks a proof at `now`, in seconds since the epoch (§4.3, 2 to 9, 11 and 12). Its nonce, its key and whether it came before are for
/// the caller to look at.
///
/// ```
/// use carnet_jose::{Algorithm, AnySigningKey};
/// use carnet_oauth::dpop::{ProofError, Prover, Request, check};
///
/// let prover = Prover::new(AnySigningKey::generate(Algorithm::Es256)?)?;
/// let request = Request { method: "POST", uri: "https://auth.example.com/oauth/token", access_token: None };
/// let proof = prover.prove(&request, None, 1_700_000_000)?;
/// let proven = check(&proof, &request, 1_700_000_000).unwrap();
/// assert_eq!(proven.thumbprint, prover.thumbprint());
/// assert_eq!(check(&proof, &request, 1_700_000_011), Err(ProofError::TooOld));
/// # Ok::<(), carnet_jose::Error>(())
/// ```
///
/// # Errors
///
/// The first that is found.
pub fn check(proof: &str, request: &Request<'_>, now: u64) -> Result<Proof, ProofError> {
    let Possession {
        claims,
        registered,
        thumbprint,
        ..
    } = Possession::<Claims>::verify(proof, TYPE, ALGORITHMS).map_err(ProofError::Unsound)?;
    let jti = claims
        .jti
        .filter(|jti| !jti.is_empty())
        .ok_or(ProofError::JtiMissing)?;
    names(claims.htm.as_deref(), claims.htu.as_deref(), request)?;
    let iat = registered.iat.ok_or(ProofError::IatMissing)?;
    if now > iat.saturating_add(WINDOW_SECONDS) || registered.exp.is_some_and(|exp| now >= exp) {
        return Err(ProofError::TooOld);
    }
    if iat > now.saturating_add(WINDOW_SECONDS) {
        return Err(ProofError::InFuture);
    }
    if let Some(token) = request.access_token {
        let said = claims.ath.ok_or(ProofError::TokenMismatch)?;
        if !primitive::verify_equal(hash(token).as_bytes(), said.as_bytes()) {
            return Err(ProofError::TokenMismatch);
        }
    }
    Ok(Proof {
        thumbprint,
        jti,
        iat,
        nonce: claims.nonce,
    })
}

/// Whether `htm` and `htu` are the method and the URL of this request (§4.3, 8 and 9), in a proof or in a token that names its request.
///
/// # Errors
///
/// [`ProofError::MethodMismatch`] and [`ProofError::UriMismatch`], also for what is not said.
pub fn names(htm: Option<&str>, htu: Option<&str>, request: &Request<'_>) -> Result<(), ProofError> {
    // §4.3, 8: methods are told apart by case (RFC 9110 §9.1).
    if htm != Some(request.method) {
        return Err(ProofError::MethodMismatch);
    }
    let asked = htu.and_then(target);
    if asked.is_none() || asked != target(request.uri) {
        return Err(ProofError::UriMismatch);
    }
    Ok(())
}

/// The `htu` of a request to this URL: without query and fragment (§4.2), in the spelling that [`names`] compares; `None` for what is no URL
/// of http or https.
pub fn htu(uri: &str) -> Option<String> {
    target(uri)
}

/// A key, and the proofs that it makes.
#[derive(Debug)]
pub struct Prover {
    signer: Signer,
    thumbprint: String,
}

impl Prover {
    /// Proves possession of this key.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmNotAllowed`] for an algorithm that is not among [`ALGORITHMS`].
    pub fn new(key: AnySigningKey) -> Result<Self, Error> {
        if !ALGORITHMS.contains(&key.algorithm()) {
            return Err(Error::AlgorithmNotAllowed);
        }
        let thumbprint = key.thumbprint()?;
        Ok(Self {
            signer: Signer::with_embedded_key(key, TYPE)?,
            thumbprint,
        })
    }

    /// A proof for one request (§4.2), made at `now`, in seconds since the epoch, with the server's nonce when it gave one.
    ///
    /// # Errors
    ///
    /// [`Error::CryptoFailed`].
    pub fn prove(&self, request: &Request<'_>, nonce: Option<&str>, now: u64) -> Result<String, Error> {
        let mut jti = [0; 16];
        primitive::fill_random(&mut jti)?;
        let (uri, _) = request.uri.split_once(['?', '#']).unwrap_or((request.uri, ""));
        self.signer.sign(&Claims {
            jti: Some(base64url::encode(&jti)),
            htm: Some(request.method.to_owned()),
            htu: Some(uri.to_owned()),
            iat: Some(now.into()),
            ath: request.access_token.map(hash),
            nonce: nonce.map(str::to_owned),
        })
    }

    /// The RFC 7638 thumbprint of its key: the `jkt` of the tokens that it gets.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

/// Whether this can be the thumbprint of a key: what `dpop_jkt` may say (§10).
pub fn is_thumbprint(text: &str) -> bool {
    base64url::decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// `ath`: the SHA-256 of the access token (§4.2).
fn hash(token: &str) -> String {
    base64url::encode(&primitive::sha256(token.as_bytes()))
}

/// Why a proof is none for the request that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// §4.3, 1: more than one header, or one that is no text.
    NotOne,
    /// §4.3, 2 and 4 to 7: no JWT of this type that the key in its header has signed.
    Unsound(Error),
    /// §4.3, 3: no `jti`.
    JtiMissing,
    /// §4.3, 8.
    MethodMismatch,
    /// §4.3, 9.
    UriMismatch,
    /// §4.3, 3: no `iat`.
    IatMissing,
    /// §4.3, 11: made too long ago, or its own `exp` has passed.
    TooOld,
    /// §4.3, 11: made in the future.
    InFuture,
    /// §4.3, 12: `ath` is missing, or the hash of another token.
    TokenMismatch,
}

impl ProofError {
    /// What is wrong, in words for a developer. Quotes nothing.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotOne => "send one DPoP header, with one proof",
            Self::Unsound(Error::AlgorithmNotAllowed) => {
                "the DPoP proof is signed with an algorithm that is not allowed"
            }
            Self::Unsound(Error::TokenTypeMismatch) => "the typ of the DPoP proof is not dpop+jwt",
            Self::Unsound(Error::PrivateKeyInHeader) => "the jwk of the DPoP proof holds a private key",
            Self::Unsound(_) => "the DPoP proof is no JWT that the jwk in its header has signed",
            Self::JtiMissing => "the DPoP proof has no jti",
            Self::MethodMismatch => "the htm of the DPoP proof is not the method of the request",
            Self::UriMismatch => "the htu of the DPoP proof is not the URL of the request",
            Self::IatMissing => "the DPoP proof has no iat",
            Self::TooOld => "the DPoP proof was made too long ago",
            Self::InFuture => "the DPoP proof was made in the future: compare the clocks",
            Self::TokenMismatch => "the ath of the DPoP proof is not the hash of the access token",
        }
    }

    /// A stable word for the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotOne => "proof_not_one",
            Self::Unsound(error) => error.code(),
            Self::JtiMissing => "jti_missing",
            Self::MethodMismatch => "htm_mismatch",
            Self::UriMismatch => "htu_mismatch",
            Self::IatMissing => "iat_missing",
            Self::TooOld => "proof_too_old",
            Self::InFuture => "proof_in_future",
            Self::TokenMismatch => "ath_mismatch",
        }
    }
}

impl std::fmt::Display for ProofError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for ProofError {}

#[cfg(test)]
mod tests;
