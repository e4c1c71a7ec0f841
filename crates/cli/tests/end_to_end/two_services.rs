//! The example `two-services` against the built binary, on both engines: a user's call goes to one, from there to the other and back.

use std::path::Path;
use std::process::Command;

use carnet_client::service_signer::ServiceSigner;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use two_services::{BILLING, ORDERS, Service};

use crate::support::{Browser, Carnet, Engine, binary, run};

#[tokio::test(flavor = "multi_thread")]
async fn two_services_call_each_other_for_a_user_and_for_themselves_on_sqlite() {
    whole_path(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_call_each_other_for_a_user_and_for_themselves_on_postgres() {
    whole_path(Engine::Postgres).await;
}

async fn whole_path(engine: Engine) {
    let resources =
        format!("[[resources]]\naudience = \"{ORDERS}\"\n[[resources]]\naudience = \"{BILLING}\"\n");
    let further = format!("[services]\nrefresh_hint = \"1s\"\n[log]\nlevel = \"trace\"\n{resources}");
    let mut carnet = Carnet::prepare(engine, &further).await;
    carnet.launch().await;
    carnet.add_user();
    let orders = register(&carnet, ("orders", ORDERS), ("billing", BILLING));
    let billing = register(&carnet, ("billing", BILLING), ("orders", ORDERS));
    let shown: Value =
        serde_json::from_str(&carnet.command(&["--json", "client", "show", "orders"], "")).unwrap();
    assert_eq!(shown["service_id"], format!("{}/services/orders", carnet.base));

    registry_file_knows_them(&carnet);

    let (at_orders, at_billing) = (listener().await, listener().await);
    let (orders_url, billing_url) = (url(&at_orders), url(&at_billing));
    let service = Service::new(orders, &billing_url).unwrap();
    serve(at_orders, two_services::orders::routes(service).await.unwrap());
    let service = Service::new(billing.clone(), &orders_url).unwrap();
    serve(at_billing, two_services::billing::routes(service).await.unwrap());

    let browser = Browser::new(&carnet.base);
    let user = browser.log_in().await.access;
    let sub = carnet_jose::dangerous::decode(&user).unwrap().payload["sub"].clone();
    let (status, told) = browser
        .get(&format!("{orders_url}/orders/total"), Some(&user))
        .await;
    let expected = json!({ "user": sub, "billing": { "user": sub, "actors": ["orders"],
        "orders": { "user": sub, "actors": ["billing", "orders"], "orders": ["7"] },
        "told": { "order": "7", "by": "billing" } } });
    assert_eq!((status, told), (200, expected));

    // A user's token is for orders alone, and opens nothing that is for services.
    assert_eq!(
        browser
            .get(&format!("{billing_url}/invoices"), Some(&user))
            .await
            .0,
        401
    );
    let paid = format!("{orders_url}/orders/7/paid");
    assert_eq!(post(&paid, &format!("Bearer {user}")).await, 401);
    let own = || billing.clone().authorization("orders").unwrap();
    assert_eq!(post(&paid, own().to_str().unwrap()).await, 200);

    // Disabled: its own tokens end with the next look at the bundle, and it gets no others.
    carnet.command(&["client", "disable", "billing"], "");
    let fresh = ServiceSigner::from_file(&carnet.base, "billing", &key_file(&carnet, "billing")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let header = fresh.authorization("orders").unwrap();
    assert_eq!(post(&paid, header.to_str().unwrap()).await, 401);
    assert_eq!(
        browser
            .get(&format!("{orders_url}/orders/total"), Some(&user))
            .await
            .0,
        502
    );
    let log = carnet.log();
    assert!(
        !log.contains(&user) && !log.contains(header.to_str().unwrap()),
        "lk_02: a token is in the log"
    );
}

fn registry_file_knows_them(carnet: &Carnet) {
    let exported = carnet.command(&["export"], "");
    assert!(
        exported.contains("service = true") && exported.contains("calls = [\"billing\"]"),
        "{exported}"
    );
    let plan = carnet.command(&["--json", "apply", "-", "--dry-run", "--prune"], &exported);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["changes"], json!([]), "{plan}");
}

/// Makes the service's key, registers its public half, and signs with it.
fn register(carnet: &Carnet, (name, audience): (&str, &str), (other, next): (&str, &str)) -> ServiceSigner {
    let private = key_file(carnet, name);
    let public = private.with_extension("public.jwk");
    let mut generate = Command::new(binary());
    generate
        .args(["jwk", "generate", "--algorithm", "ES256", "--out"])
        .arg(&private)
        .arg("--public-out")
        .arg(&public);
    let made = run(generate, "");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let keys = public.to_str().unwrap();
    let who = [
        "client",
        "add",
        name,
        "--service",
        "--jwks",
        keys,
        "--calls",
        other,
    ];
    let what = ["--grant-type", "token_exchange", "--exchange-audience", audience];
    let whom = ["--audience", next, "--scope", "read:orders"];
    carnet.command(&[&who[..], &what, &whom].concat(), "");
    ServiceSigner::from_file(&carnet.base, name, &private).unwrap()
}

fn key_file(carnet: &Carnet, name: &str) -> std::path::PathBuf {
    let config = carnet.config();
    config
        .parent()
        .unwrap_or(Path::new("."))
        .join(format!("{name}.jwk"))
}

fn serve(listener: TcpListener, routes: axum::Router) {
    tokio::spawn(async move { axum::serve(listener, routes).await });
}

async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}

fn url(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}

async fn post(url: &str, authorization: &str) -> u16 {
    let call = reqwest::Client::new()
        .post(url)
        .header("authorization", authorization);
    call.send().await.unwrap().status().as_u16()
}
