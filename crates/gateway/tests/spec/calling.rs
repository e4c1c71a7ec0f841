//! Services that call through the gateway with tokens of their own.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use carnet_client::service_signer::ServiceSigner;
use carnet_guard::testing::TestClock;
use carnet_guard::{FromGateway, Refused};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, Signer, TokenType};
use carnet_oauth::service_token::{self, BUNDLE_TYPE, BundledService, ServiceBundle};
use http::{HeaderValue, Method, Request};
use serde_json::json;

use crate::harness::{Harness, ISSUER, NOW, Running, mirror};

/// An authorization server that says whose keys count.
pub(crate) struct Bundled {
    running: Running,
    pub(crate) url: String,
    pub(crate) orders: AnySigningKey,
    own: AnySigningKey,
    pages: Arc<Mutex<[String; 3]>>,
}

pub(crate) async fn bundled() -> Bundled {
    let own = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let orders = AnySigningKey::generate(Algorithm::Es256).unwrap();
    let set = KeySet::new(vec![(Some("as".to_owned()), own.verifying_key())]).unwrap();
    let pages: Arc<Mutex<[String; 3]>> = Arc::default();
    let page = |at: usize| {
        get(async move |State(pages): State<Arc<Mutex<[String; 3]>>>| pages.lock().unwrap()[at].clone())
    };
    let routes = Router::new()
        .route("/.well-known/oauth-authorization-server", page(0))
        .route("/jwks", page(1))
        .route("/services/bundle", page(2))
        .with_state(pages.clone());
    let running = Running::start(routes).await;
    let url = format!("http://{}", running.address);
    *pages.lock().unwrap() = [
        json!({ "issuer": url, "jwks_uri": format!("{url}/jwks"), "response_types_supported": [] })
            .to_string(),
        set.to_jwks_json().unwrap(),
        String::new(),
    ];
    let bundled = Bundled {
        running,
        url,
        orders,
        own,
        pages,
    };
    bundled.publish(1, &["orders", "mail"], &bundled.orders);
    bundled
}

impl Bundled {
    /// From now on these are the services, all with this key.
    pub(crate) fn publish(&self, sequence: i64, names: &[&str], key: &AnySigningKey) {
        let service = |name: &&str| BundledService {
            iss: service_token::id(&self.url, name),
            name: (*name).to_owned(),
            keys: vec![serde_json::to_value(key.verifying_key().to_jwk().unwrap().with_kid(name)).unwrap()],
            calls: vec!["edge".to_owned()],
        };
        let bundle = ServiceBundle {
            iss: self.url.clone(),
            iat: NOW,
            exp: NOW + 3600,
            sequence,
            refresh_hint: 60,
            part: 1,
            parts: 1,
            services: names.iter().map(service).collect(),
        };
        self.pages.lock().unwrap()[2] = self.signs(BUNDLE_TYPE).sign(&bundle).unwrap();
    }

    /// From now on it says nothing of its services.
    pub(crate) fn falls_silent(&self) {
        self.pages.lock().unwrap()[2].clear();
    }

    /// Signs as the authorization server.
    pub(crate) fn signs(&self, typ: &'static str) -> Signer {
        let key = AnySigningKey::from_jwk(self.own.to_jwk_private().unwrap().as_ref()).unwrap();
        Signer::new(key, TokenType::Other(typ), Some("as".to_owned())).unwrap()
    }

    async fn harness(&self) -> Harness {
        self.harness_with("").await
    }

    /// With these lines more in `[services]`.
    async fn harness_with(&self, lines: &str) -> Harness {
        Harness::written(&self.text(lines), mirror().await).await
    }

    pub(crate) fn text(&self, lines: &str) -> String {
        assert!(self.running.address.port() > 0);
        format!(
            "[tokens]\naudience = \"https://api.test\"\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n\
             [services]\nissuer = {:?}\nname = \"edge\"\nonce = true\n{lines}{ROUTES}",
            self.url
        )
    }

    /// It signs who asks, for a service that it calls billing.
    async fn signing(&self) -> Harness {
        let text = self.text("").replace(
            "name = \"service\"",
            "name = \"service\"\nassertion_audience = \"billing\"",
        );
        let own = "[assertion]\nissuer = \"https://gateway.test\"\nkey_file = \"assertion.pem\"\n";
        Harness::written(&format!("{text}{own}"), mirror().await).await
    }

    fn signer(&self, harness: &Harness, name: &str) -> ServiceSigner {
        self.signer_at(harness.clock.clone(), name)
    }

    pub(crate) fn signer_at(&self, clock: TestClock, name: &str) -> ServiceSigner {
        let key = AnySigningKey::from_jwk(self.orders.to_jwk_private().unwrap().as_ref()).unwrap();
        ServiceSigner::with_clock(&self.url, name, (key, name.to_owned()), clock).unwrap()
    }

    pub(crate) fn header(&self, harness: &Harness, name: &str, audience: &str) -> String {
        let mut request = Request::get("/").body(()).unwrap();
        self.signer(harness, name).attach(&mut request, audience).unwrap();
        line(&request.headers()["authorization"])
    }

    /// For one request alone.
    fn bound(&self, harness: &Harness, method: Method, url: &str) -> String {
        let signer = self.signer(harness, "orders");
        line(&signer.bound_authorization("edge", &method, url).unwrap())
    }
}

fn line(authorization: &HeaderValue) -> String {
    format!("Authorization: {}\r\n", authorization.to_str().unwrap())
}

const ROUTES: &str = r#"
    [[upstreams]]
    name = "service"
    urls = ["http://{service}"]
    [[routes]]
    path = "/inner"
    callers = ["orders"]
    upstream = "service"
    [[routes]]
    path = "/both"
    callers = ["orders"]
    or_users = true
    require = ["scope:read:orders"]
    rate_limit = { requests = 2, per = "1h" }
    upstream = "service"
    [[routes]]
    path = "/users"
    upstream = "service"
"#;

#[tokio::test]
async fn a_route_is_for_the_services_that_it_names_and_the_service_behind_it_is_told_which() {
    let bundled = bundled().await;
    let harness = bundled.harness().await;
    let orders = bundled.header(&harness, "orders", "edge");
    let mail = bundled.header(&harness, "mail", "edge");
    let astray = bundled.header(&harness, "orders", "mail");
    let user = "Authorization: Bearer {token}\r\n";
    let spoofed = "X-Calling-Service: admin\r\nX_Calling_Service: admin\r\nX-User-ID: admin\r\n";
    for path in ["/inner", "/both"] {
        let seen = harness.get(path, &format!("{orders}{spoofed}")).await.seen();
        assert_eq!(seen.folded("X-Calling-Service"), ["orders"]);
        assert_eq!(
            (seen.header("X-User-ID"), seen.header("Authorization")),
            (None, None)
        );
    }
    let seen = harness.get("/both", &format!("{user}{spoofed}")).await.seen();
    assert!(seen.folded("X-Calling-Service").is_empty());
    assert_eq!(seen.header("X-User-ID").as_deref(), Some("user_1"));
    for (path, headers, status) in [
        ("/inner", mail.as_str(), 403),
        ("/inner", astray.as_str(), 401),
        ("/inner", user, 401),
        ("/inner", "", 401),
        ("/both", mail.as_str(), 403),
        ("/users", orders.as_str(), 401),
    ] {
        assert_eq!(harness.get(path, headers).await.status, status, "{path}");
    }
    let lines = crate::log::lines();
    assert!(
        lines
            .lines()
            .any(|line| line.contains("path=\"/inner\"") && line.contains("client_id=\"orders\""))
    );
}

#[tokio::test]
async fn a_service_is_counted_as_one_caller_and_spends_a_token_where_something_may_change() {
    let bundled = bundled().await;
    let harness = bundled.harness().await;
    for status in [200, 200, 429] {
        let headers = bundled.header(&harness, "orders", "edge");
        assert_eq!(harness.get("/both", &headers).await.status, status);
    }
    let headers = bundled.header(&harness, "orders", "edge");
    let post =
        format!("POST /inner HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{headers}Connection: close\r\n\r\n");
    for status in [200, 401] {
        assert_eq!(
            crate::harness::Answer::read(&harness.talk(&post).await).status,
            status
        );
    }
}

#[tokio::test]
async fn a_token_is_spent_once_however_many_audiences_there_are() {
    let bundled = bundled().await;
    let second = "[[routes]]\npath = \"/second\"\naudience = \"https://second.test\"\ncallers = [\"orders\"]\nupstream = \"service\"\n";
    let harness = Harness::written(&format!("{}{second}", bundled.text("")), mirror().await).await;
    let headers = bundled.header(&harness, "orders", "edge");
    for (path, status) in [("/inner", 200), ("/second", 401)] {
        let post = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{headers}Connection: close\r\n\r\n"
        );
        let answer = crate::harness::Answer::read(&harness.talk(&post).await);
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_token_that_names_a_request_passes_with_that_one_alone() {
    let bundled = bundled().await;
    let harness = bundled.harness().await;
    let url = "https://api.test/inner/a";
    let other = bundled.bound(&harness, Method::GET, "https://api.test/inner/b");
    let post = bundled.bound(&harness, Method::POST, url);
    for (headers, status) in [
        (bundled.bound(&harness, Method::GET, url), 200),
        (other, 401),
        (post, 401),
    ] {
        assert_eq!(harness.get("/inner/a?x=1", &headers).await.status, status);
    }
    // In the spelling that is forwarded, whatever came.
    let headers = bundled.bound(&harness, Method::GET, url);
    assert_eq!(harness.get("/inner/x/../a", &headers).await.status, 200);
    let unbound = bundled.header(&harness, "orders", "edge");
    assert_eq!(harness.get("/inner/a", &unbound).await.status, 200);

    let strict = bundled
        .harness_with("bound = true\ninternal_url = \"http://edge.internal:8081\"\n")
        .await;
    let unbound = bundled.header(&strict, "orders", "edge");
    let outside = bundled.bound(&strict, Method::GET, url);
    let inside = bundled.bound(&strict, Method::GET, "http://edge.internal:8081/inner/a");
    for (headers, status) in [(unbound, 401), (outside, 401), (inside, 200)] {
        assert_eq!(strict.get("/inner/a", &headers).await.status, status);
    }
}

#[tokio::test]
async fn gw_12_a_service_behind_the_gateway_knows_by_its_signature_which_service_calls() {
    let bundled = bundled().await;
    let harness = bundled.signing().await;
    let keys = harness.get(carnet_gateway::assertion::JWKS_PATH, "").await.body;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwks.json"), keys).unwrap();
    let guard = FromGateway::assertion("https://gateway.test", "billing");
    let guard = guard
        .jwks_file(folder.path().join("jwks.json"))
        .clock(harness.clock.clone());
    let guard = guard.build().await.unwrap();
    let told = async |path: &str, headers: &str| {
        let seen = harness.get(path, headers).await.seen();
        let [assertion] = seen.folded("X-Identity-Assertion").try_into().unwrap();
        let request = Request::get("/").header("X-Identity-Assertion", assertion);
        request.body(()).unwrap().into_parts().0
    };
    let names = |name: &str| [name.to_owned()];
    for path in ["/inner", "/both"] {
        let orders = bundled.header(&harness, "orders", "edge");
        let forged = "X-Identity-Assertion: x\r\nX_Identity_Assertion: x\r\n";
        let request = told(path, &format!("{orders}{forged}")).await;
        let caller = guard.check_caller(&request, &names("orders")).await.unwrap();
        assert_eq!(
            (caller.name(), caller.id()),
            ("orders", service_token::id(&bundled.url, "orders").as_str())
        );
        // No longer than the token that it stands for.
        assert!(caller.expires().unwrap() <= NOW + 60);
        let elsewhere = guard.check_caller(&request, &names("mail")).await;
        assert_eq!(elsewhere.unwrap_err(), Refused::InsufficientScope(None));
        assert_eq!(
            guard.check(&request).await.unwrap_err(),
            Refused::CallerNotBelieved
        );
    }
    let request = told("/both", "Authorization: Bearer {token}\r\n").await;
    assert_eq!(guard.check(&request).await.unwrap().sub(), "user_1");
    let user = guard.check_caller(&request, &names("orders")).await;
    assert_eq!(user.unwrap_err(), Refused::CallerNotBelieved);
}
