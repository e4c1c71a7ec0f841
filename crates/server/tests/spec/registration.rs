//! Spec tests of `POST /oauth/register` (RFC 7591, OpenID Connect Dynamic Client Registration): who may, and what they are told.

use carnet_jose::primitive::sha256;
use carnet_store::{AuditAction, InitialAccessToken, NewAudit};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, VERIFIER, authorize_url};
use crate::harness::{API, Call, Reply, Server, days, minutes};
use crate::web::text;

pub(crate) const REGISTER: &str = "/oauth/register";
pub(crate) const CALLBACK: &str = "https://app.example.net/cb";
/// Anybody may, as often as a test wants.
pub(crate) const OPEN: &str = "[client_registration]\npolicy = \"open\"\naudiences = [\"https://api.example.com\"]\n\
    grant_types = [\"authorization_code\", \"refresh_token\", \"device_code\"]\n\
    scope = \"openid profile offline_access read:orders\"\nrequests_per_address = 1000";
const BY_TOKEN: &str =
    "[client_registration]\npolicy = \"initial_access_token\"\naudiences = [\"https://api.example.com\"]";

/// What a web app says of itself at least.
pub(crate) fn app() -> Value {
    json!({ "redirect_uris": [CALLBACK], "client_name": "An app" })
}

/// The same with further members.
pub(crate) fn app_with(more: Value) -> Value {
    let mut all = app();
    all.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    all
}

pub(crate) async fn register(server: &Server, metadata: &Value) -> Reply {
    server.post(REGISTER).json(metadata).send().await
}

/// As [`register`], and it must work.
pub(crate) async fn registered(server: &Server, metadata: &Value) -> Value {
    let reply = register(server, metadata).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    reply.json()
}

pub(crate) fn refused(reply: &Reply, error: &str) -> String {
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json");
    let body = reply.json();
    assert_eq!(body["error"], error, "{reply:?}");
    let said = text(&body, "error_description").to_owned();
    let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(said.bytes().all(allowed), "{said}");
    said
}

/// The tokens of a login of Alice through a client that registered itself.
pub(crate) async fn tokens(server: &Server, browser: &Browser<'_>, client: &Value, scope: &str) -> Value {
    let id = text(client, "client_id");
    let code = browser.code(&authorize_url(id, CALLBACK, scope, &[])).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let reply = as_client(server.post("/oauth/token").form(&fields), client)
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    reply.json()
}

pub(crate) fn as_client<'a>(call: Call<'a>, client: &Value) -> Call<'a> {
    call.basic_exactly(text(client, "client_id"), text(client, "client_secret"))
}

async fn initial_token(server: &Server, name: &str, uses: i64) -> String {
    let token = InitialAccessToken {
        name: name.to_owned(),
        uses_left: uses,
        created_at: server.app_now(),
        expires_at: server.app_now() + 60 * 60_000,
        revoked_at: None,
    };
    let (plain, audit) = (
        format!("initial-{name}"),
        NewAudit::success("cli", AuditAction::RegistrationTokenCreate, name),
    );
    let added = server
        .app
        .store
        .add_initial_access_token(&token, sha256(plain.as_bytes()), &audit);
    added.await.unwrap();
    plain
}

#[tokio::test]
async fn ad_07_nobody_registers_a_client_unless_the_operator_says_so() {
    let server = Server::start().await;
    let reply = register(&server, &app()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(reply.code(), "client_registration_closed");
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        assert!(
            server
                .get(path)
                .send()
                .await
                .json()
                .get("registration_endpoint")
                .is_none()
        );
        let open = Server::with(OPEN).await;
        let document = open.get(path).send().await.json();
        assert_eq!(
            document["registration_endpoint"],
            "https://auth.example.com/oauth/register"
        );
        assert!(
            document["scopes_supported"]
                .as_array()
                .unwrap()
                .contains(&json!("read:orders"))
        );
    }
}

#[tokio::test]
async fn a_client_is_told_all_that_it_was_registered_with() {
    let server = Server::with(OPEN).await;
    let reply = register(&server, &app()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    let body = reply.json();
    let id = text(&body, "client_id");
    // RFC 7591 §2: what is meant when nothing is said.
    for (member, expected) in [
        ("client_id_issued_at", json!(server.app_now() / 1000)),
        ("client_secret_expires_at", json!(0)),
        ("client_name", json!("An app")),
        ("redirect_uris", json!([CALLBACK])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!(["code"])),
        ("scope", json!("offline_access openid profile read:orders")),
        ("application_type", json!("web")),
        ("subject_type", json!("public")),
        ("id_token_signed_response_alg", json!("ES256")),
        (
            "registration_client_uri",
            json!(format!("https://auth.example.com/oauth/register/{id}")),
        ),
    ] {
        assert_eq!(body[member], expected, "{member}");
    }
    assert!(text(&body, "client_secret").len() >= 43 && text(&body, "registration_access_token").len() >= 43);
    let row = server
        .audit()
        .await
        .into_iter()
        .find(|row| row.event.object == id)
        .unwrap()
        .event;
    assert_eq!(
        (row.action, row.address.as_str()),
        (AuditAction::ClientRegister, "127.0.0.1")
    );
    // ST-01: neither of the two can be read in the database.
    for row in server.app.store.clients().await.unwrap() {
        assert!(!row.settings.contains(text(&body, "client_secret")));
    }
}

#[tokio::test]
async fn everything_that_is_known_is_told_again() {
    let server = Server::with(OPEN).await;
    let wanted = json!({
        "redirect_uris": [CALLBACK, "https://app.example.net/cb2?a=1"], "client_name": "An app", "client_name#de": "Eine App",
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "client_uri": "https://app.example.net", "logo_uri": "https://app.example.net/logo.png", "scope": "openid read:orders",
        "contacts": ["admin@app.example.net"], "tos_uri": "https://app.example.net/tos", "policy_uri": "https://app.example.net/privacy",
        "software_id": "4NRB1-0XZABZI9E6-5SM3R", "software_version": "2.1", "application_type": "web", "subject_type": "public",
        "id_token_signed_response_alg": "ES256", "default_max_age": 3600, "require_auth_time": true,
        "initiate_login_uri": "https://app.example.net/login", "post_logout_redirect_uris": ["https://app.example.net/bye"],
        "backchannel_logout_uri": "https://app.example.net/back", "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://app.example.net/front", "frontchannel_logout_session_required": true,
        "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
    });
    let body = registered(&server, &wanted).await;
    for (member, value) in wanted.as_object().unwrap() {
        assert_eq!(body[member], *value, "{member}");
    }
    assert!(body.get("client_secret").is_none() && body.get("client_secret_expires_at").is_none());
}

#[tokio::test]
async fn a_client_that_registered_itself_logs_people_in() {
    let server = Server::with(OPEN).await;
    let client = registered(
        &server,
        &app_with(json!({ "grant_types": ["authorization_code", "refresh_token"] })),
    )
    .await;
    let body = tokens(
        &server,
        &Browser::of(&server),
        &client,
        "openid offline_access read:orders",
    )
    .await;
    let claims = crate::harness::claims(text(&body, "access_token"));
    assert_eq!(
        (&claims["aud"], &claims["client_id"]),
        (&json!(API), &client["client_id"])
    );
    assert!(server.is_active(text(&body, "access_token")).await);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&body, "refresh_token")),
    ];
    let reply = as_client(server.post("/oauth/token").form(&fields), &client)
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    // CA-02: by the registered method alone.
    let by_body = [
        &fields[..],
        &[
            ("client_id", text(&client, "client_id")),
            ("client_secret", text(&client, "client_secret")),
        ],
    ];
    let reply = server.post("/oauth/token").form(&by_body.concat()).send().await;
    assert_eq!(reply.json()["error"], "invalid_client");
}

#[tokio::test]
async fn ad_07_only_an_initial_access_token_that_counts_lets_a_client_in() {
    let server = Server::with(BY_TOKEN).await;
    let token = initial_token(&server, "partner", 2).await;
    let revoked = initial_token(&server, "former", 2).await;
    let audit = NewAudit::success("cli", AuditAction::RegistrationTokenRevoke, "former");
    let taken_back = server
        .app
        .store
        .revoke_initial_access_token("former", (server.app_now(), &audit));
    assert!(taken_back.await.unwrap());
    let with =
        async |token: &str, metadata: &Value| server.post(REGISTER).bearer(token).json(metadata).send().await;

    let none = register(&server, &app()).await;
    for reply in [
        &none,
        &with("wrong", &app()).await,
        &with(&revoked, &app()).await,
        &with(&revoked, &json!({})).await,
    ] {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        // RFC 6750 §3.1: who has shown nothing is told of no error of it.
        let challenge = if std::ptr::eq(reply, &raw const none) {
            "Bearer"
        } else {
            "Bearer error=\"invalid_token\""
        };
        assert_eq!(
            (reply.json(), reply.header("www-authenticate")),
            (none.json(), challenge)
        );
    }
    // What cannot be registered uses nothing up.
    for _ in 0..3 {
        refused(&with(&token, &json!({})).await, "invalid_redirect_uri");
    }
    for _ in 0..2 {
        let reply = with(&token, &app()).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        let id = reply.json()["client_id"].as_str().unwrap().to_owned();
        let row = server
            .audit()
            .await
            .into_iter()
            .find(|row| row.event.object == id)
            .unwrap()
            .event;
        assert_eq!(
            (row.action, row.actor.as_str()),
            (AuditAction::ClientRegister, "partner")
        );
    }
    assert_eq!(with(&token, &app()).await.status, StatusCode::UNAUTHORIZED);
    let known = server.app.store.clients().await.unwrap();
    assert!(
        known
            .iter()
            .all(|row| row.registered_with.as_deref() == Some("partner"))
    );

    let short = initial_token(&server, "short", 2).await;
    server.wait(minutes(61)).await;
    assert_eq!(with(&short, &app()).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn of_racing_registrations_as_many_succeed_as_uses_are_left() {
    let server = Server::with(BY_TOKEN).await;
    let token = initial_token(&server, "race", 3).await;
    let one = || async {
        server
            .post(REGISTER)
            .bearer(&token)
            .json(&app())
            .send()
            .await
            .status
    };
    let all = futures_util::future::join_all((0..12).map(|_| one())).await;
    let of = |status| all.iter().filter(|seen| **seen == status).count();
    assert_eq!((of(StatusCode::CREATED), of(StatusCode::UNAUTHORIZED)), (3, 9));
}

#[tokio::test]
async fn ad_07_one_address_registers_only_so_often_and_all_together_so_many() {
    let limits = OPEN.replace("= 1000", "= 4\nmax_clients = 3");
    let server = Server::with(&limits).await;
    let client = registered(&server, &app()).await;
    for _ in 0..2 {
        registered(&server, &app()).await;
    }
    let full = register(&server, &app()).await;
    assert_eq!(
        (full.status, full.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "too_many_clients")
    );
    let often = register(&server, &app()).await;
    assert_eq!(
        (often.status, often.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
    );
    // A change counts as well.
    let own = format!("{REGISTER}/{}", text(&client, "client_id"));
    let change = server
        .call(Method::PUT, &own)
        .bearer(text(&client, "registration_access_token"));
    assert_eq!(change.json(&app()).send().await.code(), "too_many_attempts");
    let elsewhere = server
        .post(REGISTER)
        .from([192, 0, 2, 7])
        .json(&app())
        .send()
        .await;
    assert_eq!(elsewhere.code(), "too_many_clients");
}

#[tokio::test]
async fn a_client_that_nobody_uses_is_forgotten() {
    let server = Server::with(OPEN).await;
    let (used, idle) = (
        registered(&server, &app()).await,
        registered(&server, &app()).await,
    );
    let known = async || -> Vec<String> {
        server.app.forget_unused_clients().await.unwrap();
        let rows = server.app.store.clients().await.unwrap();
        rows.into_iter().map(|row| row.client_id).collect()
    };
    server.wait(days(60)).await;
    tokens(&server, &Browser::of(&server), &used, "openid").await;
    assert_eq!(known().await.len(), 2);
    server.wait(days(31)).await;
    assert_eq!(known().await, [text(&used, "client_id")]);
    let own = format!("{REGISTER}/{}", text(&idle, "client_id"));
    let gone = server
        .get(&own)
        .bearer(text(&idle, "registration_access_token"))
        .send()
        .await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    server.wait(days(60)).await;
    assert_eq!(known().await, Vec::<String>::new());
}
