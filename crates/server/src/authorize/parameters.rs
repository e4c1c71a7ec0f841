//! The parameters of a request, repeated ones included, and how they came.
//!
//! Spec: RFC 6749 §3.1

use http::StatusCode;

use crate::http::failure::Refusal;
use crate::http::form::pairs;
use crate::http::page::language;
use crate::http::visitor::Visitor;
use crate::interaction::Request;
use crate::pages::Language;

/// In the order in which they came; those without a value count as left out.
pub(super) struct Parameters {
    request: Request,
    /// In which its pages are, those of its answer too.
    pub(super) language: Language,
}

/// More is no request of an app; it is kept while somebody logs in.
pub(super) const MAX_BYTES: usize = 8 * 1024;

impl Parameters {
    /// Reads a query or a form that a browser brought.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > MAX_BYTES {
            const REASON: &str = "an authorization request has 8 KiB at most";
            return Err(Refusal::new(StatusCode::URI_TOO_LONG, "invalid_request", REASON));
        }
        Ok(Self::of(pairs(text)?.into_owned().collect(), None))
    }

    /// What was kept, or pushed under this name.
    pub(super) fn of(mut pairs: Vec<(String, String)>, pushed: Option<String>) -> Self {
        pairs.retain(|(_, value)| !value.is_empty());
        Request {
            parameters: pairs,
            pushed,
        }
        .into()
    }

    /// With the language that somebody has chosen on the way, or that the client asks for, or else the browser.
    pub(super) fn in_language_of(mut self, visitor: &Visitor, chosen: Option<&str>) -> Self {
        self.language = language(chosen.or_else(|| self.get("ui_locales")), &visitor.headers);
        visitor.speak(self.language);
        self
    }

    pub(super) fn into_request(self) -> Request {
        self.request
    }

    /// The name under which the client has pushed them; none when a browser brought them.
    pub(super) fn pushed(&self) -> Option<&str> {
        self.request.pushed.as_deref()
    }

    /// The parameter's first value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.request.parameter(name)
    }

    /// The parameter's value, unless it stands twice.
    pub(super) fn once(&self, name: &str) -> Result<Option<&str>, ()> {
        let mut values = self.request.parameters.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            Err(())
        } else {
            Ok(first)
        }
    }

    /// The one resource that is named, however often; an error for several (RFC 8707 §2).
    pub(super) fn resource(&self) -> Result<Option<&str>, ()> {
        let named = self
            .request
            .parameters
            .iter()
            .filter(|(key, _)| key == "resource");
        let mut values = named.map(|(_, value)| value.as_str());
        let first = values.next();
        match values.all(|value| Some(value) == first) {
            true => Ok(first),
            false => Err(()),
        }
    }

    /// Whether any parameter stands twice (§3.1); `resource` may (RFC 8707 §2).
    pub(super) fn repeats_any(&self) -> bool {
        let names = self.request.parameters.iter().map(|(name, _)| name);
        let names = names.filter(|name| *name != "resource");
        let mut seen = std::collections::HashSet::new();
        !names.into_iter().all(|name| seen.insert(name))
    }
}

impl From<Request> for Parameters {
    fn from(request: Request) -> Self {
        let language = Language::default();
        Self { request, language }
    }
}
