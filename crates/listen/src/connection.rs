//! One connection, from its handshake to its end.
//!
//! Spec: RFC 9112 §9 (HTTP/1.1 connections) · RFC 9113 §6.8 (GOAWAY)

use std::{pin::pin, sync::Arc, task::Poll};

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    answers::Answers,
    config::ListenConfig,
    conversation::{Conversation, Tongues},
    crowd::Seat,
    desk::Desk,
    peer::{PeerAddr, PeerCertificate},
    phase::{Phase, reached},
    pulse::{Deadline, Pulse, Watched},
    socket::Stream,
    streams::Streams,
    strict::Strict,
    tls::Certificate,
};

/// What all connections of a listener share.
pub(super) struct House<A> {
    pub(super) config: ListenConfig,
    pub(super) answers: A,
    pub(super) http: Tongues,
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// One peer: its address, its places among the others, and the word that it is time to go.
pub(super) struct Guest {
    pub(super) peer: PeerAddr,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) seat: Seat,
}

/// Answers this peer until one of us has had enough.
pub(super) async fn attend<A: Answers>(socket: Stream, guest: Guest, house: Arc<House<A>>) {
    match &house.certificate {
        None => converse(socket, (guest, None), &house).await,
        // It takes more memory than all the rest, and a listener without TLS never needs it.
        Some(certificate) => Box::pin(shake(socket, (guest, certificate), &house)).await,
    }
}

async fn shake<A: Answers>(socket: Stream, (guest, certificate): (Guest, &Certificate), house: &House<A>) {
    let handshake = timeout(
        house.config.handshake_timeout,
        Box::pin(TlsAcceptor::from(certificate.current()).accept(socket)),
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
            converse(stream, (guest, shown), house).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = %guest.peer, %error, "no TLS handshake"),
        Err(_) => tracing::debug!(peer = %guest.peer, "the TLS handshake took too long"),
    }
}

/// Limits against floods (DS-02, DS-07); what is not set here has a safe default in hyper and h2.
pub(super) fn http(config: &ListenConfig) -> Tongues {
    let head_bytes = config.head_bytes;
    let mut one = http1::Builder::new();
    one.timer(TokioTimer::new())
        .header_read_timeout(None)
        // Of 100 headers at most, as long as no number is said: then it has the place for them ready.
        .max_buf_size(head_bytes.max(LEAST_HEAD_BYTES));
    let mut two = http2::Builder::new(Streams {
        patience: config.write_timeout,
    });
    two.timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(OWN_RESETS)
        .max_send_buf_size(STREAM_BYTES as usize)
        .initial_stream_window_size(STREAM_BYTES)
        .initial_connection_window_size((UNTAKEN_STREAMS + 1) * STREAM_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    if config.extended_connect {
        two.enable_connect_protocol();
    }
    Tongues { one, two }
}

async fn converse<S, A>(stream: S, (guest, certificate): (Guest, Option<PeerCertificate>), house: &House<A>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answers,
{
    let Guest { peer, phase, seat } = guest;
    let pulse = Pulse::new(phase.clone());
    let desk = Desk {
        answers: house.answers.clone(),
        peer,
        certificate,
        pulse: Arc::clone(&pulse),
    };
    let watched = Watched::new(stream, Arc::clone(&pulse), seat);
    let stream = Strict::new(watched, house.config.head_bytes.max(LEAST_HEAD_BYTES));
    let mut conversation = Conversation::new(&house.http, stream, desk);
    let mut alarm = pin!(sleep_until(Instant::now() + house.config.header_timeout));
    let mut leaving: Option<Instant> = None;
    let mut closing = pin!(reached(phase.clone(), Phase::Closing));
    let mut closed = pin!(reached(phase.clone(), Phase::Closed));
    let (mut told, mut first) = (false, true);
    let watched = std::future::poll_fn(|cx| {
        // Both are asked once, so that they wake this task, and then only when there is news.
        let news = std::mem::take(&mut first) || phase.has_changed().unwrap_or(true);
        let full = pulse.streams() >= MOST_STREAMS;
        if !told && (full || news && closing.as_mut().poll(cx).is_ready()) {
            told = true;
            conversation.graceful_shutdown();
        }
        if conversation.poll(cx).is_ready() || news && closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let deadline = pulse.deadline(&house.config, leaving.is_none() && conversation.can_rest());
            // Something may be asked before the goodbye is heard, and take its time.
            leaving = leaving.filter(|_| deadline.is_some());
            let next = match (leaving, deadline) {
                (Some(last), _) => last,
                (None, Some(Deadline::Overdue(at) | Deadline::Rest(at) | Deadline::Idle(at))) => at,
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
                Some(Deadline::Rest(at)) if at <= now => conversation.rest(),
                Some(Deadline::Idle(at)) if at <= now && leaving.is_none() => {
                    leaving = Some(now + GOODBYE);
                    conversation.graceful_shutdown();
                }
                _ => continue,
            }
            if conversation.poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
    });
    watched.await;
}

/// hyper takes no smaller buffer.
const LEAST_HEAD_BYTES: usize = 8 * 1024;
const STREAMS: u32 = 100;
const RESET_STREAMS: usize = 20;
/// So many requests of HTTP/2 a connection has. Then it says goodbye (RFC 9113 §6.8): whoever has more makes another.
const MOST_STREAMS: usize = 10_000;
/// In all of a connection's life: beyond that it breaks, with all that is under way. A proxy sends the requests of many clients on it, also of some that go
/// away in the middle of a body.
const OWN_RESETS: usize = 2 * MOST_STREAMS;
const STREAM_BYTES: u32 = 64 * 1024;
/// So many bodies may lie there untaken, and the next one still moves. A connection holds a little more than a mebibyte then.
const UNTAKEN_STREAMS: u32 = 16;
const PING_EVERY: std::time::Duration = std::time::Duration::from_secs(30);
const PING_ANSWER: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a peer may take to hear that its idle connection ends.
pub(super) const GOODBYE: std::time::Duration = std::time::Duration::from_secs(5);
