//! Spec tests of `/oauth/register/{client_id}` (RFC 7592): a client sees, changes and ends its own registration, and nobody else's.

use carnet_store::{AuditAction, ClientState, NewAudit, Reason};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, authorize_url};
use crate::harness::{Call, Reply, Server, days};
use crate::registration::{CALLBACK, OPEN, REGISTER, app, app_with, as_client, refused, registered, tokens};
use crate::web::text;

fn own<'a>(server: &'a Server, method: Method, client: &Value) -> Call<'a> {
    let path = format!("{REGISTER}/{}", text(client, "client_id"));
    let call = server.call(method, &path);
    call.bearer(text(client, "registration_access_token"))
}

async fn put(server: &Server, client: &Value, body: &Value) -> Reply {
    own(server, Method::PUT, client).json(body).send().await
}

/// The metadata of a change, with the name that it has to repeat.
fn changed(client: &Value, more: Value) -> Value {
    let mut body = app_with(more);
    body["client_id"] = client["client_id"].clone();
    body
}

fn assert_stranger(reply: &Reply, like: &Reply) {
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
    assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    assert_eq!(reply.json(), like.json());
}

#[tokio::test]
async fn a_client_reads_what_it_is_registered_with() {
    let server = Server::with(OPEN).await;
    let client = registered(
        &server,
        &app_with(json!({ "software_id": "x", "client_name#de": "Eine App" })),
    )
    .await;
    let reply = own(&server, Method::GET, &client).send().await;
    assert_eq!(
        (reply.status, reply.header("cache-control")),
        (StatusCode::OK, "no-store")
    );
    let mut expected = client.clone();
    // Its digest alone is known.
    expected.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn ad_10_a_token_is_good_for_one_live_client_and_says_of_others_nothing() {
    let server = Server::with(OPEN).await;
    let (a, b) = (
        registered(&server, &app()).await,
        registered(&server, &app()).await,
    );
    let token = text(&a, "registration_access_token");
    let unknown = server
        .get(&format!("{REGISTER}/nobody"))
        .bearer(token)
        .send()
        .await;
    assert_stranger(&unknown, &unknown);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for id in [text(&b, "client_id"), "web", "first-party", "%00", "%ff", "a%20b"] {
            let path = format!("{REGISTER}/{id}");
            let call = server.call(method.clone(), &path).json(&app());
            assert_stranger(&call.bearer(token).send().await, &unknown);
        }
        let bare = server.call(method.clone(), &format!("{REGISTER}/{}", text(&a, "client_id")));
        let bare = bare.json(&app()).send().await;
        // RFC 6750 §3.1: who has shown nothing is told of no error of it.
        let challenge = bare.header("www-authenticate").to_owned();
        assert_eq!(
            (challenge.as_str(), bare.status),
            ("Bearer", StatusCode::UNAUTHORIZED)
        );
        assert_eq!(bare.json(), unknown.json());
    }
    // Disabled, it cannot enable itself.
    let cut = server.cut(Reason::Revoked);
    let disabled = server
        .app
        .store
        .set_client_state(text(&a, "client_id"), ClientState::Disabled, &cut);
    assert!(disabled.await.unwrap());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_stranger(
            &own(&server, method, &a)
                .json(&changed(&a, json!({})))
                .send()
                .await,
            &unknown,
        );
    }
    assert_eq!(own(&server, Method::GET, &b).send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_change_replaces_everything() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app_with(json!({
        "software_id": "x", "tos_uri": "https://app.example.net/tos", "scope": "openid", "require_pushed_authorization_requests": true,
    })))
    .await;
    let reply = put(
        &server,
        &client,
        &changed(
            &client,
            json!({ "client_name": "Another", "software_version": null }),
        ),
    )
    .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["client_name"], "Another");
    // §2.2: what is left out, or null, has its default again.
    for member in [
        "software_id",
        "software_version",
        "tos_uri",
        "require_pushed_authorization_requests",
        "client_secret",
    ] {
        assert!(body.get(member).is_none(), "{member}");
    }
    assert_eq!(body["scope"], "offline_access openid profile read:orders");
    for member in [
        "client_id",
        "client_id_issued_at",
        "registration_access_token",
        "registration_client_uri",
    ] {
        assert_eq!(body[member], client[member], "{member}");
    }
    assert_eq!(own(&server, Method::GET, &client).send().await.json(), body);
    let id = text(&client, "client_id");
    let rows = server.audit().await.into_iter().map(|row| row.event);
    assert!(
        rows.into_iter()
            .any(|row| row.action == AuditAction::ClientChange && row.actor == id)
    );
    // The new name counts at once, and the secret is the one that it was.
    tokens(&server, &Browser::of(&server), &client, "openid").await;
}

#[tokio::test]
async fn a_change_says_who_it_is_about_and_takes_nothing_that_the_server_gives() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let other = registered(&server, &app()).await;
    for body in [app(), changed(&other, json!({}))] {
        refused(&put(&server, &client, &body).await, "invalid_client_metadata");
    }
    for more in [
        json!({ "registration_access_token": client["registration_access_token"] }),
        json!({ "registration_client_uri": client["registration_client_uri"] }),
        json!({ "client_secret_expires_at": 0 }),
        json!({ "client_id_issued_at": 1 }),
        json!({ "client_secret": "a-secret-of-my-own-choice-0123456789abcdef" }),
        json!({ "client_secret": 1 }),
        json!({ "client_secret": other["client_secret"] }),
        // AD-07: the policy bounds changes as it bounds registrations.
        json!({ "grant_types": ["client_credentials"] }),
        json!({ "scope": "admin" }),
    ] {
        refused(
            &put(&server, &client, &changed(&client, more)).await,
            "invalid_client_metadata",
        );
    }
    refused(
        &put(
            &server,
            &client,
            &changed(&client, json!({ "redirect_uris": ["http://evil.test/"] })),
        )
        .await,
        "invalid_redirect_uri",
    );
    let same = changed(&client, json!({ "client_secret": client["client_secret"] }));
    let reply = put(&server, &client, &same).await;
    assert_eq!(
        reply.json()["client_secret"],
        client["client_secret"],
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_secret_comes_and_goes_with_the_method() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let method = |name: &str| changed(&client, json!({ "token_endpoint_auth_method": name }));
    let none = put(&server, &client, &method("none")).await.json();
    assert!(none.get("client_secret").is_none() && none.get("client_secret_expires_at").is_none());
    let again = put(&server, &client, &method("client_secret_basic")).await.json();
    assert_ne!(again["client_secret"], client["client_secret"]);
    let fields = [("token", "x")];
    for (client, status) in [(&client, StatusCode::UNAUTHORIZED), (&again, StatusCode::OK)] {
        let reply = as_client(server.post("/oauth/revoke").form(&fields), client)
            .send()
            .await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
}

#[tokio::test]
async fn a_client_with_a_secret_method_has_a_secret_whatever_came_before() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let method = |name: &str| changed(&client, json!({ "token_endpoint_auth_method": name }));
    let (none, basic, post) = (
        method("none"),
        method("client_secret_basic"),
        method("client_secret_post"),
    );
    for _ in 0..5 {
        tokio::join!(
            put(&server, &client, &none),
            put(&server, &client, &basic),
            put(&server, &client, &none),
            put(&server, &client, &post),
        );
        // Whoever has missed the answer asks for another by way of `none`.
        put(&server, &client, &none).await;
        let again = put(&server, &client, &basic).await.json();
        let reply = as_client(server.post("/oauth/revoke").form(&[("token", "x")]), &again);
        assert_eq!(reply.send().await.status, StatusCode::OK, "{again}");
    }
    // What an accident has left without a secret is mended by a change that says nothing of it.
    let id = text(&client, "client_id");
    let secretless = carnet_store::RegistryChange {
        epoch: server.app.store.settings_epoch().await.unwrap(),
        cut: server.cut(Reason::Revoked),
        administrators: "admin".to_owned(),
        steps: vec![carnet_store::RegistryStep::ChangeClient(
            carnet_store::ClientChange {
                client_id: id.to_owned(),
                secrets: Some(Vec::new()),
                ..Default::default()
            },
        )],
    };
    server.app.store.change_registry(&secretless).await.unwrap();
    let mended = put(&server, &client, &basic).await.json();
    let reply = as_client(server.post("/oauth/revoke").form(&[("token", "x")]), &mended);
    assert_eq!(reply.send().await.status, StatusCode::OK, "{mended}");
}

#[tokio::test]
async fn a_secret_that_runs_out_is_told_with_its_end() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let (id, end) = (text(&client, "client_id"), server.app_now() + 60 * 60_000);
    let row = NewAudit::success("cli", AuditAction::ClientSecret, id);
    let store = &server.app.store;
    let rotated = store.rotate_client_secret(id, ([9; 32], end), (server.app_now(), &row));
    assert!(rotated.await.unwrap());
    let same = changed(&client, json!({ "client_secret": client["client_secret"] }));
    let told = put(&server, &client, &same).await.json();
    assert_eq!(told["client_secret"], client["client_secret"]);
    assert_eq!(told["client_secret_expires_at"], end / 1000);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_tokens_and_grants_along() {
    let server = Server::with(OPEN).await;
    let client = registered(
        &server,
        &app_with(json!({ "grant_types": ["authorization_code", "refresh_token"] })),
    )
    .await;
    let browser = Browser::of(&server);
    let body = tokens(&server, &browser, &client, "openid offline_access read:orders").await;
    assert!(server.is_active(text(&body, "access_token")).await);
    let reply = own(&server, Method::DELETE, &client).send().await;
    assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
    assert!(!server.is_active(text(&body, "access_token")).await);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&body, "refresh_token")),
    ];
    let refresh = as_client(server.post("/oauth/token").form(&fields), &client)
        .send()
        .await;
    assert_eq!(refresh.json()["error"], "invalid_client");
    let url = authorize_url(text(&client, "client_id"), CALLBACK, "openid", &[]);
    assert!(browser.get(&url).await.text().contains("unknown_client"));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(
            own(&server, method, &client).send().await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    // A month later nothing is left of it.
    let swept = server
        .app
        .store
        .sweep(
            server.app_now() + i64::try_from(days(32).as_millis()).unwrap(),
            100,
        )
        .await;
    assert_eq!(swept.unwrap().clients, 1);
}

#[tokio::test]
async fn when_registration_is_closed_again_clients_may_still_look_and_leave() {
    let server = Server::with(OPEN).await;
    let client = registered(&server, &app()).await;
    let closed = server.another(&[]).await;
    assert_eq!(
        own(&closed, Method::GET, &client).send().await.status,
        StatusCode::OK
    );
    let change = put(&closed, &client, &changed(&client, json!({}))).await;
    assert_eq!(
        (change.status, change.code().as_str()),
        (StatusCode::FORBIDDEN, "client_registration_closed")
    );
    let leave = own(&closed, Method::DELETE, &client).send().await;
    assert_eq!(leave.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_page_of_any_origin_may_register_and_manage_a_client() {
    let server = Server::with(OPEN).await;
    for (path, method) in [
        (REGISTER.to_owned(), "POST"),
        (format!("{REGISTER}/x"), "PUT"),
        (format!("{REGISTER}/x"), "DELETE"),
    ] {
        let call = server
            .call(Method::OPTIONS, &path)
            .header("origin", "https://spa.example.net");
        let reply = call.header("access-control-request-method", method).send().await;
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{reply:?}");
        assert!(
            reply.header("access-control-allow-methods").contains(method),
            "{reply:?}"
        );
        assert!(reply.headers.get("access-control-allow-credentials").is_none());
    }
}
