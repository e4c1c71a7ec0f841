//! The one HTTP client: https or this machine, no redirects, a size and a time that are never exceeded.
//!
//! Spec: RFC 9110 · RFC 8446

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::{BuilderVerifierExt as _, Verifier};

use crate::error::ClientError;
use crate::reach::{Reach, Resolver};
use crate::shown_certificate::ShownCertificate;

/// The most bytes of an answer that are read, unless more were asked for.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How long an answer may take, from the connection to its last byte, unless more patience was asked for.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks authorization servers. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    /// Trusted beside what the platform trusts.
    roots: Arc<[CertificateDer<'static>]>,
    reach: Reach,
    patience: Duration,
    most: usize,
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An answer that is read as it comes.
#[derive(Debug)]
pub struct Streamed {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    url: String,
}

impl Streamed {
    /// The next piece, whenever it comes; `None` at the end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(unreachable(&self.url, &error)),
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }
}

impl HttpClient {
    /// Trusts what the platform trusts.
    pub fn new() -> Result<Self, ClientError> {
        Self::with_roots(Vec::new(), Reach::anywhere())
    }

    /// For addresses that others have registered: asks only what `reach` includes, and trusts the PEM certificates of `root_file` beside
    /// what the platform trusts.
    pub fn reaching(reach: Reach, root_file: Option<&Path>) -> Result<Self, ClientError> {
        let roots = root_file.map(roots).transpose()?;
        Self::with_roots(roots.unwrap_or_default(), reach)
    }

    /// Trusts the PEM certificates of a file as well.
    pub fn with_root_file(file: &Path) -> Result<Self, ClientError> {
        Self::with_roots(roots(file)?, Reach::anywhere())
    }

    fn with_roots(roots: Vec<CertificateDer<'static>>, reach: Reach) -> Result<Self, ClientError> {
        let system = GaiResolver::new();
        let mut http = HttpConnector::new_with_resolver(Resolver {
            reach: reach.clone(),
            system,
        });
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(roots.clone())?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        Ok(Self {
            roots: roots.into(),
            reach,
            patience: TIMEOUT,
            most: MAX_ANSWER_BYTES,
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(Duration::from_secs(30))
                .build(connector),
        })
    }

    /// Whether both trust the same certificates beside what the platform trusts.
    pub fn trusts_as(&self, other: &Self) -> bool {
        self.roots == other.roots
    }

    /// Waits so long for an answer, rather than five seconds.
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Reads so many bytes of an answer, rather than [`MAX_ANSWER_BYTES`].
    pub fn reading(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// GET with these headers.
    pub async fn get(&self, url: &str, headers: HeaderMap) -> Result<Answer, ClientError> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// GET of an answer that has no end: its head within the usual time, and then piece by piece.
    pub async fn stream(&self, url: &str, headers: HeaderMap) -> Result<Streamed, ClientError> {
        let request = self.request((Method::GET, url), headers, Bytes::new())?;
        let asked = async {
            let response = self.client.request(request).await;
            response.map_err(|error| unreachable(url, &error))
        };
        let (parts, body) = self.in_time(url, asked).await?.into_parts();
        Ok(Streamed {
            status: parts.status,
            headers: parts.headers,
            body,
            url: url.to_owned(),
        })
    }

    /// POST of a form.
    pub async fn post_form(
        &self,
        url: &str,
        mut headers: HeaderMap,
        form: String,
    ) -> Result<Answer, ClientError> {
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        self.send(Method::POST, url, headers, Bytes::from(form)).await
    }

    /// POST of a form of which the status alone counts: whatever else comes is not read.
    pub async fn status_of_form(
        &self,
        url: &str,
        mut headers: HeaderMap,
        form: String,
    ) -> Result<StatusCode, ClientError> {
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let request = self.request((Method::POST, url), headers, Bytes::from(form))?;
        let asked = async {
            let response = self.client.request(request).await;
            Ok(response.map_err(|error| unreachable(url, &error))?.status())
        };
        self.in_time(url, asked).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let request = self.request((method, url), headers, body)?;
        let whole = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| unreachable(url, &error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, self.most).collect().await.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    ClientError::TooLarge(url.to_owned())
                } else {
                    unreachable(url, error.as_ref())
                }
            })?;
            Ok(Answer {
                status: parts.status,
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        self.in_time(url, whole).await
    }

    async fn in_time<T>(
        &self,
        url: &str,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let seconds = self.patience.as_secs();
        tokio::time::timeout(self.patience, work)
            .await
            .unwrap_or_else(|_| {
                Err(ClientError::Unreachable(format!(
                    "{url}: more than {seconds} seconds"
                )))
            })
    }

    fn request(
        &self,
        (method, url): (Method, &str),
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let uri = address(url)?;
        // An address that is written out is never looked up.
        if literal(&uri).is_some_and(|address| !self.reach.includes(address)) {
            return Err(ClientError::Forbidden(url.to_owned()));
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Answer {
    /// The body of a 200; any other status is an error. Redirects are not followed.
    pub fn ok(self, url: &str) -> Result<Bytes, ClientError> {
        if self.status == StatusCode::OK {
            Ok(self.body)
        } else {
            Err(ClientError::Status(url.to_owned(), self.status.as_u16()))
        }
    }
}

/// The PEM certificates of a file.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let unusable = |error: &dyn std::fmt::Display| ClientError::File(format!("{}: {error}", file.display()));
    let found = CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
    found.collect::<Result<_, _>>().map_err(|error| unusable(&error))
}

/// As [`certificates`], of authorities: a file without any is a mistake.
fn roots(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found = certificates(file)?;
    match found.is_empty() {
        true => Err(ClientError::File(format!(
            "{} has no certificate",
            file.display()
        ))),
        false => Ok(found),
    }
}

/// TLS for other clients of the house: trusts what the platform trusts, and the PEM certificates of `root_file` as well; shows a certificate to
/// servers that ask for one.
pub fn tls(
    root_file: Option<&Path>,
    shown: Option<Arc<ShownCertificate>>,
) -> Result<ClientConfig, ClientError> {
    let roots = root_file.map(roots).transpose()?;
    let mut config = trusting(roots.unwrap_or_default())?;
    if let Some(shown) = shown {
        config.client_auth_cert_resolver = shown;
    }
    Ok(config)
}

/// The name that a server's certificate must have, when it is not the host of its URL: a host name or an IP address.
pub fn server_name(text: &str) -> Result<ServerName<'static>, ClientError> {
    let name = ServerName::try_from(text.to_owned());
    name.map_err(|_| ClientError::Invalid(format!("{text:?} is no name that a certificate can have")))
}

/// TLS that trusts what the platform trusts, and these as well.
pub(crate) fn trusting(roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, ClientError> {
    let invalid = |error: rustls::Error| ClientError::Invalid(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(invalid)?;
    if roots.is_empty() {
        let builder = builder.with_platform_verifier().map_err(invalid)?;
        return Ok(builder.with_no_client_auth());
    }
    let verifier = Verifier::new_with_extra_roots(roots, provider).map_err(invalid)?;
    let builder = builder.dangerous();
    Ok(builder
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Whether this URL may be asked at all, before anybody asks.
///
/// # Errors
/// It is no https URL, and no http URL of this machine.
pub fn check_address(url: &str) -> Result<(), ClientError> {
    address(url).map(drop)
}

/// https anywhere, http on this machine.
pub(crate) fn address(url: &str) -> Result<Uri, ClientError> {
    let refuse = || ClientError::Address(url.to_owned());
    let parsed = url::Url::parse(url).map_err(|_| refuse())?;
    let loopback = match parsed.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if parsed.scheme() != "https" && !(parsed.scheme() == "http" && loopback) {
        return Err(refuse());
    }
    parsed.as_str().parse().map_err(|_| refuse())
}

fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

fn unreachable(url: &str, error: &dyn std::error::Error) -> ClientError {
    let mut text = format!("{url}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    ClientError::Unreachable(text)
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for url in [
            "https://auth.example.com/x",
            "http://127.0.0.1:1/x",
            "http://[::1]/",
            "http://localhost:8080",
        ] {
            assert!(address(url).is_ok(), "{url}");
        }
        for url in [
            "http://auth.example.com",
            "http://127.0.0.1.example.com",
            "file:///etc/passwd",
            "ftp://localhost",
            "auth",
            "",
        ] {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
