//! The gateway at a unix socket: who is believed there, and what counts for those of whom nobody says an address.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_gateway::{Gateway, load};
use carnet_guard::testing::TestClock;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::harness::{AUDIENCE, Answer, ISSUER, Issuer, NOW, Running, mirror, soon};

/// A gateway of which clients and proxies see sockets alone.
struct Placed {
    issuer: Issuer,
    folder: TempDir,
    _service: Running,
    _stop: oneshot::Sender<()>,
}

impl Placed {
    /// With these lines in `[listen]` and in `[forward_auth]`.
    async fn start(listen: &str, forward_auth: &str) -> Self {
        let (folder, issuer, service) = (tempfile::tempdir().unwrap(), Issuer::new(), mirror().await);
        std::fs::write(folder.path().join("jwks.json"), &issuer.jwks).unwrap();
        let text = format!(
            "[listen]\naddress = \"unix:{0}/gateway\"\n{listen}\n\
             [tokens]\naudience = {AUDIENCE:?}\nfailure_limit = {{ requests = 2, per = \"1h\" }}\n\
             [[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n\
             [forward_auth]\naddress = \"unix:{0}/forward-auth\"\ndialects = [\"nginx\"]\n{forward_auth}\n\
             [[upstreams]]\nname = \"service\"\nurls = [\"http://{1}\"]\n\
             [[routes]]\npath = \"/open\"\npublic = true\nupstream = \"service\"\n\
             [[routes]]\npath = \"/few\"\npublic = true\nrate_limit = {{ requests = 2, per = \"1h\" }}\nupstream = \"service\"\n\
             [[routes]]\npath = \"/orders\"\nrequire = [\"scope:read:orders\"]\nupstream = \"service\"\n",
            folder.path().display(),
            service.address
        );
        let config = load::parse(&text, &folder.path().join("gateway.toml")).unwrap();
        let site = Site::build(&config, Arc::new(TestClock::at(NOW)), None)
            .await
            .unwrap();
        let server = Server::bind(Gateway::new(site), &config).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(None, async { drop(stopped.await) }));
        Self {
            issuer,
            folder,
            _service: service,
            _stop: stop,
        }
    }

    async fn get(&self, path: &str, headers: &str) -> Answer {
        ask(&self.folder.path().join("gateway"), path, headers).await
    }

    /// As nginx asks about a request for `/orders`.
    async fn asked(&self) -> Answer {
        let token = self.issuer.token(&serde_json::json!({}));
        let headers = format!(
            "X-Original-Method: GET\r\nX-Original-URL: https://api.test/orders\r\nAuthorization: Bearer {token}\r\n"
        );
        ask(
            &self.folder.path().join("forward-auth"),
            "/forward-auth/nginx",
            &headers,
        )
        .await
    }
}

async fn ask(socket: &Path, path: &str, headers: &str) -> Answer {
    let mut stream = UnixStream::connect(PathBuf::from(socket)).await.unwrap();
    let text = format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = soon(stream.read_to_string(&mut answer)).await;
    Answer::read(&answer)
}

const TRUSTED: &str = "trusted_proxies = [\"unix\"]";
const FROM: &str =
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\n";

#[tokio::test]
async fn gw_08_a_proxy_at_the_socket_is_believed_when_it_is_listed_and_only_then() {
    let placed = Placed::start(TRUSTED, "").await;
    let seen = placed.get("/open", FROM).await.seen();
    assert_eq!(seen.header("X-Forwarded-For").as_deref(), Some("192.0.2.7"));
    assert_eq!(
        seen.header("Forwarded").as_deref(),
        Some("for=192.0.2.7;host=\"shop.test\";proto=https")
    );
    // A list of addresses is not about the socket, however wide it is.
    for listen in ["", "trusted_proxies = [\"127.0.0.0/8\", \"0.0.0.0/0\"]"] {
        let placed = Placed::start(listen, "").await;
        let seen = placed.get("/open", FROM).await.seen();
        assert_eq!(seen.header("X-Forwarded-For"), None);
        assert_eq!(
            seen.header("Forwarded").as_deref(),
            Some("for=unknown;host=\"api.test\";proto=http")
        );
    }
}

#[tokio::test]
async fn limits_count_the_address_that_a_trusted_proxy_says_and_else_everybody_as_one() {
    let other = FROM.replace("192.0.2.7", "192.0.2.8");
    for (listen, statuses) in [(TRUSTED, [200, 200, 429, 200]), ("", [200, 200, 429, 429])] {
        let placed = Placed::start(listen, "").await;
        for (headers, status) in [FROM, FROM, FROM, &other].into_iter().zip(statuses) {
            assert_eq!(
                placed.get("/few", headers).await.status,
                status,
                "{listen} {headers}"
            );
        }
    }
    // So are tokens that are none.
    for (listen, statuses) in [(TRUSTED, [401, 401, 429, 401]), ("", [401, 401, 429, 429])] {
        let placed = Placed::start(listen, "").await;
        for (headers, status) in [FROM, FROM, FROM, &other].into_iter().zip(statuses) {
            let headers = format!("{headers}Authorization: Bearer a.b.c\r\n");
            assert_eq!(
                placed.get("/orders", &headers).await.status,
                status,
                "{listen} {headers}"
            );
        }
    }
}

#[tokio::test]
async fn proxies_ask_at_a_socket_unless_the_list_is_of_addresses() {
    let placed = Placed::start("", "").await;
    let answer = placed.asked().await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("x-user-id: user_1"), "{answer:?}");
    for (peers, status) in [("\"unix\"", 200), ("\"127.0.0.1\", \"0.0.0.0/0\"", 403)] {
        let placed = Placed::start("", &format!("peers = [{peers}]")).await;
        assert_eq!(placed.asked().await.status, status, "{peers}");
    }
}

#[tokio::test]
async fn the_sockets_are_their_owners_and_groups_and_go_with_the_gateway() {
    use std::os::unix::fs::PermissionsExt as _;
    let placed = Placed::start("", "").await;
    let sockets = ["gateway", "forward-auth"].map(|name| placed.folder.path().join(name));
    for socket in &sockets {
        let mode = socket.symlink_metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
    }
    let Placed { folder, _stop, .. } = placed;
    drop(_stop);
    soon(async {
        while sockets.iter().any(|socket| socket.exists()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(folder);
}
