//! How OAuth reads a form: no parameter twice, empty is absent.
//!
//! Spec: RFC 6749 §3.1, §3.2, appendix B

use axum::extract::{FromRequest, Request};
use carnet_oauth::error_code::ErrorCode;

use super::failure::{Because as _, Failure};
use super::json::{read_body, require_media_type};

const MAX_PARAMETERS: usize = 100;

/// The parameters of a form.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The parameter's value; a parameter without value counts as left out (RFC 6749 §3.2).
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
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

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        require_media_type(request.headers(), "application/x-www-form-urlencoded")?;
        let body = read_body(request).await?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(&body) {
            if parameters.iter().any(|(known, _)| *known == name) {
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
}
