//! Files that the configuration names: another content is taken when it is noticed, and a bad one changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::{Json, Router};
use carnet_gateway::reload::Reload;
use carnet_gateway::serve::Server;
use carnet_gateway::site::Site;
use carnet_gateway::{Gateway, load};
use carnet_guard::testing::TestClock;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::calling::bundled;
use crate::harness::{AUDIENCE, Answer, ISSUER, Issuer, NOW, Running, at, mirror, talk};
use crate::upstream_tls::{Authority, private, service};

/// A gateway, and what looks at its files.
pub(crate) struct Gate {
    pub(crate) reload: Reload,
    clock: Arc<TestClock>,
    file: PathBuf,
    running: Running,
}

fn write(file: &Path, text: &str) {
    fs::write(file, format!("[listen]\naddress = \"127.0.0.1:0\"\n{text}")).unwrap();
}

impl Gate {
    /// Of the file `gateway.toml` in this folder, which is written now.
    pub(crate) async fn start(folder: &Path, text: &str) -> Self {
        let file = folder.join("gateway.toml");
        write(&file, text);
        let clock = Arc::new(TestClock::at(NOW));
        let config = load::load(&file).unwrap();
        let gateway = Gateway::new(Site::build(&config, clock.clone(), None).await.unwrap());
        let server = Server::bind(gateway.clone(), &config).await.unwrap();
        let address = at(server.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(None, async { drop(stopped.await) }));
        Self {
            reload: Reload::new(gateway, file.clone(), clock.clone()),
            clock,
            file,
            running: Running { address, _stop: stop },
        }
    }

    pub(crate) fn write(&self, text: &str) {
        write(&self.file, text);
    }

    pub(crate) async fn asks(&self, headers: &str) -> u16 {
        self.asks_at("/", headers).await
    }

    async fn asks_at(&self, path: &str, headers: &str) -> u16 {
        let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        Answer::read(&talk(self.running.address, &text).await).status
    }
}

#[tokio::test]
async fn the_authority_of_a_service_is_read_again_when_its_file_changes() {
    let (authority, other) = (Authority::new("internal"), Authority::new("other"));
    authority.sign("gateway", "gateway", 2040);
    let (root, folder) = (authority.file("root.pem"), authority.file(""));
    fs::copy(other.file("ca.pem"), &root).unwrap();
    let service = service(&authority, "localhost").await;
    let text = format!(
        "[[upstreams]]\nname = \"service\"\nurls = [\"https://localhost:{}\"]\nroot_certificates_file = \"root.pem\"\n\
         client_certificate_file = \"gateway.pem\"\nclient_key_file = \"gateway.key\"\n\
         [[routes]]\npath = \"/\"\npublic = true\nupstream = \"service\"\n",
        service.address.port()
    );
    let mut gate = Gate::start(&folder, &text).await;
    assert_eq!(gate.asks("").await, 502);
    assert!(!looked(&mut gate.reload).await, "nothing has");
    fs::copy(authority.file("ca.pem"), &root).unwrap();
    assert!(looked(&mut gate.reload).await);
    assert_eq!(gate.asks("").await, 200);
    assert!(!looked(&mut gate.reload).await, "nothing has since");
    for bad in ["no certificate", ""] {
        fs::write(&root, bad).unwrap();
        assert!(!looked(&mut gate.reload).await, "{bad:?}");
        assert_eq!(gate.asks("").await, 200, "{bad:?}");
    }
    fs::remove_file(&root).unwrap();
    assert!(!gate.reload.read().await, "told by SIGHUP");
    assert_eq!(gate.asks("").await, 200);
    fs::copy(other.file("ca.pem"), &root).unwrap();
    assert!(gate.reload.read().await);
    assert_eq!(gate.asks("").await, 502, "it is trusted no more");
}

/// Knows every token, whoever asks, and remembers who that was.
async fn tell(State(asked): State<Arc<Mutex<String>>>, headers: HeaderMap) -> Json<Value> {
    let shown = headers["authorization"].to_str().unwrap();
    shown.clone_into(&mut asked.lock().unwrap());
    Json(json!({
        "active": true, "iss": "https://opaque.test", "aud": AUDIENCE, "sub": "user_2", "client_id": "web", "exp": NOW + 60,
    }))
}

#[tokio::test]
async fn the_secret_for_introspection_is_read_again_when_its_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("client.secret");
    private(&secret, "first");
    let asked = Arc::new(Mutex::new(String::new()));
    let issuer = Running::start(Router::new().fallback(tell).with_state(asked.clone())).await;
    let service = mirror().await;
    let text = format!(
        "[tokens]\naudience = {AUDIENCE:?}\n[[issuers]]\nissuer = \"https://opaque.test\"\n\
         introspection = {{ url = \"http://{}/\", client_id = \"gateway\", client_secret_file = \"client.secret\", cache = \"0s\", opaque = true }}\n\
         [[upstreams]]\nname = \"service\"\nurls = [\"http://{}\"]\n[[routes]]\npath = \"/\"\nupstream = \"service\"\n",
        issuer.address, service.address
    );
    let mut gate = Gate::start(folder.path(), &text).await;
    // The name "gateway" with each of them.
    let (first, second) = ("Basic Z2F0ZXdheTpmaXJzdA==", "Basic Z2F0ZXdheTpzZWNvbmQrb25l");
    let bearer = "Authorization: Bearer opaque\r\n";
    assert_eq!(gate.asks(bearer).await, 200);
    assert_eq!(*asked.lock().unwrap(), first);
    private(&secret, "second one");
    assert!(looked(&mut gate.reload).await);
    assert_eq!(gate.asks(bearer).await, 200);
    assert_eq!(*asked.lock().unwrap(), second);
    // Nobody may read it but its owner.
    fs::remove_file(&secret).unwrap();
    fs::write(&secret, "third").unwrap();
    assert!(!looked(&mut gate.reload).await);
    assert_eq!(gate.asks(bearer).await, 200);
    assert_eq!(*asked.lock().unwrap(), second);
}

/// Exchanges every token, and counts.
async fn give(State(asked): State<Arc<AtomicUsize>>) -> Json<Value> {
    let number = asked.fetch_add(1, Ordering::SeqCst);
    Json(json!({ "access_token": format!("exchanged-{number}"), "token_type": "Bearer", "expires_in": 600 }))
}

#[tokio::test]
async fn what_was_exchanged_stays_known_while_the_same_client_asks() {
    let (issuer, folder) = (Issuer::new(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("jwks.json"), &issuer.jwks).unwrap();
    private(&folder.path().join("client.secret"), "first");
    let asked = Arc::new(AtomicUsize::new(0));
    let server = Running::start(Router::new().fallback(give).with_state(asked.clone())).await;
    let service = mirror().await;
    let text = format!(
        "[tokens]\naudience = {AUDIENCE:?}\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n\
         [exchange]\ntoken_url = \"http://{}/\"\nclient_id = \"gateway\"\nclient_secret_file = \"client.secret\"\n\
         [[upstreams]]\nname = \"service\"\nurls = [\"http://{}\"]\n\
         [[routes]]\npath = \"/\"\nupstream = \"service\"\nexchange = {{ resource = \"https://billing.test\" }}\n",
        server.address, service.address
    );
    let mut gate = Gate::start(folder.path(), &text).await;
    let bearer = format!("Authorization: Bearer {}\r\n", issuer.token(&json!({})));
    let more = format!("{text}[[routes]]\npath = \"/more\"\npublic = true\nupstream = \"service\"\n");
    let other = more.replace("\"gateway\"", "\"another\"");
    for (text, times) in [(&text, 1), (&more, 1), (&other, 2)] {
        gate.write(text);
        assert!(gate.reload.read().await);
        assert_eq!(gate.asks(&bearer).await, 200);
        assert_eq!(asked.load(Ordering::SeqCst), times, "{text}");
    }
    private(&folder.path().join("client.secret"), "second");
    assert!(looked(&mut gate.reload).await);
    assert_eq!(gate.asks(&bearer).await, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 3, "the new secret is shown");
}

#[tokio::test]
async fn who_has_used_up_a_limit_has_used_it_up_after_a_reload() {
    let (folder, service) = (tempfile::tempdir().unwrap(), mirror().await);
    let text = format!(
        "[[upstreams]]\nname = \"service\"\nurls = [\"http://{}\"]\n[[routes]]\npath = \"/\"\npublic = true\n\
         upstream = \"service\"\nrate_limit = {{ requests = 1, per = \"1h\" }}\n",
        service.address
    );
    let gate = Gate::start(folder.path(), &text).await;
    assert_eq!([gate.asks("").await, gate.asks("").await], [200, 429]);
    // Others come before it, and more is said of it.
    let moved = text.replace(
        "[[routes]]",
        "[[routes]]\npath = \"/first\"\npublic = true\nupstream = \"service\"\n[[routes]]\nwebsocket = true",
    );
    let wider = moved.replace("requests = 1", "requests = 2");
    // The same requests, said in two ways.
    let said = |hosts: &str, methods: &str| {
        text.replace(
            "path = \"/\"",
            &format!("path = \"/\"\nhosts = {hosts}\nmethods = {methods}"),
        )
    };
    // Of the same path, and not of the same requests.
    let below = "path = \"/\"\npublic = true\n";
    let exact = format!("{below}exact = true\n");
    let both = format!(
        "{}{}",
        text.replace(below, &exact),
        &text[text.find("[[routes]]").unwrap()..]
    );
    for (text, statuses) in [
        (&moved, [429, 429]),
        (&both, [200, 429]),
        (&text, [429, 429]),
        (&said("[\"x\", \"Y.test\"]", "[\"GET\", \"POST\"]"), [200, 429]),
        (&said("[\"y.test\", \"X\"]", "[\"POST\", \"GET\"]"), [429, 429]),
        (&wider, [200, 200]),
    ] {
        gate.write(text);
        assert!(gate.reload.read().await);
        assert_eq!([gate.asks("").await, gate.asks("").await], statuses, "{text}");
    }
}

#[tokio::test]
async fn whoever_guesses_tokens_is_slowed_after_a_reload_too() {
    let (folder, service) = (tempfile::tempdir().unwrap(), mirror().await);
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    let text = format!(
        "[tokens]\naudience = {AUDIENCE:?}\nfailure_limit = {{ requests = 1, per = \"1h\" }}\n\
         [[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n\
         [[upstreams]]\nname = \"service\"\nurls = [\"http://{}\"]\n[[routes]]\npath = \"/\"\nupstream = \"service\"\n",
        service.address
    );
    let gate = Gate::start(folder.path(), &text).await;
    let guessed = "Authorization: Bearer x.y.z\r\n";
    assert_eq!([gate.asks(guessed).await, gate.asks(guessed).await], [401, 429]);
    gate.write(&text.replace("[tokens]", "[tokens]\nleeway = \"10s\""));
    assert!(gate.reload.read().await);
    assert_eq!(gate.asks(guessed).await, 429);
}

#[tokio::test]
async fn a_reload_loses_no_service_while_its_authorization_server_is_away() {
    let (bundled, folder) = (bundled().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    let authority = Authority::new("internal");
    fs::copy(authority.file("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let service = mirror().await;
    let text = bundled.text("").replace("/inner", "/");
    let text = text.replace("{service}", &service.address.to_string());
    let gate = Gate::start(folder.path(), &text).await;
    let token = bundled
        .signer_at(TestClock::at(NOW), "orders")
        .authorization("edge");
    let header = format!("Authorization: {}\r\n", token.unwrap().to_str().unwrap());
    assert_eq!(gate.asks(&header).await, 200);
    bundled.falls_silent();
    let longer = text.replace("[tokens]", "[tokens]\nleeway = \"10s\"");
    // Whom else a new authority would vouch for nobody knows: the bundle is asked for anew.
    let others = longer.replace("[tokens]", "[tokens]\nroot_certificates_file = \"ca.pem\"");
    for (text, taken) in [(&longer, true), (&others, false), (&text, true)] {
        gate.write(text);
        assert_eq!(gate.reload.read().await, taken, "{text}");
        assert_eq!(gate.asks(&header).await, 200, "{text}");
    }
}

#[tokio::test]
async fn what_was_spent_stays_so_when_other_certificates_are_trusted() {
    let (bundled, folder) = (bundled().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    let authority = Authority::new("internal");
    fs::copy(authority.file("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let service = mirror().await;
    let text = bundled.text("").replace("/inner", "/");
    let text = text.replace("{service}", &service.address.to_string());
    let gate = Gate::start(folder.path(), &text).await;
    let orders = bundled.signer_at(TestClock::at(NOW), "orders");
    let token = orders.authorization("edge").unwrap();
    let token = token.to_str().unwrap();
    let post = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
    );
    let posted = async || Answer::read(&talk(gate.running.address, &post).await).status;
    assert_eq!(posted().await, 200);
    gate.write(&text.replace("[tokens]", "[tokens]\nroot_certificates_file = \"ca.pem\""));
    assert!(gate.reload.read().await);
    assert_eq!(posted().await, 401);
}

/// A route for services, of an audience of its own.
fn of_audience(name: &str) -> String {
    format!(
        "[[routes]]\npath = \"/{name}\"\naudience = \"https://{name}.test\"\ncallers = [\"orders\"]\nupstream = \"service\"\n"
    )
}

#[tokio::test]
async fn what_one_audience_learns_of_services_all_know_and_new_ones_too() {
    let (bundled, folder) = (bundled().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    let service = mirror().await;
    let text = bundled.text("").replace("/inner", "/");
    let text = text.replace("{service}", &service.address.to_string());
    let idle: String = ["a", "b", "c", "d", "e"].map(of_audience).concat();
    let text = format!("{text}{idle}");
    let gate = Gate::start(folder.path(), &text).await;
    let orders = bundled.signer_at(TestClock::at(NOW), "orders");
    let token = orders.authorization("edge").unwrap();
    let header = format!("Authorization: {}\r\n", token.to_str().unwrap());
    assert_eq!(gate.asks_at("/a", &header).await, 200);
    // It was disabled, which the first one hears of whom somebody asks.
    bundled.publish(2, &["mail"], &bundled.orders);
    gate.clock.wait(Duration::from_secs(70));
    assert_eq!(gate.asks(&header).await, 401);
    bundled.falls_silent();
    assert_eq!(gate.asks_at("/a", &header).await, 401);
    gate.write(&text.replace("/e", "/renamed").replace("//e.", "//renamed."));
    assert!(gate.reload.read().await);
    assert_eq!(gate.asks_at("/renamed", &header).await, 401);
}

#[tokio::test]
async fn a_reload_is_not_refused_for_services_of_whom_nobody_knew() {
    let (bundled, folder) = (bundled().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    let authority = Authority::new("internal");
    fs::copy(authority.file("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let service = mirror().await;
    let text = bundled.text("").replace("/inner", "/");
    let text = text.replace("{service}", &service.address.to_string());
    let text = format!("{text}{}", of_audience("other"));
    bundled.falls_silent();
    let gate = Gate::start(folder.path(), &text).await;
    let token = bundled
        .signer_at(TestClock::at(NOW), "orders")
        .authorization("edge");
    let header = format!("Authorization: {}\r\n", token.unwrap().to_str().unwrap());
    assert_eq!(gate.asks(&header).await, 503);
    let others = text.replace("[tokens]", "[tokens]\nroot_certificates_file = \"ca.pem\"");
    gate.write(&others);
    assert!(gate.reload.read().await);
    bundled.publish(1, &["orders"], &bundled.orders);
    gate.clock.wait(Duration::from_secs(2));
    assert_eq!(gate.asks(&header).await, 200);
    bundled.falls_silent();
    // Nothing is lost where nothing is new.
    gate.write(&others.replace("requests = 2", "requests = 3"));
    assert!(gate.reload.read().await);
    gate.write(&text);
    assert!(!gate.reload.read().await);
    assert_eq!(gate.asks(&header).await, 200);
    let lost = format!("the bundle of services of {} would be lost", bundled.url);
    assert!(crate::log::lines().contains(&lost));
}

#[tokio::test]
async fn a_feed_that_cannot_be_heard_is_taken_where_nobody_is_answered_yet() {
    let (bundled, folder) = (bundled().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    private(&folder.path().join("feed.secret"), "secret");
    let service = mirror().await;
    let text = bundled.text("").replace("/inner", "/");
    let text = text.replace("{service}", &service.address.to_string());
    let gate = Gate::start(folder.path(), &text).await;
    let token = bundled
        .signer_at(TestClock::at(NOW), "orders")
        .authorization("edge");
    let header = format!("Authorization: {}\r\n", token.unwrap().to_str().unwrap());
    assert_eq!(gate.asks(&header).await, 200);
    let feed = "revocations = { client_id = \"edge\", client_secret_file = \"feed.secret\", url = \"http://127.0.0.1:9/\" }";
    let stranger = "issuer = \"https://new.test\"\njwks_file = \"jwks.json\"";
    let of_services = format!("issuer = {:?}", bundled.url);
    for (issuer, taken) in [(of_services.as_str(), false), (stranger, true)] {
        gate.write(&text.replace(
            "[[issuers]]",
            &format!("[[issuers]]\n{issuer}\n{feed}\n[[issuers]]"),
        ));
        assert_eq!(gate.reload.read().await, taken, "{issuer}");
        assert_eq!(gate.asks(&header).await, 200, "{issuer}");
    }
}

/// Two looks: what is being written is not read.
pub(crate) async fn looked(reload: &mut Reload) -> bool {
    reload.look_again().await || reload.look_again().await
}
