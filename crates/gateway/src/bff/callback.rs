//! `callback`: the issuer's answer, when it fits the login that this browser began.
//!
//! Spec: RFC 6749 §4.1.2, §4.1.3 · RFC 9207 §2.4 · OpenID Connect Core §3.1.3.7

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use carnet_client::authorize::Authorization;
use carnet_client::error::ClientError;
use carnet_oauth::token_response::TokenResponse;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::app::{self, Asked, Bff};
use super::login::{self, Begun, Place};
use super::page::{self, Page};
use super::session::{Content, Secret, Session, unsealed};
use super::{csrf, logout, loop_breaker, told, words};
use crate::refusal::{Refusal, broken};

/// Why a login does not come to its end.
enum Unfinished {
    /// This browser began no such login, or too long ago; or the answer is another server's.
    Foreign,
    /// The issuer says no.
    Refused(String),
    /// The issuer does not take what the operator has configured.
    Misconfigured(ClientError),
    /// Browsers would not keep what the session consists of.
    TooLarge,
    /// Its answer cannot be used. What is wrong stands in the log.
    Unusable,
    /// Nothing can be said at the moment.
    Down(Refusal),
    /// The code is spent, and what came for it could not be kept.
    Lost(Refusal),
}

/// A login that was good: the cookie of its session, and how far the issuer's clock is from ours.
struct Done {
    digest: [u8; 32],
    lines: Vec<HeaderValue>,
    skew: u64,
    /// The sessions that ended with it, and with which no request had ever come.
    unheard: Vec<[u8; 32]>,
}

/// What has become of a login, and how it is told in a window.
pub(super) struct Outcome {
    pub(super) logged_in: bool,
    pub(super) response: Response,
}

impl Outcome {
    fn of(logged_in: bool, response: Response) -> Self {
        Self { logged_in, response }
    }
}

pub(super) async fn end(bff: &Bff, asked: &Asked) -> Result<Response, Refusal> {
    Ok(outcome(bff, asked, Place::Window).await?.response)
}

pub(super) async fn outcome(bff: &Bff, asked: &Asked, place: Place) -> Result<Outcome, Refusal> {
    let headers = &asked.head.headers;
    csrf::demand_click(headers)?;
    let state = asked.parameter("state").unwrap_or_default();
    let begun = login::find(bff, headers, state).filter(|begun| begun.place == place);
    let Some(begun) = begun else {
        return Ok(Outcome::of(
            false,
            sorry(bff, headers, (Unfinished::Foreign, "/"))?,
        ));
    };
    bff.count(asked.client)?;
    let (begun, code) = (Arc::new(begun), asked.parameter("code"));
    // A browser that hangs up, because it opens the same address once more, does not lose the one code that there is.
    let first = first(bff.clone(), begun.clone(), (code.is_some(), asked.head.clone()));
    match (
        bff.parts
            .tasks
            .spawn(first)
            .await
            .unwrap_or_else(|error| Err(broken(error)))?,
        code,
    ) {
        (None, Some(code)) => second(bff, headers, (&begun, code)).await,
        (outcome, _) => outcome.ok_or_else(|| broken("a login without a code was to be done twice")),
    }
}

/// What has become of an answer that comes for the first time; `None` when it has come before.
async fn first(
    bff: Bff,
    begun: Arc<Begun>,
    (has_code, head): (bool, Head),
) -> Result<Option<Outcome>, Refusal> {
    let state = &begun.state;
    if has_code && !bff.is_first(STATE, state).await? {
        return Ok(None);
    }
    let ended = logged_in(&bff, &begun, &head).await;
    let logged_in = ended.is_ok();
    let mut response = match ended {
        Ok(done) => {
            let mut response = page::go_on(&bff, &head.headers, &begun.return_to);
            let noted = loop_breaker::note(&bff, &head.headers, (&done.digest, done.skew), &done.unheard);
            let lines = done.lines.into_iter().chain(noted);
            let lines = lines.map(|line| (header::SET_COOKIE, line));
            response.headers_mut().extend(lines);
            response
        }
        // The app asked whether somebody is logged in at the issuer; the answer is its own to find.
        Err(Unfinished::Refused(_)) if begun.silent => page::go_on(&bff, &head.headers, &begun.return_to),
        Err(Unfinished::Down(refusal)) => {
            // The same address may be opened again.
            bff.give_up(STATE, state).await;
            return Err(refusal);
        }
        Err(unfinished) => sorry(&bff, &head.headers, (unfinished, &begun.return_to))?,
    };
    // A code is tried once, and so is what belongs to it.
    let spent = login::forgotten(&bff, state);
    response
        .headers_mut()
        .extend(spent.map(|line| (header::SET_COOKIE, line)));
    Ok(Some(Outcome::of(logged_in, response)))
}

/// The same answer once more, in a browser that has the same login under way: a double click, a restored tab. Whoever came first has redeemed the code, here
/// or at another replica; asking the issuer again would make it take everything back (RFC 6749 §4.1.2). The session is the same, and is waited for.
async fn second(bff: &Bff, headers: &HeaderMap, (begun, code): (&Begun, &str)) -> Result<Outcome, Refusal> {
    let secret = Secret::of_login(&begun.seed, code).ok_or_else(unsealed)?;
    let until = Instant::now() + PATIENCE;
    let mut step = FIRST_STEP;
    let session = loop {
        let session = bff.load(secret.clone()).await?;
        if session.is_some() || Instant::now() >= until || bff.parts.flights.has_failed(&begun.state) {
            break session;
        }
        sleep(step).await;
        step = (step * 2).min(LAST_STEP);
    };
    // Whoever comes with it much later is somebody who has found an old cookie.
    let young = |session: &Session| bff.now_ms() < session.row.created_at.saturating_add(YOUNG_MS);
    let Some(session) = session.filter(young) else {
        let page = Page {
            status: StatusCode::OK,
            words: words::ELSEWHERE,
            details: &[],
            links: &[(&begun.return_to, words::GO_ON)],
        };
        return Ok(Outcome::of(false, page::page(bff, headers, &page)));
    };
    let mut response = page::go_on(bff, headers, &begun.return_to);
    let lines = bff.cookies_of(&session.secret).await?.unwrap_or_default();
    let lines = lines.into_iter().chain(login::forgotten(bff, &begun.state));
    let lines = lines.map(|line| (header::SET_COOKIE, line));
    response.headers_mut().extend(lines);
    Ok(Outcome::of(true, response))
}

async fn logged_in(bff: &Bff, begun: &Begun, head: &Head) -> Result<Done, Unfinished> {
    let done = redeemed(bff, begun, head).await;
    if done.is_err() {
        bff.parts.flights.fail(&begun.state, bff.now());
    }
    done
}

async fn redeemed(bff: &Bff, begun: &Begun, head: &Head) -> Result<Done, Unfinished> {
    let client = bff.parts.provider.client().await;
    let client = client.map_err(|error| unfinished(&error))?;
    let authorization = Authorization::resume(&client, (&begun.state, &begun.nonce, &begun.verifier));
    let query = head.uri.query().unwrap_or_default();
    let code = authorization.code(query).ok_or(Unfinished::Foreign)?;
    let code = code.map_err(|error| unfinished(&error))?;
    // A code is spent by the first attempt, and without keys nothing that comes for it could be believed.
    if !bff.parts.login.is_ready().await {
        return Err(Unfinished::Down(app::no_keys()));
    }
    let tokens = client
        .redeem(&code, &bff.url(begun.place.callback()), &begun.verifier)
        .await;
    let tokens = tokens.map_err(|error| unfinished(&error))?;
    let done = kept(bff, begun, (&code, &tokens), &head.headers).await;
    if done.is_err()
        && let Some(refresh_token) = tokens.refresh_token
    {
        // Nobody will ever have it.
        bff.parts
            .tasks
            .spawn(logout::give_back(bff.clone(), Zeroizing::new(refresh_token)));
    }
    done
}

/// What came for a code, when it is good, as a session of this browser.
async fn kept(
    bff: &Bff,
    begun: &Begun,
    (code, tokens): (&str, &TokenResponse),
    headers: &HeaderMap,
) -> Result<Done, Unfinished> {
    let now = bff.now();
    let checked = match &tokens.id_token {
        Some(id_token) => bff.parts.login.check(id_token, &begun.nonce, now).await,
        None => Err("there is no ID token"),
    };
    let claims = checked.map_err(|why| {
        tracing::error!(why, "a login cannot be used");
        Unfinished::Unusable
    })?;
    let sid = claims.sid.clone().unwrap_or_default();
    let (sub, skew) = (claims.sub.clone(), claims.iat.abs_diff(now));
    let content = Content::new(tokens, told::at_login(claims), now);
    // CK-02: always another one than the browser had, and no word of it before the login was good.
    let secret = Secret::of_login(&begun.seed, code).ok_or_else(|| Unfinished::Lost(unsealed()))?;
    let kept = bff.keep((&secret, &content), (&sub, &sid), headers).await;
    kept.map_err(Unfinished::Lost)?;
    let lines = bff.cookies_of(&secret).await.map_err(Unfinished::Lost)?;
    let Some(lines) = lines else {
        let _ = bff.parts.store.end(&secret.digest).await;
        return Err(Unfinished::TooLarge);
    };
    let unheard = end_before(bff, begun, (headers, &secret)).await;
    Ok(Done {
        digest: secret.digest,
        lines,
        skew,
        unheard,
    })
}

/// One browser has one session: what it had before ends, and its tokens are given back.
async fn end_before(bff: &Bff, begun: &Begun, (headers, new): (&HeaderMap, &Secret)) -> Vec<[u8; 32]> {
    let sent = bff.session_before(headers).await.ok().flatten();
    let sent = sent.map(|session| session.secret.value);
    let mut unheard = Vec::new();
    for value in begun.before.iter().chain(&sent) {
        let old = Secret::of(value);
        if old.digest == new.digest {
            continue;
        }
        let Ok(Some(session)) = bff.load(old).await else {
            // Another replica has it.
            if let Some(token) = &begun.token_before {
                bff.parts
                    .tasks
                    .spawn(logout::give_back(bff.clone(), token.clone()));
            }
            continue;
        };
        if !session.row.used {
            unheard.push(session.secret.digest);
        }
        if logout::close(bff, &session).await.is_err() {
            not_ended();
        }
    }
    for digest in loop_breaker::lately(bff, headers) {
        if digest != new.digest && end_beside(bff, &digest).await {
            unheard.push(digest);
        }
    }
    unheard
}

/// A session that began while this login was under way, in another tab. Its tokens are sealed under a cookie that is not here: they rest until they end.
/// Says whether no request had ever come with it.
async fn end_beside(bff: &Bff, digest: &[u8; 32]) -> bool {
    let (store, times) = (&bff.parts.store, (bff.now_ms(), bff.parts.settings.idle_ms));
    let Ok(Some(row)) = store.find(digest, times).await else {
        return false;
    };
    match store.end(digest).await {
        Ok(_) => bff.parts.streams.look(),
        Err(_) => not_ended(),
    }
    !row.used
}

fn not_ended() {
    tracing::error!("the session that a browser had before its new login has not ended");
}

fn unfinished(error: &ClientError) -> Unfinished {
    match error {
        ClientError::Refused(code, _) if MISTAKES.contains(&code.as_str()) => {
            Unfinished::Misconfigured(error.clone())
        }
        ClientError::Refused(code, _) => {
            tracing::info!(%error, "the issuer refused a login");
            Unfinished::Refused(code.clone())
        }
        error if login::is_passing(error) => Unfinished::Down(login::down(error)),
        ClientError::Status(..) => Unfinished::Misconfigured(error.clone()),
        error => {
            tracing::error!(%error, "a login cannot be used");
            Unfinished::Unusable
        }
    }
}

/// What is said of a login that came to no good end, and how to begin anew.
fn sorry(
    bff: &Bff,
    headers: &HeaderMap,
    (unfinished, return_to): (Unfinished, &str),
) -> Result<Response, Refusal> {
    let (status, words) = match unfinished {
        Unfinished::Foreign => (StatusCode::BAD_REQUEST, words::UNKNOWN),
        Unfinished::Refused(code) if code == "access_denied" => (StatusCode::FORBIDDEN, words::DENIED),
        Unfinished::Refused(_) => (StatusCode::BAD_REQUEST, words::REFUSED),
        Unfinished::TooLarge => (StatusCode::BAD_GATEWAY, words::TOO_LARGE),
        Unfinished::Unusable => (StatusCode::BAD_GATEWAY, words::UNUSABLE),
        Unfinished::Misconfigured(error) => return login::misconfigured(bff, headers, &error),
        Unfinished::Down(refusal) | Unfinished::Lost(refusal) => return Err(refusal),
    };
    let anew = login::path_to(bff, return_to);
    let page = Page {
        status,
        words,
        details: &[],
        links: &[(&anew, words::LOGIN), ("/", words::BACK)],
    };
    Ok(page::page(bff, headers, &page))
}

/// What counts once.
const STATE: &str = "state";
/// What the registration of the app at the issuer and its configuration here do not agree on.
const MISTAKES: [&str; 10] = [
    "invalid_client",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
];
/// As long the second of two waits for the first.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_STEP: Duration = Duration::from_millis(50);
const LAST_STEP: Duration = Duration::from_millis(800);
const YOUNG_MS: i64 = 60_000;
