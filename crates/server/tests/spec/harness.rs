//! A server in memory, and a way to talk to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use carnet_listen::PeerAddr;
use carnet_server::app::App;
use carnet_server::clock::FrozenClock;
use carnet_server::config;
use carnet_store::{AuditAction, AuditRow, Cut, NewAudit, NewUser, Reason, Store, User, UserState};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::codes::assert_explained;
use crate::engine::fresh_store;

pub(crate) const API: &str = "https://api.example.com";
pub(crate) const SHARED_API: &str = "https://legacy.example.com";
pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const PASSWORD: &str = "a long enough passphrase";
/// 2026-11-21T10:00:00Z.
const START: i64 = 1_795_255_200_000;

const CONFIG: &str = include_str!("carnet.toml");

pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) clock: Arc<FrozenClock>,
    router: Router,
    folder: Arc<tempfile::TempDir>,
}

impl Server {
    /// A server with Alice in it.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// With further sections in the configuration, such as `[login]\nregistration = "open"`.
    pub(crate) async fn with(further: &str) -> Self {
        Self::replacing(&[("[first_party]", &format!("{further}\n[first_party]"))]).await
    }

    /// With texts of the configuration replaced by others.
    pub(crate) async fn replacing(changes: &[(&str, &str)]) -> Self {
        Self::first(&changed(changes), fresh_store().await).await
    }

    /// Over a store that the test has opened.
    pub(crate) async fn over_store(store: Store) -> Self {
        Self::first(CONFIG, store).await
    }

    async fn first(text: &str, store: Store) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        for name in SECRETS {
            let secret = secret_of(name);
            carnet_listen::secret_file::create(&folder.path().join(name), secret.as_bytes()).unwrap();
        }
        std::fs::write(folder.path().join("jwtc.jwks.json"), crate::client_auth::jwks()).unwrap();
        let server = Self::over(text, store, Arc::new(FrozenClock::at(START)), folder).await;
        server.add_user(ALICE, Some(PASSWORD)).await;
        server
    }

    async fn over(text: &str, store: Store, clock: Arc<FrozenClock>, folder: Arc<tempfile::TempDir>) -> Self {
        let (config, _) = config::parse(text, &folder.path().join("carnet.toml"), &[]).unwrap();
        let app = App::with_store(config, store, clock.clone()).await.unwrap();
        Self {
            router: carnet_server::router(app.clone()),
            app,
            clock,
            folder,
        }
    }

    /// The same server, started anew or once more over its database, with these texts of [`Server::start`]'s configuration replaced.
    pub(crate) async fn another(&self, changes: &[(&str, &str)]) -> Self {
        let (store, clock, folder) = (self.app.store.clone(), self.clock.clone(), self.folder.clone());
        Self::over(&changed(changes), store, clock, folder).await
    }

    /// As [`Server::another`], with one of them.
    pub(crate) async fn restarted_with(&self, from: &str, to: &str) -> Self {
        self.another(&[(from, to)]).await
    }

    /// Time passes; keys are kept as they are beside a running server.
    pub(crate) async fn wait(&self, time: Duration) {
        self.clock.advance(time);
        self.app.keep_keys().await.unwrap();
    }

    pub(crate) async fn add_user(&self, email: &str, password: Option<&str>) -> User {
        let hash = match password {
            Some(password) => {
                let password = carnet_server::password::Password::to_verify(password).unwrap();
                Some(self.app.hasher.hash(password).await.unwrap())
            }
            None => None,
        };
        self.add_user_with_hash(email, hash).await
    }

    pub(crate) async fn add_user_with_hash(&self, email: &str, password_hash: Option<String>) -> User {
        let parsed = carnet_server::email::Email::parse(email).unwrap();
        let new = NewUser {
            sub: String::new(),
            email_display: parsed.display,
            email_canonical: parsed.canonical,
            name: None,
            password_hash,
            roles: Vec::new(),
            email_verified: false,
            claims: "{}".to_owned(),
            attributes: "{}".to_owned(),
        };
        self.app.store.create_user(&new, self.app_now()).await.unwrap()
    }

    pub(crate) async fn user(&self, email: &str) -> User {
        self.app.store.find_login(email).await.unwrap().unwrap().user
    }

    pub(crate) async fn set_state(&self, email: &str, state: UserState) {
        let sub = self.user(email).await.sub;
        assert!(
            self.app
                .store
                .set_user_state(&sub, state, &self.cut(Reason::UserDisabled))
                .await
                .unwrap()
        );
    }

    pub(crate) fn cut(&self, reason: Reason) -> Cut {
        let audit = NewAudit::success("cli", AuditAction::Revoke, "");
        self.app.cut(reason, audit)
    }

    pub(crate) async fn audit(&self) -> Vec<AuditRow> {
        self.app.store.list_audit(1_000).await.unwrap()
    }

    pub(crate) fn app_now(&self) -> i64 {
        self.app.now()
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'_> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "auth.example.com")
            .body(Body::empty())
            .unwrap();
        request
            .extensions_mut()
            .insert(PeerAddr::Tcp(SocketAddr::from(([127, 0, 0, 1], 4711))));
        Call {
            server: self,
            request,
        }
    }

    /// Logs in and must succeed.
    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Session {
        let reply = self.try_log_in(email, password).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        Session::of(&reply)
    }

    pub(crate) async fn try_log_in(&self, email: &str, password: &str) -> Reply {
        self.post("/auth/login")
            .json(&json!({ "email": email, "password": password }))
            .send()
            .await
    }

    pub(crate) async fn refresh(&self, cookie: &str) -> Reply {
        self.post("/auth/refresh").cookie(cookie).send().await
    }

    /// Whether introspection says that the token of [`API`] is active.
    pub(crate) async fn is_active(&self, token: &str) -> bool {
        let reply = self
            .post("/oauth/introspect")
            .basic("orders-api", "orders.secret")
            .form(&[("token", token)])
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.json()["active"].as_bool().unwrap()
    }
}

/// What a login gives a browser.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access: String,
    /// The refresh token as the cookie holds it.
    pub(crate) refresh: String,
}

impl Session {
    pub(crate) fn of(reply: &Reply) -> Self {
        let access = reply.json()["access_token"].as_str().unwrap().to_owned();
        Self {
            access,
            refresh: reply.cookie("__Secure-refresh_token").unwrap_or_default(),
        }
    }
}

pub(crate) struct Call<'a> {
    server: &'a Server,
    request: Request<Body>,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    /// The request comes without the host that every other one names.
    pub(crate) fn without_host(mut self) -> Self {
        self.request.headers_mut().remove("host");
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Name and the file name that the harness's secrets begin with.
    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        self.basic_exactly(id, &secret_of(secret))
    }

    pub(crate) fn basic_exactly(self, id: &str, secret: &str) -> Self {
        let value = data_encoding::BASE64.encode(format!("{id}:{secret}").as_bytes());
        self.header("authorization", &format!("Basic {value}"))
    }

    pub(crate) fn cookie(self, refresh: &str) -> Self {
        self.header("cookie", &format!("__Secure-refresh_token={refresh}"))
    }

    pub(crate) fn from(mut self, address: [u8; 4]) -> Self {
        self.request
            .extensions_mut()
            .insert(PeerAddr::Tcp(SocketAddr::from((address, 4711))));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.raw("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn raw(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.request
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        *self.request.body_mut() = Body::from(body.into());
        self
    }

    pub(crate) async fn send(self) -> Reply {
        let response = self.server.router.clone().oneshot(self.request).await.unwrap();
        assert_explained(&response);
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The stable code of a refusal; checks the form that every refusal of the JSON API has.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(body["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(body["code"], body["error"], "{self:?}");
        body["code"].as_str().unwrap().to_owned()
    }

    /// The whole `Set-Cookie` line of a cookie.
    pub(crate) fn cookie_line(&self, name: &str) -> Option<String> {
        let lines = self
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap());
        lines
            .filter(|line| line.starts_with(&format!("{name}=")))
            .map(str::to_owned)
            .next()
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let line = self.cookie_line(name)?;
        let (_, value) = line.split_once('=').unwrap();
        Some(value.split(';').next().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {:?} {}",
            self.status,
            self.headers,
            String::from_utf8_lossy(&self.body)
        )
    }
}

fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(CONFIG.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// The files with secrets that the configuration names.
const SECRETS: [&str; 6] = [
    "orders.secret",
    "legacy.secret",
    "legacy-introspection.secret",
    "web.secret",
    "web2.secret",
    "svc.secret",
];

/// What stands in such a file.
pub(crate) fn secret_of(file: &str) -> String {
    format!("{file}-0123456789abcdef0123456789abcdef")
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    carnet_jose::dangerous::decode(token).unwrap().payload
}

pub(crate) fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

pub(crate) fn days(n: u64) -> Duration {
    minutes(n * 24 * 60)
}
