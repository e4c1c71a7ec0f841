//! What a route asks of a caller, and how the gateway knows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::State;
use axum::{Form, Json, Router};
use carnet_gateway::load;
use carnet_gateway::site::Site;
use carnet_guard::testing::TestClock;
use carnet_jose::{base64url, primitive};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::harness::{AUDIENCE, Harness, ISSUER, NOW, Running, mirror};

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn a_route_asks_for_claims_by_value_and_type() {
    let text = r#"
        [[upstreams]]
        name = "service"
        urls = ["http://{service}"]
        [[routes]]
        path = "/eq"
        require_claims = [{ claim = "tenant", eq = "red" }]
        upstream = "service"
        [[routes]]
        path = "/one"
        require_claims = [{ claim = "level", one_of = [2, 3] }]
        upstream = "service"
        [[routes]]
        path = "/deep"
        require_claims = [{ claim = ["realm_access", "roles"], contains = "staff" }, { claim = "verified", eq = true }]
        upstream = "service"
    "#;
    let harness = Harness::with(text, mirror().await).await;
    let deep =
        |roles: Value, verified: Value| json!({ "realm_access": { "roles": roles }, "verified": verified });
    for (path, claims, status) in [
        ("/eq", json!({ "tenant": "red" }), 200),
        ("/eq", json!({ "tenant": "Red" }), 403),
        ("/eq", json!({ "tenant": ["red"] }), 403),
        ("/eq", json!({}), 403),
        ("/one", json!({ "level": 3 }), 200),
        ("/one", json!({ "level": "3" }), 403),
        ("/one", json!({ "level": 1 }), 403),
        ("/deep", deep(json!(["x", "staff"]), json!(true)), 200),
        ("/deep", deep(json!("x staff"), json!(true)), 200),
        ("/deep", deep(json!(["staffer"]), json!(true)), 403),
        ("/deep", deep(json!(["staff"]), json!("true")), 403),
        (
            "/deep",
            json!({ "realm_access.roles": ["staff"], "verified": true }),
            403,
        ),
    ] {
        let answer = harness.get(path, &bearer(&harness.issuer.token(&claims))).await;
        assert_eq!(answer.status, status, "{path} {claims}");
    }
}

#[tokio::test]
async fn gw_12_a_route_for_users_takes_no_token_that_a_client_got_for_itself() {
    let text = r#"
        [[upstreams]]
        name = "service"
        urls = ["http://{service}"]
        [[routes]]
        path = "/all"
        upstream = "service"
        [[routes]]
        path = "/users"
        require = ["user"]
        upstream = "service"
    "#;
    let harness = Harness::with(text, mirror().await).await;
    let of_client = harness.issuer.token(&json!({ "sub": "web", "client_id": "web" }));
    let of_user = harness.issuer.token(&json!({}));
    for (path, token, status) in [
        ("/all", &of_client, 200),
        ("/users", &of_client, 403),
        ("/users", &of_user, 200),
    ] {
        assert_eq!(harness.get(path, &bearer(token)).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_rule_that_cannot_be_kept_is_no_configuration() {
    for (route, place) in [
        (
            "require_claims = [{ claim = \"a\" }]",
            "routes[0].require_claims[0]",
        ),
        (
            "require_claims = [{ claim = \"a\", eq = 1, contains = 1 }]",
            "routes[0].require_claims[0]",
        ),
        (
            "require_claims = [{ claim = \"a\", eq = [1] }]",
            "routes[0].require_claims[0]",
        ),
        (
            "require_claims = [{ claim = \"a\", one_of = [] }]",
            "routes[0].require_claims[0]",
        ),
        (
            "require_claims = [{ claim = [], eq = 1 }]",
            "routes[0].require_claims[0]",
        ),
        ("public = true\nacr = [\"a\"]", "routes[0].public"),
        ("public = true\nmax_auth_age = \"1m\"", "routes[0].public"),
        ("public = true\ncallers = [\"a\"]", "routes[0].public"),
        ("public = true\nmethods = [\"get\"]", "routes[0].methods"),
        ("methods = [\"CONNECT\"]", "routes[0].methods"),
        ("methods = [\"GET\", \"TRACE\"]", "routes[0].methods"),
        ("require = [\"scope:a b\"]", "routes[0].require"),
        ("require_any = [\"scope:a\\\"b\"]", "routes[0].require_any"),
        ("acr = [\"a\", \"\"]", "routes[0].acr"),
        ("acr = [\"a b\"]", "routes[0].acr"),
        ("max_auth_age = \"0s\"", "routes[0].max_auth_age"),
        ("max_auth_age = \"999ms\"", "routes[0].max_auth_age"),
        ("audience = \"\"", "routes[0].audience"),
        (
            "require_claims = [{ claim = \"\", eq = 1 }]",
            "routes[0].require_claims[0]",
        ),
        (
            "require_claims = [{ claim = [\"a\", \"\"], eq = 1 }]",
            "routes[0].require_claims[0]",
        ),
        ("callers = [\"a\"]", "routes[0].callers"),
        ("or_users = true", "routes[0].or_users"),
    ] {
        let text = format!(
            "[tokens]\naudience = \"a\"\n[[issuers]]\nissuer = \"https://i.test\"\njwks_url = \"http://127.0.0.1:9/\"\n\
             [[upstreams]]\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\nupstream = \"s\"\n{route}\n"
        );
        let config = load::parse(&text, "g.toml".as_ref()).unwrap();
        let built = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
        assert_eq!(built.unwrap_err().place, place, "{route}");
    }
}

/// An authorization server that says what it knows of a token.
#[derive(Clone, Default)]
pub(crate) struct Introspected {
    pub(crate) revoked: Arc<AtomicBool>,
    pub(crate) promoted: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

async fn introspect(
    State(server): State<Introspected>,
    Form(form): Form<Map<String, Value>>,
) -> (StatusCode, Json<Value>) {
    server.asked.fetch_add(1, Ordering::SeqCst);
    if server.down.load(Ordering::SeqCst) {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})));
    }
    let known = form["token"]
        .as_str()
        .is_some_and(|token| token.starts_with("ey") || token == "ref_good");
    if !known || server.revoked.load(Ordering::SeqCst) {
        return (StatusCode::OK, Json(json!({ "active": false })));
    }
    let role = match server.promoted.load(Ordering::SeqCst) {
        true => "admin",
        false => "editor",
    };
    let claims = json!({
        "active": true, "iss": "https://opaque.test", "aud": AUDIENCE, "sub": "user_2", "client_id": "web", "exp": NOW + 60,
        "scope": "read:orders", "roles": [role],
    });
    let signed = json!({ "active": true, "exp": NOW + 60 });
    let opaque = form["token"] == "ref_good";
    (StatusCode::OK, Json(if opaque { claims } else { signed }))
}

/// A configuration with two issuers, of which one signs its tokens and is asked about them all the same, and the other's are opaque.
pub(crate) async fn introspecting(more: &str) -> (Harness, Introspected, Running) {
    let server = Introspected::default();
    let running = Running::start(Router::new().fallback(introspect).with_state(server.clone())).await;
    let asked = format!(
        "introspection = {{ url = \"http://{}/introspect\", client_id = \"gateway\", client_secret_file = \"client.secret\", cache = \"0s\"",
        running.address
    );
    let text = format!(
        "[tokens]\naudience = {AUDIENCE:?}\n[[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{asked} }}\n\
         [[issuers]]\nissuer = \"https://opaque.test\"\n{asked}, opaque = true, prefix = \"ref_\" }}\n{more}"
    );
    (Harness::written(&text, mirror().await).await, server, running)
}

#[tokio::test]
async fn an_issuer_is_asked_about_its_tokens_where_the_operator_wants_it() {
    let (harness, server, running) = introspecting(crate::harness::USUAL).await;
    let signed = bearer(&harness.issuer.token(&json!({})));
    let opaque = bearer("ref_good");
    for (headers, sub) in [(&signed, "user_1"), (&opaque, "user_2")] {
        let seen = harness.get("/orders", headers).await.seen();
        assert_eq!(seen.header("X-User-ID").as_deref(), Some(sub));
        assert_eq!(seen.header("Authorization"), None);
    }
    assert_eq!(
        harness.get("/orders", &bearer("ref_other")).await.code(),
        "token_invalid"
    );
    // Nobody is asked about what no issuer claims.
    let before = server.asked.load(Ordering::SeqCst);
    assert_eq!(harness.get("/orders", &bearer("other")).await.status, 401);
    assert_eq!(server.asked.load(Ordering::SeqCst), before);
    server.revoked.store(true, Ordering::SeqCst);
    for headers in [&signed, &opaque] {
        let answer = harness.get("/orders", headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
    }
    server.revoked.store(false, Ordering::SeqCst);
    server.down.store(true, Ordering::SeqCst);
    for headers in [&signed, &opaque] {
        let answer = harness.get("/orders", headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "temporarily_unavailable")
        );
        assert!(answer.head.contains("retry-after"), "{answer:?}");
    }
    drop(running);
}

/// RFC 9440: these three bytes between colons stand for a certificate.
const CERTIFICATE: &str = ":AQID:";

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_opens_with_it_alone_and_a_listed_proxy_tells_it_alone() {
    let bound = json!({ "cnf": { "x5t#S256": base64url::encode(&primitive::sha256(&[1, 2, 3])) } });
    let text = |from: &str| {
        format!(
            "[tokens]\naudience = {AUDIENCE:?}\nclient_certificates = {{ header = \"Client-Cert\", from = [{from:?}] }}\n\
             [[issuers]]\nissuer = {ISSUER:?}\njwks_file = \"jwks.json\"\n{}",
            crate::harness::USUAL
        )
    };
    let trusting = Harness::written(&text("127.0.0.1"), mirror().await).await;
    let token = bearer(&trusting.issuer.token(&bound));
    let sent = format!("{token}Client-Cert: {CERTIFICATE}\r\n");
    let seen = trusting.get("/orders", &sent).await.seen();
    assert_eq!(
        (seen.header("X-User-ID").as_deref(), seen.header("Client-Cert")),
        (Some("user_1"), None)
    );
    for other in [
        token.clone(),
        format!("{token}Client-Cert: :BAUG:\r\n"),
        format!("{token}Client-Cert: AQID\r\n"),
        format!("{token}Client-Cert: {CERTIFICATE}\r\nClient-Cert: {CERTIFICATE}\r\n"),
        format!("{token}Client_Cert: {CERTIFICATE}\r\n"),
        format!(
            "{token}X-Forwarded-Client-Cert: Hash=039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81\r\n"
        ),
    ] {
        assert_eq!(trusting.get("/orders", &other).await.status, 401, "{other}");
    }
    // A token that is not bound needs none; where nobody is asked for a token the header goes as well.
    let seen = trusting
        .get("/open", &format!("Client-Cert: {CERTIFICATE}\r\n"))
        .await
        .seen();
    assert_eq!(seen.header("Client-Cert"), None);
    let stranger = Harness::written(&text("10.0.0.0/8"), mirror().await).await;
    let sent = format!(
        "{}Client-Cert: {CERTIFICATE}\r\n",
        bearer(&stranger.issuer.token(&bound))
    );
    assert_eq!(stranger.get("/orders", &sent).await.status, 401);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_nothing_without_its_proof() {
    let harness = Harness::start().await;
    let token = harness
        .issuer
        .token(&json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }));
    let answer = harness.get("/orders", &bearer(&token)).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "token_invalid"));
    let answer = harness
        .get("/orders", &format!("Authorization: DPoP {token}\r\n"))
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "invalid_dpop_proof")
    );
    assert!(answer.head.contains("www-authenticate: dpop"), "{answer:?}");
}

#[tokio::test]
async fn keys_on_the_disk_are_enough_for_a_start_while_the_issuer_is_down() {
    let issuer = crate::harness::Issuer::new();
    let jwks = issuer.jwks.clone();
    let router = Router::new().fallback(async move || ([("content-type", "application/json")], jwks));
    let running = Running::start(router).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let text = format!(
        "[tokens]\naudience = {AUDIENCE:?}\nkey_folder = \"keys\"\n[[issuers]]\nissuer = {ISSUER:?}\njwks_url = \"http://{}/jwks\"\n\
         [[upstreams]]\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\nupstream = \"s\"\n",
        running.address
    );
    let config = load::parse(&text, &folder.path().join("gateway.toml")).unwrap();
    let build = async || {
        Site::build(&config, Arc::new(TestClock::at(NOW)), None)
            .await
            .unwrap()
    };
    assert!(build().await.is_ready());
    // They are written while nobody waits.
    while std::fs::read_dir(folder.path().join("keys")).unwrap().count() != 1 {
        tokio::task::yield_now().await;
    }
    let address = running.address;
    drop(running);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(build().await.is_ready());
    std::fs::remove_dir_all(folder.path().join("keys")).unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    assert!(!build().await.is_ready());
}
