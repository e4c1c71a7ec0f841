//! How OAuth reads a form: no parameter twice, empty is absent.
//!
//! Spec: RFC 6749 §3.1, §3.2, appendix B

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use carnet_oauth::error_code::ErrorCode;
use http::HeaderMap;
use http::request::Parts;

use super::failure::{Because as _, Failure, Refusal};
use super::json::{read_body, require_media_type};

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";
const MAX_PARAMETERS: usize = 100;
/// The one parameter that may stand several times.
const RESOURCE: &str = "resource";
/// What must never stand in an address: it would be in every log on the way (RFC 6749 §2.3.1, RFC 6750 §5.3).
const SECRETS: [&str; 7] = [
    "access_token",
    "client_assertion",
    "client_secret",
    "code",
    "password",
    "refresh_token",
    "token",
];

/// Names and values as they came. What is not UTF-8 would come back as something else (appendix B).
pub fn pairs(text: &[u8]) -> Result<url::form_urlencoded::Parse<'_>, Refusal> {
    match percent_encoding::percent_decode(text).decode_utf8() {
        Ok(_) => Ok(url::form_urlencoded::parse(text)),
        Err(_) => Err(ErrorCode::InvalidRequest.because("a parameter is not UTF-8")),
    }
}

/// The parameters of a form.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form, or a query as one: no parameter twice but `resource` (RFC 8707 §2), a hundred at most.
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs(text)? {
            if name != RESOURCE && parameters.iter().any(|(known, _)| *known == name) {
                return Err(ErrorCode::InvalidRequest
                    .because("a parameter is repeated")
                    .into());
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(ErrorCode::InvalidRequest
                    .because("a form has 100 parameters at most")
                    .into());
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// All of them, as they came.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// The parameter's value; a parameter without value counts as left out (RFC 6749 §3.2).
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The one resource that is named; the outer error for several.
    pub fn resource(&self) -> Result<Option<&str>, Failure> {
        let mut named = self
            .0
            .iter()
            .filter(|(key, value)| key == RESOURCE && !value.is_empty());
        let first = named.next().map(|(_, value)| value.as_str());
        match named.all(|(_, value)| Some(value.as_str()) == first) {
            true => Ok(first),
            false => Err(ErrorCode::InvalidTarget
                .because("one token is for one resource")
                .into()),
        }
    }

    /// The parameter's value, or the refusal that it is missing.
    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.optional(name).ok_or_else(|| {
            ErrorCode::InvalidRequest
                .because("a required parameter is missing")
                .into()
        })
    }
}

/// A form as it came, repeated parameters included.
pub struct FormBytes(pub Bytes);

impl FormBytes {
    /// Reads the body.
    pub async fn read(request: Request) -> Result<Self, Failure> {
        require_media_type(request.headers(), MEDIA_TYPE)?;
        Ok(Self(read_body(request.into_body()).await?))
    }
}

/// A form, and the headers that it came with: both are taken out of the request, and neither is copied.
pub struct Posted {
    /// The headers.
    pub headers: HeaderMap,
    /// The parameters.
    pub form: Form,
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        Ok(Posted::from_request(request, state).await?.form)
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (Parts { uri, headers, .. }, body) = request.into_parts();
        require_media_type(&headers, MEDIA_TYPE)?;
        let form = Form::parse(&read_body(body).await?)?;
        // D9: a parameter has one place.
        let query = uri.query().unwrap_or_default();
        let misplaced = url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, _)| SECRETS.contains(&name.as_ref()) || form.0.iter().any(|(key, _)| *key == name));
        match misplaced {
            true => Err(ErrorCode::InvalidRequest
                .because("parameters stand in the body, not in the address")
                .into()),
            false => Ok(Self { headers, form }),
        }
    }
}
