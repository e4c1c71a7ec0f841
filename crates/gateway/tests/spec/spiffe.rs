//! Workloads that call through the gateway with JWT-SVIDs.

use carnet_gateway::load;
use carnet_jose::{Algorithm, AnySigningKey, Signer, TokenType};
use serde_json::{Value, json};

use crate::harness::{Harness, ISSUER, Issuer, NOW, mirror};

pub(crate) const ORDERS: &str = "spiffe://example.org/ns/prod/sa/orders";

const ROUTES: &str = r#"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/inner"
    callers = ["spiffe://example.org/ns/prod/sa/orders"]
    upstream = "service"
    [[routes]]
    path = "/both"
    callers = ["spiffe://example.org/ns/prod/sa/orders"]
    or_users = true
    upstream = "service"
    [[routes]]
    path = "/users"
    upstream = "service"
"#;

pub(crate) fn text(lines: &str) -> String {
    format!(
        "[tokens]\naudience = \"https://api.test\"\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{lines}\n{ROUTES}"
    )
}

/// The bundle as SPIRE writes it, in a file, and what signs for it.
pub(crate) fn bundle(folder: &tempfile::TempDir) -> (String, Signer) {
    let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let jwk = key.verifying_key().to_jwk().unwrap().with_kid("jwt-1");
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["use"] = json!("jwt-svid");
    jwk.as_object_mut().unwrap().remove("alg");
    let document = json!({ "keys": [jwk], "spiffe_sequence": 1, "spiffe_refresh_hint": 300 });
    let file = folder.path().join("bundle.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let lines = format!(
        "[spiffe]\naudience = \"edge\"\ntrust_domains = [{{ name = \"example.org\", bundle_file = {file:?} }}]"
    );
    let signer = Signer::new(key, TokenType::Svid, Some("jwt-1".to_owned())).unwrap();
    (lines, signer)
}

pub(crate) fn svid(signer: &Signer, sub: &str, aud: &Value) -> String {
    let claims = json!({ "sub": sub, "aud": aud, "iat": NOW, "exp": NOW + 300 });
    format!("Authorization: Bearer {}\r\n", signer.sign(&claims).unwrap())
}

#[tokio::test]
async fn a_route_is_for_the_workloads_that_it_names_and_the_service_behind_it_is_told_which() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, signer) = bundle(&folder);
    let harness = Harness::written(&text(&lines), mirror().await).await;
    let orders = svid(&signer, ORDERS, &json!(["edge"]));
    let spoofed = "X-Calling-Service: admin\r\nX_Calling_Service: admin\r\nX-User-ID: admin\r\n";
    for path in ["/inner", "/both"] {
        let seen = harness.get(path, &format!("{orders}{spoofed}")).await.seen();
        assert_eq!(seen.folded("X-Calling-Service"), [ORDERS]);
        assert_eq!(
            (seen.header("X-User-ID"), seen.header("Authorization")),
            (None, None)
        );
    }
    let user = "Authorization: Bearer {token}\r\n";
    let seen = harness.get("/both", user).await.seen();
    assert_eq!(seen.header("X-User-ID").as_deref(), Some("user_1"));
    let mail = svid(&signer, "spiffe://example.org/ns/prod/sa/mail", &json!("edge"));
    let stranger = svid(&signer, "spiffe://other.test/x", &json!("edge"));
    let astray = svid(&signer, ORDERS, &json!("mail"));
    for (path, headers, status) in [
        ("/users", orders.as_str(), 401),
        ("/inner", user, 401),
        ("/inner", mail.as_str(), 403),
        ("/inner", stranger.as_str(), 401),
        ("/both", stranger.as_str(), 401),
        ("/inner", astray.as_str(), 401),
    ] {
        assert_eq!(harness.get(path, headers).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_caller_that_can_never_come_is_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, _) = bundle(&folder);
    std::fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    for (callers, lines, what) in [
        ("spiffe://other.test/x", lines.as_str(), "trust_domains"),
        ("spiffe://example.org", &lines, "no SPIFFE ID"),
        ("orders", &lines, "[services]"),
        (ORDERS, "", "trust_domains"),
        (
            ORDERS,
            "[spiffe]\naudience = \"edge\"\ntrust_domains = [{ name = \"example.org\" }]",
            "bundle_url",
        ),
    ] {
        let text = text(lines).replace(
            &format!("callers = [{ORDERS:?}]"),
            &format!("callers = [{callers:?}]"),
        );
        let text = text.replace("{service}", "127.0.0.1:9");
        let config = load::parse(&text, &folder.path().join("gateway.toml")).unwrap();
        let clock = std::sync::Arc::new(carnet_guard::testing::TestClock::at(NOW));
        let error = carnet_gateway::site::Site::build(&config, clock, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}
