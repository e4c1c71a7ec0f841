//! Spec tests of how many services there may be.

use carnet_jose::{Algorithm, AnySigningKey};
use carnet_oauth::client_auth::AuthMethod;
use carnet_oauth::grant_type::GrantType;
use carnet_server::app::App;
use carnet_server::config::Client;
use carnet_store::{AuditAction, NewAudit};
use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn more_services_than_the_bundle_holds_keep_nobody_from_logging_in() {
    let server = Server::start().await;
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let public = key.verifying_key().to_jwk().unwrap().with_kid("k1");
    let mut client = Client {
        grant_types: vec![GrantType::ClientCredentials],
        auth_method: AuthMethod::PrivateKeyJwt,
        jwks: Some(json!({ "keys": [public] })),
        service: true,
        calls: vec!["x".repeat(64); 100],
        ..Client::named("s")
    };
    for number in 0..1_250 {
        client.id = format!("service-{number}");
        let settings = serde_json::to_string(&client).unwrap();
        let audit = NewAudit::success("cli", AuditAction::ClientCreate, client.id.as_str());
        let told = (server.app_now(), &audit);
        let added = server.app.store.add_client((&client.id, &settings), None, told);
        added.await.unwrap();
    }
    let (config, store) = (server.app.config.clone(), server.app.store.clone());
    let app = App::with_store(config, store, server.clock.clone())
        .await
        .unwrap();
    assert!(!app.directory.services_fit(&app.config));
}
