//! A service behind the gateway that is guarded by `FromGateway`: what one writes, the other reads.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use carnet_guard::testing::TestClock;
use carnet_guard::{Auth, FromGateway, Guard, PeerAddress};
use carnet_jose::{Algorithm, AnySigningKey};
use carnet_listen::PeerAddr;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Answer, Harness, ISSUER, NOW, Running, talk};

const GATEWAY: &str = "https://gateway.test";

fn config(audience: &str) -> String {
    format!(
        r#"
        [[identity]]
        name = "X-User-ID"
        claim = "sub"
        [[identity]]
        name = "X-User-Roles"
        claim = "roles"
        [assertion]
        issuer = "{GATEWAY}"
        key_file = "assertion.pem"
        claims = ["tenant"]
        [[upstreams]]
        name = "service"
        urls = ["http://{{service}}"]
        assertion_audience = "{audience}"
        [[routes]]
        path = "/who"
        upstream = "service"
        [[routes]]
        path = "/open"
        public = true
        upstream = "service"
        "#
    )
}

/// A service that is made after the gateway, whose keys it needs.
#[derive(Clone, Default)]
struct Later(Arc<OnceLock<Router>>);

impl Later {
    async fn start(&self) -> Running {
        Running::start(Router::new().fallback(answer).with_state(self.clone())).await
    }

    fn guard_by(&self, guard: &Guard) {
        let who = async |auth: Auth| {
            let tenant = auth.claim("tenant").unwrap_or_default();
            json!([
                auth.iss(),
                auth.sub(),
                auth.client_id(),
                auth.roles(),
                auth.scopes(),
                tenant
            ])
            .to_string()
        };
        let open = async |auth: Option<Auth>| auth.map_or("nobody".to_owned(), |auth| auth.sub().to_owned());
        let routes = Router::new().route("/who", get(who)).layer(guard.layer());
        let open = Router::new()
            .route("/open", get(open))
            .layer(axum::Extension(guard.clone()));
        self.0.set(routes.merge(open)).unwrap();
    }
}

async fn answer(State(later): State<Later>, mut request: Request) -> Response {
    let peer = request.extensions().get::<PeerAddr>().unwrap().ip().unwrap();
    request.extensions_mut().insert(PeerAddress(peer));
    let router = later.0.get().unwrap().clone();
    router.oneshot(request).await.unwrap()
}

async fn direct(service: SocketAddr, path: &str, headers: &str) -> Answer {
    let text = format!("GET {path} HTTP/1.1\r\nHost: orders\r\n{headers}Connection: close\r\n\r\n");
    Answer::read(&talk(service, &text).await)
}

fn body(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// A gateway, and a service behind it that believes its signature.
async fn signed(audience: &str) -> Harness {
    let later = Later::default();
    let harness = Harness::with(&config(audience), later.start().await).await;
    let jwks = format!(
        "http://{}{}",
        harness.gateway.address,
        carnet_gateway::assertion::JWKS_PATH
    );
    let service = FromGateway::assertion(GATEWAY, "orders").jwks_url(jwks);
    later.guard_by(&service.clock(TestClock::at(NOW)).build().await.unwrap());
    harness
}

#[tokio::test]
async fn a_service_knows_the_caller_by_the_gateways_signature_alone() {
    let harness = signed("orders").await;
    let token = harness.issuer.token(&json!({ "tenant": "red" }));
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let answer = harness.get("/who", &authorization).await;
    assert_eq!(
        body(&answer),
        json!([
            ISSUER,
            "user_1",
            "web",
            ["editor", "reviewer"],
            ["read:orders"],
            "red"
        ])
    );
    // What clients write themselves does not come through.
    let forged =
        "X-User-ID: admin\r\nX_User_ID: admin\r\nX-Identity-Assertion: x\r\nx_identity_assertion: x\r\n";
    let answer = harness.get("/who", &format!("{authorization}{forged}")).await;
    assert_eq!(body(&answer)[1], "user_1");
    assert_eq!(harness.get("/open", forged).await.body, "nobody");
    // Past the gateway nothing helps: no header, and no token of the user.
    for headers in ["", forged, authorization.as_str()] {
        let answer = direct(harness.service.address, "/who", headers).await;
        assert_eq!(answer.status, 401, "{headers}");
    }
    let in_its_place = format!("X-Identity-Assertion: {token}\r\n");
    let answer = direct(harness.service.address, "/who", &in_its_place).await;
    assert_eq!(
        (answer.status, answer.code()),
        (401, "caller_not_believed".to_owned())
    );
    assert!(
        crate::log::lines().contains("caller_not_believed"),
        "and the log says so"
    );
}

#[tokio::test]
async fn what_is_signed_for_one_service_opens_no_other() {
    let harness = signed("billing").await;
    let answer = harness.get("/who", "Authorization: Bearer {token}\r\n").await;
    assert_eq!(
        (answer.status, answer.code()),
        (401, "caller_not_believed".to_owned())
    );
    // The client's token is good: nothing tells it to get another.
    assert!(!answer.head.contains("invalid_token"), "{answer:?}");
}

#[tokio::test]
async fn whatever_a_role_is_called_plain_headers_carry_it_as_it_is() {
    let later = Later::default();
    let harness = Harness::with(&config("orders"), later.start().await).await;
    let guard = FromGateway::plain_headers(["127.0.0.1"]).build().await.unwrap();
    later.guard_by(&guard);
    let names = [
        "a,admin",
        "100%",
        "%2C",
        "Zoë",
        " x",
        "a b",
        "\r\nX-Admin: 1",
        "\u{0}",
        "=;\"",
        "日本",
    ];
    for name in names {
        let token = harness
            .issuer
            .token(&json!({ "sub": name, "roles": [name, "last"] }));
        let answer = harness
            .get("/who", &format!("Authorization: Bearer {token}\r\n"))
            .await;
        assert_eq!(
            body(&answer),
            json!(["", name, "", [name, "last"], [], null]),
            "{name:?}"
        );
    }
    // From this machine everybody is believed: that is what the list says, and why it should not say it.
    let answer = direct(harness.service.address, "/who", "X-User-ID: admin\r\n").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn plain_headers_of_a_peer_that_is_not_listed_are_refused() {
    let later = Later::default();
    let harness = Harness::with(&config("orders"), later.start().await).await;
    later.guard_by(&FromGateway::plain_headers(["10.0.0.7"]).build().await.unwrap());
    for headers in [
        "X-User-ID: admin\r\n",
        "X-User-ID: admin\r\nX-Forwarded-For: 10.0.0.7\r\n",
    ] {
        let answer = direct(harness.service.address, "/who", headers).await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "caller_not_believed".to_owned())
        );
    }
}

#[tokio::test]
async fn claims_that_are_the_assertions_own_are_not_taken_from_the_token() {
    for claim in ["iss", "exp", "sub_id", "cnf"] {
        let text = config("orders").replace("[\"tenant\"]", &format!("[{claim:?}]"));
        assert_eq!(wrong_place(&text).await, "assertion.claims", "{claim}");
    }
}

/// The key of a configuration that cannot be used.
async fn wrong_place(text: &str) -> String {
    let text = text
        .replace("{service}", "x:1")
        .replace("path = \"/who\"", "path = \"/who\"\npublic = true");
    let config = carnet_gateway::load::parse(&text, "g.toml".as_ref()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("assertion.pem");
    let pem = AnySigningKey::generate(Algorithm::Es256)
        .unwrap()
        .to_pkcs8_pem()
        .unwrap();
    assert!(carnet_listen::secret_file::create(&key, pem.as_bytes()).unwrap());
    let mut config = config;
    config.assertion.as_mut().unwrap().key_file = key;
    let built = carnet_gateway::site::Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    built.unwrap_err().place
}

#[tokio::test]
async fn the_next_key_is_published_before_anything_is_signed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let pem = AnySigningKey::generate(Algorithm::Es256)
            .unwrap()
            .to_pkcs8_pem()
            .unwrap();
        assert!(carnet_listen::secret_file::create(&folder.path().join(name), pem.as_bytes()).unwrap());
        format!("{:?}", folder.path().join(name))
    };
    let (own, next) = (key("own.pem"), key("next.pem"));
    let text = config("orders").replace(
        "\"assertion.pem\"",
        &format!("{own}\nother_key_files = [{own}, {next}]"),
    );
    let later = Later::default();
    let harness = Harness::with(&text, later.start().await).await;
    let path = carnet_gateway::assertion::JWKS_PATH;
    let published: Value = serde_json::from_str(&harness.get(path, "").await.body).unwrap();
    assert_eq!(published["keys"].as_array().unwrap().len(), 2, "{published}");
    assert!(!published.to_string().contains("\"d\""));
    // The first of them signs.
    let jwks = format!("http://{}{path}", harness.gateway.address);
    let service = FromGateway::assertion(GATEWAY, "orders").jwks_url(jwks);
    later.guard_by(&service.clock(TestClock::at(NOW)).build().await.unwrap());
    let answer = harness.get("/who", "Authorization: Bearer {token}\r\n").await;
    assert_eq!(body(&answer)[1], "user_1");
    let broken = text.replace(&next, "\"none.pem\"");
    assert_eq!(wrong_place(&broken).await, "assertion.other_key_files[1]");
}
