//! Spec tests of `POST /auth/login`.

use carnet_store::UserState;
use http::StatusCode;
use serde_json::json;

use crate::harness::{ALICE, API, PASSWORD, SHARED_API, Server, claims, days};

#[tokio::test]
async fn a_login_gives_a_fifteen_minute_token_and_a_cookie() {
    let server = Server::start().await;
    let reply = server.try_log_in(ALICE, PASSWORD).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 900);
    assert_eq!(body["scope"], "read:orders write:orders");
    assert!(body.get("refresh_token").is_none());
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    let line = reply.cookie_line("__Secure-refresh_token").unwrap();
    assert!(
        line.ends_with("; Path=/auth; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"),
        "{line}"
    );
}

#[tokio::test]
async fn the_access_token_says_what_rfc_9068_demands() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let header = carnet_jose::dangerous::decode(&session.access).unwrap().header;
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "ES256");
    let claims = claims(&session.access);
    let now = server.app.now_seconds();
    assert_eq!(claims["iss"], "https://auth.example.com");
    assert_eq!(claims["aud"], API);
    assert_eq!(claims["iat"], now);
    assert_eq!(claims["nbf"], now);
    assert_eq!(claims["exp"], now + 900);
    assert_eq!(claims["auth_time"], now);
    assert_eq!(claims["client_id"], "first-party");
    assert_eq!(claims["sub"], server.user(ALICE).await.sub);
    for random in ["jti", "sid", "fam"] {
        assert_eq!(claims[random].as_str().unwrap().len(), 22, "{random}");
    }
    assert!(claims.get("email").is_none(), "personal data only when mapped");
}

#[tokio::test]
async fn mapped_claims_are_in_the_token() {
    let server = Server::with("[tokens.claims]\nemail = \"email\"\nrole = \"role\"").await;
    server
        .app
        .store
        .add_role("editor", "", server.app_now())
        .await
        .unwrap();
    server
        .app
        .store
        .permit("editor", "articles:write", None)
        .await
        .unwrap();
    let alice = server.user(ALICE).await;
    server.app.store.give_role(&alice.sub, "editor").await.unwrap();
    let claims = claims(&server.log_in(ALICE, PASSWORD).await.access);
    assert_eq!(claims["email"], ALICE);
    assert_eq!(claims["role"], "editor");
    assert_eq!(claims["roles"], json!(["editor"]));
    assert_eq!(claims["permissions"], json!(["articles:write"]));
}

#[tokio::test]
async fn a_resource_with_a_shared_secret_gets_hs256() {
    let server = Server::start().await;
    let body = json!({ "email": ALICE, "password": PASSWORD, "audience": SHARED_API });
    let reply = server.post("/auth/login").json(&body).send().await;
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let decoded = carnet_jose::dangerous::decode(&token).unwrap();
    assert_eq!(decoded.header["alg"], "HS256");
    assert!(
        decoded.header.get("kid").is_none(),
        "a thumbprint of a secret would be something to guess against"
    );
    assert_eq!(decoded.payload["aud"], SHARED_API);
    // Whoever shares the secret could make such a token: it opens nothing of ours.
    assert_eq!(
        server.get("/auth/me").bearer(&token).send().await.code(),
        "token_invalid"
    );
}

#[tokio::test]
async fn username_is_taken_for_email_and_spelling_does_not_matter() {
    let server = Server::start().await;
    let body = json!({ "username": " Alice@EXAMPLE.com ", "password": PASSWORD });
    assert_eq!(
        server.post("/auth/login").json(&body).send().await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_native_client_gets_its_refresh_token_in_the_body_and_no_refresh_cookie() {
    let server = Server::start().await;
    let body = json!({ "email": ALICE, "password": PASSWORD, "client_id": "mobile" });
    let reply = server.post("/auth/login").json(&body).send().await;
    assert!(
        reply.json()["refresh_token"]
            .as_str()
            .unwrap()
            .starts_with("carnet_rt.")
    );
    assert_eq!(reply.cookie_line("__Secure-refresh_token"), None);
}

#[tokio::test]
async fn a_client_gets_no_scope_and_no_audience_that_is_not_its_own() {
    let server = Server::start().await;
    let with = |name: &str, value: &str| json!({ "email": ALICE, "password": PASSWORD, name: value });
    for (name, value, code) in [
        ("scope", "read:orders admin", "invalid_scope"),
        ("scope", "read:\"orders\"", "invalid_scope"),
        ("audience", "https://other.example.com", "invalid_target"),
        ("client_id", "nobody", "unknown_client"),
    ] {
        let reply = server.post("/auth/login").json(&with(name, value)).send().await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::BAD_REQUEST, code)
        );
    }
    let reply = server
        .post("/auth/login")
        .json(&with("scope", "read:orders"))
        .send()
        .await;
    assert_eq!(reply.json()["scope"], "read:orders");
}

#[tokio::test]
async fn pw_01_enumeration_by_message() {
    let server = Server::start().await;
    server.add_user("disabled@example.com", Some(PASSWORD)).await;
    server
        .set_state("disabled@example.com", UserState::Disabled)
        .await;
    server.add_user("nopassword@example.com", None).await;
    let expected = server.try_log_in(ALICE, "wrong password here").await;
    assert_eq!(
        (expected.status, expected.code().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_credentials")
    );
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("disabled@example.com", PASSWORD),
        ("disabled@example.com", "wrong password here"),
        ("nopassword@example.com", ""),
        ("nopassword@example.com", "null"),
        ("no address at all", PASSWORD),
    ] {
        let reply = server.try_log_in(email, password).await;
        assert_eq!(
            (reply.status, &reply.body),
            (expected.status, &expected.body),
            "{email}"
        );
        let names =
            |reply: &crate::harness::Reply| reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&reply), names(&expected), "{email}");
    }
}

#[tokio::test]
async fn pw_04_a_huge_password_is_refused_and_the_last_character_counts() {
    let server = Server::start().await;
    let long = "correct horse battery staple ".repeat(30);
    server.add_user("long@example.com", Some(&long)).await;
    assert_eq!(
        server.try_log_in("long@example.com", &long).await.status,
        StatusCode::OK
    );
    let almost = format!("{}x", &long[..long.len() - 1]);
    assert_eq!(
        server.try_log_in("long@example.com", &almost).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server.try_log_in(ALICE, &"x".repeat(2_000)).await.code(),
        "invalid_credentials"
    );
    assert_eq!(
        server.try_log_in(ALICE, &"x".repeat(1_000_000)).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn pw_06_a_password_of_another_type_is_refused() {
    let server = Server::start().await;
    for password in [json!(null), json!([]), json!({ "$ne": 1 }), json!(true), json!(1)] {
        let reply = server
            .post("/auth/login")
            .json(&json!({ "email": ALICE, "password": password }))
            .send()
            .await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::BAD_REQUEST, "wrong_type"),
            "{password}"
        );
    }
    assert_eq!(
        server
            .post("/auth/login")
            .json(&json!({ "email": ALICE }))
            .send()
            .await
            .code(),
        "missing_member"
    );
}

#[tokio::test]
async fn st_02_an_imported_hash_is_accepted_and_renewed() {
    let server = Server::start().await;
    let bcrypt = bcrypt::hash(PASSWORD, 6).unwrap();
    server
        .add_user_with_hash("imported@example.com", Some(bcrypt))
        .await;
    assert_eq!(
        server.try_log_in("imported@example.com", PASSWORD).await.status,
        StatusCode::OK
    );
    let stored = server
        .app
        .store
        .find_login("imported@example.com")
        .await
        .unwrap()
        .unwrap()
        .password_hash
        .unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(
        server.try_log_in("imported@example.com", PASSWORD).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn jwt_24_a_users_attributes_cannot_override_claims() {
    let server = Server::with("[tokens.claims]\nteam = \"attributes.team\"").await;
    let new = carnet_store::NewUser {
        sub: String::new(),
        email_display: "mallory@example.com".to_owned(),
        email_canonical: "mallory@example.com".to_owned(),
        name: None,
        password_hash: server
            .app
            .store
            .find_login(ALICE)
            .await
            .unwrap()
            .unwrap()
            .password_hash,
        roles: Vec::new(),
        email_verified: false,
        claims: r#"{"sub":"bob","roles":["admin"]}"#.to_owned(),
        attributes: r#"{"sub":"bob","roles":["admin"],"aud":"x","exp":9e9,"team":"red"}"#.to_owned(),
    };
    let user = server
        .app
        .store
        .create_user(&new, server.app_now())
        .await
        .unwrap();
    let claims = claims(&server.log_in("mallory@example.com", PASSWORD).await.access);
    assert_eq!(claims["sub"], user.sub);
    assert_eq!(claims["aud"], API);
    assert_eq!(claims["team"], "red");
    assert!(claims.get("roles").is_none());
}

#[tokio::test]
async fn st_04_identifiers_are_unguessable_and_unrelated() {
    let server = Server::start().await;
    let a = claims(&server.log_in(ALICE, PASSWORD).await.access);
    let b = claims(&server.log_in(ALICE, PASSWORD).await.access);
    for name in ["jti", "sid", "fam"] {
        let (a, b) = (a[name].as_str().unwrap(), b[name].as_str().unwrap());
        assert_ne!(a[..4], b[..4], "{name} begins alike in two logins of one moment");
    }
}

#[tokio::test]
async fn st_01_the_database_holds_no_live_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carnet.db");
    let config = carnet_store::StoreConfig::sqlite(&path);
    carnet_store::Store::migrate(&config).await.unwrap();
    let server = Server::over_store(carnet_store::Store::open(&config).await.unwrap()).await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let next = crate::harness::Session::of(&server.refresh(&session.refresh).await);
    server.wait(days(0)).await;
    let mut dump = std::fs::read(&path).unwrap();
    dump.extend(std::fs::read(folder.path().join("carnet.db-wal")).unwrap());
    let mac = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in [
        PASSWORD.to_owned(),
        session.access.clone(),
        session.refresh.clone(),
        next.refresh.clone(),
        mac(&next.refresh),
    ] {
        let found = dump
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(
            !found,
            "{} characters of a live secret are in the database",
            secret.len()
        );
    }
}
