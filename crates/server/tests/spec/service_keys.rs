//! Services: whose keys the server publishes, for how long, and by whose signature.

use std::sync::Arc;
use std::time::Duration;

use carnet_client::clock::Clock;
use carnet_client::service_signer::ServiceSigner;
use carnet_jose::{Algorithm, AnySigningKey, Error, KeySet, TokenType, Verifier};
use carnet_oauth::client_auth::{AuthMethod, JWT_BEARER};
use carnet_oauth::grant_type::GrantType;
use carnet_oauth::service_token::ServiceBundle;
use carnet_server::clock::{Clock as _, FrozenClock};
use carnet_server::config::Client;
use carnet_store::{AuditAction, ClientState, NewAudit, Reason};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client_auth::TOKEN;
use crate::harness::{Reply, Server, days};
use crate::revocations::{behind, told};

const ISSUER: &str = "https://auth.example.com";
const BUNDLE: &str = "/services/bundle";

/// The client `jwtc` of the configuration file is a service.
async fn start() -> Server {
    Server::replacing(&AS_SERVICE).await
}

const AS_SERVICE: [(&str, &str); 1] = [(
    "id = \"jwtc\"",
    "id = \"jwtc\"\nservice = true\ncalls = [\"mail\"]",
)];

/// A service that is registered beside the running server, and its private key.
struct Registered {
    name: &'static str,
    private: String,
}

impl Registered {
    async fn at(server: &Server, name: &'static str, change: impl FnOnce(&mut Client)) -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let public = key.verifying_key().to_jwk().unwrap().with_kid("k1");
        let mut client = Client {
            grant_types: vec![GrantType::ClientCredentials],
            auth_method: AuthMethod::PrivateKeyJwt,
            jwks: Some(json!({ "keys": [public] })),
            service: true,
            scope: "read:metrics".parse().unwrap(),
            ..Client::named(name)
        };
        change(&mut client);
        let settings = serde_json::to_string(&client).unwrap();
        let audit = NewAudit::success("cli", AuditAction::ClientCreate, name);
        let added = server
            .app
            .store
            .add_client((name, &settings), None, (server.app_now(), &audit));
        added.await.unwrap();
        Self {
            name,
            private: key.to_jwk_private().unwrap().to_string(),
        }
    }

    fn signer(&self, server: &Server) -> ServiceSigner {
        let key = (AnySigningKey::from_jwk(&self.private).unwrap(), "k1".to_owned());
        ServiceSigner::with_clock(ISSUER, self.name, key, Hands(server.clock.clone())).unwrap()
    }
}

struct Hands(Arc<FrozenClock>);

impl Clock for Hands {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(self.0.now().try_into().unwrap())
    }
}

async fn fetched(server: &Server) -> Reply {
    let reply = server.get(BUNDLE).send().await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply
}

/// What it says, after its signature was checked with what the server publishes.
async fn bundle(server: &Server) -> ServiceBundle {
    let jwks = server.get("/.well-known/jwks.json").send().await;
    let keys = KeySet::from_jwks_json(&jwks.body, &[Algorithm::Es256])
        .unwrap()
        .set;
    let verifier = Verifier::builder(Arc::new(keys))
        .algorithms(&[Algorithm::Es256])
        .token_type(TokenType::Other("services+jwt"))
        .issuer(ISSUER)
        .without_audience_check()
        .build()
        .unwrap();
    let reply = fetched(server).await;
    let text = std::str::from_utf8(&reply.body).unwrap();
    let verified: Result<_, Error> = verifier.verify_owned(text, server.app.now_seconds());
    verified.unwrap().claims
}

async fn names(server: &Server) -> Vec<String> {
    let services = bundle(server).await.services;
    services.into_iter().map(|service| service.name).collect()
}

async fn set_state(server: &Server, name: &str, state: ClientState) {
    let cut = server.cut(Reason::Revoked);
    server
        .app
        .store
        .set_client_state(name, state, &cut)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_bundle_says_whose_keys_count_and_the_server_signs_it() {
    let server = start().await;
    Registered::at(&server, "mail", |_| ()).await;
    let said = bundle(&server).await;
    assert_eq!((said.iss.as_str(), said.part, said.parts), (ISSUER, 1, 1));
    assert_eq!(said.iat, server.app.now_seconds());
    assert_eq!((said.exp - said.iat, said.refresh_hint), (12 * 3_600, 60));
    let [jwtc, mail] = said.services.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!(jwtc.iss, "https://auth.example.com/services/jwtc");
    assert_eq!(
        (jwtc.name.as_str(), jwtc.calls.as_slice()),
        ("jwtc", &["mail".to_owned()][..])
    );
    assert_eq!((mail.name.as_str(), mail.calls.len()), ("mail", 0));
    let reply = fetched(&server).await;
    assert_eq!(reply.header("content-type"), "application/jwt");
    let one = server.get("/services/mail/jwks.json").send().await;
    assert_eq!(one.header("content-type"), "application/jwk-set+json");
    assert_eq!(one.json()["keys"], json!(mail.keys));
}

#[tokio::test]
async fn without_services_the_bundle_is_empty_and_signed_all_the_same() {
    let server = Server::start().await;
    assert_eq!(names(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn its_number_grows_with_every_change_and_its_tag_moves_with_it() {
    let server = start().await;
    let first = bundle(&server).await.sequence;
    let tag = fetched(&server).await.header("etag").to_owned();
    let known = server.get(BUNDLE).header("if-none-match", &tag).send().await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(known.header("etag"), tag);

    Registered::at(&server, "mail", |_| ()).await;
    let second = bundle(&server).await.sequence;
    set_state(&server, "mail", ClientState::Disabled).await;
    let third = bundle(&server).await.sequence;
    assert!(first < second && second < third, "{first} {second} {third}");
    let changed = server.get(BUNDLE).header("if-none-match", &tag).send().await;
    assert_eq!(changed.status, StatusCode::OK);

    // What the configuration file says has another number after each start.
    let restarted = server
        .restarted_with("id = \"jwtc\"", "id = \"jwtc\"\nservice = true")
        .await;
    assert!(bundle(&restarted).await.sequence > third);
}

#[tokio::test]
async fn its_number_grows_at_each_start_with_services_and_when_the_last_one_left_the_file() {
    let server = start().await;
    let first = bundle(&server).await.sequence;
    // Of two nodes the other may have signed its old file under the number until now.
    let same = server.another(&AS_SERVICE).await;
    let second = bundle(&same).await.sequence;
    assert!(second > first);
    assert_eq!(bundle(&server).await.sequence, second);
    let without = server.another(&[]).await;
    let last = bundle(&without).await;
    assert!(last.sequence > second && last.services.is_empty());
    let again = server.another(&[]).await;
    assert_eq!(bundle(&again).await.sequence, last.sequence);
    // Not the service alone is gone, but the client.
    let back = bundle(&server.another(&AS_SERVICE).await).await.sequence;
    let gone = server.another(&[("id = \"jwtc\"", "id = \"other\"")]).await;
    assert!(bundle(&gone).await.sequence > back);
}

#[tokio::test]
async fn a_service_that_is_disabled_or_deleted_leaves_at_once() {
    let server = start().await;
    Registered::at(&server, "mail", |_| ()).await;
    let jwks = async || server.get("/services/mail/jwks.json").send().await.status;
    assert_eq!((names(&server).await.len(), jwks().await), (2, StatusCode::OK));
    set_state(&server, "mail", ClientState::Disabled).await;
    assert_eq!(
        (names(&server).await, jwks().await),
        (vec!["jwtc".to_owned()], StatusCode::NOT_FOUND)
    );
    set_state(&server, "mail", ClientState::Active).await;
    assert_eq!((names(&server).await.len(), jwks().await), (2, StatusCode::OK));
    set_state(&server, "mail", ClientState::Deleted).await;
    assert_eq!(
        (names(&server).await.len(), jwks().await),
        (1, StatusCode::NOT_FOUND)
    );
}

#[tokio::test]
async fn only_services_are_published() {
    let server = start().await;
    Registered::at(&server, "batch", |client| client.service = false).await;
    assert_eq!(names(&server).await, ["jwtc"]);
    for name in ["batch", "web", "nobody", "first-party", "%2e%2e", "jwtc%00"] {
        let reply = server.get(&format!("/services/{name}/jwks.json")).send().await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::NOT_FOUND, "service_unknown"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn jk_01_nothing_private_is_published() {
    let server = start().await;
    let told = |key: &Value| {
        let members: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
        assert!(
            members
                .iter()
                .all(|name| ["kty", "crv", "x", "y", "kid", "use", "alg"].contains(&name.as_str())),
            "{members:?}"
        );
    };
    bundle(&server).await.services[0].keys.iter().for_each(told);
    let one = server.get("/services/jwtc/jwks.json?private=true").send().await;
    one.json()["keys"].as_array().unwrap().iter().for_each(told);
    // Who calls itself a service and has no key that others can tell is none.
    let odd = |kid: Option<&'static str>, algorithm| {
        move |client: &mut Client| {
            let key = AnySigningKey::generate(algorithm)
                .unwrap()
                .verifying_key()
                .to_jwk()
                .unwrap();
            let key = kid.into_iter().fold(key, |key, kid| key.with_kid(kid));
            client.jwks = Some(json!({ "keys": [key] }));
        }
    };
    Registered::at(&server, "nameless", odd(None, Algorithm::Es256)).await;
    Registered::at(&server, "other", odd(Some("k"), Algorithm::Es384)).await;
    assert_eq!(names(&server).await, ["jwtc"]);
}

#[tokio::test]
async fn jk_02_it_is_signed_anew_with_the_next_key_and_before_it_is_old() {
    let server = start().await;
    let first = bundle(&server).await;
    server.wait(Duration::from_secs(6 * 3_600 - 1)).await;
    assert_eq!(
        bundle(&server).await.iat,
        first.iat,
        "the same one, with half of its life left"
    );
    server.wait(Duration::from_secs(1)).await;
    assert_eq!(bundle(&server).await.iat, server.app.now_seconds());
    // Through a rotation it is always signed by a key that is published.
    for _ in 0..4 {
        server.wait(days(45)).await;
        bundle(&server).await;
    }
}

#[tokio::test]
async fn a_service_proves_itself_to_the_server_by_the_key_of_its_tokens() {
    let server = start().await;
    let signer = Registered::at(&server, "mail", |_| ()).await.signer(&server);
    let assertion = signer.client_assertion().unwrap();
    let ask = async |assertion: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        server.post(TOKEN).form(&fields).send().await
    };
    let reply = ask(&assertion).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    // In the server's own tokens it has its plain name; in those that it signs itself, a URL.
    assert_eq!(crate::harness::claims(&token)["sub"], "mail");
    assert_eq!(signer.id(), "https://auth.example.com/services/mail");
    // CA: an assertion counts once.
    assert_eq!(ask(&assertion).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_same_key_signs_the_assertion_of_the_jwt_bearer_grant() {
    let server = start().await;
    let grant_types = vec![GrantType::JwtBearer];
    let mail = Registered::at(&server, "mail", |client| client.grant_types = grant_types).await;
    let signer = mail.signer(&server);
    let ask = async |assertion: &str| {
        let fields = [
            ("grant_type", GrantType::JwtBearer.name()),
            ("assertion", assertion),
        ];
        server.post(TOKEN).form(&fields).send().await
    };
    let assertion = signer.grant_assertion().unwrap();
    let reply = ask(&assertion).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(crate::harness::claims(&token)["sub"], "mail");
    // Once; and neither what proves the client nor what it tells another service is a grant.
    let header = signer.authorization("jwtc").unwrap();
    let own_token = header
        .to_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned();
    for other in [assertion, signer.client_assertion().unwrap(), own_token] {
        let reply = ask(&other).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
        );
    }
}

#[tokio::test]
async fn jwt_17_a_services_token_opens_nothing_at_the_server() {
    let server = start().await;
    let signer = Registered::at(&server, "mail", |_| ()).await.signer(&server);
    let header = signer.authorization("jwtc").unwrap();
    let token = header
        .to_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned();
    for token in [
        token.clone(),
        String::from_utf8(fetched(&server).await.body.to_vec()).unwrap(),
    ] {
        for path in ["/auth/me", "/userinfo"] {
            let reply = server.get(path).bearer(&token).send().await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path} {reply:?}");
        }
        assert!(!server.is_active(&token).await);
    }
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", token.as_str()),
    ];
    let reply = server.post(TOKEN).form(&fields).send().await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
}

#[tokio::test]
async fn gw_13_the_feed_says_which_bundle_of_services_counts() {
    let server = Server::start().await;
    let number = async || bundle(&server).await.sequence;
    let first = told(&server, "").await;
    assert_eq!(first.services, number().await);
    Registered::at(&server, "late", |_| ()).await;
    // Nothing was taken back, and yet there is something to tell: at once for whoever says what it knows, however long it would wait.
    let behind = behind(&first);
    let next = told(&server, &format!("{behind}&services={}&wait=30", first.services)).await;
    assert_eq!((next.services, next.cursor), (number().await, first.cursor));
    assert!(next.services > first.services);
    set_state(&server, "late", ClientState::Disabled).await;
    let last = told(&server, &behind).await;
    assert_eq!(last.services, number().await);
    assert!(
        last.services > next.services && last.entries.len() == 1,
        "{last:?}"
    );
}
