//! One connection, from its handshake to its end.
//!
//! Spec: RFC 9112 §9 (HTTP/1.1 connections) · RFC 9113 §6.8 (GOAWAY)

use std::{convert::Infallible, future::Future, pin::Pin, pin::pin, sync::Arc, task::Poll};

use axum::{body::Body, response::IntoResponse as _};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::{
    body::{Body as _, Incoming},
    service::Service,
    upgrade::OnUpgrade,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    answers::Answers,
    config::ListenConfig,
    crowd::Seat,
    peer::{PeerAddr, PeerCertificate},
    pulse::{Answer, Deadline, Hold, Pulse, Watched},
    strict::Strict,
    tls::Certificate,
};

/// What all connections of a listener share.
pub(super) struct House<A> {
    pub(super) config: ListenConfig,
    pub(super) answers: A,
    pub(super) http: Builder<TokioExecutor>,
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// One peer: its address, its places among the others, and the word that it is time to go.
pub(super) struct Guest {
    pub(super) peer: PeerAddr,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) seat: Seat,
}

/// The life of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Phase {
    /// Requests are answered.
    Open,
    /// Requests that are here are answered, others are not.
    Closing,
    /// Nothing is answered.
    Closed,
}

/// In the extensions of a request that may switch to another protocol: the word that it is time to go, which nobody else tells what is no HTTP any more.
#[derive(Clone, Debug)]
pub struct Closing(watch::Receiver<Phase>);

impl Closing {
    /// Waits until the listener takes no more connections.
    pub async fn reached(self) {
        reached(self.0, Phase::Closing).await;
    }
}

/// Answers this peer until one of us has had enough.
pub(super) async fn attend<A: Answers>(socket: TcpStream, guest: Guest, house: Arc<House<A>>) {
    let Some(certificate) = &house.certificate else {
        return converse(socket, (guest, None), &house).await;
    };
    let handshake = timeout(
        house.config.handshake_timeout,
        TlsAcceptor::from(certificate.current()).accept(socket),
    );
    let shaken = tokio::select! {
        outcome = handshake => outcome,
        () = reached(guest.phase.clone(), Phase::Closing) => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates();
            let shown = chain.and_then(|chain| chain.first());
            let shown = shown.map(|shown| PeerCertificate(Arc::from(shown.as_ref())));
            converse(stream, (guest, shown), &house).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = %guest.peer.0, %error, "no TLS handshake"),
        Err(_) => tracing::debug!(peer = %guest.peer.0, "the TLS handshake took too long"),
    }
}

/// Waits until the listener is in this phase or a later one.
async fn reached(mut phase: watch::Receiver<Phase>, at_least: Phase) {
    let _ = phase.wait_for(|phase| *phase >= at_least).await;
}

/// Limits against floods (DS-02, DS-07); what is not set here has a safe default in hyper and h2.
pub(super) fn http(config: &ListenConfig) -> Builder<TokioExecutor> {
    let head_bytes = config.head_bytes;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(head_bytes.max(LEAST_HEAD_BYTES))
        .max_headers(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(RESET_STREAMS)
        .max_send_buf_size(STREAM_BYTES as usize)
        .initial_stream_window_size(STREAM_BYTES)
        .initial_connection_window_size(4 * STREAM_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    if config.extended_connect {
        builder.http2().enable_connect_protocol();
    }
    builder
}

async fn converse<S, A>(stream: S, (guest, certificate): (Guest, Option<PeerCertificate>), house: &House<A>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answers,
{
    let Guest { peer, phase, seat } = guest;
    let pulse = Pulse::new();
    let service = Desk {
        answers: house.answers.clone(),
        peer,
        certificate,
        phase: phase.clone(),
        pulse: Arc::clone(&pulse),
    };
    let watched = Watched::new(stream, Arc::clone(&pulse), seat);
    let stream = TokioIo::new(Strict::new(
        watched,
        house.config.head_bytes.max(LEAST_HEAD_BYTES),
    ));
    let mut connection = pin!(house.http.serve_connection_with_upgrades(stream, service));
    let mut alarm = pin!(sleep_until(Instant::now() + house.config.header_timeout));
    let mut leaving: Option<Instant> = None;
    let mut closing = pin!(reached(phase.clone(), Phase::Closing));
    let mut closed = pin!(reached(phase.clone(), Phase::Closed));
    let (mut told, mut first) = (false, true);
    let watched = std::future::poll_fn(|cx| {
        // Both are asked once, so that they wake this task, and then only when there is news.
        let news = std::mem::take(&mut first) || phase.has_changed().unwrap_or(true);
        if news && !told && closing.as_mut().poll(cx).is_ready() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        // Errors of a connection are the peer's: it left, or spoke no HTTP.
        if connection.as_mut().poll(cx).is_ready() || news && closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let deadline = pulse.deadline(&house.config);
            let next = match (leaving, deadline) {
                (Some(last), _) => last,
                (None, Some(Deadline::Overdue(at) | Deadline::Idle(at))) => at,
                (None, None) => return Poll::Pending,
            };
            // Later is fine: the alarm then rings early once and is set again. So a request costs no timer.
            if next < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(next);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            match deadline {
                _ if leaving.is_some_and(|last| last <= now) => return Poll::Ready(()),
                Some(Deadline::Overdue(at)) if at <= now => return Poll::Ready(()),
                Some(Deadline::Idle(at)) if at <= now && leaving.is_none() => {
                    leaving = Some(now + GOODBYE);
                    connection.as_mut().graceful_shutdown();
                    if connection.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                }
                _ => {}
            }
        }
    });
    watched.await;
}

/// What answers, told who asks.
struct Desk<A> {
    answers: A,
    peer: PeerAddr,
    certificate: Option<PeerCertificate>,
    phase: watch::Receiver<Phase>,
    pulse: Arc<Pulse>,
}

impl<A: Answers> Service<Request<Incoming>> for Desk<A> {
    type Response = Response<Answer<Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let open = self.pulse.open(request.version() == Version::HTTP_2);
        let mut request = request.map(|body| match body.is_end_stream() {
            true => Body::empty(),
            false => Body::new(body),
        });
        request.extensions_mut().insert(self.peer);
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if request.extensions().get::<OnUpgrade>().is_some() {
            request.extensions_mut().insert(Closing(self.phase.clone()));
        }
        // The answer to a CONNECT that is granted has no body with which it could end.
        if request.method() == Method::CONNECT {
            let open = Arc::new(self.pulse.open(request.version() == Version::HTTP_2));
            request.extensions_mut().insert(Hold { _open: open });
        }
        // hyper counts those of HTTP/1.1 alone.
        let many = request.headers().len() > HEADERS;
        let answers = self.answers.clone();
        let pulse = Arc::clone(&self.pulse);
        Box::pin(async move {
            let answer = match many {
                true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response(),
                false => answers.answer(request).await,
            };
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                pulse.switch();
            }
            Ok(answer.map(|body| Answer { body, _open: open }))
        })
    }
}

/// hyper takes no smaller buffer.
const LEAST_HEAD_BYTES: usize = 8 * 1024;
const HEADERS: usize = 100;
const STREAMS: u32 = 100;
const RESET_STREAMS: usize = 20;
const STREAM_BYTES: u32 = 64 * 1024;
const PING_EVERY: std::time::Duration = std::time::Duration::from_secs(30);
const PING_ANSWER: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a peer may take to hear that its idle connection ends.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(5);
