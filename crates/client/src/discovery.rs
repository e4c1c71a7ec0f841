//! What an authorization server says of itself.
//!
//! Spec: RFC 8414 §3 · OpenID Connect Discovery §4

use carnet_oauth::metadata::{Metadata, well_known_path};
use http::{HeaderMap, StatusCode};

use crate::error::ClientError;
use crate::http::HttpClient;

/// Fetches the metadata of an issuer: RFC 8414 first, then OpenID Connect.
///
/// §3.3: the `issuer` of the document must be the one that was asked, byte for byte.
pub async fn discover(http: &HttpClient, issuer: &str) -> Result<Metadata, ClientError> {
    let mut last = None;
    for url in documents(issuer)? {
        let answer = http.get(&url, HeaderMap::new()).await?;
        if answer.status == StatusCode::NOT_FOUND {
            last = Some(ClientError::Status(url, 404));
            continue;
        }
        let body = answer.ok(&url)?;
        carnet_jose::json::check_object(&body, 32)
            .map_err(|error| ClientError::Invalid(format!("{url}: {error}")))?;
        let metadata: Metadata = serde_json::from_slice(&body)
            .map_err(|_| ClientError::Invalid(format!("{url} is no metadata document")))?;
        if metadata.issuer != issuer {
            return Err(ClientError::Invalid(format!(
                "{url} speaks for another issuer than {issuer}"
            )));
        }
        return Ok(metadata);
    }
    Err(last.unwrap_or_else(|| ClientError::Address(issuer.to_owned())))
}

fn documents(issuer: &str) -> Result<[String; 2], ClientError> {
    let url = url::Url::parse(issuer).map_err(|_| ClientError::Address(issuer.to_owned()))?;
    let origin = url.origin().ascii_serialization();
    let oauth = format!("{origin}{}", well_known_path(url.path()));
    Ok([
        oauth,
        format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_issuer_goes_where_each_spec_puts_it() {
        let [oauth, openid] = documents("https://a.test/tenant").unwrap();
        assert_eq!(
            oauth,
            "https://a.test/.well-known/oauth-authorization-server/tenant"
        );
        assert_eq!(openid, "https://a.test/tenant/.well-known/openid-configuration");
    }
}
