//! An app with a few pages, and a browser that keeps its cookies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use carnet_guard::web::{CsrfToken, Web, WebApp};
use carnet_guard::{Auth, Issuer as Trusted};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::issuer::{API, Issuer};

pub(crate) const ORIGIN: &str = "https://notes.test";

/// An app, its issuer, and how often its handlers ran.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) routes: Router,
    pub(crate) issuer: Issuer,
    pub(crate) posted: Arc<AtomicUsize>,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::of(&Issuer::start().await, |web| web).await
    }

    /// A process of the app; several may stand beside each other.
    pub(crate) async fn of(issuer: &Issuer, more: impl FnOnce(WebApp) -> WebApp) -> Self {
        let web = WebApp::new(ORIGIN, Trusted::discover(&issuer.url))
            .client_secret("notes", "a:secret")
            .audience(API)
            .scope("openid read:notes")
            .clock(issuer.clock.clone());
        let web = more(web).build().await.unwrap();
        let posted = Arc::new(AtomicUsize::new(0));
        Self {
            routes: routes(&web, posted.clone()),
            issuer: issuer.clone(),
            posted,
        }
    }

    pub(crate) fn posted(&self) -> usize {
        self.posted.load(Ordering::SeqCst)
    }
}

fn routes(web: &Web, posted: Arc<AtomicUsize>) -> Router {
    let add = async move |auth: Auth, body: String| {
        posted.fetch_add(1, Ordering::SeqCst);
        format!("{} wrote {body}", auth.sub())
    };
    Router::new()
        .route(
            "/notes",
            get(async |auth: Auth, csrf: CsrfToken| format!("{} {csrf}", auth.sub())).post(add),
        )
        .route(
            "/cached",
            get(async || [("cache-control", "public, max-age=600")]),
        )
        .route("/broken", get(async |_: Auth| StatusCode::INTERNAL_SERVER_ERROR))
        .layer(web.layer())
        .merge(Router::new().route("/", get(home)).layer(web.layer_for_all()))
        .merge(web.routes())
        .route("/uncovered", get(home))
}

async fn home(auth: Option<Auth>) -> String {
    auth.map_or("nobody".to_owned(), |auth| auth.sub().to_owned())
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }

    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        let lines = self.headers.get_all("set-cookie").iter();
        lines.map(|line| line.to_str().unwrap()).collect()
    }

    pub(crate) fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// Clones begin with the same cookies and then have their own.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What a browser sends of itself when somebody opens a page.
pub(crate) const PAGE: &[(&str, &str)] = &[
    ("sec-fetch-site", "none"),
    ("sec-fetch-mode", "navigate"),
    ("accept", "text/html"),
];
/// What it sends along with a form of the app.
pub(crate) const OWN_FORM: &[(&str, &str)] = &[
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("origin", ORIGIN),
    ("accept", "text/html"),
    ("content-type", "application/x-www-form-urlencoded"),
];
pub(crate) const SCRIPT: &[(&str, &str)] = &[
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "cors"),
    ("accept", "*/*"),
];

impl Browser {
    pub(crate) async fn open(&mut self, app: &App, path: &str) -> Answer {
        self.send(app, (Method::GET, path), PAGE, "").await
    }

    pub(crate) async fn send(
        &mut self,
        app: &App,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let answer = self.ask(app, (method, path), headers, body).await;
        self.take(&answer);
        answer
    }

    /// The answer, before its cookies are taken.
    pub(crate) async fn ask(
        &self,
        app: &App,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = app.routes.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) fn take(&mut self, answer: &Answer) {
        for line in answer.set_cookies() {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("; Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(crate) async fn log_in(&mut self, app: &App) {
        let begun = self.open(app, "/auth/login?return_to=/notes").await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.body);
        let back = app.issuer.allow(begun.location());
        let ended = self.open(app, &format!("/auth/callback?{back}")).await;
        assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
        assert!(ended.body.contains("url=/notes"), "{}", ended.body);
    }

    /// The proof in the form of a page.
    pub(crate) async fn proof(&mut self, app: &App) -> String {
        let page = self.open(app, "/notes").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        page.body.split_once(' ').unwrap().1.to_owned()
    }

    pub(crate) async fn post(&mut self, app: &App, path: &str, body: &str) -> Answer {
        self.send(app, (Method::POST, path), OWN_FORM, body).await
    }
}
