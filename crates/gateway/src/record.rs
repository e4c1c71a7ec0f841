//! What the log and the metrics keep of a request: never a query, a header or a token.
//!
//! Spec: OWASP ASVS 5.0 §16.2.5 (no secrets in logs)

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use carnet_jose::{base64url, primitive};
use carnet_listen::PeerAddr;
use carnet_listen::value::Listed;
use http::{Method, Request, StatusCode};
use tokio::time::Instant;

use crate::series::Series;
use crate::target::Target;
use crate::trace::Trace;

/// One request, as far as it came.
#[derive(Debug)]
pub(crate) struct Record {
    began: Instant,
    method: Method,
    client: Option<IpAddr>,
    /// What the request is called.
    pub(crate) trace: Trace,
    host: String,
    path: String,
    /// `None` as long as none is found.
    pub(crate) route: Option<Arc<Series>>,
    /// Whether a line of it is written.
    logged: bool,
    pub(crate) code: &'static str,
    subject: String,
    client_id: String,
    jti: String,
}

impl Record {
    /// Of a request; these are believed when they call it by a name.
    pub(crate) fn of<B>(request: &Request<B>, trusted: &[Listed]) -> Self {
        let peer = request.extensions().get::<PeerAddr>().copied();
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            client: peer.and_then(|peer| peer.ip()),
            trace: Trace::of(request.headers(), peer, trusted),
            host: String::new(),
            path: String::new(),
            route: None,
            logged: true,
            code: "",
            subject: String::new(),
            client_id: String::new(),
            jti: String::new(),
        }
    }

    /// Whether a line of it will be written: what only that needs is not kept without.
    pub(crate) fn logged(&mut self, logged: bool) {
        self.logged = logged;
    }

    pub(crate) fn target(&mut self, target: &Target) {
        if self.logged {
            self.host.clone_from(&target.host);
            self.path.clone_from(&target.path);
        }
    }

    /// That of the request that a proxy asks about.
    pub(crate) fn method(&mut self, method: &Method) {
        self.method = method.clone();
    }

    pub(crate) fn route(&mut self, series: &Arc<Series>) {
        self.route = Some(Arc::clone(series));
    }

    pub(crate) fn client(&mut self, client: Option<IpAddr>) {
        self.client = client;
    }

    /// Of the subject only a digest: a line can be found by who knows it, and tells nobody else.
    pub(crate) fn caller<'a>(&mut self, named: impl FnOnce() -> (&'a str, &'a str, &'a str)) {
        if !self.logged {
            return;
        }
        let (subject, client_id, jti) = named();
        if !subject.is_empty() {
            let digest = primitive::sha256(subject.as_bytes());
            self.subject = base64url::encode(&digest[..12]);
        }
        client_id.clone_into(&mut self.client_id);
        jti.clone_into(&mut self.jti);
    }

    pub(crate) fn refused(&mut self, code: &'static str) {
        self.code = code;
    }

    /// How long it took until the head of the answer was there.
    pub(crate) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn write(&self, status: StatusCode) {
        tracing::info!(
            target: "carnet_gateway::access",
            method = %self.method,
            host = self.host,
            path = self.path,
            route = self.route.as_ref().map_or("", |route| &*route.name),
            status = status.as_u16(),
            code = self.code,
            client = self.client.map(|client| client.to_string()),
            subject = self.subject,
            client_id = self.client_id,
            jti = self.jti,
            request_id = self.trace.id(),
            trace_id = self.trace.trace_id(),
            micros = u64::try_from(self.took().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}
