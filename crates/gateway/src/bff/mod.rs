//! Backend for a frontend: logs people in for an app in the browser and keeps its tokens; the browser has a cookie that says nothing.
//!
//! Spec: RFC 10017 §6.1 · OpenID Connect Core §3.1

mod admit;
mod app;
mod back_channel;
mod build;
mod callback;
mod csrf;
mod flights;
mod host;
mod keeping;
mod login;
mod logout;
mod loop_breaker;
mod once;
mod page;
mod refresh;
mod sealed;
mod session;
mod sessions;
mod silent;
mod streams;
mod tasks;
mod told;
mod user;
mod watched;
mod window;
mod words;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use carnet_guard::Guard;
use http::request::Parts as Head;
use http::{HeaderValue, Method, StatusCode, header};
use hyper::body::Body as _;
use tracing::Instrument as _;

pub use self::admit::{Mapped, Sent};
pub use self::app::Bff;
use self::app::{Asked, UNKNOWN};
pub use self::build::{mapped, socket_origins};
pub(crate) use self::session::NOBODY;
pub use self::session::Session;
use crate::forwarded::Origin;
use crate::refusal::{self, Refusal};
use crate::trace;

impl Bff {
    /// What is left of a path that is for the endpoints themselves.
    pub fn endpoint_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&self.parts.settings.prefix)?;
        rest.strip_prefix('/')
    }

    /// Answers what is asked of an endpoint, by the client and at the host that it has asked for. The guard knows what the issuer has taken back.
    pub async fn answer(
        &self,
        path: &str,
        origin: &Origin,
        guard: Option<&Guard>,
        (head, body): (Head, Body),
    ) -> Response {
        let query = head.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let asked = Asked {
            client: origin.client,
            head,
            query,
            guard: guard.cloned(),
        };
        let headers = &asked.head.headers;
        let answered = match host::demand(&self.parts.settings, &origin.authority) {
            // What goes wrong on the way is logged where it does, and found by the name of the request.
            Ok(()) => {
                let span = tracing::info_span!("request", id = trace::named(headers));
                self.endpoint(path, &asked, body).instrument(span).await
            }
            Err(refusal) => Err(refusal),
        };
        let mut response = answered.unwrap_or_else(|refusal| match window::is_looked_at(path, &asked.head) {
            true => window::refused(self, headers, &refusal),
            false => refusal.into_response(),
        });
        let (code, request_id) = (refusal::said(&response), trace::named(headers));
        if !code.is_empty() {
            tracing::info!(code, path, request_id, "a browser was refused");
        }
        let kind = response.headers().get(header::CONTENT_TYPE);
        let is_page = kind.is_some_and(|kind| kind == page::HTML);
        if asked.head.method == Method::HEAD {
            response = without_body(response);
        }
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let vary = if is_page {
            "Cookie, Accept-Language"
        } else {
            "Cookie"
        };
        headers.insert(header::VARY, HeaderValue::from_static(vary));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        response
    }

    async fn endpoint(&self, path: &str, asked: &Asked, body: Body) -> Result<Response, Refusal> {
        // Of the others a GET does what it does once: nobody who only looks is to have done it.
        let get = Method::GET;
        let method = match (path, &asked.head.method) {
            ("login" | "user" | "sessions", &Method::HEAD) => &get,
            (_, method) => method,
        };
        match (path, method) {
            ("login", &Method::GET) => login::begin(self, asked).await,
            ("callback", &Method::GET) => callback::end(self, asked).await,
            ("silent-login", &Method::GET) => silent::begin(self, asked).await,
            ("silent-login/callback", &Method::GET) => silent::end(self, asked).await,
            ("user", &Method::GET) => user::tell(self, asked).await,
            ("logout", &Method::POST) => logout::of_a_script(self, asked).await,
            ("logout", &Method::GET) => logout::of_a_link(self, asked).await,
            ("logout/end", &Method::GET) => logout::at_the_issuer(self, asked).await,
            ("logout/callback", &Method::GET) => Ok(logout::come_back(self, asked)),
            ("backchannel", &Method::POST) => back_channel::end(self, asked, body).await,
            ("sessions", &Method::GET) => sessions::list(self, asked).await,
            ("login" | "user" | "sessions", _) => Err(not_allowed("GET, HEAD")),
            ("callback" | "logout/end" | "logout/callback", _) => Err(not_allowed("GET")),
            ("logout", _) => Err(not_allowed("GET, POST")),
            ("backchannel", _) => Err(not_allowed("POST")),
            _ => match (path.strip_prefix("sessions/"), method) {
                (Some(name), &Method::DELETE) => sessions::end(self, asked, name).await,
                (Some(_), _) => Err(not_allowed("DELETE")),
                (None, _) => Err(UNKNOWN),
            },
        }
    }
}

/// RFC 9110 §9.3.2: says how long it would be.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}

fn not_allowed(allow: &'static str) -> Refusal {
    const REFUSAL: Refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path is not for this method",
    );
    REFUSAL.with(header::ALLOW, HeaderValue::from_static(allow))
}
