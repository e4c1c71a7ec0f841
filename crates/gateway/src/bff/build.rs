//! From `[bff]` to an app that can be answered for.
//!
//! Spec: RFC 6749 §2.3 · RFC 7523 · RFC 6265bis §4.1.3

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::credentials::Credentials;
use carnet_client::discovery::check_issuer;
use carnet_client::error::ClientError;
use carnet_client::http::HttpClient;
use carnet_client::key_file;
use carnet_client::login_check::{LoginCheck, signatures};
use carnet_client::provider::Provider;
use carnet_client::seal::Keys;
use carnet_jose::{AnySigningKey, Jwk, KeySource, TokenType, Verifier};
use carnet_oauth::logout_token;
use http::HeaderName;
use url::{Host, Url};

use super::admit::Mapped;
use super::app::{Bff, Parts, Settings};
use super::flights::Flights;
use super::keeping::{self, text};
use super::login;
use super::watched::Watched;
use crate::config::bff::{self as config, Anonymous};
use crate::config::{Config, Listen, Route};
use crate::limit::Limit;
use crate::load::{ConfigError, some_time};
use crate::target;

impl Bff {
    /// Checks everything, opens the store; with `before` the sessions are those of that one, and what it has under way goes on. An issuer
    /// that is down is no error.
    ///
    /// # Errors
    /// Says which key is wrong.
    pub async fn of(
        (whole, config): (&Config, &config::Bff),
        clock: &Arc<dyn Clock>,
        before: Option<&Self>,
    ) -> Result<Self, ConfigError> {
        let clock = clock.clone();
        let settings = settings(config, &whole.listen)?;
        let wrong = |key: &'static str| move |error: ClientError| ConfigError::at(key, error, "correct it");
        let http = match &whole.tokens.root_certificates_file {
            Some(file) => HttpClient::with_root_file(file),
            None => HttpClient::new(),
        };
        let http = http.map_err(wrong("tokens.root_certificates_file"))?;
        let (issuer, id) = (config.issuer.as_str(), config.client_id.as_str());
        let todo = "write the issuer of the app's logins, such as \"https://auth.example.com\"; http is for this machine alone";
        check_issuer(issuer).map_err(|error| ConfigError::at("bff.issuer", error, todo))?;
        let credentials = credentials(config, &clock)?;
        let leeway = whole.tokens.leeway.duration();
        let login = LoginCheck::new(http.clone(), (issuer, id), (leeway, clock.clone()));
        let login = login.map_err(wrong("bff.issuer"))?;
        let masters = masters(&config.key_file)?;
        let keys = Keys::new(&masters, &[&settings.origin, id]).map_err(wrong("bff.key_file"))?;
        let provider = Provider::new(http.patient(PATIENCE), issuer, (id, credentials), clock.clone());
        let (flights, streams, tasks, store) = match before {
            Some(Self { parts }) => (
                parts.flights.clone(),
                parts.streams.clone(),
                parts.tasks.clone(),
                parts.store.clone(),
            ),
            None => {
                let flights = Flights::new();
                let flights =
                    flights.ok_or_else(|| ConfigError::at("bff", "has no randomness", "give it some"))?;
                (
                    Arc::new(flights),
                    Arc::new(Watched::new(settings.idle_ms)),
                    Arc::default(),
                    keeping::of(config).await?,
                )
            }
        };
        Ok(Self {
            parts: Arc::new(Parts {
                logout_tokens: logout_tokens(&login, (issuer, id), leeway)?,
                provider: Arc::new(provider),
                streams,
                tasks,
                limit: limit(config)?,
                swept: AtomicI64::default(),
                flights,
                store,
                settings,
                login,
                keys,
                masters,
                clock,
            }),
        })
    }
}

/// What of a session's requests passes on a route; `None` for a route without sessions.
///
/// # Errors
/// Says which key of the route is wrong.
pub fn mapped(key: &str, route: &Route, config: &Config) -> Result<Option<Mapped>, ConfigError> {
    let at = |what, todo| Err(ConfigError::at(format!("{key}.session"), what, todo));
    match (route.session, &config.bff) {
        (true, None) => at("needs an app", "describe it in [bff]"),
        (true, Some(_)) if route.public => {
            at("and `public` contradict each other", "take one of the two away")
        }
        (true, Some(bff)) if bff.sealed && config.forward_auth.is_some() => at(
            "cannot be where proxies ask: with bff.sealed each answer may bring the browser another cookie, and they pass none on",
            "let the gateway keep the sessions: take `sealed` away",
        ),
        (true, Some(_)) => Ok(Some(Mapped {
            cookies: route.pass_cookies.clone(),
            events: route.session_events,
        })),
        (false, _) if !route.pass_cookies.is_empty() || route.session_events => {
            let what = "is missing: pass_cookies and session_events are for routes of the app";
            at(what, "take them away, or say session = true")
        }
        (false, _) => Ok(None),
    }
}

/// Whose pages may open a WebSocket on a route: those that it names, and the app's own.
pub fn socket_origins(route: &Route, config: &Config) -> Vec<String> {
    let app = config.bff.iter().filter(|_| route.session);
    let app = app.map(|bff| bff.url.trim_end_matches('/').to_owned());
    app.chain(route.websocket_origins.iter().cloned()).collect()
}

fn settings(config: &config::Bff, listen: &Listen) -> Result<Settings, ConfigError> {
    let (origin, secure) = origin(config, listen)?;
    some_time("bff.idle", config.idle)?;
    some_time("bff.absolute", config.absolute)?;
    let (host, port) = host_of(&origin)?;
    let path = config.path.trim_end_matches('/');
    let is_path = |path: &str| target::path(path).is_ok_and(|read| read == path) && path.len() > 1;
    if !is_path(path) {
        let what = format!("{:?} is no path that can be matched", config.path);
        return Err(ConfigError::at("bff.path", what, "write one such as \"/bff\""));
    }
    if !config.scope.split(' ').any(|word| word == "openid") {
        let what = "does not ask who logs in";
        return Err(ConfigError::at("bff.scope", what, "let `openid` be part of it"));
    }
    if login::local(&config.after_logout, &origin).as_ref() != Ok(&config.after_logout) {
        let what = format!("{:?} is no path of the app", config.after_logout);
        return Err(ConfigError::at(
            "bff.after_logout",
            what,
            "write one such as \"/\"",
        ));
    }
    let header = HeaderName::from_bytes(config.csrf_header.as_bytes()).ok();
    let header = header.filter(|name| !SAFELISTED.contains(&name.as_str()));
    Ok(Settings {
        origin,
        host,
        port,
        secure,
        prefix: path.to_owned(),
        client_id: config.client_id.clone(),
        scope: config.scope.clone(),
        resources: config.resources.clone(),
        after_logout: config.after_logout.clone(),
        csrf_header: header.ok_or_else(|| {
            let what = format!("{:?} is nothing that a page alone can send", config.csrf_header);
            ConfigError::at("bff.csrf_header", what, "write \"X-CSRF\"")
        })?,
        idle_ms: config.idle.millis(),
        absolute_ms: config.absolute.millis(),
        sealed: config.sealed,
        silent_login: config.silent_login,
        null_for_nobody: config.anonymous == Anonymous::Null,
    })
}

/// Scheme, host and port; and whether cookies are `Secure`.
fn origin(config: &config::Bff, listen: &Listen) -> Result<(String, bool), ConfigError> {
    let wrong = |what: String, todo: &str| Err(ConfigError::at("bff.url", what, todo));
    let named = format!("{:?}", config.url);
    let Ok(url) = Url::parse(&config.url) else {
        return wrong(format!("{named} is no URL"), "write \"https://app.example.com\"");
    };
    let origin = url.origin().ascii_serialization();
    let bare =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !bare || url.host().is_none() {
        return wrong(
            format!("{named} is no origin"),
            "write \"https://app.example.com\"",
        );
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match (url.scheme(), config.dev_insecure_cookie) {
        ("https", false) => Ok((origin, true)),
        ("http", true)
            if loopback
                && listen
                    .address
                    .tcp()
                    .is_some_and(|listen| listen.ip().is_loopback()) =>
        {
            Ok((origin, false))
        }
        (_, true) => {
            let what = "is for development at http://localhost, and a gateway that listens there";
            Err(ConfigError::at("bff.dev_insecure_cookie", what, "take it away"))
        }
        _ => {
            let todo = "write https; at http://localhost alone, say dev_insecure_cookie = true";
            wrong(
                format!("{named} is not https: cookies would travel in the clear"),
                todo,
            )
        }
    }
}

fn host_of(origin: &str) -> Result<(String, u16), ConfigError> {
    let url = Url::parse(origin).ok();
    let named = url.and_then(|url| {
        Some((
            target::host(url.host_str()?).ok()?.0,
            url.port_or_known_default()?,
        ))
    });
    let wrong = || {
        ConfigError::at(
            "bff.url",
            "names a host that no request can name",
            "write \"https://app.example.com\"",
        )
    };
    named.ok_or_else(wrong)
}

fn credentials(config: &config::Bff, clock: &Arc<dyn Clock>) -> Result<Credentials, ConfigError> {
    let key = "bff.client_secret_file";
    match (&config.client_secret_file, &config.client_key_file) {
        (Some(file), None) => {
            let text = text(key, file)?;
            Credentials::secret(&config.client_id, &text)
                .map_err(|error| ConfigError::at(key, error, "write a secret into it"))
        }
        (None, Some(file)) => {
            let key = "bff.client_key_file";
            let text = text(key, file)?;
            let todo = "write a private JWK into it: carnet jwk generate";
            let unusable = |error: carnet_jose::Error| ConfigError::at(key, error, todo);
            let signing = AnySigningKey::from_jwk(&text).map_err(unusable)?;
            let kid = Jwk::parse(&text).map_err(unusable)?.key_id().map(str::to_owned);
            Credentials::key(signing, kid, clock.clone()).map_err(|error| ConfigError::at(key, error, todo))
        }
        _ => {
            let what =
                "is needed, or bff.client_key_file; and not both: RFC 10017 asks for a confidential client";
            Err(ConfigError::at(key, what, "name one of the two"))
        }
    }
}

fn limit(config: &config::Bff) -> Result<Limit, ConfigError> {
    Limit::new(&config.login_limit).ok_or_else(|| {
        let todo = "write as in { requests = 600, per = \"1m\", burst = 2000 }";
        ConfigError::at("bff.login_limit", "is no limit: it has a zero", todo)
    })
}

/// The secrets of a file, one a line.
fn masters(file: &Path) -> Result<Vec<Vec<u8>>, ConfigError> {
    let key = "bff.key_file";
    let todo = "write 32 random bytes or more into it: carnet password --length 43";
    let bytes = key_file::secret(file).map_err(|error| ConfigError::at(key, error, todo))?;
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let masters: Vec<_> = lines
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    if masters.is_empty() || masters.iter().any(|master| master.len() < SHORTEST_KEY) {
        return Err(ConfigError::at(key, "has a line of less than 32 bytes", todo));
    }
    Ok(masters)
}

/// Back-Channel Logout §2.6: with the keys of ID tokens, and their rules.
fn logout_tokens(
    login: &LoginCheck,
    (issuer, client_id): (&str, &str),
    leeway: Duration,
) -> Result<Verifier, ConfigError> {
    Verifier::builder(login.keys() as Arc<dyn KeySource>)
        .algorithms(&signatures())
        .token_type(TokenType::Other(logout_token::TYPE))
        .issuer(issuer)
        .audience(client_id)
        .leeway(leeway)
        .max_token_age(LOGOUT_TOKEN_AGE)
        .require(&["jti", "events"])
        .build()
        .map_err(|error| ConfigError::at("bff.issuer", error, "correct it"))
}

const SHORTEST_KEY: usize = 32;
/// How long the issuer is waited for: no longer than a request waits for its tokens.
const PATIENCE: Duration = Duration::from_secs(10);
const LOGOUT_TOKEN_AGE: Duration = Duration::from_secs(120);
/// What pages of other sites may send without being asked (WHATWG Fetch), and what says something else.
const SAFELISTED: [&str; 8] = [
    "accept",
    "accept-language",
    "authorization",
    "content-language",
    "content-type",
    "cookie",
    "origin",
    "range",
];
