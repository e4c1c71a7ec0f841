//! What the operator says of tokens beyond who issues them: who is asked about them, what they are bound to, what of them is kept.

use std::path::PathBuf;

use carnet_listen::value::{Listed, Ttl};
use serde::Deserialize;
use serde_json::Value;

/// `introspection` of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// Where the issuer is asked about a token.
    pub url: String,
    /// The gateway's name there.
    pub client_id: String,
    /// The file with its secret, readable by its owner alone.
    pub client_secret_file: PathBuf,
    /// How long an answer is believed: 30s at most, 0s asks about every request.
    #[serde(default = "five_seconds")]
    pub cache: Ttl,
    /// Nobody else can read its tokens: it has no keys. Without it a JWT is checked by its keys, and the issuer asked as well.
    #[serde(default)]
    pub opaque: bool,
    /// What its opaque tokens begin with, where several issuers have such.
    pub prefix: Option<String>,
    /// Of `iss`, `aud`, `exp`, `sub` and `client_id`: what its answers about opaque tokens may lack.
    #[serde(default)]
    pub may_lack: Vec<String>,
}

const fn five_seconds() -> Ttl {
    Ttl::seconds(5)
}

/// `client_certificates` of `[tokens]`: proxies that end TLS in front of the gateway, and tell which certificate a client has shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// How they tell it: Client-Cert (RFC 9440) or X-Forwarded-Client-Cert (Envoy).
    pub header: CertificateHeader,
    /// Their networks, and `unix` for who comes over a unix socket. They must take the header out of what clients send.
    pub from: Vec<Listed>,
}

/// The header of a proxy that ends TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum CertificateHeader {
    /// RFC 9440.
    #[serde(rename = "Client-Cert")]
    ClientCert,
    /// As Envoy writes it.
    #[serde(rename = "X-Forwarded-Client-Cert")]
    XForwardedClientCert,
}

/// One of `require_claims` of a route: a claim and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRule {
    /// Its name, taken as it is; or an array of names that lead into it.
    pub claim: ClaimPath,
    /// It is this, of the same type.
    pub eq: Option<Value>,
    /// It is one of these.
    pub one_of: Option<Vec<Value>>,
    /// It is an array that has this, or a text of words that has this word.
    pub contains: Option<Value>,
}

/// Where a claim stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ClaimPath {
    /// Under this name.
    Name(String),
    /// Inside objects.
    Names(Vec<String>),
}

/// `[services]`: services that call with tokens of their own (`typ: svc+jwt`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The authorization server whose bundle has their keys.
    pub issuer: String,
    /// The gateway's own name there: what their tokens are for.
    pub name: String,
    /// Takes each of their tokens once where something may change.
    #[serde(default)]
    pub once: bool,
    /// Takes only tokens that name the method and the URL of their request (`htm`, `htu`). One that does goes with no other request in any case.
    #[serde(default)]
    pub bound: bool,
    /// Where services find the gateway, for those tokens; `tokens.public_url` or what stands for it when absent.
    pub internal_url: Option<String>,
}

/// `[spiffe]`: workloads that call with JWT-SVIDs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spiffe {
    /// What their JWT-SVIDs are for: the gateway's own SPIFFE ID, or whatever they ask their agents for.
    pub audience: String,
    /// Whose workloads may call, as far as routes name them.
    pub trust_domains: Vec<TrustDomain>,
}

/// One of `trust_domains`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustDomain {
    /// Its name, without `spiffe://`.
    pub name: String,
    /// Where its bundle is, over https.
    pub bundle_url: Option<String>,
    /// Its bundle in a file, which somebody keeps up to date. One of the two is said.
    pub bundle_file: Option<PathBuf>,
}
