//! The services behind the gateway, and how they are asked.
//!
//! Spec: RFC 9112 §6.3 (length), §9.3 (persistence) · RFC 9110 §7.6, §15.6.3 (502), §15.6.5 (504)

mod described;
mod framing;
mod sockets;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use carnet_client::clock::Clock;
use carnet_client::error::ClientError;
use carnet_client::http::server_name;
use carnet_client::shown_certificate::ShownCertificate;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, ResolveServerName};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::Instant;

use crate::balance::{Answered, Kept, Load, News, Pool, Server};
use crate::config::{self, Protocol};
use crate::lent::{Failure, Lent};
use crate::lines::{Connector, Errand, Failed};
use crate::metrics::ServerReport;
use crate::refusal::Refusal;
use crate::upgrade;
pub use described::Unmade;
use described::server;
use sockets::{SOCKETLESS, Sockets};

/// A service, as one or more servers that do the same.
#[derive(Debug)]
pub struct Upstream {
    /// What routes, the log and metrics call it.
    pub name: String,
    way: Way,
    /// The certificate that it shows to servers which ask for one.
    shown: Option<Arc<ShownCertificate>>,
    pool: Pool,
    preserve_host: bool,
    /// The `aud` of assertions for it; it gets none without.
    pub assertion_audience: Option<String>,
    answer_timeout: Duration,
    retries: usize,
    /// How long an answer may stand still.
    pub(crate) idle_timeout: Duration,
    /// What is asked to see whether a server is well, and how often.
    pub(crate) health: Option<(Uri, Duration)>,
}

/// How its servers are spoken to.
#[derive(Debug)]
enum Way {
    /// HTTP/1.1, on connections of which each has one request at a time.
    Lines(Connector),
    /// HTTP/2; WebSockets by themselves, as they go on when others are long done.
    Shared(Box<Sockets>),
}

impl Upstream {
    /// From what the operator says of it.
    pub fn new(config: &config::Upstream, clock: &Arc<dyn Clock>) -> Result<Self, Unmade> {
        Unmade::check(config)?;
        let shown = tls::shown(config, clock)?;
        let connector = |protocols| connector(config, shown.clone(), protocols);
        let way = match config.protocol {
            Protocol::Http1 => Way::Lines(connector(&[])?),
            Protocol::Http2 => {
                let sockets = Sockets {
                    http2: connector(&["h2"])?,
                    http1: connector(&["http/1.1"])?,
                };
                Way::Shared(Box::new(sockets))
            }
        };
        let servers: Result<Vec<_>, _> = config.urls.iter().map(|url| server(url)).collect();
        let ejection = (config.eject_after, config.eject_for.duration());
        let path = config.health_path.as_ref();
        let health = path.map(|path| path.parse().map_err(|_| Unmade::HealthPath(path.clone())));
        Ok(Self {
            name: config.name.clone(),
            way,
            shown,
            pool: Pool::new(servers?, config.balance, ejection),
            preserve_host: config.preserve_host,
            assertion_audience: config.assertion_audience.clone(),
            answer_timeout: config.answer_timeout.duration(),
            retries: config.retries,
            idle_timeout: config.idle_timeout.duration(),
            health: health
                .transpose()?
                .map(|uri| (uri, config.health_interval.duration())),
        })
    }

    /// Sends the request on. Its head must be what the service may see; its URI is a path. Of several servers another one is tried when the
    /// first got nothing of the request, or when it may safely come twice.
    ///
    /// # Errors
    /// 502 when no server can be reached or what it says is no HTTP, 504 when it takes too long, 408 when the client does, 400 when the
    /// client's body was broken, 401 when the caller may send no more of it.
    pub async fn ask(&self, request: Request<Body>) -> Result<(Response<Incoming>, Load), Refusal> {
        let (head, body) = request.into_parts();
        let refusable = matches!(self.way, Way::Shared(_));
        self.ask_servers(&mut Some(head), Lent::new(body, refusable))
            .await
    }

    /// What a future is given by value it keeps for as long as it lives, and is copied with it: here only what must be.
    async fn ask_servers(
        &self,
        head: &mut Option<Parts>,
        body: Lent,
    ) -> Result<(Response<Incoming>, Load), Refusal> {
        self.pool.pay_in();
        let idempotent = head.as_ref().is_some_and(|head| head.method.is_idempotent());
        let mut failed = Vec::new();
        loop {
            let mut load = self.pool.next(&failed).ok_or(UNREACHABLE)?;
            // The last attempt takes the head; earlier ones leave it for the next.
            let last = failed.len() >= self.retries || self.pool.servers().len() <= failed.len() + 1;
            let sent = if last { head.take() } else { head.clone() };
            let mut attempt = Request::from_parts(sent.ok_or(UNREACHABLE)?, body.again());
            self.address(&mut attempt, load.server());
            let (refusal, unsent) = match self.attempt(&mut Some(attempt), load.server(), &body).await {
                Ok((response, kept)) => {
                    let well = !matches!(response.status().as_u16(), 502..=504);
                    self.note(load.server(), well);
                    load.on(kept);
                    return Ok((response, load));
                }
                Err(failure) => failure,
            };
            if refusal.status().is_server_error() && refusal != SOCKETLESS {
                self.note(load.server(), false);
            }
            let again = unsent || idempotent && body.is_empty() && refusal == UNREACHABLE;
            if last || !again || !body.is_whole() || !self.pool.pay_out() {
                return Err(refusal);
            }
            failed.push(load.server().authority.clone());
        }
    }

    /// One attempt, which takes the request; of a failure also whether the server got nothing of it, or did not look at it.
    async fn attempt(
        &self,
        request: &mut Option<Request<Body>>,
        server: &Server,
        body: &Lent,
    ) -> Result<Answered, (Refusal, bool)> {
        let sent = self.send(request, server, body).await;
        // Whatever came of it, the server is not to blame for it.
        match body.failure().filter(|_| sent.is_err()) {
            Some(Failure::Broken) => return Err((BROKEN_BODY, false)),
            Some(Failure::Over) => return Err((OVER, false)),
            None => {}
        }
        match sent {
            Ok((mut response, mut kept)) => {
                // A service that answered before it had the whole body may take the rest for another request.
                if let Some(Kept::Line(line)) = kept.as_mut().filter(|_| !body.is_sent()) {
                    line.spend();
                }
                body.forget();
                let clear = framing::is_clear(response.headers_mut());
                clear.then_some((response, kept)).ok_or((UNCLEAR, false))
            }
            Err(Failed::Broken { error, unsent }) => Err((judge(&*error, server), unsent)),
            Err(Failed::Unseen { error, .. }) => Err((judge(&*error, server), true)),
            Err(Failed::Socketless) => Err((SOCKETLESS, false)),
            Err(Failed::Late) => match body.is_awaited() {
                true => Err((BODY_SLOW, false)),
                false => Err((SLOW, false)),
            },
        }
    }

    async fn send(
        &self,
        request: &mut Option<Request<Body>>,
        server: &Server,
        body: &Lent,
    ) -> Result<Answered, Failed> {
        // A body that is still on its way gives the service time.
        let more = |since| {
            body.progress()
                .map(|(moved, _)| moved)
                .filter(|moved| *moved > since)
        };
        match &self.way {
            Way::Lines(connector) => {
                let errand = server.errand(connector, self.answer_timeout);
                let sent = (request, body.sending());
                let (response, line) = server.lines.send(&errand, sent, more).await?;
                Ok((response, Some(Kept::Line(line))))
            }
            Way::Shared(sockets) if request.as_ref().is_some_and(upgrade::is_handshake) => {
                Box::pin(sockets.ask(server, request, self.answer_timeout)).await
            }
            Way::Shared(sockets) => {
                let errand = server.errand(&sockets.http2, self.answer_timeout);
                let (head, _) = request.take().unwrap_or_default().into_parts();
                Box::pin(self.share((server, &errand), &head, body, more)).await
            }
        }
    }

    /// Over HTTP/2, and again where the server did not look at it: without further ado on another connection when it is about to close this one, and once,
    /// where that can be afforded, when it has too much to do.
    async fn share(
        &self,
        (server, errand): (&Server, &Errand<'_>),
        head: &Parts,
        body: &Lent,
        more: impl Fn(Instant) -> Option<Instant>,
    ) -> Result<Answered, Failed> {
        let (mut closed, mut refused) = (0, false);
        loop {
            match server.cables.send(errand, (head.clone(), body), &more).await {
                Ok((response, place)) => return Ok((response, Some(Kept::Place(place)))),
                Err(Failed::Unseen { closing: true, .. })
                    if closed < MOST_CLOSED
                        && body.is_whole()
                        && (closed < FREELY || self.pool.pay_out()) =>
                {
                    closed += 1;
                }
                Err(Failed::Unseen { closing: false, .. })
                    if !refused && body.is_whole() && self.pool.pay_out() =>
                {
                    refused = true;
                }
                Err(failed) => return Err(failed),
            }
        }
    }

    fn address(&self, request: &mut Request<Body>, server: &Server) {
        *request.version_mut() = Version::HTTP_11;
        // hyper would send a GET whose length is unknown without its body.
        if matches!(self.way, Way::Lines(_)) && request.body().size_hint().exact().is_none() {
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
        }
        if !self.preserve_host {
            request.headers_mut().insert(header::HOST, server.host.clone());
        }
    }

    /// The certificate that it shows, to be kept fresh.
    pub(crate) fn shown_certificate(&self) -> Option<Arc<ShownCertificate>> {
        self.shown.clone()
    }

    fn note(&self, server: &Server, well: bool) {
        let (upstream, server, news) = (&self.name, &server.authority, self.pool.note(server, well));
        match news {
            Some(News::Ejected) => {
                tracing::warn!(upstream, %server, "a server failed again and again and is left alone for a while")
            }
            Some(News::Returned) => {
                tracing::info!(upstream, %server, "a server that was left alone answers again")
            }
            None => {}
        }
    }

    /// Each server: its name, whether it is asked, and how often it was left alone and fell ill since the last time.
    pub(crate) fn report(&self) -> impl Iterator<Item = ServerReport> {
        self.pool.servers().iter().map(|server| {
            let (ejections, illnesses) = server.take_counts();
            ServerReport {
                upstream: self.name.clone(),
                server: server.authority.to_string(),
                asked: self.pool.is_asked(server),
                ejections,
                illnesses,
            }
        })
    }

    /// The servers, for [`Upstream::probe`].
    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        self.pool.servers()
    }

    /// Whether a server answers the health check with success.
    pub(crate) async fn probe(&self, server: &Server, path: &Uri) -> bool {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.clone();
        self.address(&mut request, server);
        request.headers_mut().insert(header::HOST, server.host.clone());
        let answer = self
            .send(&mut Some(request), server, &Lent::new(Body::empty(), false))
            .await;
        let Ok((response, kept)) = answer else {
            return false;
        };
        // What it says beside its status is of no use: the connection ends in good manners.
        if let Some(mut kept) = kept {
            kept.answered();
        }
        response.status().is_success()
    }
}

/// `protocols` are what TLS offers the service (RFC 7301 §3.1).
fn connector(
    config: &config::Upstream,
    shown: Option<Arc<ShownCertificate>>,
    protocols: &[&str],
) -> Result<Connector, ClientError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    // WebSockets may be silent for as long as they like, and tell nobody when their other end is gone.
    http.set_keepalive(Some(KEEP_ALIVE));
    http.set_keepalive_interval(Some(KEEP_ALIVE_AGAIN));
    http.set_keepalive_retries(Some(KEEP_ALIVE_TRIES));
    http.set_connect_timeout(Some(config.connect_timeout.duration()));
    let mut tls = carnet_client::http::tls(config.root_certificates_file.as_deref(), shown)?;
    tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let names: Arc<dyn ResolveServerName + Send + Sync> = match &config.server_name {
        None => Arc::new(DefaultServerNameResolver::default()),
        Some(name) => {
            tls::only_https("server_name", config)?;
            Arc::new(FixedServerNameResolver::new(server_name(name)?))
        }
    };
    Ok(HttpsConnector::new(http, tls, false, names))
}

/// Why there is no answer.
fn judge(error: &(dyn std::error::Error + 'static), server: &Server) -> Refusal {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    let late = |error: &std::io::Error| error.kind() == std::io::ErrorKind::TimedOut;
    if causes.any(|error| error.downcast_ref().is_some_and(late)) {
        return SLOW;
    }
    let cause = tls::whole(error);
    tracing::warn!(server = %server.authority, cause, hint = tls::hint(&cause), "an upstream did not answer");
    UNREACHABLE
}

/// So many connections that are about to be closed are gone through; then it is another server's turn.
const MOST_CLOSED: usize = 8;
/// And so many of them whatever else fails.
const FREELY: usize = 3;
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const KEEP_ALIVE_AGAIN: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TRIES: u32 = 4;

const UNREACHABLE: Refusal = Refusal::new(
    StatusCode::BAD_GATEWAY,
    "upstream_unreachable",
    "the service behind the gateway cannot be reached",
);
const UNCLEAR: Refusal = Refusal::new(
    StatusCode::BAD_GATEWAY,
    "upstream_unclear",
    "the answer of the service behind the gateway can be read in two ways",
);
const SLOW: Refusal = Refusal::new(
    StatusCode::GATEWAY_TIMEOUT,
    "upstream_slow",
    "the service behind the gateway did not answer in time",
);
const BODY_SLOW: Refusal = Refusal::new(
    StatusCode::REQUEST_TIMEOUT,
    "body_slow",
    "the body of the request did not arrive in time",
);
const BROKEN_BODY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "body_broken",
    "the body of the request broke off, or is not what its head announced",
);
/// The caller's token has ended, or was taken back, before all of the body was sent.
pub(crate) const OVER: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "token_expired",
    "the token or the session ended before the body of the request did",
);
