//! Pages of other origins: whose scripts may ask, and what they may read.
//!
//! Spec: Fetch §3.2 (CORS)

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};

use axum::response::{IntoResponse as _, Response};

use crate::config;
use crate::origins;
use crate::refusal::Refusal;

/// What a route says of other origins.
#[derive(Clone, Debug)]
pub struct Cors {
    /// `None` for every origin.
    origins: Option<Vec<HeaderValue>>,
    credentials: bool,
    methods: HeaderValue,
    headers: Vec<HeaderName>,
    exposed: Option<HeaderValue>,
    max_age: HeaderValue,
}

impl Cors {
    /// Or which member is wrong, and why.
    pub(crate) fn new(config: &config::Cors, methods: &[Method]) -> Result<Self, (&'static str, String)> {
        let any = config.origins.iter().any(|origin| origin == "*");
        if config.origins.is_empty() {
            return Err(("origins", "is empty: no page could ask".to_owned()));
        }
        if any && (config.credentials || config.origins.len() > 1) {
            return Err((
                "origins",
                "\"*\" goes with no other origin and not with credentials".to_owned(),
            ));
        }
        if let Some(none) = config
            .origins
            .iter()
            .find(|text| text.as_str() != "*" && !origins::is_one(text))
        {
            return Err(("origins", origins::wrong(none)));
        }
        let value = |member: &'static str| {
            move |text: &String| {
                HeaderValue::from_str(text).map_err(|_| (member, format!("{text:?} fits into no header")))
            }
        };
        let origins: Result<Vec<_>, _> = config.origins.iter().map(value("origins")).collect();
        let name = |text: &String| {
            HeaderName::from_bytes(text.as_bytes())
                .ok()
                .filter(|name| name != "*")
                .ok_or_else(|| ("headers", format!("{text:?} is no header name")))
        };
        let headers: Result<Vec<_>, _> = config.headers.iter().map(name).collect();
        let methods: Vec<&str> = match methods {
            [] => vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            methods => methods.iter().map(Method::as_str).collect(),
        };
        let exposed = (!config.expose.is_empty()).then(|| config.expose.join(", "));
        Ok(Self {
            origins: (!any).then_some(origins?),
            credentials: config.credentials,
            methods: value("methods")(&methods.join(", "))?,
            headers: headers?,
            exposed: exposed.as_ref().map(value("expose")).transpose()?,
            max_age: HeaderValue::from(config.max_age.as_seconds()),
        })
    }

    /// The answer to a preflight.
    ///
    /// # Errors
    /// 403 for an origin or a header that the route does not list.
    pub(crate) fn preflight(&self, asked: &HeaderMap) -> Result<Response, Refusal> {
        let origin = asked
            .get(header::ORIGIN)
            .filter(|origin| self.lists(origin))
            .ok_or(ORIGIN)?;
        let wanted = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let mut wanted = wanted.flat_map(|value| value.to_str().unwrap_or("\0").split(','));
        let known = |name: &str| {
            let name = name.trim();
            name.is_empty()
                || self
                    .headers
                    .iter()
                    .any(|listed| listed.as_str().eq_ignore_ascii_case(name))
        };
        if !wanted.all(known) {
            return Err(HEADER);
        }
        let names: Vec<&str> = self.headers.iter().map(HeaderName::as_str).collect();
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        self.allow(headers, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        Ok(response)
    }

    /// Says in an answer who may read it. What the service says of that does not count.
    pub(crate) fn decorate(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let told: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("access-control-"))
            .cloned()
            .collect();
        for name in told {
            headers.remove(name);
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin.filter(|origin| self.lists(origin)) {
            self.allow(headers, origin);
            if let Some(exposed) = &self.exposed {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
        }
    }

    fn allow(&self, headers: &mut HeaderMap, origin: &HeaderValue) {
        let named = self.origins.is_some();
        let value = if named {
            origin.clone()
        } else {
            HeaderValue::from_static("*")
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        if self.credentials {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
    }

    fn lists(&self, origin: &HeaderValue) -> bool {
        self.origins
            .as_ref()
            .is_none_or(|origins| origins.contains(origin))
    }
}

/// The method that a preflight asks about. Any other OPTIONS is a request like all others.
pub(crate) fn asked_method(parts: &Parts) -> Option<Method> {
    let named = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    (parts.method == Method::OPTIONS && parts.headers.contains_key(header::ORIGIN))
        .then(|| Method::from_bytes(named.as_bytes()).ok())
        .flatten()
}

const ORIGIN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "origin_refused",
    "scripts of this origin may not ask here",
);
const HEADER: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "cors_header_refused",
    "scripts of other origins may not send this header here",
);
