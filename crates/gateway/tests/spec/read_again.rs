//! Files that the configuration names: another content is taken when it is noticed, and a bad one changes nothing.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

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

use crate::harness::{AUDIENCE, Answer, NOW, Running, at, mirror, talk};
use crate::upstream_tls::{Authority, private, service};

/// A gateway, and what looks at its files.
struct Gate {
    reload: Reload,
    running: Running,
}

impl Gate {
    /// Of the file `gateway.toml` in this folder, which is written now.
    async fn start(folder: &Path, text: &str) -> Self {
        let file = folder.join("gateway.toml");
        fs::write(&file, format!("[listen]\naddress = \"127.0.0.1:0\"\n{text}")).unwrap();
        let clock = Arc::new(TestClock::at(NOW));
        let config = load::load(&file).unwrap();
        let gateway = Gateway::new(Site::build(&config, clock.clone(), None).await.unwrap());
        let server = Server::bind(gateway.clone(), &config).await.unwrap();
        let address = at(server.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(None, async { drop(stopped.await) }));
        Self {
            reload: Reload::new(gateway, file, clock),
            running: Running { address, _stop: stop },
        }
    }

    async fn asks(&self, headers: &str) -> u16 {
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
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

/// Two looks: what is being written is not read.
async fn looked(reload: &mut Reload) -> bool {
    reload.look_again().await || reload.look_again().await
}
