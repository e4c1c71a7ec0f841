//! Spec tests of `POST /auth/logout`.

use http::StatusCode;
use serde_json::json;

use crate::harness::{ALICE, PASSWORD, Reply, Server, minutes};

fn cleared(reply: &Reply) -> bool {
    let line = reply.cookie_line("__Secure-refresh_token").unwrap_or_default();
    reply.status == StatusCode::NO_CONTENT && line.contains("Max-Age=0") && line.contains("Path=/auth;")
}

#[tokio::test]
async fn rt_08_logout_ends_the_session_and_at_once_its_access_token() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let other = server.log_in(ALICE, PASSWORD).await;
    assert!(cleared(
        &server.post("/auth/logout").cookie(&session.refresh).send().await
    ));
    assert_eq!(
        server.refresh(&session.refresh).await.code(),
        "refresh_token_invalid"
    );
    assert!(!server.is_active(&session.access).await);
    assert_eq!(
        server.get("/auth/me").bearer(&session.access).send().await.code(),
        "token_invalid"
    );
    assert!(server.is_active(&other.access).await, "another session lives");
    assert_eq!(server.refresh(&other.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_cookie_is_enough_when_the_access_token_has_expired() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    server.wait(minutes(20)).await;
    let reply = server
        .post("/auth/logout")
        .bearer(&session.access)
        .cookie(&session.refresh)
        .send()
        .await;
    assert!(cleared(&reply));
    assert_eq!(
        server.refresh(&session.refresh).await.code(),
        "refresh_token_invalid"
    );
}

#[tokio::test]
async fn the_access_token_is_enough_without_a_cookie() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    assert!(cleared(
        &server.post("/auth/logout").bearer(&session.access).send().await
    ));
    assert!(!server.is_active(&session.access).await);
    assert_eq!(
        server.refresh(&session.refresh).await.code(),
        "refresh_token_invalid"
    );
}

#[tokio::test]
async fn everywhere_ends_every_session_of_the_user_and_a_login_in_the_same_second_survives() {
    let server = Server::start().await;
    server.add_user("bob@example.com", Some(PASSWORD)).await;
    let bob = server.log_in("bob@example.com", PASSWORD).await;
    let first = server.log_in(ALICE, PASSWORD).await;
    let second = server.log_in(ALICE, PASSWORD).await;
    let reply = server
        .post("/auth/logout")
        .cookie(&first.refresh)
        .json(&json!({ "mode": "everywhere" }))
        .send()
        .await;
    assert!(cleared(&reply));
    for session in [&first, &second] {
        assert!(!server.is_active(&session.access).await);
        assert_eq!(
            server.refresh(&session.refresh).await.code(),
            "refresh_token_invalid"
        );
    }
    assert!(server.is_active(&bob.access).await);
    let again = server.log_in(ALICE, PASSWORD).await;
    assert!(server.is_active(&again.access).await);
    assert_eq!(server.refresh(&again.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn with_strength_refresh_the_access_token_lives_until_it_expires() {
    let server = Server::with("[login]\nlogout_strength = \"refresh\"").await;
    let session = server.log_in(ALICE, PASSWORD).await;
    assert!(cleared(
        &server.post("/auth/logout").cookie(&session.refresh).send().await
    ));
    assert_eq!(
        server.refresh(&session.refresh).await.code(),
        "refresh_token_invalid"
    );
    assert!(server.is_active(&session.access).await);
    server.wait(minutes(16)).await;
    assert!(!server.is_active(&session.access).await);
}

#[tokio::test]
async fn with_strength_cookie_only_the_cookie_goes() {
    let server = Server::with("[login]\nlogout_strength = \"cookie\"").await;
    let session = server.log_in(ALICE, PASSWORD).await;
    assert!(cleared(
        &server.post("/auth/logout").cookie(&session.refresh).send().await
    ));
    assert_eq!(server.refresh(&session.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn logging_out_twice_or_without_anything_is_no_error() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    for _ in 0..2 {
        assert!(cleared(
            &server.post("/auth/logout").cookie(&session.refresh).send().await
        ));
    }
    assert!(cleared(&server.post("/auth/logout").send().await));
    let nobody = server
        .post("/auth/logout")
        .json(&json!({ "mode": "everywhere" }))
        .send()
        .await;
    assert_eq!(
        (nobody.status, nobody.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_missing")
    );
}

#[tokio::test]
async fn an_older_tab_may_log_out_too() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let next = crate::harness::Session::of(&server.refresh(&session.refresh).await);
    server.wait(minutes(1)).await;
    assert!(cleared(
        &server.post("/auth/logout").cookie(&session.refresh).send().await
    ));
    assert_eq!(
        server.refresh(&next.refresh).await.code(),
        "refresh_token_invalid"
    );
}

#[tokio::test]
async fn a_forged_cookie_logs_nobody_out() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let (head, _) = session.refresh.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(43));
    assert!(cleared(&server.post("/auth/logout").cookie(&forged).send().await));
    assert_eq!(server.refresh(&session.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_native_client_logs_out_with_its_token_in_the_body() {
    let server = Server::start().await;
    let login = json!({ "email": ALICE, "password": PASSWORD, "client_id": "mobile" });
    let login = server.post("/auth/login").json(&login).send().await.json();
    let token = json!({ "refresh_token": login["refresh_token"] });
    assert_eq!(
        server.post("/auth/logout").json(&token).send().await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        server.post("/auth/refresh").json(&token).send().await.code(),
        "refresh_token_invalid"
    );
}

#[tokio::test]
async fn ck_07_an_ended_session_stays_ended() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    server.post("/auth/logout").cookie(&session.refresh).send().await;
    for _ in 0..3 {
        server.wait(minutes(1)).await;
        assert_eq!(
            server.refresh(&session.refresh).await.code(),
            "refresh_token_invalid"
        );
        assert_eq!(
            server.get("/auth/me").bearer(&session.access).send().await.code(),
            "token_invalid"
        );
    }
}

#[tokio::test]
async fn a_spent_or_dead_refresh_token_ends_no_other_session() {
    let server = Server::start().await;
    let everywhere = json!({ "mode": "everywhere" });
    let refused = async |cookie: &str| {
        let call = server.post("/auth/logout").cookie(cookie).json(&everywhere);
        assert_eq!(call.send().await.code(), "token_missing");
    };
    let (stolen, other) = (
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
    );
    let second = crate::harness::Session::of(&server.refresh(&stolen.refresh).await);
    let third = crate::harness::Session::of(&server.refresh(&second.refresh).await);
    refused(&stolen.refresh).await;
    // The one before the newest is an honest retry's within the grace, and no longer.
    server.wait(std::time::Duration::from_secs(11)).await;
    refused(&second.refresh).await;
    server.post("/auth/logout").cookie(&third.refresh).send().await;
    refused(&third.refresh).await;
    server.wait(crate::harness::days(8)).await;
    refused(&other.refresh).await;
    let alive = server.log_in(ALICE, PASSWORD).await;
    server.set_state(ALICE, carnet_store::UserState::Disabled).await;
    refused(&alive.refresh).await;
}

#[tokio::test]
async fn with_strength_cookie_everywhere_ends_the_families_elsewhere() {
    let server = Server::with("[login]\nlogout_strength = \"cookie\"").await;
    let (here, elsewhere) = (
        server.log_in(ALICE, PASSWORD).await,
        server.log_in(ALICE, PASSWORD).await,
    );
    let everywhere = json!({ "mode": "everywhere" });
    let call = server
        .post("/auth/logout")
        .cookie(&here.refresh)
        .json(&everywhere);
    assert!(cleared(&call.send().await));
    for session in [&here, &elsewhere] {
        assert_eq!(
            server.refresh(&session.refresh).await.code(),
            "refresh_token_invalid"
        );
        assert!(server.is_active(&session.access).await);
    }
}

#[tokio::test]
async fn a_cookie_and_an_access_token_of_two_sessions_end_both() {
    let server = Server::start().await;
    server.add_user("bob@example.com", Some(PASSWORD)).await;
    let alice = server.log_in(ALICE, PASSWORD).await;
    let bob = server.log_in("bob@example.com", PASSWORD).await;
    let call = server
        .post("/auth/logout")
        .cookie(&alice.refresh)
        .bearer(&bob.access);
    assert!(cleared(&call.send().await));
    for session in [&alice, &bob] {
        assert!(!server.is_active(&session.access).await);
        assert_eq!(
            server.refresh(&session.refresh).await.code(),
            "refresh_token_invalid"
        );
    }
}

#[tokio::test]
async fn a_refresh_token_in_two_places_is_refused_and_logs_nobody_out() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let reply = server
        .post("/auth/logout")
        .cookie(&session.refresh)
        .json(&json!({ "refresh_token": session.refresh }))
        .send()
        .await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
    assert_eq!(server.refresh(&session.refresh).await.status, StatusCode::OK);
}

async fn log_in_for_the_shared_api(server: &Server) -> crate::harness::Session {
    let login = json!({ "email": ALICE, "password": PASSWORD, "audience": crate::harness::SHARED_API });
    crate::harness::Session::of(&server.post("/auth/login").json(&login).send().await)
}

#[tokio::test]
async fn a_token_of_a_shared_secret_ends_its_own_session_and_no_other() {
    let server = Server::start().await;
    let other = server.log_in(ALICE, PASSWORD).await;
    let session = log_in_for_the_shared_api(&server).await;
    let everywhere = server
        .post("/auth/logout")
        .bearer(&session.access)
        .json(&json!({ "mode": "everywhere" }));
    assert_eq!(everywhere.send().await.code(), "token_missing");
    assert!(cleared(
        &server.post("/auth/logout").bearer(&session.access).send().await
    ));
    assert_eq!(
        server.refresh(&session.refresh).await.code(),
        "refresh_token_invalid"
    );
    assert_eq!(server.refresh(&other.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_does_not_count_logs_nobody_out_and_says_so() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let bearer = async |token: &str| server.post("/auth/logout").bearer(token).send().await;
    assert_eq!(bearer("not.a.token").await.code(), "token_invalid");
    server.wait(minutes(20)).await;
    let expired = bearer(&session.access).await;
    assert_eq!(
        (expired.status, expired.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_expired")
    );
    let next = crate::harness::Session::of(&server.refresh(&session.refresh).await);
    // Once it has counted, a second time is no error.
    for _ in 0..2 {
        assert!(cleared(&bearer(&next.access).await));
    }
}
