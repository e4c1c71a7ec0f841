//! A service behind a gateway, by plain headers: whose they are believed from, and how they are read.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::get;
use carnet_guard::{Auth, BuildError, Caller, FromGateway, Guard, PeerAddress, UnixPeer};
use http::{Request, StatusCode};
use serde_json::json;

use crate::api::{Answer, routes, send};

type Headers<'h> = &'h [(&'static str, &'h str)];

async fn guard() -> Guard {
    FromGateway::plain_headers(["10.1.0.0/16", "::1"])
        .build()
        .await
        .unwrap()
}

fn request(path: &str, headers: Headers<'_>) -> Request<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn from(guard: &Guard, peer: &str, path: &str, headers: Headers<'_>) -> Answer {
    let mut request = request(path, headers);
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    send(routes(guard), request).await
}

const GATEWAY: &str = "10.1.2.3:9";
const ALICE: Headers<'static> = &[("x-user-id", "alice"), ("x-user-roles", "editor,reviewer")];

#[tokio::test]
async fn headers_count_from_listed_peers_alone() {
    let guard = guard().await;
    for peer in [GATEWAY, "[::1]:9", "[::ffff:10.1.2.3]:9"] {
        let answer = from(&guard, peer, "/me", ALICE).await;
        assert_eq!(
            (answer.status, &answer.body["sub"]),
            (StatusCode::OK, &json!("alice")),
            "{peer}"
        );
        assert_eq!(from(&guard, peer, "/edit", ALICE).await.status, StatusCode::OK);
    }
    for peer in ["10.2.0.1:9", "127.0.0.1:9", "[::2]:9", "[fe80::1]:9"] {
        let answer = from(&guard, peer, "/me", ALICE).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "caller_not_believed"),
            "{peer}"
        );
        assert_eq!(from(&guard, peer, "/me", &[]).await.code(), "caller_missing");
    }
    // What a header says of the peer is not who the peer is.
    let forged = [
        ALICE,
        &[
            ("x-forwarded-for", "10.1.2.3"),
            ("x-real-ip", "10.1.2.3"),
            ("forwarded", "for=10.1.2.3"),
        ],
    ];
    let answer = from(&guard, "192.0.2.1:9", "/me", &forged.concat()).await;
    assert_eq!(answer.code(), "caller_not_believed");
}

#[tokio::test]
async fn nobody_is_believed_when_nobody_says_who_the_peer_is() {
    let guard = guard().await;
    let answer = send(routes(&guard), request("/me", ALICE)).await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::UNAUTHORIZED, "caller_not_believed")
    );
    let mut named = request("/me", ALICE);
    named
        .extensions_mut()
        .insert(PeerAddress("10.1.0.1".parse().unwrap()));
    assert_eq!(send(routes(&guard), named).await.status, StatusCode::OK);
    // A socket is a peer where it is listed.
    let mut unlisted = request("/me", ALICE);
    unlisted.extensions_mut().insert(UnixPeer);
    assert_eq!(send(routes(&guard), unlisted).await.code(), "caller_not_believed");
}

#[tokio::test]
async fn a_unix_socket_is_a_peer_when_it_is_listed() {
    let guard = FromGateway::plain_headers(["unix"]).build().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&file).unwrap();
    let app = routes(&guard).into_make_service_with_connect_info::<UnixPeer>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut stream = tokio::net::UnixStream::connect(&file).await.unwrap();
    let text = "GET /me HTTP/1.1\r\nHost: x\r\nX-User-ID: alice\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer)
        .await
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"alice\""),
        "{answer}"
    );
    // Over the network nobody is listed.
    assert_eq!(
        from(&guard, "127.0.0.1:9", "/me", ALICE).await.code(),
        "caller_not_believed"
    );
}

#[tokio::test]
async fn gw_08_a_header_is_read_under_its_own_name_and_once() {
    let guard = guard().await;
    for name in [
        "x_user_id",
        "x.user.id",
        "x-user_id",
        "x-user-id-",
        "xuserid",
        "remote-user",
    ] {
        let answer = from(&guard, GATEWAY, "/me", &[(name, "admin")]).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "caller_missing"),
            "{name}"
        );
        let beside = [
            ("x-user-id", "alice"),
            (name, "admin"),
            ("x_user_roles", "editor"),
        ];
        let answer = from(&guard, GATEWAY, "/me", &beside).await;
        assert_eq!(answer.body["sub"], "alice", "{name}");
        assert_eq!(
            from(&guard, GATEWAY, "/edit", &beside).await.status,
            StatusCode::FORBIDDEN
        );
    }
    for twice in [
        [("x-user-id", "alice"), ("x-user-id", "alice")],
        [("x-user-id", "alice"), ("X-User-ID", "admin")],
        [("x-user-id", "alice"), ("x-user-id", "")],
    ] {
        let answer = from(&guard, GATEWAY, "/me", &twice).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "caller_unclear")
        );
    }
    let roles = [
        ("x-user-id", "alice"),
        ("x-user-roles", "a"),
        ("x-user-roles", "editor"),
    ];
    assert_eq!(
        from(&guard, GATEWAY, "/me", &roles).await.code(),
        "caller_unclear"
    );
    // Proxies that cannot leave a header away send it empty.
    for nobody in [&[("x-user-id", "")][..], &[("x-user-roles", "editor")]] {
        assert_eq!(
            from(&guard, GATEWAY, "/me", nobody).await.code(),
            "caller_missing"
        );
    }
}

#[tokio::test]
async fn what_was_percent_encoded_is_read_back_and_divides_nothing() {
    let guard = guard().await;
    let ask = async |id: &str, roles: &str, path: &str| {
        from(
            &guard,
            GATEWAY,
            path,
            &[("x-user-id", id), ("x-user-roles", roles)],
        )
        .await
    };
    assert_eq!(ask("Zo%C3%AB%20%2C", "a", "/me").await.body["sub"], "Zoë ,");
    // A role with a comma in its name is one role.
    assert_eq!(
        ask("alice", "a%2Ceditor", "/edit").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask("alice", "a%2Cb,editor", "/edit").await.status, StatusCode::OK);
    assert_eq!(ask("alice", "%65ditor", "/edit").await.status, StatusCode::OK);
    assert_eq!(
        ask("alice", "editor%00", "/edit").await.status,
        StatusCode::FORBIDDEN
    );
    for (id, roles) in [("100%", "a"), ("%zz", "a"), ("%C3", "a"), ("alice", "a,%2")] {
        let answer = ask(id, roles, "/me").await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "caller_unclear"),
            "{id} {roles}"
        );
    }
}

#[tokio::test]
async fn what_only_a_token_says_is_not_known() {
    let guard = FromGateway::plain_headers(["10.1.2.3"]);
    let guard = guard
        .text("X-Team", "team")
        .list("X-Scopes", "scope")
        .build()
        .await
        .unwrap();
    let headers = [
        ("x-user-id", "alice"),
        ("x-team", "red"),
        ("x-scopes", "read:orders,x"),
    ];
    let answer = from(&guard, GATEWAY, "/me", &headers).await;
    assert_eq!(
        answer.body,
        json!({ "sub": "alice", "client": "", "team": "red" })
    );
    assert_eq!(
        from(&guard, GATEWAY, "/orders", &headers).await.status,
        StatusCode::OK
    );
    assert_eq!(
        from(&guard, GATEWAY, "/orders", ALICE).await.status,
        StatusCode::FORBIDDEN
    );
    // Whether it is a client's own token: its `sub` is in the header as well.
    let asked = FromGateway::plain_headers(["10.1.2.3"]).list("X-Scopes", "scope");
    let silent = asked.build().await.unwrap();
    let asked = FromGateway::plain_headers(["10.1.2.3"]).list("X-Scopes", "scope");
    let told = asked.text("X-Client", "client_id").build().await.unwrap();
    for (client, status) in [("web", 200), ("alice", 403)] {
        let headers = [
            ("x-user-id", "alice"),
            ("x-scopes", "read:orders"),
            ("x-client", client),
        ];
        assert_eq!(
            from(&told, GATEWAY, "/profile", &headers).await.status.as_u16(),
            status
        );
        let answer = from(&silent, GATEWAY, "/profile", &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{client}");
    }
    // The usual header gives way to the one that is named.
    let guard = FromGateway::plain_headers(["10.1.2.3"]).text("X-Who", "sub");
    let guard = guard.build().await.unwrap();
    assert_eq!(from(&guard, GATEWAY, "/me", ALICE).await.code(), "caller_missing");
    assert_eq!(
        from(&guard, GATEWAY, "/me", &[("x-who", "bob")]).await.body["sub"],
        "bob"
    );
}

#[tokio::test]
async fn a_list_that_protects_nothing_is_said_at_once() {
    let none: [&str; 0] = [];
    assert!(matches!(
        FromGateway::plain_headers(none).build().await,
        Err(BuildError::Policy(_))
    ));
    for peer in ["0.0.0.0/0", "::/0", "localhost", "10.0.0.0/33", ""] {
        let built = FromGateway::plain_headers([peer]).build().await;
        assert!(matches!(built, Err(BuildError::Policy(_))), "{peer}");
    }
    let named = FromGateway::plain_headers(["10.0.0.1"])
        .text("no header", "x")
        .build()
        .await;
    assert!(matches!(named, Err(BuildError::Policy(_))));
}

#[tokio::test]
async fn gw_12_a_service_is_believed_from_listed_peers_where_its_header_was_named() {
    let silent = guard().await;
    let told = FromGateway::plain_headers(["10.1.0.0/16"]).calling_service("X-Calling-Service");
    let told = told.build().await.unwrap();
    let ask = async |guard: &Guard, peer: &str, path: &str, headers: Headers<'_>| {
        let named = async |caller: Caller| format!("{} {}", caller.name(), caller.jti());
        let routes = Router::new()
            .route("/inner", get(named).layer(guard.caller_in(["billing"])))
            .route(
                "/me",
                get(async |auth: Auth| auth.sub().to_owned()).layer(guard.layer()),
            );
        let mut request = request(path, headers);
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = send(routes, request).await;
        match answer.status {
            StatusCode::OK => answer.body.as_str().unwrap().to_owned(),
            _ => answer.code().to_owned(),
        }
    };
    let billing = ("x-calling-service", "billing");
    let alice = ("x-user-id", "alice");
    for (guard, peer, path, headers, said) in [
        (&told, GATEWAY, "/inner", &[billing][..], "billing "),
        (
            &told,
            GATEWAY,
            "/inner",
            &[("x-calling-service", "mail")],
            "insufficient_scope",
        ),
        (&told, GATEWAY, "/inner", &[billing, billing], "caller_unclear"),
        (&told, GATEWAY, "/inner", &[billing, alice], "caller_unclear"),
        (&told, GATEWAY, "/inner", &[alice], "caller_missing"),
        (
            &told,
            GATEWAY,
            "/inner",
            &[("x_calling_service", "billing")],
            "caller_missing",
        ),
        (&told, "10.2.0.1:9", "/inner", &[billing], "caller_not_believed"),
        (&told, GATEWAY, "/me", &[billing], "caller_missing"),
        (&told, GATEWAY, "/me", &[billing, alice], "caller_unclear"),
        (&told, GATEWAY, "/me", &[alice], "alice"),
        // Not every gateway takes the header out of what clients send.
        (&silent, GATEWAY, "/inner", &[billing], "caller_missing"),
        (&silent, GATEWAY, "/me", &[billing, alice], "alice"),
    ] {
        assert_eq!(
            ask(guard, peer, path, headers).await,
            said,
            "{peer} {path} {headers:?}"
        );
    }
}
