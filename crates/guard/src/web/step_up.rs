//! Refusals that a person sees: a login that is too old or too weak leads to another one and back again, and what is not permitted is said on a page.
//!
//! Spec: RFC 9470 §3, §4 · OpenID Connect Core §3.1.2.1 (max_age, acr_values) · RFC 6750 §3.1 (insufficient_scope)

use axum::extract::OriginalUri;
use axum::response::Response;
use http::{Request, StatusCode, header};

use super::app::Web;
use super::asked::Asked;
use super::session::Session;
use super::{page, source};
use crate::answer::Because;
use crate::challenge::{Refused, StepUp};

/// A request whose answer will be looked at in a window.
pub(super) struct Visit {
    here: String,
    /// Whether an address was opened; otherwise a form was sent.
    opens: bool,
    asked: Option<Asked>,
}

impl Visit {
    /// `None` for a request of a script, which gets the answer of an API.
    pub(super) fn of<B>(web: &Web, request: &Request<B>, session: Option<&Session>) -> Option<Self> {
        source::wants_page(request.headers()).then(|| Self {
            here: here(web, request),
            opens: source::is_navigation(request.method(), request.headers()),
            asked: session.and_then(|session| session.asked.clone()),
        })
    }

    /// The answer of the app, or what is in its place for a person whom it refuses.
    pub(super) fn answer(&self, web: &Web, response: Response) -> Response {
        let mut better = match response.extensions().get::<Because>() {
            Some(Because(Refused::StepUp(wanted))) => self.step_up(web, wanted),
            Some(Because(Refused::InsufficientScope(_))) => {
                let text = match self.opens {
                    true => "Your login does not permit this.",
                    false => "Your login does not permit this, and what you sent was not saved.",
                };
                page::page(StatusCode::FORBIDDEN, text, None)
            }
            _ => return response,
        };
        // Of what stands between the handler and here.
        for line in response.headers().get_all(header::SET_COOKIE) {
            better.headers_mut().append(header::SET_COOKIE, line.clone());
        }
        better
    }

    fn step_up(&self, web: &Web, wanted: &StepUp) -> Response {
        if !self.opens {
            const WHY: &str = "This needs a login that is newer or stronger than yours.";
            return page::unsaved(StatusCode::FORBIDDEN, WHY, &login(web, None, wanted));
        }
        let login = login(web, Some(&self.here), wanted);
        let asked = self.asked.as_ref();
        if !asked.is_some_and(|asked| asked.was_for(wanted, web.now())) {
            return page::see_other(&login);
        }
        tracing::warn!(
            code = "insufficient_user_authentication",
            max_age = wanted.max_age,
            acr_values = wanted.acr_values.join(" "),
            "a new login does not do for a page that has asked for it: does the issuer know these acr_values, and do its access tokens say acr and auth_time?"
        );
        const TEXT: &str = "You have just logged in for this page, and it still asks for a login that is newer or stronger. Perhaps your account has no such way to log in yet.";
        page::page(StatusCode::FORBIDDEN, TEXT, Some((&login, "Log in again")))
    }
}

/// Path and query that a browser has asked for, as the app is seen from outside.
pub(super) fn here<B>(web: &Web, request: &Request<B>) -> String {
    let original = request.extensions().get::<OriginalUri>();
    let uri = original.map_or(request.uri(), |original| &original.0);
    let here = uri.path_and_query().map_or("/", |path| path.as_str());
    carnet_client::return_to::local(here, &web.parts.settings.origin).to_owned()
}

/// The address of a login that does for a rule, and leads back.
pub(super) fn login(web: &Web, return_to: Option<&str>, wanted: &StepUp) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(here) = return_to {
        query.append_pair("return_to", here);
    }
    if let Some(seconds) = wanted.max_age {
        query.append_pair("max_age", &seconds.to_string());
    }
    if !wanted.acr_values.is_empty() {
        query.append_pair("acr_values", &wanted.acr_values.join(" "));
    }
    format!("{}?{}", web.login_path(), query.finish())
}
