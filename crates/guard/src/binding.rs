//! Tokens that are bound to a key or a certificate: whoever sends one proves it, always. As a mere bearer token it is worth nothing.
//!
//! Spec: RFC 9449 §7.1, §7.2, §11.1 · RFC 8705 §3 (x5t#S256) · RFC 7800 §3.1 (cnf)

use carnet_jose::primitive;
use carnet_oauth::bearer::{self, BearerError};
use carnet_oauth::dpop::{self, Proof, Request, SCHEME};
use http::HeaderValue;
use http::request::Parts;
use serde_json::Value;

use crate::certificate::thumbprint;
use crate::challenge::{Denial, Refused};
use crate::public_url::url_below;
use crate::replay::{Counted, Uncounted};
use crate::resource_server::Guard;
use crate::token::Token;

/// A token as it was sent.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) token: &'a str,
    with_proof: bool,
}

impl<'a> Sent<'a> {
    /// From the value of an `Authorization` header: by the scheme `Bearer` or by `DPoP`.
    pub(crate) fn read(authorization: &'a str) -> Result<Self, BearerError> {
        let sent = |with_proof| move |token| Self { token, with_proof };
        match bearer::token(authorization) {
            Err(BearerError::OtherScheme) => bearer::token_by(authorization, SCHEME).map(sent(true)),
            other => other.map(sent(false)),
        }
    }

    /// Whether it came by the scheme `DPoP`.
    pub(crate) fn is_with_proof(&self) -> bool {
        self.with_proof
    }
}

impl Guard {
    /// Whether what a token says of its holder (`cnf`) goes with the way it was sent, and the proof of it, where one was due. What is not
    /// understood refuses.
    pub(crate) fn check_binding(
        &self,
        request: &Parts,
        sent: Sent<'_>,
        claims: &Token,
    ) -> Result<Option<Counted>, Denial> {
        let deny = |reason| Err(Refused::TokenInvalid.because(reason));
        let Some(cnf) = claims.claim("cnf") else {
            return if sent.with_proof {
                deny("token_not_bound_to_a_key")
            } else {
                Ok(None)
            };
        };
        let Some(bound) = Bound::read(&cnf) else {
            return deny("confirmation_unknown");
        };
        match (bound.key, sent.with_proof) {
            (Some(_), false) => return deny("token_bound_to_a_key"),
            (None, true) => return deny("token_not_bound_to_a_key"),
            _ => {}
        }
        if let Some(certificate) = bound.certificate {
            self.check_certificate(request, certificate)?;
        }
        match bound.key {
            Some(key) => self.check_proof(request, sent, key).map(Some),
            None => Ok(None),
        }
    }

    /// RFC 8705 §3: the certificate that the client shows is the one that the token names.
    fn check_certificate(&self, request: &Parts, bound_to: &str) -> Result<(), Denial> {
        let deny = |reason| Err(Refused::TokenInvalid.because(reason));
        match thumbprint(request, self.parts.certificate_proxies.as_ref()) {
            Ok(Some(shown)) if shown == bound_to => Ok(()),
            Ok(Some(_)) => deny("certificate_of_another"),
            Ok(None) => deny("certificate_missing"),
            Err(reason) => deny(reason),
        }
    }

    fn check_proof(&self, request: &Parts, sent: Sent<'_>, bound_to: &str) -> Result<Counted, Denial> {
        let deny = |reason| Err(Refused::TokenInvalid.because(reason));
        let Some(uri) = self.url_of(request) else {
            tracing::error!(
                "a token that is bound to a key came, but the guard does not know the URL by which callers know this API: name it by public_url"
            );
            return deny("public_url_missing");
        };
        let asked = Request {
            method: request.method.as_str(),
            uri: &uri,
            access_token: Some(sent.token),
        };
        let proof = self.proof_of(request, &asked)?;
        // Before it is remembered: whoever has a copy of the token and keys of his own fills no memory.
        if proof.thumbprint != bound_to {
            return deny("proof_of_another_key");
        }
        self.count(request, (&proof, &uri))
    }

    fn proof_of(&self, request: &Parts, asked: &Request<'_>) -> Result<Proof, Denial> {
        let deny = |reason| Refused::ProofInvalid.because(reason);
        let now = self.parts.clock.since_epoch().as_secs();
        let values = request.headers.get_all(dpop::HEADER).iter();
        let text = dpop::single(values.map(HeaderValue::as_bytes)).map_err(|error| deny(error.code()))?;
        let text = text.ok_or_else(|| deny("proof_missing"))?;
        dpop::check(text, asked, now).map_err(|error| deny(error.code()))
    }

    /// A proof counts once.
    fn count(&self, request: &Parts, (proof, uri): (&Proof, &str)) -> Result<Counted, Denial> {
        let now = self.parts.clock.since_epoch().as_secs();
        let name = primitive::sha256(format!("{}\0{}", proof.thumbprint, proof.jti).as_bytes());
        match Counted::count(&self.parts.seen, (request, uri), (name, now)) {
            Ok(counted) => Ok(counted),
            Err(Uncounted::SeenBefore) => Err(Refused::ProofInvalid.because("proof_seen_before")),
            Err(Uncounted::TooMany) => Err(Refused::Unavailable.because("proofs_too_many")),
        }
    }

    /// The URL of a request, as its sender knows it. What the request says of its host is its sender's word, and is not asked: a proof
    /// for another server could be made to fit.
    fn url_of(&self, request: &Parts) -> Option<String> {
        let base = self.parts.public_url.as_deref()?;
        Some(url_below(base, request))
    }
}

/// What a token says of its holder: every member is understood, and there is at least one.
struct Bound<'c> {
    key: Option<&'c str>,
    certificate: Option<&'c str>,
}

impl<'c> Bound<'c> {
    fn read(cnf: &'c Value) -> Option<Self> {
        let mut bound = Self {
            key: None,
            certificate: None,
        };
        for (name, value) in cnf.as_object()? {
            match name.as_str() {
                "jkt" => bound.key = Some(value.as_str()?),
                "x5t#S256" => bound.certificate = Some(value.as_str()?),
                _ => return None,
            }
        }
        (bound.key.is_some() || bound.certificate.is_some()).then_some(bound)
    }
}
