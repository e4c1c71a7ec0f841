//! The layer of a server-rendered app: knows the caller by the cookies, demands proof of what changes something, and renews what has run out.
//!
//! Spec: RFC 10017 §6.1.3 · RFC 9110 §9.2.1 (safe methods)

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use carnet_client::cookie::SameSite;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tower::{Layer, Service};

use super::app::Web;
use super::csrf::{self, Proof};
use super::extract::AccessToken;
use super::page::{self, Answer, refused, see_other, unavailable};
use super::pending::Answering;
use super::renew::{self, Renewed, Standing};
use super::session::{self, Session};
use super::source;
use super::step_up::{self, Visit};
use crate::challenge::StepUp;

/// Lets people in who are logged in; see [`Web::layer`].
#[derive(Clone, Debug)]
pub struct WebLayer {
    web: Web,
    strangers: bool,
}

/// What [`WebLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct WebService<S> {
    inner: S,
    layer: WebLayer,
}

impl Web {
    /// Everything inside is for people who are logged in: handlers take [`Auth`](crate::Auth). Whoever opens an address without a login, or with one that
    /// is too old or too weak for the rights that a handler asks for, is sent to it; scripts and forms get 401.
    pub fn layer(&self) -> WebLayer {
        let web = self.clone();
        WebLayer {
            web,
            strangers: false,
        }
    }

    /// Everything inside is for everybody: handlers take `Option<Auth>`. What changes something still needs its proof.
    pub fn layer_for_all(&self) -> WebLayer {
        let web = self.clone();
        WebLayer { web, strangers: true }
    }
}

impl<S> Layer<S> for WebLayer {
    type Service = WebService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        WebService { inner, layer }
    }
}

type BoxFuture<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

impl<S> Service<Request<Body>> for WebService<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let layer = self.layer.clone();
        // The service that was polled ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (request, visit, after) = match layer.admit(request).await {
                Ok(admitted) => admitted,
                Err(response) => return Ok(*response),
            };
            let mut response = inner.call(request).await?;
            if let Some(visit) = visit {
                response = visit.answer(&layer.web, response);
            }
            layer.finish(after, &mut response).await;
            Ok(response)
        })
    }
}

/// A request that goes on, whether a person looks at its answer, and what that does to the cookies.
type Admitted = (Request<Body>, Option<Visit>, After);

/// What the answer must do to the browser's cookies, whatever the handler has said.
enum After {
    Nothing,
    Keep(Box<Session>, Answering),
    /// The session is over. The name is that of one which a logout or the next login may have ended here: then they have told the browser, which may have
    /// another by now.
    Forget(Option<String>),
}

impl WebLayer {
    async fn admit(&self, request: Request<Body>) -> Result<Admitted, Box<Response>> {
        let web = &self.web;
        let session = Session::read(web, request.headers());
        let mut request = csrf::demand(web, session.as_ref(), request).await?;
        request.extensions_mut().insert(Proof::new(web, session.as_ref()));
        let visit = Visit::of(web, &request, session.as_ref());
        let (id, standing) = match session {
            Some(session) => (session.id.clone(), renew::standing(web, session).await),
            None => return self.stranger(request, After::Nothing),
        };
        match standing {
            Standing::Lives(auth, session, renewed) => {
                let token = session
                    .held
                    .access
                    .as_ref()
                    .map(|access| AccessToken::new(&access.token));
                request.extensions_mut().insert(auth);
                if let Some(token) = token {
                    request.extensions_mut().insert(token);
                }
                let after = match renewed {
                    Renewed::Yes => {
                        let parts = &self.web.parts;
                        let answering = parts.pending.begin(&session.id, &session.held, self.web.now());
                        After::Keep(session, answering)
                    }
                    Renewed::No => After::Nothing,
                };
                Ok((request, visit, after))
            }
            Standing::Over => self.stranger(request, After::Forget(Some(id))),
            Standing::Foreign => self.stranger(request, After::Forget(None)),
            // A page for all is for whoever is there, also while that cannot be said.
            Standing::Unknown if self.strangers && request.method().is_safe() => {
                self.stranger(request, After::Nothing)
            }
            Standing::Unknown => Err(Box::new(unavailable(Answer::to(request.headers())))),
        }
    }

    fn stranger(&self, mut request: Request<Body>, after: After) -> Result<Admitted, Box<Response>> {
        if self.strangers {
            let visit = Visit::of(&self.web, &request, None);
            request.extensions_mut().insert(Proof::new(&self.web, None));
            // For `Option<Auth>`: nobody is there, and the route is guarded.
            request.extensions_mut().insert(self.web.parts.guard.clone());
            return Ok((request, visit, after));
        }
        let mut response = self.turned_away(&request, &after);
        if let After::Forget(id) = after {
            self.forget(id.as_deref(), response.headers_mut());
        }
        Err(Box::new(response))
    }

    /// Nobody is logged in. A link is followed after the login; a form is not sent again by itself, and its sender is told so.
    fn turned_away(&self, request: &Request<Body>, after: &After) -> Response {
        let settings = &self.web.parts.settings;
        let here = step_up::here(&self.web, request);
        if source::is_navigation(request.method(), request.headers()) {
            let outside = source::is_link_from_outside(request.method(), request.headers());
            // Strict cookies were not sent: whether somebody is logged in shows when the next request begins here.
            if outside && settings.same_site == SameSite::Strict && !matches!(after, After::Forget(_)) {
                const TEXT: &str = "A link on another site leads to this page.";
                return page::page(StatusCode::OK, TEXT, Some((&here, "Continue")));
            }
            return see_other(&step_up::login(&self.web, Some(&here), &StepUp::default()));
        }
        match Answer::to(request.headers()) {
            Answer::Page => page::unsaved(
                StatusCode::UNAUTHORIZED,
                "Your login has ended.",
                &self.web.login_path(),
            ),
            Answer::Problem => refused(
                "session_missing",
                (Answer::Problem, StatusCode::UNAUTHORIZED),
                "nobody is logged in in this browser, or the login has ended",
            ),
        }
    }

    fn forget(&self, id: Option<&str>, headers: &mut HeaderMap) {
        if id.is_none_or(|id| !self.web.parts.ended.has(id)) {
            session::forget(&self.web, headers);
        }
    }

    async fn finish(&self, after: After, response: &mut Response) {
        let headers = response.headers_mut();
        if matches!(after, After::Nothing) {
            // A page of somebody is for nobody else, unless the handler knows better.
            headers.entry(header::CACHE_CONTROL).or_insert_with(private);
            return;
        }
        // Whatever the handler says: no cache hands the cookies of one person to the next.
        headers.insert(header::CACHE_CONTROL, private());
        match after {
            After::Nothing => {}
            After::Forget(id) => self.forget(id.as_deref(), headers),
            After::Keep(session, answering) => {
                // Else it was logged out meanwhile: the browser may have cookies of another login by now.
                if let Some(session) = renew::latest(&self.web, session, &answering).await {
                    match session.keep(&self.web, headers) {
                        Ok(()) => answering.tells(&session.held),
                        Err(_) => tracing::error!(
                            "new tokens could not be kept: this login will end when the old ones do"
                        ),
                    }
                }
            }
        }
    }
}

fn private() -> HeaderValue {
    HeaderValue::from_static("private, no-store")
}
