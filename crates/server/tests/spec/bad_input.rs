//! What every JSON endpoint does with a request that is wrong.

use http::{Method, StatusCode};

use crate::harness::{API, Reply, SHARED_API, Server};

const JSON_ENDPOINTS: [&str; 5] = [
    "/auth/login",
    "/auth/register",
    "/auth/refresh",
    "/auth/logout",
    "/auth/password",
];

async fn raw(server: &Server, path: &str, media_type: &str, body: &[u8]) -> Reply {
    server.post(path).raw(media_type, body.to_vec()).send().await
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow() {
    let server = Server::start().await;
    for path in JSON_ENDPOINTS {
        let reply = server.call(Method::PUT, path).send().await;
        assert_eq!(
            (reply.status, reply.code().as_str(), reply.header("allow")),
            (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "POST")
        );
    }
    let reply = server.post("/auth/me").send().await;
    assert_eq!(
        (reply.code().as_str(), reply.header("allow")),
        ("method_not_allowed", "GET,HEAD")
    );
    assert_eq!(server.get("/nowhere").send().await.code(), "not_found");
}

#[tokio::test]
async fn a_wrong_content_type_is_415() {
    let server = Server::start().await;
    for path in JSON_ENDPOINTS {
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "application/jsonx",
        ] {
            let reply = raw(&server, path, media_type, b"{}").await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
                "{path}"
            );
        }
    }
    let reply = raw(&server, "/auth/login", "Application/JSON; charset=UTF-8", b"{}").await;
    assert_eq!(reply.code(), "missing_member");
}

#[tokio::test]
async fn ds_03_a_compressed_body_is_415() {
    let server = Server::start().await;
    for path in JSON_ENDPOINTS {
        let reply = server
            .post(path)
            .header("content-encoding", "gzip")
            .raw("application/json", "{}")
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn ds_02_an_oversized_body_is_413() {
    let server = Server::start().await;
    let body = format!("{{\"email\":\"{}\"}}", "a".repeat(70_000));
    for path in JSON_ENDPOINTS {
        let reply = raw(&server, path, "application/json", body.as_bytes()).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            "{path}"
        );
    }
    let many = (0..200).map(|i| format!("p{i}=x")).collect::<Vec<_>>().join("&");
    let call = server
        .post("/oauth/introspect")
        .basic("orders-api", "orders.secret")
        .raw("application/x-www-form-urlencoded", many);
    assert_eq!(call.send().await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn jwt_09_malformed_json_and_duplicate_members_are_400() {
    let server = Server::start().await;
    let deep = [b"{\"a\":".repeat(100_000), b"1".to_vec()].concat();
    for path in JSON_ENDPOINTS {
        for body in [
            &b"{"[..],
            b"[]",
            b"null",
            b"\"x\"",
            b"{} x",
            b"{\"a\":\xff}",
            b"\xef\xbb\xbf{}",
            b"{a:1}",
            &deep[..60_000],
        ] {
            let reply = raw(&server, path, "application/json", body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (StatusCode::BAD_REQUEST, "malformed_json"),
                "{path}"
            );
        }
        for body in [
            &br#"{"email":"a","email":"b"}"#[..],
            br#"{"email":"a","\u0065mail":"b"}"#,
        ] {
            let reply = raw(&server, path, "application/json", body).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (StatusCode::BAD_REQUEST, "duplicate_member"),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn unknown_members_and_wrong_types_are_400_and_nothing_is_quoted() {
    let server = Server::start().await;
    for path in JSON_ENDPOINTS {
        let reply = raw(&server, path, "application/json", br#"{"hunter2":1}"#).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}: {reply:?}");
        assert!(
            !String::from_utf8_lossy(&reply.body).contains("hunter2"),
            "{path}"
        );
    }
    let reply = raw(
        &server,
        "/auth/login",
        "application/json",
        br#"{"email":"a","password":["hunter2"]}"#,
    )
    .await;
    assert_eq!(reply.code(), "wrong_type");
    assert!(!String::from_utf8_lossy(&reply.body).contains("hunter2"));
    assert_eq!(
        raw(
            &server,
            "/auth/logout",
            "application/json",
            br#"{"mode":"galaxy"}"#
        )
        .await
        .code(),
        "wrong_type"
    );
}

#[tokio::test]
async fn lk_03_a_refusal_tells_nothing_about_the_inside() {
    let server = Server::start().await;
    for path in JSON_ENDPOINTS {
        let reply = raw(&server, path, "application/json", b"{").await;
        let text = String::from_utf8_lossy(&reply.body).to_lowercase();
        for word in [
            "sqlite", "sql", "rust", "serde", "panick", "src/", "0.1.0", "column", "line ",
        ] {
            assert!(!text.contains(word), "{path}: {word} in {text}");
        }
    }
}

#[tokio::test]
async fn a_host_header_that_is_doubled_or_no_host_is_400() {
    let server = Server::start().await;
    for hosts in [
        &["auth.example.com", "evil.test"][..],
        &[],
        &[""],
        &["a b"],
        &["user@auth.example.com"],
        &["auth.example.com/x"],
        &[":8080"],
    ] {
        let request = hosts
            .iter()
            .fold(server.get("/health/live").without_host(), |request, host| {
                request.header("host", host)
            });
        let reply = request.send().await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_host"),
            "{hosts:?}"
        );
    }
    for host in [
        "auth.example.com",
        "auth.example.com:8080",
        "[::1]:8080",
        "127.0.0.1",
    ] {
        let reply = server
            .get("/health/live")
            .without_host()
            .header("host", host)
            .send()
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn ds_04_depth_and_width_are_bounded() {
    let server = Server::start().await;
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    assert_eq!(
        raw(&server, "/auth/login", "application/json", deep.as_bytes())
            .await
            .code(),
        "malformed_json"
    );
    let arrays = format!("{{\"email\":{}", "[".repeat(60_000));
    assert_eq!(
        raw(&server, "/auth/login", "application/json", arrays.as_bytes())
            .await
            .code(),
        "malformed_json"
    );
    let members: Vec<String> = (0..5_000).map(|i| format!("\"m{i}\":0")).collect();
    let wide = format!("{{{}}}", members.join(","));
    assert_eq!(
        raw(&server, "/auth/login", "application/json", wide.as_bytes())
            .await
            .code(),
        "unknown_member"
    );
}

#[tokio::test]
async fn tk_07_what_belongs_into_the_body_is_refused_in_the_address() {
    let server = Server::start().await;
    let fields = [("grant_type", "authorization_code"), ("code", "c")];
    for query in [
        "client_secret=s",
        "code=c",
        "grant_type=authorization_code",
        "access_token=t",
    ] {
        let call = server
            .post(&format!("/oauth/token?{query}"))
            .basic("web", "web.secret");
        let reply = call.form(&fields).send().await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(reply.json()["error"], "invalid_request", "{query}");
    }
    let harmless = server.post("/oauth/token?trace=1").basic("web", "web.secret");
    assert_eq!(
        harmless.form(&fields).send().await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn tk_12_one_token_is_for_one_resource() {
    let server = Server::start().await;
    let secret = crate::harness::secret_of("svc.secret");
    let ask = async |resources: &[&str]| {
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", "svc"),
            ("client_secret", secret.as_str()),
        ];
        fields.extend(resources.iter().map(|resource| ("resource", *resource)));
        server.post("/oauth/token").form(&fields).send().await
    };
    assert_eq!(ask(&[API, API]).await.status, StatusCode::OK);
    let two = ask(&[API, SHARED_API]).await;
    assert_eq!(two.json()["error"], "invalid_target", "{two:?}");
    // The same twice is one, everywhere; two are two.
    let browser = crate::browser::Browser::of(&server);
    let same = crate::browser::web_url("openid", &[("resource", API), ("resource", API)]);
    assert!(!browser.code(&same).await.is_empty());
    let url = crate::browser::web_url("openid", &[("resource", API), ("resource", SHARED_API)]);
    let reply = browser.get(&url).await;
    assert!(
        reply.header("location").contains("error=invalid_target"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn head_spends_nothing_at_the_front_door() {
    let server = Server::start().await;
    let url = crate::browser::web_url("openid", &[]);
    let reply = server.call(Method::HEAD, &url).send().await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.header("allow"), "GET, POST");
}

#[tokio::test]
async fn a_nul_is_refused_before_any_database_is_asked() {
    let server = Server::start().await;
    for asked in ["\0", "a\0b"] {
        let found = server.app.store.user_by_sub(asked).await;
        assert!(
            matches!(found, Err(carnet_store::StoreError::Unstorable)),
            "{found:?}"
        );
    }
    let nul = "carnet_rt.a\0b.1.c";
    for (path, field) in [("/oauth/introspect", "token"), ("/oauth/revoke", "token")] {
        let call = server.post(path).basic("orders-api", "orders.secret");
        let status = call.form(&[(field, nul)]).send().await.status;
        assert!(status.as_u16() < 500, "{path}: {status}");
    }
    let body = serde_json::json!({ "email": "a\0@example.com", "password": "a\0b" });
    let login = server.post("/auth/login").json(&body).send().await;
    assert!(login.status.as_u16() < 500, "{login:?}");
    let logout = serde_json::json!({ "refresh_token": nul });
    let logout = server.post("/auth/logout").json(&logout).send().await;
    assert!(logout.status.as_u16() < 500, "{logout:?}");
}
