//! What a client sends to prove who it is: one way, never two.
//!
//! Spec: RFC 6749 §2.3 · RFC 7521 §4.2

use carnet_jose::dangerous;
use carnet_oauth::client_auth::{AuthMethod, JWT_BEARER};
use carnet_oauth::error_code::ErrorCode;
use http::{HeaderMap, header};
use zeroize::Zeroizing;

use super::basic;
use super::refused::refused;
use crate::http::failure::{Because as _, Failure};
use crate::http::form::Form;

/// A name, and what is to prove it.
pub(super) struct Presented<'a> {
    pub(super) client_id: String,
    pub(super) method: AuthMethod,
    pub(super) evidence: Evidence<'a>,
}

/// What is to prove a name.
pub(super) enum Evidence<'a> {
    /// Nothing.
    None,
    Secret(Zeroizing<String>),
    /// A JWT, unverified.
    Assertion(&'a str),
}

/// Whether the request says in any way who sends it, beyond a bare name.
pub(crate) fn is_offered(headers: &HeaderMap, form: &Form) -> bool {
    let fields = ["client_secret", "client_assertion", "client_assertion_type"];
    headers.contains_key(header::AUTHORIZATION) || fields.iter().any(|name| form.optional(name).is_some())
}

/// Reads the one way that the request uses.
pub(super) fn read<'a>(headers: &HeaderMap, form: &'a Form) -> Result<Presented<'a>, Failure> {
    let basic = basic::read(headers)?;
    let (secret, assertion) = (form.optional("client_secret"), form.optional("client_assertion"));
    let assertion_type = form.optional("client_assertion_type");
    // D9: two ways at once authenticate nobody.
    let ways = [basic.is_some(), secret.is_some(), assertion.is_some()];
    if ways.into_iter().filter(|present| *present).count() > 1 {
        return Err(invalid("one way to authenticate, not two"));
    }
    let presented = match (basic, secret, assertion) {
        (Some(basic), _, _) => Presented {
            client_id: basic.id,
            method: AuthMethod::ClientSecretBasic,
            evidence: Evidence::Secret(basic.secret),
        },
        (_, Some(secret), _) => Presented {
            client_id: form.required("client_id")?.to_owned(),
            method: AuthMethod::ClientSecretPost,
            evidence: Evidence::Secret(Zeroizing::new(secret.to_owned())),
        },
        (_, _, Some(assertion)) => {
            if assertion_type != Some(JWT_BEARER) {
                return Err(invalid("client_assertion_type is not the one of a JWT"));
            }
            Presented {
                client_id: subject_of(assertion)?,
                method: AuthMethod::PrivateKeyJwt,
                evidence: Evidence::Assertion(assertion),
            }
        }
        (None, None, None) => Presented {
            client_id: form.optional("client_id").ok_or_else(refused)?.to_owned(),
            method: AuthMethod::None,
            evidence: Evidence::None,
        },
    };
    if form
        .optional("client_id")
        .is_some_and(|id| id != presented.client_id)
    {
        return Err(invalid("client_id differs from who authenticates"));
    }
    Ok(presented)
}

/// Whom an assertion is about; believed only when that client's keys have signed it.
fn subject_of(assertion: &str) -> Result<String, Failure> {
    let decoded = dangerous::decode(assertion).map_err(|_| refused())?;
    let subject = decoded.payload.get("sub").and_then(|sub| sub.as_str());
    Ok(subject.ok_or_else(refused)?.to_owned())
}

fn invalid(reason: &'static str) -> Failure {
    ErrorCode::InvalidRequest.because(reason).into()
}
