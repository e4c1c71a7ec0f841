//! The example `behind-gateway` whole: the built binary as server and as gateway, and the service behind it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use carnet_jose::dangerous;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{Browser, Carnet, Engine, binary, free_port, run};

const CONFIG: &str = include_str!("../../../../examples/behind-gateway/gateway.toml");

/// Killed when it is dropped.
struct Gateway {
    child: Child,
    base: String,
}

impl Gateway {
    async fn start(folder: &Path, issuer: &str, service: u16) -> Self {
        let port = free_port();
        let mut generate = Command::new(binary());
        let what = ["jwk", "generate", "--algorithm", "ES256", "--format", "pem"];
        generate.args(what).arg("--out").arg(folder.join("assertion.pem"));
        let made = run(generate, "");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let text = CONFIG
            .replace("http://127.0.0.1:8080", issuer)
            .replace("127.0.0.1:8081", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8082", &format!("127.0.0.1:{service}"));
        let file = folder.join("gateway.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(binary());
        let command = command.args(["gateway", "--config"]).arg(&file);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let gateway = Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        };
        let keys = format!("{}/.well-known/identity-assertion-jwks.json", gateway.base);
        for _ in 0..1_000 {
            if reqwest::get(&keys)
                .await
                .is_ok_and(|reply| reply.status().is_success())
            {
                return gateway;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the gateway did not become ready");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and text of the answer to a GET with these headers.
async fn get(url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut call = reqwest::Client::new().get(url);
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    let reply = call.send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

fn code(answer: &(u16, String)) -> (u16, String) {
    let body: Value = serde_json::from_str(&answer.1).unwrap();
    (answer.0, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_request_arrives_with_its_caller_and_one_past_the_gateway_with_nobody() {
    let carnet = Carnet::start(Engine::Sqlite, "").await;
    carnet.add_user();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = carnet.config();
    let gateway = Gateway::start(config.parent().unwrap(), &carnet.base, port).await;
    let app = behind_gateway::app(&gateway.base).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let token = Browser::new(&carnet.base).log_in().await.access;
    let sub = dangerous::decode(&token).unwrap().payload["sub"].clone();
    let sub = sub.as_str().unwrap();
    let (orders, bearer) = (format!("{}/orders", gateway.base), format!("Bearer {token}"));
    let through = get(&orders, &[("authorization", &bearer), ("x-user-id", "admin")]).await;
    assert!(
        through.0 == 200 && through.1.starts_with(&format!("orders of {sub}, by ")),
        "{through:?}"
    );
    // Rules count as they do with the token itself, and without a token nobody gets so far.
    let late = get(&format!("{orders}/late"), &[("authorization", &bearer)]).await;
    assert_eq!(code(&late), (403, "insufficient_scope".to_owned()));
    assert_eq!(code(&get(&orders, &[]).await), (401, "token_missing".to_owned()));

    let direct = format!("http://127.0.0.1:{port}/orders");
    let forged = [
        ("x-user-id", "admin"),
        ("x-user-roles", "editor"),
        ("authorization", bearer.as_str()),
    ];
    assert_eq!(
        code(&get(&direct, &forged).await),
        (401, "caller_missing".to_owned())
    );
    let instead = get(&direct, &[("x-identity-assertion", &token)]).await;
    assert_eq!(code(&instead), (401, "caller_not_believed".to_owned()));
    assert_eq!(
        get(&format!("http://127.0.0.1:{port}/health"), &[]).await,
        (200, "ok".to_owned())
    );
}
