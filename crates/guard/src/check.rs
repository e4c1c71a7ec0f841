//! Checking a token: the header, the issuer it names, signature and claims, and, where asked for, whether it was revoked.
//!
//! Spec: RFC 6750 §2 · RFC 9068 §4 · RFC 7662 · RFC 9700 §4.3.2

use std::sync::Arc;

use carnet_jose::{Accepted, Error, dangerous};
use carnet_oauth::bearer::BearerError;
use carnet_oauth::spiffe;
use http::request::Parts;
use http::{HeaderMap, header};
use serde_json::Value;

use crate::auth::{Auth, Known};
use crate::binding::Sent;
use crate::challenge::{Denial, Refused};
use crate::issuer::Source;
use crate::opaque::{Opaque, is_jwt};
use crate::replay::Counted;
use crate::request_id::{request_id, word};
use crate::resource_server::{Guard, Trusted};
use crate::spiffe::is_svid;
use crate::token::Token;

impl Guard {
    /// The caller behind a request, by its `Authorization` header alone: never by query, form or cookie (RFC 9700 §4.3.2). Of a guard that
    /// [`FromGateway`](crate::FromGateway) has made: by what the gateway says alone.
    ///
    /// A refusal says to the caller what RFC 6750 §3.1 lets it say; which check failed stands in the log, without a byte of the token.
    pub async fn check(&self, request: &Parts) -> Result<Auth, Refused> {
        let noted = |denial: Denial| denial.noted(&request.headers);
        let (auth, _) = self.caller_of(request).await.map_err(noted)?;
        Ok(auth)
    }

    /// As [`Guard::check`]; the proof that was counted stays in the request, so that a guard further in does not count it once more.
    pub(crate) async fn check_once(&self, request: &mut Parts) -> Result<Auth, Refused> {
        let noted = |denial: Denial| denial.noted(&request.headers);
        let (auth, counted) = self.caller_of(request).await.map_err(noted)?;
        if let Some(counted) = counted {
            counted.leave(&mut request.extensions);
        }
        Ok(auth)
    }

    async fn caller_of(&self, request: &Parts) -> Result<(Auth, Option<Counted>), Denial> {
        if let Some(gateway) = &self.parts.gateway {
            let known = gateway.caller_of(request, self.now()).await?;
            return Ok((self.caller(known, request), None));
        }
        let sent = token_of(request)?;
        let token = sent.token;
        if let Some(opaque) = self.opaque_issuer_of(token) {
            let workloads = self.parts.spiffe.is_some();
            // Of a workload's own token nobody is told who has no part in it.
            if workloads && is_svid(token) {
                return Err(Refused::TokenInvalid.because("workload_is_no_user"));
            }
            let told = Box::pin(opaque.ask_about(token, self.now())).await?;
            if workloads && is_workload(&told) {
                return Err(Refused::TokenInvalid.because("workload_is_no_user"));
            }
            let counted = self.check_binding(request, sent, &told)?;
            return Ok((self.caller(Known::Told(told), request), counted));
        }
        let trusted = self.issuer_of(token)?;
        if let Source::Remote(keys) = &trusted.source {
            keys.prepare().await;
        }
        let verified = match self.verify(trusted, token) {
            // Perhaps the issuer has just begun to sign with it.
            Err(Error::UnknownKeyId) => {
                Box::pin(trusted.look_again(token)).await;
                self.verify(trusted, token)?
            }
            other => other?,
        };
        check_claims(trusted, &verified)?;
        // Before a proof is spent, and remembered, for a token that was taken back.
        trusted.look_up(&verified)?;
        trusted.ask_about(token).await?;
        let counted = self.check_binding(request, sent, &verified.claims)?;
        Ok((self.caller(Known::Signed(verified), request), counted))
    }

    fn caller(&self, known: Known, request: &Parts) -> Auth {
        let request_id = request_id(&request.headers).cloned();
        let times = (self.now(), self.parts.leeway);
        Auth::new(known, times, (self.metadata_url(), request_id))
    }

    fn now(&self) -> u64 {
        self.parts.clock.since_epoch().as_secs()
    }

    fn verify(&self, trusted: &Trusted, token: &str) -> Result<Arc<Accepted<Token>>, Error> {
        trusted.verifier.verify(token, self.now())
    }

    /// Who is asked about a token that is no JWT; where no issuer signs its tokens, about every token.
    fn opaque_issuer_of(&self, token: &str) -> Option<&Opaque> {
        let opaque = &self.parts.opaque;
        if opaque.is_empty() || !self.parts.trusted.is_empty() && is_jwt(token) {
            return None;
        }
        let by_prefix = opaque.iter().find(|issuer| issuer.owns(token));
        by_prefix.or_else(|| opaque.iter().find(|issuer| issuer.prefix.is_none()))
    }

    /// With one issuer there is nothing to choose; with several, the token's own word says whose policy it is held against.
    fn issuer_of(&self, token: &str) -> Result<&Trusted, Denial> {
        if let [only] = self.parts.trusted.as_slice() {
            return Ok(only);
        }
        let decoded = dangerous::decode(token)?;
        let named = decoded.payload.get("iss").and_then(Value::as_str);
        let found = self
            .parts
            .trusted
            .iter()
            .find(|trusted| Some(trusted.name.as_str()) == named);
        Ok(found.ok_or(Error::IssuerMismatch)?)
    }
}

impl Trusted {
    /// Looks whether the issuer has the key by now. A token that names another issuer makes nobody ask.
    async fn look_again(&self, token: &str) {
        let (Source::Remote(keys), Ok(decoded)) = (&self.source, dangerous::decode(token)) else {
            return;
        };
        let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        if text(&decoded.payload, "iss").as_ref() == Some(&self.name)
            && let Some(kid) = text(&decoded.header, "kid")
        {
            keys.refresh_for(&kid).await;
        }
    }

    async fn ask_about(&self, token: &str) -> Result<(), Denial> {
        let Some(introspection) = &self.introspection else {
            return Ok(());
        };
        match Box::pin(introspection.ask(token)).await {
            Ok(answer) if answer.active => Ok(()),
            Ok(_) => Err(Refused::TokenInvalid.because("token_inactive")),
            // Without an answer there is no yes.
            Err(error) => {
                tracing::warn!(%error, "whether a token was revoked could not be asked");
                Err(Refused::Unavailable.because("introspection_unavailable"))
            }
        }
    }
}

impl Denial {
    /// What the caller is told, after the log was told why.
    pub(crate) fn noted(self, headers: &HeaderMap) -> Refused {
        let (code, reason) = (self.refused.code(), self.reason);
        let request_id = word(request_id(headers));
        match self.refused {
            Refused::TokenMissing => tracing::debug!(code, reason, request_id, "a request was refused"),
            Refused::Unavailable => tracing::warn!(code, reason, request_id, "a request was refused"),
            _ => tracing::info!(code, reason, request_id, "a request was refused"),
        }
        self.refused
    }
}

impl From<Error> for Denial {
    fn from(error: Error) -> Self {
        let refused = match error {
            Error::KeysUnavailable => Refused::Unavailable,
            Error::Expired => Refused::TokenExpired,
            _ => Refused::TokenInvalid,
        };
        refused.because(error.code())
    }
}

pub(crate) fn token_of(request: &Parts) -> Result<Sent<'_>, Denial> {
    let mut values = request.headers.get_all(header::AUTHORIZATION).iter();
    let value = values
        .next()
        .ok_or(Refused::TokenMissing.because("token_missing"))?;
    if values.next().is_some() {
        return Err(Refused::Malformed.because("authorization_twice"));
    }
    let sent = match value.to_str().map(Sent::read) {
        Ok(Ok(sent)) => sent,
        Ok(Err(BearerError::OtherScheme)) => return Err(Refused::TokenMissing.because("other_scheme")),
        Ok(Err(BearerError::Malformed)) | Err(_) => {
            return Err(Refused::Malformed.because("authorization_malformed"));
        }
    };
    // §2: a client sends a token in one place. The query is never read for one, but two of them are one too many.
    let query = request.uri.query().unwrap_or_default();
    if url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
        return Err(Refused::Malformed.because("token_in_query_too"));
    }
    Ok(sent)
}

/// Nothing but the subject tells a JWT-SVID from a plain JWT: a workload is no user, whoever signed it and for whomever.
fn is_workload(claims: &Token) -> bool {
    let sub = claims.text("sub");
    sub.is_some_and(|sub| sub.starts_with(spiffe::SCHEME))
}

/// What the verifier does not know of: claims that only mean something to a resource server.
fn check_claims(trusted: &Trusted, verified: &Accepted<Token>) -> Result<(), Denial> {
    let claims = &verified.claims;
    if trusted.plain_jwt && is_workload(claims) {
        return Err(Refused::TokenInvalid.because("workload_is_no_user"));
    }
    // RFC 9068 §2.2: a claim of the wrong type is wrong, not missing.
    if ["client_id", "sid"].iter().any(|name| claims.is_no_text(name)) {
        return Err(Error::ClaimWrongType.into());
    }
    // RFC 9068 §2.2: whom the token is about. Nobody has no name.
    if claims.text("sub") == Some("") {
        return Err(Refused::TokenInvalid.because("sub_empty"));
    }
    if verified.issued_in_future {
        tracing::warn!("a token was issued in the future: its issuer's clock or this one is wrong");
    }
    Ok(())
}
