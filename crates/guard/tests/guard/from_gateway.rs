//! A service behind a gateway, by the gateway's signature: forged, borrowed and misdirected assertions, and the caller of a good one.

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use carnet_guard::testing::{GATEWAY, ISSUER, TestClock, TestGateway};
use carnet_guard::{Auth, FromGateway, Guard, Issuer, ResourceServer, Rule};
use carnet_jose::{Algorithm, AnySigningKey, KeySet, base64url};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::api::{Answer, call, routes, send, with_token};
use crate::issuers::Frozen;

const NOW: u64 = 1_800_000_000;
const SERVICE: &str = "orders";
const HEADER: &str = r#"{"alg":"ES256","typ":"identity+jwt","kid":"k"}"#;

/// A gateway whose key signs whatever bytes it is given.
struct Forger {
    key: AnySigningKey,
    guard: Guard,
    folder: tempfile::TempDir,
}

impl Forger {
    async fn start() -> Self {
        let key = AnySigningKey::generate(Algorithm::Es256).unwrap();
        let set = KeySet::new(vec![(Some("k".to_owned()), key.verifying_key())]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), set.to_jwks_json().unwrap()).unwrap();
        let service = FromGateway::assertion(GATEWAY, SERVICE).jwks_file(folder.path().join("jwks.json"));
        let guard = service.clock(Frozen::new()).build().await.unwrap();
        Self { key, guard, folder }
    }

    fn sign(&self, header: &str, claims: &Value) -> String {
        let encoded = |text: &str| base64url::encode(text.as_bytes());
        let signed = format!("{}.{}", encoded(header), encoded(&claims.to_string()));
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url::encode(&signature))
    }

    async fn refuses(&self, header: &str, claims: &Value) {
        let answer = asserted(&self.guard, "/me", &self.sign(header, claims)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "caller_not_believed"),
            "{header} {claims}"
        );
    }
}

fn claims() -> Value {
    json!({ "iss": GATEWAY, "aud": SERVICE, "sub": "alice", "client_id": "web", "iat": NOW, "exp": NOW + 60 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub(crate) async fn asserted(guard: &Guard, path: &str, assertion: &str) -> Answer {
    call(guard, path, &[("x-identity-assertion", assertion)]).await
}

#[tokio::test]
async fn the_caller_is_who_the_gateway_has_signed_and_the_rules_are_those_of_tokens() {
    let gateway = TestGateway::with_clock(TestClock::at(NOW));
    let guard = gateway.in_front_of(SERVICE).build().await.unwrap();
    assert!(guard.ready());
    let told = async |auth: Auth| {
        let actors: Vec<_> = auth.actors().collect();
        json!([
            auth.iss(),
            auth.sub(),
            auth.client_id(),
            auth.sid(),
            auth.scopes(),
            auth.roles(),
            auth.acr(),
            actors
        ])
        .to_string()
    };
    let app = Router::new().route("/who", get(told)).layer(guard.layer());
    let rich = gateway
        .assertion("alice")
        .scope("read:orders")
        .role("editor")
        .claim("sid", "s1")
        .claim("acr", "urn:mfa")
        .claim("act", json!({ "sub": "billing" }))
        .sign();
    let request = Request::get("/who").header("X-Identity-Assertion", &rich);
    let answer = send(app, request.body(Body::empty()).unwrap()).await;
    // Whoever named the user so is the issuer, as with the token itself.
    assert_eq!(
        answer.body,
        json!([
            ISSUER,
            "alice",
            "test",
            "s1",
            ["read:orders"],
            ["editor"],
            "urn:mfa",
            ["billing"]
        ])
    );
    for path in ["/me", "/orders", "/edit", "/rule"] {
        assert_eq!(
            asserted(&guard, path, &rich).await.status,
            StatusCode::OK,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_the_callers_token_lacks_is_said_in_the_words_of_its_own_scheme() {
    let gateway = TestGateway::with_clock(TestClock::at(NOW));
    let guard = gateway.in_front_of(SERVICE).build().await.unwrap();
    let poor = gateway.assertion("bob").sign();
    let answer = asserted(&guard, "/orders", &poor).await;
    // It is the client's token that lacks it: its challenge goes back through the gateway.
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    assert!(answer.challenge.starts_with("Bearer ") && answer.challenge.contains("scope=\"read:orders\""));
    let fresh = guard.require(Rule::max_age(std::time::Duration::from_secs(60)));
    let app = Router::new()
        .route("/", get(async || "in").layer(fresh))
        .layer(guard.layer());
    for (ago, status) in [(59, 200), (61, 401)] {
        let assertion = gateway.assertion("alice").claim("auth_time", NOW - ago).sign();
        let request = Request::get("/").header("x-identity-assertion", assertion);
        let answer = send(app.clone(), request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{ago}");
    }
}

#[tokio::test]
async fn a_direct_request_is_401_and_no_token_helps() {
    let forger = Forger::start().await;
    for headers in [
        vec![],
        vec![("x-user-id", "alice"), ("x-user-roles", "admin")],
        vec![("authorization", "Bearer abc")],
        vec![("x_identity_assertion", "abc")],
        vec![("x.identity.assertion", "abc")],
        vec![("x-identity-assertion", "")],
    ] {
        let answer = call(&forger.guard, "/me", &headers).await;
        assert_eq!(
            (answer.status, answer.code(), answer.challenge.as_str()),
            (StatusCode::UNAUTHORIZED, "caller_missing", "Gateway"),
            "{headers:?}"
        );
    }
    // Names that are folded into ours elsewhere mean nothing here.
    let good = forger.sign(HEADER, &claims());
    for name in [
        "x_identity_assertion",
        "x-identity_assertion",
        "x.identity.assertion",
    ] {
        assert_eq!(
            call(&forger.guard, "/me", &[(name, &good)]).await.code(),
            "caller_missing"
        );
    }
    let query = Request::get(format!("/me?x-identity-assertion={good}&access_token={good}"));
    let answer = send(routes(&forger.guard), query.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.code(), "caller_missing");
}

#[tokio::test]
async fn jwt_01_the_header_of_an_assertion_does_not_choose_the_algorithm() {
    let forger = Forger::start().await;
    let good = asserted(&forger.guard, "/me", &forger.sign(HEADER, &claims())).await;
    assert_eq!(good.status, StatusCode::OK);
    for algorithm in ["none", "HS256", "RS256", "ES384", "EdDSA", ""] {
        let header = json!({ "alg": algorithm, "typ": "identity+jwt", "kid": "k" });
        forger.refuses(&header.to_string(), &claims()).await;
    }
    let unsigned = forger.sign(HEADER, &claims());
    let (signed, _) = unsigned.rsplit_once('.').unwrap();
    for broken in [
        format!("{signed}."),
        signed.to_owned(),
        format!("{signed}.AAAA"),
        "x".to_owned(),
    ] {
        assert_eq!(
            asserted(&forger.guard, "/me", &broken).await.code(),
            "caller_not_believed"
        );
    }
    let other = Forger::start().await;
    let answer = asserted(&forger.guard, "/me", &other.sign(HEADER, &claims())).await;
    assert_eq!(answer.code(), "caller_not_believed");
}

#[tokio::test]
async fn jwt_17_a_token_is_no_assertion_and_an_assertion_no_token() {
    let forger = Forger::start().await;
    // All of one key, of one issuer and for one audience: the type alone tells them apart.
    for typ in ["at+jwt", "JWT", "svc+jwt", "logout+jwt", "identity", ""] {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": "k" });
        forger
            .refuses(&header.to_string(), &with("jti", json!("x")))
            .await;
    }
    forger.refuses(r#"{"alg":"ES256","kid":"k"}"#, &claims()).await;
    let issuer = Issuer::jwks_file(GATEWAY, forger.folder.path().join("jwks.json"));
    let api = ResourceServer::new(SERVICE).issuer(issuer);
    let api = api.clock(Frozen::new()).build().await.unwrap();
    let assertion = forger.sign(HEADER, &with("jti", json!("x")));
    assert_eq!(with_token(&api, "/me", &assertion).await.code(), "token_invalid");
    assert_eq!(asserted(&api, "/me", &assertion).await.code(), "token_missing");
    assert_eq!(
        with_token(&forger.guard, "/me", &assertion).await.code(),
        "caller_missing"
    );
}

#[tokio::test]
async fn jwt_15_jwt_16_an_assertion_is_of_this_gateway_and_for_this_service_alone() {
    let forger = Forger::start().await;
    for (name, value) in [
        ("iss", json!("https://gateway.test/")),
        ("iss", json!("https://GATEWAY.test")),
        ("iss", json!(null)),
        ("aud", json!("billing")),
        ("aud", json!("Orders")),
        ("aud", json!(["orders", "billing"])),
        ("aud", json!([])),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("client_id", json!(["web"])),
        ("sid", json!(1)),
        ("cnf", json!({ "jkt": "x" })),
    ] {
        forger.refuses(HEADER, &with(name, value)).await;
    }
    for name in ["iss", "aud", "sub", "iat", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        forger.refuses(HEADER, &claims).await;
    }
}

#[tokio::test]
async fn an_assertion_lives_for_a_minute_whatever_it_says() {
    let forger = Forger::start().await;
    for (iat, exp) in [
        (NOW - 200, NOW - 140),
        (NOW - 90, NOW - 30),
        (NOW, NOW + 61),
        (NOW - 3_600, NOW + 60),
        (NOW + 31, NOW + 91),
    ] {
        let mut claims = claims();
        (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
        forger.refuses(HEADER, &claims).await;
    }
    let gateway_clock = TestClock::at(NOW);
    let gateway = TestGateway::with_clock(gateway_clock.clone());
    let guard = gateway.in_front_of(SERVICE).build().await.unwrap();
    let assertion = gateway.assertion("alice").sign();
    // What is remembered ends as well.
    for (passed, status) in [(0, 200), (89, 200), (1, 401)] {
        gateway_clock.wait(std::time::Duration::from_secs(passed));
        assert_eq!(asserted(&guard, "/me", &assertion).await.status.as_u16(), status);
    }
}

#[tokio::test]
async fn two_assertions_are_400_and_plain_headers_beside_one_mean_nothing() {
    let forger = Forger::start().await;
    let good = forger.sign(HEADER, &claims());
    let twice = [
        ("x-identity-assertion", good.as_str()),
        ("X-Identity-Assertion", good.as_str()),
    ];
    let answer = call(&forger.guard, "/me", &twice).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, "caller_unclear")
    );
    let beside = [
        ("x-identity-assertion", good.as_str()),
        ("x-user-id", "mallory"),
        ("x-user-roles", "editor"),
        ("authorization", "Bearer abc"),
    ];
    let answer = call(&forger.guard, "/me", &beside).await;
    assert_eq!(
        (answer.status, &answer.body["sub"]),
        (StatusCode::OK, &json!("alice"))
    );
    assert_eq!(
        call(&forger.guard, "/edit", &beside).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_public_route_knows_the_caller_when_the_gateway_says_one() {
    let gateway = TestGateway::new();
    let guard = gateway.in_front_of(SERVICE).build().await.unwrap();
    let hello = async |auth: Option<Auth>| auth.map_or("nobody".to_owned(), |auth| auth.sub().to_owned());
    let app = Router::new().route("/", get(hello)).layer(Extension(guard));
    let ask = async |assertion: Option<&str>| {
        let mut request = Request::get("/");
        if let Some(assertion) = assertion {
            request = request.header("x-identity-assertion", assertion);
        }
        send(app.clone(), request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(ask(None).await.body, "nobody");
    assert_eq!(ask(Some(&gateway.assertion("alice").sign())).await.body, "alice");
    let other = gateway.assertion("alice").audience("billing").sign();
    assert_eq!(ask(Some(&other)).await.code(), "caller_not_believed");
}
