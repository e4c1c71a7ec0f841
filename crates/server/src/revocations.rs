//! `GET /revocations`: what was taken back, for resource servers, as it happens: server-sent events, or one message after another.
//!
//! Spec: RFC 7519 · RFC 8725 §3.11 (explicit typing) · RFC 6749 §2.3.1 (client_secret_basic) · WHATWG HTML §9.2 (server-sent events)

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use carnet_jose::{Algorithm, MAX_TOKEN_BYTES, primitive};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::revocation::{PATH, Revocation, RevocationMessage};
use carnet_store::{RevocationEntry, StoreError};
use http::{HeaderMap, StatusCode, header};
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::app::App;
use crate::audit::Caller;
use crate::client_auth::authenticate_resource;
use crate::feed::{Following, Full, Page, Position};
use crate::http::failure::{Because as _, Failure, Refusal, overloaded};
use crate::http::form::Form;
use crate::http::negotiation::accepts;

/// The route. It is for servers: no CORS.
pub(crate) fn routes() -> Router<App> {
    Router::new().route(PATH, get(revocations))
}

/// Whoever may introspect may follow: the same name, the same secret.
async fn revocations(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let resource = authenticate_resource(&app, &caller, &headers, &Form::default()).await?;
    let consumer = resource.introspection.as_ref().map(|(id, _)| id.clone());
    let query = Form::parse(query.unwrap_or_default().as_bytes())?;
    let teller = Teller {
        consumer: consumer.unwrap_or_default(),
        algorithm: resource.signing(None),
        position: position(&headers, &query)?,
        app,
    };
    if accepts(&headers, EVENT_STREAM) {
        teller.stream().await
    } else {
        teller.answer(wait(&query)?).await
    }
}

/// Where the consumer stands: a browser's way of saying so after a broken stream goes before the query.
fn position(headers: &HeaderMap, query: &Form) -> Result<Position, Failure> {
    let wrong =
        || ErrorCode::InvalidRequest.because("since is a cursor of this feed, and comes with its epoch");
    let (epoch, cursor) = match headers.get(LAST_EVENT_ID) {
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.rsplit_once('.'))
            .ok_or_else(wrong)?,
        None => match (query.optional("epoch"), query.optional("since")) {
            (None, None) => return Ok(Position::default()),
            (Some(epoch), Some(since)) => (epoch, since),
            _ => return Err(wrong().into()),
        },
    };
    let cursor = cursor.parse().ok().filter(|cursor| *cursor >= 0);
    Ok(Position {
        epoch: epoch.to_owned(),
        cursor: cursor.ok_or_else(wrong)?,
        services: query.optional("services").and_then(|number| number.parse().ok()),
    })
}

fn wait(query: &Form) -> Result<Duration, Failure> {
    let seconds = query.optional("wait").map_or(Ok(0), str::parse::<u64>);
    let seconds = seconds.map_err(|_| ErrorCode::InvalidRequest.because("wait is a number of seconds"))?;
    Ok(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// Tells one consumer, from one position to the next.
struct Teller {
    app: App,
    consumer: String,
    /// What its tokens are signed with: it takes that.
    algorithm: Algorithm,
    position: Position,
}

impl Teller {
    /// One message: at once when there is news, after `wait` when there is none.
    async fn answer(mut self, wait: Duration) -> Result<Response, Failure> {
        let mut page = self.app.feed.look(&self.position, self.budget()).await?;
        if page.is_no_news_at(&self.position) && !wait.is_zero() {
            // Whoever does not say what it knows of services is told what is new from now on.
            self.position.services = self.position.services.or(page.end.services);
            let following = self.follow().await?;
            tokio::select! {
                () = following.news_behind(&self.position) => {}
                () = following.closing() => {}
                () = tokio::time::sleep(wait) => {}
            }
            drop(following);
            page = self.app.feed.look(&self.position, self.budget()).await?;
        }
        let message = self.tell(page)?;
        let headers = [
            (header::CONTENT_TYPE, "application/jwt"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        Ok((headers, message).into_response())
    }

    /// Messages until one of us goes. They are made when the one before has been taken: whoever is slow costs no memory, and is dropped.
    async fn stream(self) -> Result<Response, Failure> {
        let following = self.follow().await?;
        let (sender, events) = mpsc::channel(1);
        tokio::spawn(async move {
            if let Err(error) = self.tell_all(following, &sender).await {
                tracing::warn!(?error, "a stream of revocations was broken off");
            }
        });
        let headers = [
            (header::CONTENT_TYPE, EVENT_STREAM),
            (header::CACHE_CONTROL, "no-store, no-transform"),
        ];
        let mut response = (headers, Body::new(Events(events))).into_response();
        // What nginx takes for: do not collect.
        let buffering = http::HeaderName::from_static("x-accel-buffering");
        response
            .headers_mut()
            .insert(buffering, http::HeaderValue::from_static("no"));
        Ok(response)
    }

    async fn tell_all(mut self, following: Following, sender: &mpsc::Sender<Bytes>) -> Result<(), Failure> {
        let heartbeat = self.app.config.revocation_feed.heartbeat.duration();
        let ends = Instant::now() + life();
        loop {
            let page = following.page(&self.position, self.budget()).await?;
            let more = page.more;
            let message = self.tell(page)?;
            let Position { epoch, cursor, .. } = &self.position;
            let event = format!("id: {epoch}.{cursor}\ndata: {message}\n\n");
            if !send(sender, event).await {
                return Ok(());
            }
            if more {
                continue;
            }
            let due = Instant::now() + heartbeat;
            tokio::select! {
                () = following.news_behind(&self.position) => {}
                () = tokio::time::sleep_until(due) => {}
                () = sender.closed() => return Ok(()),
                () = following.closing() => return take_leave(sender).await,
                () = tokio::time::sleep_until(ends) => return take_leave(sender).await,
            }
            // Nobody is told that all is well by somebody who cannot know it.
            if !following.is_current() {
                return Ok(());
            }
        }
    }

    async fn follow(&self) -> Result<Following, Failure> {
        let consumer = self.consumer.as_str();
        let full = match self.app.feed.follow(consumer).await? {
            Ok(following) => return Ok(following),
            Err(full) => full,
        };
        Err(match full {
            Full::All => {
                tracing::warn!(
                    consumer,
                    "revocation_feed.max_consumers follow already: one more was sent away"
                );
                overloaded(5)
            }
            Full::Share => {
                tracing::warn!(
                    consumer,
                    "this consumer has revocation_feed.max_streams_per_consumer already: one more was sent away"
                );
                const REASON: &str = "this consumer follows as often as one may; it is to end a stream first";
                let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", REASON);
                refusal.retry_after(5).into()
            }
        })
    }

    /// Whether one more entry fits into a message that every verifier takes, signature and all.
    fn budget(&self) -> impl FnMut(&RevocationEntry) -> bool + use<> {
        let signer = self.app.keys.revocations_signer(self.algorithm);
        let signature = match signer.is_some_and(|signer| signer.algorithm().is_ml_dsa()) {
            true => ML_DSA_SIGNATURE,
            false => OTHER_SIGNATURE,
        };
        let mut left = MAX_TOKEN_BYTES / 4 * 3 - signature - OTHER_BYTES;
        move |entry| {
            left = left.saturating_sub(size(entry));
            left > 0
        }
    }

    /// The message of a page; from then on the consumer knows it.
    fn tell(&mut self, page: Page) -> Result<String, Failure> {
        let signer = self.app.keys.revocations_signer(self.algorithm);
        let signer =
            signer.ok_or_else(|| StoreError::Unavailable("there is no active signing key".to_owned()))?;
        let message = RevocationMessage {
            iss: self.app.config.issuer.as_str().to_owned(),
            aud: self.consumer.clone(),
            iat: self.app.now_seconds(),
            epoch: page.end.epoch.clone(),
            since: page.since,
            cursor: page.end.cursor,
            more: page.more,
            services: page.end.services.unwrap_or_default(),
            entries: page.entries.into_iter().map(told).collect(),
        };
        self.position = page.end;
        signer.sign(&message).map_err(Failure::broken)
    }
}

fn told(entry: RevocationEntry) -> Revocation {
    Revocation {
        kind: entry.kind,
        value: entry.value,
        issued_before: entry.issued_before,
        // Rounded up: a second too long does no harm.
        exp: entry.expires.div_euclid(1_000) + 1,
    }
}

/// What an entry takes as JSON.
fn size(entry: &RevocationEntry) -> usize {
    let escaped = entry.value.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    });
    ENTRY_BYTES + escaped.sum::<usize>()
}

/// Of a stream. A crowd that came as one does not come back as one.
fn life() -> Duration {
    let mut random = [0; 1];
    // Without randomness everybody stays as long.
    let _ = primitive::fill_random(&mut random);
    let [random] = random;
    LONGEST_STREAM / 2 + LONGEST_STREAM / 2 * u32::from(random) / 255
}

async fn take_leave(sender: &mpsc::Sender<Bytes>) -> Result<(), Failure> {
    send(sender, format!("retry: {RETRY_MILLIS}\n\n")).await;
    Ok(())
}

/// Whether the consumer took it in time. While it does not, nobody asks the stream for anything: that it is asked is how it is known to be read.
async fn send(sender: &mpsc::Sender<Bytes>, event: String) -> bool {
    let taken = async {
        sender.send(event.into()).await.is_ok()
            // There is room for one: when there is room again, that one is gone.
            && sender.reserve().await.is_ok()
    };
    match tokio::time::timeout(PATIENCE, taken).await {
        Ok(taken) => taken,
        Err(_) => {
            tracing::info!("a consumer of the revocation feed does not take what it is told; dropped");
            false
        }
    }
}

/// The events of a stream as a body.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let event = self.0.poll_recv(context);
        event.map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: &str = "last-event-id";
/// How long one question may be held.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a consumer may leave an event lying, once the buffers on the way are full.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a stream goes on before the consumer is to come back: one that has stopped reading is not noticed while heartbeats fit into the
/// buffers on the way, and would keep its place.
const LONGEST_STREAM: Duration = Duration::from_secs(15 * 60);
/// When to come back after the server, or the stream, has gone.
const RETRY_MILLIS: u32 = 250;
/// The longest signature of ML-DSA, and of everything else: RSA with 4,096 bits.
const ML_DSA_SIGNATURE: usize = 4_627;
const OTHER_SIGNATURE: usize = 512;
/// What a message has beside its entries: the header, the issuer, the consumer's name and the rest of the claims.
const OTHER_BYTES: usize = 1_500;
/// What an entry takes beside its value: the names of its members, and its numbers.
const ENTRY_BYTES: usize = 80;
