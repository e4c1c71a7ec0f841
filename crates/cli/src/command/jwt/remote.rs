//! Key sets from elsewhere: at a URL, or where an issuer's metadata says.
//!
//! Spec: RFC 7517 §5 · RFC 8414 §3 · OpenID Connect Discovery 1.0 §4

use carnet_client::discovery::jwks_uri;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use http::HeaderMap;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::key_file::KeyText;
use crate::output::Output;

/// Whether this is no file.
pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The set at this URL. Redirects are not followed; https, except on this machine.
pub(super) fn key_set(url: &str, output: &Output) -> Result<KeyText, Failure> {
    wait(async {
        let http = HttpClient::new()?;
        let answer = http.get(url, HeaderMap::new()).await?;
        answer.ok(url)
    })
    .and_then(|body| {
        output.note(&format!("The keys are from {url}."));
        let text = String::from_utf8(body.to_vec()).map_err(|_| {
            Failure::refused("key_invalid", format!("{url} is no key set")).because("it is no text")
        })?;
        KeyText::of(Zeroizing::new(text))
    })
}

/// The set of this issuer.
pub(super) fn keys_of(issuer: &str, output: &Output) -> Result<KeyText, Failure> {
    let url = wait(async { jwks_uri(&HttpClient::new()?, issuer).await })?;
    key_set(&url, output)
}

fn wait<T>(work: impl Future<Output = Result<T, ClientError>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::broken(error.to_string()))?;
    runtime.block_on(work).map_err(|error| {
        Failure::unreachable("unreachable", error.to_string())
            .because("the keys to check the token with are there")
            .todo("try the URL with curl; or save the set and name the file: --jwks FILE")
    })
}
