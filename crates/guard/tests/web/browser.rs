//! An app with a few pages, and a browser that keeps its cookies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{any, get};
use bytes::Bytes;
use carnet_guard::web::{CsrfToken, LoginEnd, Web, WebApp};
use carnet_guard::{Auth, Issuer as Trusted, Right, Rule, scope};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::issuer::{API, Issuer};

pub(crate) const ORIGIN: &str = "https://notes.test";

scope!(Publish = "publish:notes");

/// A login of the last five minutes.
struct Fresh;

impl Right for Fresh {
    fn rule() -> Rule {
        Rule::max_age(Duration::from_secs(300))
    }
}

/// A login by several factors, of the last five minutes.
struct Strong;

impl Right for Strong {
    fn rule() -> Rule {
        Rule::all([Rule::acr(["mfa", "phr"]), Fresh::rule()])
    }
}

/// An app, its issuer, and how often its handlers ran.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) routes: Router,
    pub(crate) issuer: Issuer,
    pub(crate) posted: Arc<AtomicUsize>,
    /// Each lets one request to `/slow` end.
    pub(crate) slow: Arc<Semaphore>,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::of(&Issuer::start().await, |web| web).await
    }

    /// A process of the app; several may stand beside each other.
    pub(crate) async fn of(issuer: &Issuer, more: impl FnOnce(WebApp) -> WebApp) -> Self {
        Self::by(issuer, Trusted::discover(&issuer.url), more).await
    }

    /// The same, which knows its issuer in this way.
    pub(crate) async fn by(issuer: &Issuer, trusted: Trusted, more: impl FnOnce(WebApp) -> WebApp) -> Self {
        let web = WebApp::new(ORIGIN, trusted)
            .client_secret("notes", "a:secret")
            .audience(API)
            .scope("openid read:notes")
            .clock(issuer.clock.clone());
        let web = more(web).build().await.unwrap();
        let (posted, slow) = (Arc::default(), Arc::new(Semaphore::new(0)));
        Self {
            routes: routes(&web, (&posted, &slow)),
            issuer: issuer.clone(),
            posted,
            slow,
        }
    }

    pub(crate) fn posted(&self) -> usize {
        self.posted.load(Ordering::SeqCst)
    }
}

fn routes(web: &Web, (posted, slow): (&Arc<AtomicUsize>, &Arc<Semaphore>)) -> Router {
    let (posted, slow) = (posted.clone(), slow.clone());
    let wait = async move |auth: Auth| {
        slow.acquire().await.unwrap().forget();
        auth.sub().to_owned()
    };
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
        .route("/socket", any(async |auth: Auth| auth.sub().to_owned()))
        .route("/slow", get(wait))
        .route("/stream", get(stream_until))
        .route("/fresh", any(async |_: Auth<Fresh>| "fresh"))
        .route("/strong", any(async |_: Auth<Strong>| "strong"))
        .route("/publish", any(async |_: Auth<Publish>| "published"))
        .route(
            "/owner",
            get(async |auth: Auth| auth.check(false, "the note is another user's")),
        )
        .layer(web.layer())
        .merge(for_all(web))
        .merge(web.routes())
        .route("/uncovered", get(home))
}

fn for_all(web: &Web) -> Router {
    let ends = async |over: Option<LoginEnd>| if over.is_some() { "ends" } else { "never" };
    Router::new()
        .route("/", get(home))
        .route(
            "/perhaps",
            get(async |auth: Option<Auth<Fresh>>| auth.map_or("nobody", |_| "fresh")),
        )
        .route("/ends", get(ends))
        .layer(web.layer_for_all())
}

/// Says nothing, for as long as the login lives.
async fn stream_until(over: LoginEnd) -> Body {
    let nothing = stream::pending::<Result<Bytes, std::convert::Infallible>>();
    Body::from_stream(nothing.take_until(over.wait()))
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
        what: (Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let (parts, body) = self.begin(app, what, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// The answer, before anything of its body has come.
    pub(crate) async fn begin(
        &self,
        app: &App,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
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
        app.routes.clone().oneshot(request).await.unwrap()
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

    /// Follows the address of a login to its end, where the issuer says yes, and says where that leads.
    pub(crate) async fn log_in_at(&mut self, app: &App, login: &str) -> String {
        let begun = self.open(app, login).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.body);
        let back = app.issuer.allow(begun.location());
        let ended = self.open(app, &format!("/auth/callback?{back}")).await;
        assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
        let (_, to) = ended.body.split_once("url=").unwrap();
        to.split_once('"').unwrap().0.replace("&amp;", "&")
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
