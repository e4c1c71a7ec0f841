//! A client that registered itself is no file's to say.

use carnet_store::NewRegistration;

use super::*;

#[tokio::test]
async fn a_client_that_registered_itself_is_neither_written_nor_pruned_nor_changed() {
    let store = memory().await;
    let itself = NewRegistration {
        client_id: "itself".to_owned(),
        settings: serde_json::to_string(&config::Client::named("itself")).unwrap(),
        metadata: "{}".to_owned(),
        secret: None,
        registration_digest: [1; 32],
        initial_digest: None,
    };
    let audit = NewAudit::success("", AuditAction::ClientRegister, "itself");
    store.register_client(&itself, 9, (1, &audit)).await.unwrap();
    let own = "[[clients]]\nid = \"own\"\ngrant_types = [\"authorization_code\"]\nredirect_uris = [\"https://a.example/cb\"]\n";
    apply(&store, own).await;

    let known = store.registry().await.unwrap();
    let exported = registry::text(&registry::exported(&known, true).unwrap()).unwrap();
    assert!(
        exported.contains("\"own\"") && !exported.contains("itself"),
        "{exported}"
    );
    assert_eq!(
        said(&planned("clients = []", &known, true)),
        ["delete client own "]
    );
    let (file, unread) = registry::read(&own.replace("own", "itself"), "f");
    let faults = registry::check(&config(), &known, (&file, &unread, "f"));
    assert_eq!(
        faults.iter().map(|fault| fault.code).collect::<Vec<_>>(),
        ["client_self_registered"]
    );
}
