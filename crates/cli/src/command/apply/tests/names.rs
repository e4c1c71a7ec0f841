//! Names of clients that no new client is given, and that those who have them keep.

use super::*;

fn file(id: &str, scope: &str) -> String {
    format!(
        "[[clients]]\nid = {id:?}\ngrant_types = [\"client_credentials\"]\nauth_method = \"client_secret_basic\"\nscope = \"{scope}\"\n"
    )
}

#[tokio::test]
async fn a_new_client_has_no_name_that_bends_a_path_and_one_that_has_it_goes_on() {
    for id in ["..", "a/b"] {
        let found = faults(&file(id, "read")).await;
        assert_eq!(found, ["f:2:1: id: would mean something else in a URL"], "{id}");
        let store = memory().await;
        let settings = serde_json::to_string(&config::Client {
            grant_types: vec![carnet_oauth::grant_type::GrantType::ClientCredentials],
            auth_method: carnet_oauth::client_auth::AuthMethod::ClientSecretBasic,
            ..config::Client::named(id)
        });
        let (settings, audit) = (
            settings.unwrap(),
            NewAudit::success("", AuditAction::ClientCreate, id),
        );
        let added = store.add_client((id, &settings), Some([1; 32]), (1, &audit));
        added.await.unwrap();
        assert!(
            config::registered(&config(), &settings).is_ok(),
            "the server uses it"
        );
        let known = store.registry().await.unwrap();
        let exported = registry::text(&registry::exported(&known, true).unwrap()).unwrap();
        assert_eq!(said(&planned(&exported, &known, true)), Vec::<String>::new());
        let changed = said(&planned(&file(id, "read"), &known, false));
        assert_eq!(changed, [format!("change client {id} scope")]);
    }
}
