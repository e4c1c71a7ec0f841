//! `carnet gateway` beside `carnet serve`, both as they are run: what is taken back opens nothing within a second, nor what services sign.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use carnet_client::service_signer::ServiceSigner;
use carnet_guard::{Guard, Refused, ResourceServer, Revocations, Services};
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::revocation::sid;
use crate::support::{Browser, Carnet, Engine, Tokens, binary, free_port, run, write_secret};

/// What security.md D1 allows.
const BOUND: Duration = Duration::from_secs(1);

/// A `carnet gateway` of the built binary.
struct Gateway {
    child: Child,
    log: PathBuf,
    base: String,
    side: String,
    admin: String,
}

impl Gateway {
    /// In front of a service; `further` goes on in the table of the feed.
    fn start(carnet: &Carnet, service: &str, further: &str) -> Self {
        let folder = carnet.config().parent().unwrap().to_owned();
        let [port, side, admin] = std::array::from_fn(|_| free_port());
        let issuer = &carnet.base;
        let text = format!(
            r#"
            [listen]
            address = "127.0.0.1:{port}"
            [admin]
            address = "127.0.0.1:{admin}"
            [forward_auth]
            address = "127.0.0.1:{side}"
            dialects = ["nginx"]
            [tokens]
            audience = "https://api.example.com"
            [[issuers]]
            issuer = "{issuer}"
            revocations = {{ client_id = "orders", {further} }}
            [[upstreams]]
            name = "orders"
            urls = ["{service}"]
            [[routes]]
            path = "/orders"
            upstream = "orders"
            [[routes]]
            path = "/ws"
            upstream = "orders"
            websocket = true
            "#
        );
        let config = folder.join(format!("gateway-{port}.toml"));
        std::fs::write(&config, text).unwrap();
        let log = folder.join(format!("gateway-{port}.log"));
        let mut command = Command::new(binary());
        command.args(["gateway", "--config"]).arg(&config);
        command.stdout(Stdio::null()).stdin(Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        Self {
            child: command.spawn().unwrap(),
            log,
            base: format!("http://127.0.0.1:{port}"),
            side: format!("http://127.0.0.1:{side}"),
            admin: format!("http://127.0.0.1:{admin}"),
        }
    }

    async fn asked(&self, token: &str) -> Option<u16> {
        status(&format!("{}/orders", self.base), token).await
    }

    async fn becomes(&self, token: &str, wanted: u16) -> Duration {
        let begun = Instant::now();
        while self.asked(token).await != Some(wanted) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{wanted}: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        begun.elapsed()
    }

    async fn operator(&self, path: &str) -> (u16, String) {
        let reply = reqwest::get(format!("{}{path}", self.admin)).await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn status(url: &str, token: &str) -> Option<u16> {
    let call = reqwest::Client::new().get(url).bearer_auth(token);
    Some(call.send().await.ok()?.status().as_u16())
}

/// A service that answers requests, and takes WebSockets and says nothing.
async fn service() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = head(&mut stream).await;
                let answer = match head.starts_with("GET /ws ") {
                    true => {
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
                    }
                    false => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
                };
                let _ = stream.write_all(answer.as_bytes()).await;
                if head.starts_with("GET /ws ") {
                    // Until the other side closes.
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    });
    url
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_two_gateways_refuse_what_the_server_takes_back_on_sqlite() {
    everywhere(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_two_gateways_refuse_what_the_server_takes_back_on_postgres() {
    everywhere(Engine::Postgres).await;
}

/// The server with two gateways that were started before it.
struct Scene {
    carnet: Carnet,
    gateways: [Gateway; 2],
    browser: Browser,
    /// Of a session that nobody ends.
    witness: Tokens,
}

async fn everywhere(engine: Engine) {
    let service = service().await;
    let mut carnet = Carnet::prepare(engine, "").await;
    let usual = "client_secret_file = \"orders.secret\"";
    let gateways = [usual, &format!("{usual}, on_loss = \"closed\", after = \"6s\"")]
        .map(|further| Gateway::start(&carnet, &service, further));
    write_secret(&carnet.config().with_file_name("guess.secret"), "a guess");
    let guesses = Gateway::start(&carnet, &service, "client_secret_file = \"guess.secret\"");
    for gateway in &gateways {
        gateway.becomes("x", 503).await;
        assert_eq!(gateway.operator("/health/ready").await.0, 503);
    }
    carnet.launch().await;
    carnet.add_user();
    let browser = Browser::new(&carnet.base);
    let witness = browser.log_in().await;
    for gateway in &gateways {
        gateway.becomes(&witness.access, 200).await;
        assert_eq!(gateway.operator("/health/ready").await.0, 200);
    }
    let mut scene = Scene {
        carnet,
        gateways,
        browser,
        witness,
    };
    let mut longest = Duration::ZERO;
    for by_command in [false, false, true] {
        longest = longest.max(scene.ends_a_session(by_command).await);
    }
    println!("{engine:?}: the longest took {longest:?}");
    assert!(longest <= BOUND, "{longest:?}");
    scene.is_without_the_server().await;
    scene.knows_no_guess(&guesses).await;
}

impl Scene {
    /// Until both gateways refuse it, forward-auth does, and its WebSocket is closed.
    async fn ends_a_session(&self, by_command: bool) -> Duration {
        let tokens = self.browser.log_in().await;
        for gateway in &self.gateways {
            assert_eq!(gateway.asked(&tokens.access).await, Some(200));
        }
        let mut socket = open_socket(&self.gateways[0], &tokens.access).await;
        match by_command {
            false => assert_eq!(self.browser.log_out(&tokens).await, 204),
            true => drop(self.carnet.command(&["revoke", "--session", &sid(&tokens)], "")),
        }
        let begun = Instant::now();
        for gateway in &self.gateways {
            gateway.becomes(&tokens.access, 401).await;
        }
        let took = begun.elapsed();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(2), socket.read_to_end(&mut rest));
        closed.await.expect("the WebSocket goes on").unwrap();
        assert!(rest.ends_with(b"\x11\x31token revoked"), "{rest:?}");
        assert_eq!(asked_for_nginx(&self.gateways[1], &tokens.access).await, 401);
        assert_eq!(
            asked_for_nginx(&self.gateways[1], &self.witness.access).await,
            200
        );
        took
    }

    /// What happens while the server is dead, or its backup was restored, is known when it is back; and the policy while it does not come.
    async fn is_without_the_server(&mut self) {
        let during = self.browser.log_in().await;
        self.carnet.kill();
        self.carnet.command(&["revoke", "--session", &sid(&during)], "");
        let [patient, hasty] = &self.gateways;
        assert_eq!(patient.asked(&self.witness.access).await, Some(200));
        hasty.becomes(&self.witness.access, 503).await;
        let metrics = hasty.operator("/metrics").await.1;
        let available = "carnet_gateway_revocations_available{issuer=";
        let line = metrics.lines().find(|line| line.starts_with(available));
        assert!(line.is_some_and(|line| line.ends_with(" 0")), "{metrics}");
        assert!(
            hasty.log().contains("the revocation feed is lost"),
            "{}",
            hasty.log()
        );
        self.carnet.command(&["migrate", "--restored"], "");
        self.carnet.launch().await;
        for gateway in &self.gateways {
            gateway.becomes(&during.access, 401).await;
            gateway.becomes(&self.witness.access, 200).await;
            assert!(
                gateway.log().contains("the revocation feed is back"),
                "{}",
                gateway.log()
            );
        }
    }

    /// One whose secret is wrong never opens, and says why; and no secret is in a log.
    async fn knows_no_guess(&self, guesses: &Gateway) {
        assert_eq!(guesses.asked(&self.witness.access).await, Some(503));
        let said = async {
            while !guesses.log().contains("401") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let said = tokio::time::timeout(Duration::from_secs(20), said).await;
        let log = guesses.log();
        assert!(
            said.is_ok() && log.contains("the revocation feed is lost"),
            "{log}"
        );
        let logs = [self.gateways[0].log(), self.gateways[1].log(), log].concat();
        for secret in ["an introspection secret", "a guess", &self.witness.access] {
            assert!(!logs.contains(secret), "lk_02: {secret}");
        }
    }
}

async fn open_socket(gateway: &Gateway, token: &str) -> TcpStream {
    let address = gateway.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream
}

async fn asked_for_nginx(gateway: &Gateway, token: &str) -> u16 {
    let call = reqwest::Client::new()
        .get(format!("{}/forward-auth/nginx", gateway.side))
        .header("x-original-method", "GET")
        .header("x-original-url", "https://api.example.com/orders")
        .bearer_auth(token);
    call.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_a_service_that_is_disabled_or_whose_key_is_taken_out_is_refused_within_a_second_on_sqlite() {
    services(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_13_a_service_that_is_disabled_or_whose_key_is_taken_out_is_refused_within_a_second_on_postgres() {
    services(Engine::Postgres).await;
}

async fn services(engine: Engine) {
    let carnet = Carnet::start(engine, "").await;
    let (first, first_public) = key(&carnet, "first");
    let (second, second_public) = key(&carnet, "second");
    let public = carnet.config().with_file_name("first.public.jwk");
    carnet.command(
        &[
            "client",
            "add",
            "mail",
            "--service",
            "--jwks",
            public.to_str().unwrap(),
            "--calls",
            "billing",
        ],
        "",
    );
    let feed = Revocations::feed(
        format!("{}/revocations", carnet.base),
        "orders",
        "an introspection secret of some length",
    );
    let services = Services::of(&carnet.base, "billing").revocations(feed);
    let guard = ResourceServer::new("https://billing.example.com").services(services);
    let guard = guard.build().await.unwrap();
    assert!(guard.ready());
    let (old, new) = (signer(&carnet, &first), signer(&carnet, &second));
    assert_eq!(calls(&guard, &old).await, Ok(()));
    assert_eq!(calls(&guard, &new).await, Err(Refused::TokenInvalid));

    // The key is changed, as an operator does it: the old one counts no more.
    let mut exported = carnet.command(&["export"], "");
    for member in ["x", "y", "kid"] {
        let text = |jwk: &serde_json::Value| jwk[member].as_str().unwrap().to_owned();
        exported = exported.replace(&text(&first_public), &text(&second_public));
    }
    carnet.command(&["apply", "-", "--yes"], &exported);
    let begun = Instant::now();
    while calls(&guard, &old).await != Err(Refused::TokenInvalid) {
        assert!(begun.elapsed() <= BOUND, "a key that was taken out opens still");
    }
    assert_eq!(calls(&guard, &new).await, Ok(()));

    carnet.command(&["client", "disable", "mail"], "");
    let begun = Instant::now();
    while calls(&guard, &new).await.is_ok() {
        assert!(
            begun.elapsed() <= BOUND,
            "a service that was disabled gets in still"
        );
    }
}

/// A key file, and its public half.
fn key(carnet: &Carnet, name: &str) -> (PathBuf, serde_json::Value) {
    let private = carnet.config().with_file_name(format!("{name}.jwk"));
    let public = private.with_extension("public.jwk");
    let mut generate = Command::new(binary());
    generate.args(["jwk", "generate", "--algorithm", "ES256", "--out"]);
    generate.arg(&private).arg("--public-out").arg(&public);
    assert!(run(generate, "").status.success());
    let jwk: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&public).unwrap()).unwrap();
    (private, jwk)
}

fn signer(carnet: &Carnet, private: &std::path::Path) -> ServiceSigner {
    ServiceSigner::from_file(&carnet.base, "mail", private).unwrap()
}

/// With a token that was signed a moment ago: an unsafe method gets one of its own.
async fn calls(guard: &Guard, signer: &ServiceSigner) -> Result<(), Refused> {
    let mut request = Request::post("/").body(()).unwrap();
    signer.attach(&mut request, "billing").unwrap();
    let (parts, ()) = request.into_parts();
    guard.check_caller(&parts, &["mail".to_owned()]).await.map(|_| ())
}
