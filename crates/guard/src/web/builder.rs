//! Describes a server-rendered app: where it is found, who it is at its issuer, and how it keeps tokens.
//!
//! Spec: RFC 6749 §2.3 · RFC 6265bis §4.1.2.7 (SameSite)

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use carnet_client::clock::{Clock, SystemClock};
use carnet_client::cookie::SameSite;
use carnet_client::credentials::Credentials;
use carnet_client::http::HttpClient;
use carnet_client::key_file;
use carnet_client::login_check::LoginCheck;
use carnet_client::provider::Provider;
use carnet_client::renewal::Renewals;
use carnet_client::return_to;
use carnet_client::seal::Keys;
use carnet_jose::{AnySigningKey, Jwk};
use url::Url;

use crate::issuer::Issuer;
use crate::resource_server::{BuildError, ResourceServer};

use super::app::{Parts, Web};
use super::ended::Ended;
use super::pending::Pending;
use super::settings::Settings;
use super::{callback, login, logout};

/// Describes a server-rendered app.
pub struct WebApp {
    url: String,
    issuer: Issuer,
    client: Option<(String, Proof)>,
    cookie_keys: Vec<Vec<u8>>,
    audience: Option<String>,
    scope: String,
    routes_at: String,
    after_logout: String,
    cookie_name: String,
    same_site: SameSite,
    keep_for: Duration,
    leeway: Duration,
    http: Option<HttpClient>,
    root_file: Option<std::path::PathBuf>,
    clock: Arc<dyn Clock>,
}

enum Proof {
    Secret(String),
    Key(Box<AnySigningKey>, Option<String>),
}

impl WebApp {
    /// An app that browsers find at this origin, `https://notes.example.com`, and that sends people to this issuer to log in. Plain http is for
    /// this machine alone.
    pub fn new(url: impl Into<String>, issuer: Issuer) -> Self {
        Self {
            url: url.into(),
            issuer,
            client: None,
            cookie_keys: Vec::new(),
            audience: None,
            scope: "openid".to_owned(),
            routes_at: "/auth".to_owned(),
            after_logout: "/".to_owned(),
            cookie_name: "app".to_owned(),
            same_site: SameSite::Strict,
            keep_for: Duration::from_secs(7 * 86_400),
            leeway: Duration::from_secs(30),
            http: None,
            root_file: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Its name at the issuer, and its secret (`client_secret_basic`). The key that seals the cookies is made from the secret, unless there is a
    /// [`cookie_key_file`](Self::cookie_key_file).
    pub fn client_secret(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.client = Some((id.into(), Proof::Secret(secret.into())));
        self
    }

    /// The same, with the secret in a file that others cannot read.
    pub fn client_secret_file(
        self,
        id: impl Into<String>,
        file: impl AsRef<Path>,
    ) -> Result<Self, BuildError> {
        let secret = key_file::secret(file.as_ref())?;
        let secret = String::from_utf8(secret.to_vec())
            .map_err(|_| BuildError::Policy(format!("{} is not text", file.as_ref().display())))?;
        Ok(self.client_secret(id, secret))
    }

    /// Its name at the issuer, and a file with its own private JWK (`private_key_jwt`), as `carnet jwk generate` writes one.
    pub fn client_key_file(
        mut self,
        id: impl Into<String>,
        file: impl AsRef<Path>,
    ) -> Result<Self, BuildError> {
        let unusable =
            |why: &dyn std::fmt::Display| BuildError::Policy(format!("{}: {why}", file.as_ref().display()));
        let bytes = key_file::secret(file.as_ref())?;
        let text = std::str::from_utf8(&bytes).map_err(|error| unusable(&error))?;
        let key = AnySigningKey::from_jwk(text).map_err(|error| unusable(&error))?;
        let kid = Jwk::parse(text).map_err(|error| unusable(&error))?;
        let kid = kid.key_id().map(str::to_owned);
        self.client = Some((id.into(), Proof::Key(Box::new(key), kid)));
        Ok(self)
    }

    /// Seals the cookies under the secrets of this file, one a line, 32 bytes or more each: the first seals, all of them open. Every process of the
    /// app needs the same. A new line in front replaces the key without logging anybody out.
    pub fn cookie_key_file(mut self, file: impl AsRef<Path>) -> Result<Self, BuildError> {
        let text = key_file::secret(file.as_ref())?;
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        self.cookie_keys = lines
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        if self.cookie_keys.is_empty() || self.cookie_keys.iter().any(|key| key.len() < SHORTEST_KEY) {
            let file = file.as_ref().display();
            return Err(BuildError::Policy(format!(
                "{file}: a key of cookies has {SHORTEST_KEY} bytes or more"
            )));
        }
        Ok(self)
    }

    /// Whom its tokens are for: `aud`, and `resource` of the login (RFC 8707).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// What it asks for: `openid` when not said.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Where its own routes are: `/auth` when not said, so that the login is at `/auth/login`, the registered redirect URI ends in
    /// `/auth/callback`, and a form posts to `/auth/logout`.
    pub fn routes_at(mut self, path: impl Into<String>) -> Self {
        self.routes_at = path.into();
        self
    }

    /// The path that people come to after a logout: `/` when not said. The issuer must know its URL as a `post_logout_redirect_uri`.
    pub fn after_logout(mut self, path: impl Into<String>) -> Self {
        self.after_logout = path.into();
        self
    }

    /// What the names of its cookies begin with, after `__Host-`: `app` when not said. On this machine, where all ports share their cookies,
    /// two apps need two names.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// Takes people in who follow a link on another site: `SameSite=Lax`. Without it the cookies are `Strict`, and such a visitor sees a page
    /// with a link that goes on.
    pub fn links_from_outside(mut self) -> Self {
        self.same_site = SameSite::Lax;
        self
    }

    /// How long a browser keeps the cookies when nobody comes: seven days when not said. The issuer decides how long the login itself lives.
    pub fn keep_for(mut self, time: Duration) -> Self {
        self.keep_for = time;
        self
    }

    /// How far clocks may be apart: 30 seconds when not said.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Trusts the PEM certificates of this file as well when it talks to the issuer.
    pub fn root_file(mut self, file: &Path) -> Result<Self, BuildError> {
        self.http = Some(HttpClient::with_root_file(file)?);
        self.root_file = Some(file.to_owned());
        Ok(self)
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the description. An issuer that is down is no error: logins get 503 until it is there.
    pub async fn build(self) -> Result<Web, BuildError> {
        let policy = |why: &str| BuildError::Policy(why.to_owned());
        let origin = origin(&self.url)?;
        let settings = self.settings(origin)?;
        let (id, proof) = self
            .client
            .ok_or_else(|| policy("name the client and its secret or key"))?;
        let mut secrets = self.cookie_keys;
        let credentials = match proof {
            Proof::Secret(secret) => {
                if secrets.is_empty() {
                    secrets.push(secret.clone().into_bytes());
                }
                Credentials::secret(&id, &secret)?
            }
            Proof::Key(key, kid) => Credentials::key(*key, kid, self.clock.clone())?,
        };
        if secrets.is_empty() {
            return Err(policy(
                "a client with a key of its own needs cookie_key_file as well",
            ));
        }
        let keys = Keys::new(&secrets, &[&settings.origin, &id])?;
        let http = match self.http {
            Some(http) => http,
            None => HttpClient::new()?,
        };
        let issuer = self.issuer.name.clone();
        let provider = Provider::new(http.clone(), &issuer, (&id, credentials), self.clock.clone());
        let provider = Arc::new(provider);
        let mut guard = ResourceServer::new(&settings.audience)
            .issuer(self.issuer)
            .leeway(self.leeway)
            .clock(self.clock.clone());
        if let Some(file) = &self.root_file {
            guard = guard.root_file(file)?;
        }
        let guard = guard.build().await?;
        let login = LoginCheck::new(http, (&issuer, &id), (self.leeway, self.clock.clone()))?;
        Ok(Web {
            parts: Arc::new(Parts {
                renewals: Renewals::new(provider.clone(), self.clock.clone()),
                guard,
                provider,
                login,
                ended: Ended::default(),
                pending: Pending::default(),
                keys,
                clock: self.clock,
                settings,
            }),
        })
    }

    fn settings(&self, origin: String) -> Result<Settings, BuildError> {
        let policy = |why: &str| BuildError::Policy(why.to_owned());
        let audience = self
            .audience
            .clone()
            .ok_or_else(|| policy("name the audience of the tokens"))?;
        for path in [&self.routes_at, &self.after_logout] {
            if !path.starts_with('/') || return_to::local(path, &origin) != path {
                return Err(BuildError::Policy(format!("{path:?} is no path of this app")));
            }
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if self.cookie_name.is_empty() || self.cookie_name.len() > 32 || !self.cookie_name.bytes().all(plain)
        {
            return Err(policy("the name of a cookie has letters, digits, - and _ alone"));
        }
        Ok(Settings {
            secure: origin.starts_with("https:"),
            origin,
            audience,
            scope: self.scope.clone(),
            routes_at: self.routes_at.trim_end_matches('/').to_owned(),
            after_logout: self.after_logout.clone(),
            cookie_name: self.cookie_name.clone(),
            same_site: self.same_site,
            keep_for: self.keep_for.as_secs(),
        })
    }
}

impl Web {
    /// Its own routes: login, callback and logout. They stand beside the [layer](Web::layer), not inside.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let at = |path: &str| format!("{}{path}", self.parts.settings.routes_at);
        Router::new()
            .route(&at("/login"), get(login::begin))
            .route(&at("/callback"), get(callback::end))
            .route(&at("/logout"), post(logout::log_out))
            .with_state(self.clone())
    }
}

/// Scheme, host and port: https, or http on this machine.
fn origin(url: &str) -> Result<String, BuildError> {
    let refuse = || {
        BuildError::Policy(format!(
            "{url:?} is no https origin, and no http origin of this machine"
        ))
    };
    let parsed = Url::parse(url).map_err(|_| refuse())?;
    let loopback = match parsed.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let safe = parsed.scheme() == "https" || (parsed.scheme() == "http" && loopback);
    let bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    if safe && bare && parsed.username().is_empty() {
        Ok(parsed.origin().ascii_serialization())
    } else {
        Err(refuse())
    }
}

const SHORTEST_KEY: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_an_https_origin_or_one_of_this_machine() {
        assert_eq!(origin("https://a.test/").unwrap(), "https://a.test");
        assert_eq!(origin("http://127.0.0.1:8083").unwrap(), "http://127.0.0.1:8083");
        for url in [
            "http://a.test",
            "https://a.test/app",
            "https://a.test/?x",
            "https://u@a.test",
            "http://127.0.0.1.a.test",
            "a.test",
            "",
        ] {
            assert!(origin(url).is_err(), "{url}");
        }
    }
}
