//! What this API says of itself, so that a client that was refused finds out where to get a token.
//!
//! Spec: RFC 9728 §2, §3, §5.1

use std::sync::Arc;

use bytes::Bytes;
use carnet_oauth::dpop;
use carnet_oauth::protected_resource::{ProtectedResource, well_known_path};
use url::Url;

/// What the metadata of this API says beyond what the guard knows by itself: see [`Builder::metadata`](crate::Builder::metadata).
///
/// ```
/// let metadata = carnet_guard::ResourceMetadata::new()
///     .scopes(["read:orders", "write:orders"])
///     .name("Orders")
///     .documentation("https://developers.example.com/orders");
/// # let _ = metadata;
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResourceMetadata {
    scopes: Vec<String>,
    name: Option<String>,
    documentation: Option<String>,
    policy: Option<String>,
    terms: Option<String>,
}

impl ResourceMetadata {
    /// Nothing beyond what the guard knows.
    pub fn new() -> Self {
        Self::default()
    }

    /// The scopes that this API knows (`scopes_supported`).
    pub fn scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Its name for people (`resource_name`).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A page for developers (`resource_documentation`).
    pub fn documentation(mut self, url: impl Into<String>) -> Self {
        self.documentation = Some(url.into());
        self
    }

    /// A page about what clients may do with the data (`resource_policy_uri`).
    pub fn policy(mut self, url: impl Into<String>) -> Self {
        self.policy = Some(url.into());
        self
    }

    /// A page with the terms of service (`resource_tos_uri`).
    pub fn terms(mut self, url: impl Into<String>) -> Self {
        self.terms = Some(url.into());
        self
    }
}

/// The metadata as it is served: for servers that are not axum's. See [`crate::Guard::metadata`].
#[derive(Clone, Debug)]
pub struct PublishedMetadata {
    pub(crate) url: Arc<str>,
    path: String,
    json: Bytes,
}

impl PublishedMetadata {
    /// Where callers find it: the value of `resource_metadata` in challenges.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The path at which it is to be served by GET, without a token.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is served there, as `application/json`.
    pub fn json(&self) -> &Bytes {
        &self.json
    }
}

/// What the guard knows of itself.
pub(crate) struct Facts<'k> {
    pub(crate) audience: &'k str,
    /// The URL in front of every path.
    pub(crate) public_url: Option<&'k str>,
    pub(crate) issuers: Vec<String>,
    /// Certificates of clients can be told by a proxy.
    pub(crate) certificates: bool,
}

pub(crate) fn publish(said: &ResourceMetadata, known: Facts<'_>) -> Result<PublishedMetadata, String> {
    // §2: an https URL. The audience, when it is one: clients ask the authorization server for a token by this name (RFC 8707 §2).
    let resource = Some(known.audience).filter(|audience| url_of(audience).is_some());
    let resource = resource
        .or(known.public_url)
        .ok_or("metadata: neither the audience nor public_url is a URL")?;
    let parsed = url_of(resource).ok_or("metadata: the resource is no URL")?;
    let path = well_known_path(parsed.path());
    let origin = known.public_url.and_then(url_of).unwrap_or(parsed).origin();
    let url = format!("{}{path}", origin.ascii_serialization());
    let document = ProtectedResource {
        resource: resource.to_owned(),
        authorization_servers: known
            .issuers
            .into_iter()
            .filter(|issuer| url_of(issuer).is_some())
            .collect(),
        scopes_supported: said.scopes.clone(),
        bearer_methods_supported: vec!["header".to_owned()],
        resource_name: said.name.clone(),
        resource_documentation: said.documentation.clone(),
        resource_policy_uri: said.policy.clone(),
        resource_tos_uri: said.terms.clone(),
        tls_client_certificate_bound_access_tokens: known.certificates,
        dpop_signing_alg_values_supported: dpop::algorithm_names()
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
    };
    let json = serde_json::to_vec(&document).map_err(|error| error.to_string())?;
    Ok(PublishedMetadata {
        url: url.into(),
        path,
        json: json.into(),
    })
}

fn url_of(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none())
        .then_some(url)
}
