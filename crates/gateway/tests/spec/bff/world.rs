//! An issuer, a service, and gateways that keep their sessions in one database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use carnet_gateway::config::Config;
use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_gateway::{Gateway, load};
use carnet_guard::testing::TestClock;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_postgres::NoTls;

use super::browser::{Browser, Told};
use super::provider::Issuer;
use super::wire::Wire;
use crate::harness::{AUDIENCE, NOW, Running, at, mirror, soon};

pub(super) struct World {
    pub(super) clock: TestClock,
    pub(super) issuer: Arc<Issuer>,
    pub(super) gateway: Running,
    pub(super) folder: TempDir,
    text: String,
    _issuer: Running,
    _service: Running,
}

/// `{issuer}` and `{service}` are their addresses.
const TEXT: &str = r#"
    [tokens]
    audience = "{audience}"
    [[issuers]]
    issuer = "{issuer}"
    [bff]
    url = "https://app.test"
    issuer = "{issuer}"
    client_id = "app"
    client_secret_file = "client.secret"
    key_file = "bff.key"
    sqlite_file = "bff.db"
    resources = ["{audience}"]
    scope = "openid profile"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/"
    public = true
    upstream = "service"
    [[routes]]
    path = "/api"
    session = true
    token = "forward"
    pass_cookies = ["lang"]
    upstream = "service"
    [[routes]]
    path = "/quiet"
    session = true
    upstream = "service"
    [[routes]]
    path = "/admin"
    session = true
    require = ["role:admin"]
    upstream = "service"
"#;

impl World {
    pub(super) async fn new() -> Self {
        Self::with(mirror().await, |text| text).await
    }

    /// Its sessions are kept in the Redis that `CARNET_TEST_REDIS` names.
    pub(super) async fn in_redis(service: Running, change: impl FnOnce(String) -> String) -> Self {
        assert!(
            std::env::var_os("CARNET_TEST_REDIS").is_some(),
            "CARNET_TEST_REDIS names no Redis; ./test.sh starts one"
        );
        let keys = "redis_url_file = \"redis.url\"";
        Self::with(service, |text| {
            change(text.replace("sqlite_file = \"bff.db\"", keys))
        })
        .await
    }

    /// The same, and the way there.
    pub(super) async fn over_redis() -> (Self, Wire) {
        let url = std::env::var("CARNET_TEST_REDIS");
        let url = url.expect("CARNET_TEST_REDIS names no Redis; ./test.sh starts one");
        let (wire, url) = wired(&url).await;
        let world = Self::kept_at(("redis_url_file", &url), mirror().await).await;
        (world, wire)
    }

    /// Its sessions are kept in a schema of its own at the PostgreSQL that `CARNET_TEST_POSTGRES` names; and the way there.
    pub(super) async fn over_postgres() -> (Self, Wire) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("CARNET_TEST_POSTGRES");
        let url = url.expect("CARNET_TEST_POSTGRES names no PostgreSQL; ./test.sh starts one");
        let (client, driver) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(driver);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("carnet_gateway_{}_{number}", std::process::id());
        let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        client.batch_execute(&make).await.unwrap();
        let (wire, url) = wired(&url).await;
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}options=-csearch_path%3D{name}");
        let world = Self::kept_at(("postgres_url_file", &url), mirror().await).await;
        (world, wire)
    }

    async fn kept_at((key, url): (&str, &str), service: Running) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), url).unwrap();
        let place = format!("{key} = {:?}", file.path());
        Self::with(service, |text| text.replace("sqlite_file = \"bff.db\"", &place)).await
    }

    pub(super) async fn with(service: Running, change: impl FnOnce(String) -> String) -> Self {
        let clock = TestClock::at(NOW);
        let (issuer, running) = Issuer::start(clock.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        for (name, secret) in [
            ("client.secret", "the secret of the app"),
            ("bff.key", KEY),
            ("client.secret.redis", "redis://127.0.0.1:1"),
        ] {
            carnet_listen::secret_file::create(&folder.path().join(name), secret.as_bytes()).unwrap();
        }
        if let Ok(url) = std::env::var("CARNET_TEST_REDIS") {
            let file = folder.path().join("redis.url");
            carnet_listen::secret_file::create(&file, url.as_bytes()).unwrap();
        }
        let text = change(TEXT.to_owned())
            .replace("{audience}", AUDIENCE)
            .replace("{issuer}", &issuer.url())
            .replace("{service}", &service.address.to_string());
        let gateway = replica(&text, folder.path(), &clock).await;
        Self {
            clock,
            issuer,
            gateway,
            folder,
            text,
            _issuer: running,
            _service: service,
        }
    }

    /// Another gateway with the same configuration.
    pub(super) async fn replica(&self) -> Running {
        replica(&self.text, self.folder.path(), &self.clock).await
    }

    /// Another gateway with the same configuration, as a process of its own: when it has stopped, nothing of it goes on.
    pub(super) async fn process(&self) -> (Running, std::thread::JoinHandle<()>) {
        let (text, folder, clock) = (
            self.text.clone(),
            self.folder.path().to_owned(),
            self.clock.clone(),
        );
        let (tell, told) = oneshot::channel();
        let process = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let config = configuration(&text, &folder);
                let site = Site::build(&config, Arc::new(clock), None).await.unwrap();
                let server = Server::bind(Gateway::new(site), &config).await.unwrap();
                let (stop, stopped) = oneshot::channel::<()>();
                let address = at(server.local_addr());
                tell.send(Running { address, _stop: stop }).ok().unwrap();
                server.run(None, async { drop(stopped.await) }).await;
            });
        });
        (told.await.unwrap(), process)
    }

    /// Another one, which dies with this runtime.
    pub(super) async fn replica_on(&self, runtime: &tokio::runtime::Runtime) -> Running {
        let (text, folder) = (self.text.clone(), self.folder.path().to_owned());
        let clock = self.clock.clone();
        let running = runtime.spawn(async move { replica(&text, &folder, &clock).await });
        running.await.unwrap()
    }

    /// A gateway with its sessions in memory, and what it becomes when its configuration is read again.
    pub(super) async fn reloaded(&self) -> (Running, Running) {
        let text = self.text.replace("sqlite_file = \"bff.db\"", "");
        let mut config = configuration(&text, self.folder.path());
        let clock = || Arc::new(self.clock.clone());
        let before = Site::build(&config, clock(), None).await.unwrap();
        config.routes.pop();
        let after = Site::build(&config, clock(), Some(&before)).await.unwrap();
        let (before, after) = (Gateway::new(before), Gateway::new(after));
        (serve(before, &config).await, serve(after, &config).await)
    }

    /// A gateway of its own with another text, which may get another site, and its configuration.
    pub(super) async fn changing(&self, change: impl FnOnce(String) -> String) -> (Gateway, Config, Running) {
        let config = configuration(&change(self.text.clone()), self.folder.path());
        let site = Site::build(&config, Arc::new(self.clock.clone()), None).await;
        let gateway = Gateway::new(site.unwrap());
        let running = serve(gateway.clone(), &config).await;
        (gateway, config, running)
    }

    /// The gateway reads another configuration.
    pub(super) async fn change(&self, gateway: &Gateway, config: &Config) {
        let site = Site::build(config, Arc::new(self.clock.clone()), Some(&gateway.site())).await;
        gateway.change(site.unwrap());
    }

    /// A refresh token was given back.
    pub(super) async fn until_revoked(&self, token: &str) {
        soon(async {
            while !self.issuer.revoked.lock().unwrap().iter().any(|one| one == token) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(super) fn browser(&self) -> Browser {
        Browser::new(self.gateway.address)
    }

    /// A browser that is logged in.
    pub(super) async fn user(&self) -> Browser {
        let mut browser = self.browser();
        let told: Told = browser.log_in(&self.issuer).await;
        assert_eq!(told.status, 200, "{told:?}");
        assert!(browser.session().is_some(), "{told:?}");
        browser
    }
}

/// The way to the store of this URL, and the URL that goes that way.
async fn wired(url: &str) -> (Wire, String) {
    let parsed = url::Url::parse(url).unwrap();
    let server = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap());
    let wire = Wire::to(server.parse().unwrap()).await;
    let url = url.replacen(&server, &wire.address.to_string(), 1);
    (wire, url)
}

async fn replica(text: &str, folder: &Path, clock: &TestClock) -> Running {
    let config = configuration(text, folder);
    let site = Site::build(&config, Arc::new(clock.clone()), None).await;
    serve(Gateway::new(site.unwrap()), &config).await
}

fn configuration(text: &str, folder: &Path) -> Config {
    let mut config = load::parse(text, &folder.join("gateway.toml")).unwrap();
    config.listen.address = "127.0.0.1:0".parse().unwrap();
    config
}

async fn serve(gateway: Gateway, config: &Config) -> Running {
    let server = Server::bind(gateway, config).await.unwrap();
    let address = at(server.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(None, async { drop(stopped.await) }));
    Running { address, _stop: stop }
}

/// Why a configuration is refused.
pub(super) async fn refused(change: impl FnOnce(String) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in [("client.secret", "s"), ("bff.key", KEY), ("short.key", "short")] {
        carnet_listen::secret_file::create(&folder.path().join(name), secret.as_bytes()).unwrap();
    }
    let text = change(TEXT.to_owned())
        .replace("{audience}", AUDIENCE)
        .replace("{issuer}", "http://127.0.0.1:1")
        .replace("{service}", "127.0.0.1:1");
    let config = load::parse(&text, &folder.path().join("gateway.toml")).unwrap();
    let refused = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    refused.err().map(|error| error.place).unwrap_or_default()
}

pub(super) const KEY: &str = "0123456789abcdef0123456789abcdef";
