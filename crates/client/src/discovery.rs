//! What an authorization server says of itself.
//!
//! Spec: RFC 8414 §3 · OpenID Connect Discovery §4

use carnet_oauth::metadata::{Metadata, well_known_path};
use http::{HeaderMap, StatusCode};

use crate::error::ClientError;
use crate::http::{Answer, HttpClient, address};

/// Fetches the metadata of an issuer: RFC 8414 first, then OpenID Connect.
///
/// §3.3: the `issuer` of the document must be the one that was asked, byte for byte.
pub async fn discover(http: &HttpClient, issuer: &str) -> Result<Metadata, ClientError> {
    let [oauth, openid] = documents(issuer)?;
    let answer = http.get(&oauth, HeaderMap::new()).await?;
    // Whatever a server says to a document that it does not have; a sick one is not asked twice.
    if answer.status == StatusCode::OK || answer.status.is_server_error() {
        return read(&oauth, answer, issuer);
    }
    let answer = http.get(&openid, HeaderMap::new()).await?;
    read(&openid, answer, issuer)
}

/// Where the keys of an issuer are.
pub async fn jwks_uri(http: &HttpClient, issuer: &str) -> Result<String, ClientError> {
    let uri = discover(http, issuer).await?.jwks_uri;
    let uri =
        uri.ok_or_else(|| ClientError::Invalid(format!("the metadata of {issuer} names no jwks_uri")))?;
    // §2: an https URL. Keys that came in the clear would prove nothing of an issuer that did not.
    if issuer.starts_with("https:") && !uri.starts_with("https:") {
        return Err(ClientError::Invalid(format!(
            "the jwks_uri of {issuer} is no https URL"
        )));
    }
    Ok(uri)
}

fn read(url: &str, answer: Answer, issuer: &str) -> Result<Metadata, ClientError> {
    let body = answer.ok(url)?;
    carnet_jose::json::check_object(&body, 32)
        .map_err(|error| ClientError::Invalid(format!("{url}: {error}")))?;
    let metadata: Metadata = serde_json::from_slice(&body)
        .map_err(|_| ClientError::Invalid(format!("{url} is no metadata document")))?;
    if metadata.issuer != issuer {
        return Err(ClientError::Invalid(format!(
            "{url} speaks for another issuer than {issuer}: for {}",
            metadata.issuer
        )));
    }
    Ok(metadata)
}

/// Whether an issuer can be asked for its metadata at all, before anybody asks.
///
/// # Errors
/// §2: it is an https URL, or an http URL of this machine, without a query and a fragment.
pub fn check_issuer(issuer: &str) -> Result<(), ClientError> {
    // Compared byte for byte: what a URL is written with and loses when it is read is in no token.
    if !issuer.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ClientError::Invalid(format!(
            "the issuer {issuer:?} is not written as a URL is"
        )));
    }
    address(issuer)?;
    documents(issuer).map(drop)
}

fn documents(issuer: &str) -> Result<[String; 2], ClientError> {
    let refuse = || ClientError::Address(issuer.to_owned());
    let url = url::Url::parse(issuer).map_err(|_| refuse())?;
    // §2: an issuer has no query and no fragment.
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ClientError::Invalid(format!(
            "the issuer {issuer} has a query or a fragment"
        )));
    }
    let origin = url.origin().ascii_serialization();
    Ok([
        format!("{origin}{}", well_known_path(url.path())),
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

    #[test]
    fn an_issuer_that_can_never_be_asked_is_found_before_anybody_asks() {
        for (issuer, fits) in [
            ("https://a.test", true),
            ("https://a.test/", true),
            ("https://a.test/tenant", true),
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080", true),
            ("http://a.test", false),
            ("https://a.test/path?x=1", false),
            ("https://a.test#x", false),
            ("https://a.test ", false),
            ("https://", false),
            ("not a url", false),
            ("", false),
        ] {
            assert_eq!(check_issuer(issuer).is_ok(), fits, "{issuer}");
        }
    }

    #[test]
    fn an_issuer_has_no_query_and_no_fragment() {
        for issuer in ["https://a.test?x", "https://a.test/#x", "a.test", ""] {
            assert!(documents(issuer).is_err(), "{issuer}");
        }
    }
}
