//! What the operator reads in the log of `carnet serve`.

use serde_json::Value;

use crate::support::{Carnet, Engine};

#[tokio::test(flavor = "multi_thread")]
async fn the_line_that_says_why_a_client_failed_has_a_code_and_the_id_of_its_request() {
    let carnet = Carnet::start(Engine::Sqlite, "").await;
    let call = reqwest::Client::new().post(format!("{}/oauth/token", carnet.base));
    let reply = call
        .basic_auth("nobody", Some("wrong"))
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 401);
    let id = reply.headers()["x-request-id"].to_str().unwrap().to_owned();
    let log = carnet.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_it: Vec<Value> = lines
        .filter(|line| line["fields"]["request.id"] == id.as_str())
        .collect();
    let codes: Vec<&Value> = of_it.iter().map(|line| &line["fields"]["code"]).collect();
    assert_eq!(codes, ["invalid_client", "invalid_client"], "{log}");
    let why = of_it[0]["message"].as_str().unwrap();
    assert!(why.contains("there is no such client"), "{log}");
}
