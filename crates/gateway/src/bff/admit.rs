//! A request of the app on its way to a service: the cookie goes, the token comes.
//!
//! Spec: RFC 10017 §6.1.3 · RFC 6750 §2.1

use http::request::Parts as Head;
use http::{HeaderMap, HeaderValue, header};

use super::app::Bff;
use super::session::{NOBODY, Session};
use super::{csrf, host};
use crate::refusal::{Refusal, broken};

/// What of a session's requests passes on a route.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// These cookies of the app.
    pub cookies: Vec<String>,
    /// Event streams without the header that `EventSource` cannot send.
    pub events: bool,
}

/// What is known of a request beside its head.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'r> {
    /// Whether it may begin a WebSocket.
    pub socket: bool,
    /// Whether people open windows at this route, and a page there loads what is beside it: neither sends a header of its own.
    pub window: bool,
    /// Host and port that the client has asked for.
    pub authority: &'r str,
}

impl Bff {
    /// The session behind the request, which then carries its access token and nothing else that could be taken for one.
    ///
    /// # Errors
    /// 421 when it is for another host, 403 when no page of the app has sent it, 401 when nobody is logged in, 503 when that cannot be said.
    pub async fn admit(&self, head: &mut Head, mapped: &Mapped, sent: Sent<'_>) -> Result<Session, Refusal> {
        let settings = &self.parts.settings;
        host::demand(settings, sent.authority)?;
        if sent.socket {
            csrf::demand_socket(settings, &head.headers)?;
        } else if sent.window && csrf::is_from_elsewhere(&head.method, &head.headers) {
            // Its strict cookie stays behind on the way from another site, and counts as little from a neighbour.
            return Err(NOBODY);
        } else if sent.window && csrf::is_view(settings, &head.method, &head.headers) {
            // The browser says that a person or a page of the app asks for what it can only read.
        } else if mapped.events && csrf::is_event_source(&head.method, &head.headers) {
            csrf::demand_page(settings, &head.headers)?;
        } else {
            csrf::demand_script(settings, &head.method, &head.headers)?;
        }
        let session = self.session(&head.headers).await?;
        self.touch(&session).await?;
        let session = self.fresh(session).await?;
        head.headers.remove(&settings.csrf_header);
        head.headers.remove(carnet_oauth::dpop::HEADER);
        carry(&mut head.headers, &session)?;
        Ok(session)
    }

    /// Whether its token has come only now: where it is not accepted, the next one would not be either.
    pub fn is_new(&self, session: &Session) -> bool {
        let at = session.content.issued_at;
        (at..at.saturating_add(NEW_SECONDS)).contains(&self.now())
    }

    /// The same request with the next token: the present one was not accepted.
    pub async fn again(&self, headers: &mut HeaderMap, session: Session) -> Result<Session, Refusal> {
        let session = self.next(session).await?;
        carry(headers, &session)?;
        Ok(session)
    }
}

fn carry(headers: &mut HeaderMap, session: &Session) -> Result<(), Refusal> {
    let text = format!("Bearer {}", *session.content.access_token);
    let mut value = HeaderValue::from_str(&text).map_err(broken)?;
    value.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, value);
    Ok(())
}

/// As long a token is not asked for again that nobody accepts.
const NEW_SECONDS: u64 = 10;
