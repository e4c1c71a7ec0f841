//! WebSockets of services that are asked over HTTP/2.
//!
//! Spec: RFC 8441 §4, §5 · RFC 7301 §3.2 (a service that speaks both)

use std::time::Duration;

use axum::body::Body;
use http::uri::Scheme;
use http::{Request, StatusCode};
use tokio::time::timeout;

use super::tls;
use crate::balance::{Answered, Kept, Server};
use crate::lent::Sending;
use crate::lines::{Connector, Failed};
use crate::refusal::Refusal;
use crate::upgrade;

/// How connections are made that may become WebSockets.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) http2: Connector,
    /// For services that speak HTTP/1.1 as well, which TLS finds out.
    pub(super) http1: Connector,
}

impl Sockets {
    /// Asks for a WebSocket by an extended CONNECT; where the server does not take one, by a handshake of HTTP/1.1 if it speaks that.
    pub(super) async fn ask(
        &self,
        server: &Server,
        request: &mut Option<Request<Body>>,
        patience: Duration,
    ) -> Result<Answered, Failed> {
        let asked = async {
            match self.connect(server, request, patience).await? {
                Some(answered) => Ok(answered),
                None if server.scheme == Scheme::HTTPS => self.switch(server, request, patience).await,
                None => Err(Failed::Socketless),
            }
        };
        timeout(patience, asked).await.unwrap_or(Err(Failed::Late))
    }

    async fn connect(
        &self,
        server: &Server,
        request: &mut Option<Request<Body>>,
        patience: Duration,
    ) -> Result<Option<Answered>, Failed> {
        let errand = server.errand(&self.http2, patience);
        let folded = request
            .as_ref()
            .and_then(|request| upgrade::fold(request, &errand));
        let Some(trunk) = server.trunks.open(&errand).await? else {
            return Ok(None);
        };
        let (response, _trunk) = trunk.send(folded.ok_or(Failed::Socketless)?).await?;
        Ok(Some((response, Some(Kept::Trunk { _trunk }))))
    }

    async fn switch(
        &self,
        server: &Server,
        request: &mut Option<Request<Body>>,
        patience: Duration,
    ) -> Result<Answered, Failed> {
        let errand = server.errand(&self.http1, patience);
        let sent = (request, Sending::default());
        match server.lines.send(&errand, sent, |_| None).await {
            Ok((response, line)) => Ok((response, Some(Kept::Line(line)))),
            Err(Failed::Broken { error, .. }) if tls::whole(&*error).contains(NO_COMMON_PROTOCOL) => {
                Err(Failed::Socketless)
            }
            Err(failed) => Err(failed),
        }
    }
}

/// The alert of a server that speaks HTTP/2 alone.
const NO_COMMON_PROTOCOL: &str = "NoApplicationProtocol";

pub(super) const SOCKETLESS: Refusal = Refusal::new(
    StatusCode::BAD_GATEWAY,
    "upstream_no_websocket",
    "the service behind the gateway takes no WebSockets over HTTP/2, and speaks nothing else",
);
