//! Spec tests of `POST /auth/refresh`.

use carnet_store::{AuditAction, UserState};
use http::{Method, StatusCode};
use serde_json::json;

use crate::harness::{ALICE, PASSWORD, Server, Session, claims, days, minutes};

fn seconds(n: u64) -> std::time::Duration {
    std::time::Duration::from_secs(n)
}

#[tokio::test]
async fn a_refresh_gives_a_new_access_token_and_the_next_refresh_token() {
    let server = Server::start().await;
    let first = server.log_in(ALICE, PASSWORD).await;
    server.wait(minutes(14)).await;
    let reply = server.refresh(&first.refresh).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let second = Session::of(&reply);
    let (before, after) = (claims(&first.access), claims(&second.access));
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(before["jti"], after["jti"]);
    for same in [
        "sub",
        "sid",
        "fam",
        "aud",
        "scope",
        "client_id",
        "auth_time",
        "acr",
    ] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(after["exp"], server.app.now_seconds() + 900);
}

#[tokio::test]
async fn rt_01_a_stolen_token_reused_after_rotation_ends_the_family_and_nothing_else() {
    let server = Server::start().await;
    let first = server.log_in(ALICE, PASSWORD).await;
    let elsewhere = server.log_in(ALICE, PASSWORD).await;
    let second = Session::of(&server.refresh(&first.refresh).await);
    server.wait(seconds(11)).await;

    let replay = server.refresh(&first.refresh).await;
    assert_eq!(
        (replay.status, replay.code().as_str()),
        (StatusCode::UNAUTHORIZED, "refresh_token_reused")
    );
    assert!(
        replay
            .cookie_line("__Secure-refresh_token")
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(
        server.refresh(&second.refresh).await.code(),
        "refresh_token_invalid"
    );
    assert!(!server.is_active(&second.access).await);
    assert!(!server.is_active(&first.access).await);
    assert!(server.is_active(&elsewhere.access).await);
    assert_eq!(server.refresh(&elsewhere.refresh).await.status, StatusCode::OK);
    let audit = server.audit().await;
    assert!(
        audit
            .iter()
            .any(|row| row.event.action == AuditAction::RefreshReuse),
        "a security event is written"
    );
}

#[tokio::test]
async fn rt_02_an_honest_retry_gets_the_same_successor_within_the_grace() {
    let server = Server::start().await;
    let first = server.log_in(ALICE, PASSWORD).await;
    let second = Session::of(&server.refresh(&first.refresh).await);
    server.wait(seconds(9)).await;
    let again = Session::of(&server.refresh(&first.refresh).await);
    assert_eq!(second.refresh, again.refresh);
    assert_eq!(server.refresh(&second.refresh).await.status, StatusCode::OK);
    // The successor has been used: the grace is over, whatever the clock says.
    assert_eq!(
        server.refresh(&first.refresh).await.code(),
        "refresh_token_reused"
    );
}

#[tokio::test]
async fn sixty_four_parallel_refreshes_get_the_same_successor() {
    let server = Server::start().await;
    let first = server.log_in(ALICE, PASSWORD).await;
    let replies = futures_util::future::join_all((0..64).map(|_| server.refresh(&first.refresh))).await;
    let successors: std::collections::HashSet<String> =
        replies.iter().map(|reply| Session::of(reply).refresh).collect();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn in_strict_mode_one_of_sixty_four_wins_and_the_family_dies() {
    let server = Server::start().await;
    let login = json!({ "email": ALICE, "password": PASSWORD, "client_id": "strict" });
    let first = Session::of(&server.post("/auth/login").json(&login).send().await);
    let replies = futures_util::future::join_all((0..64).map(|_| server.refresh(&first.refresh))).await;
    let winners: Vec<_> = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::OK)
        .collect();
    assert_eq!(winners.len(), 1);
    let winner = Session::of(winners[0]);
    assert_eq!(
        server.refresh(&winner.refresh).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert!(!server.is_active(&winner.access).await);
}

#[tokio::test]
async fn rt_06_scope_can_be_narrowed_and_never_widened() {
    let server = Server::start().await;
    let first = server.log_in(ALICE, PASSWORD).await;
    let ask = |token: String, scope: &str| {
        let call = server
            .post("/auth/refresh")
            .cookie(&token)
            .json(&json!({ "scope": scope }));
        call.send()
    };
    let wider = ask(first.refresh.clone(), "read:orders admin").await;
    assert_eq!(
        (wider.status, wider.code().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_scope")
    );
    let narrow = ask(first.refresh.clone(), "read:orders").await;
    assert_eq!(narrow.json()["scope"], "read:orders");
    let whole = server.refresh(&Session::of(&narrow).refresh).await;
    assert_eq!(whole.json()["scope"], "read:orders write:orders");
}

#[tokio::test]
async fn rt_07_a_token_works_only_the_way_its_client_is_registered() {
    let server = Server::start().await;
    let cookie = server.log_in(ALICE, PASSWORD).await.refresh;
    let reply = server
        .post("/auth/refresh")
        .json(&json!({ "refresh_token": cookie }))
        .send()
        .await;
    assert_eq!(reply.code(), "refresh_token_invalid");
    assert_eq!(
        server.refresh(&cookie).await.status,
        StatusCode::OK,
        "the owner's token still works"
    );

    let login = json!({ "email": ALICE, "password": PASSWORD, "client_id": "mobile" });
    let login = server.post("/auth/login").json(&login).send().await;
    let native = login.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(server.refresh(&native).await.code(), "refresh_token_invalid");
    let reply = server
        .post("/auth/refresh")
        .json(&json!({ "refresh_token": native }))
        .send()
        .await;
    assert!(reply.json()["refresh_token"].as_str().is_some());
    assert_eq!(reply.cookie_line("__Secure-refresh_token"), None);
}

#[tokio::test]
async fn rt_08_a_disabled_or_deleted_user_cannot_refresh() {
    for state in [UserState::Disabled, UserState::Deleted] {
        let server = Server::start().await;
        let session = server.log_in(ALICE, PASSWORD).await;
        server.set_state(ALICE, state).await;
        assert_eq!(
            server.refresh(&session.refresh).await.code(),
            "refresh_token_invalid"
        );
        assert!(!server.is_active(&session.access).await);
        assert_eq!(
            server.get("/auth/me").bearer(&session.access).send().await.code(),
            "token_invalid"
        );
    }
}

#[tokio::test]
async fn rt_09_rotation_does_not_make_a_family_live_for_ever() {
    let server = Server::start().await;
    let mut session = server.log_in(ALICE, PASSWORD).await;
    for day in [6, 12, 18, 24] {
        server.wait(days(6)).await;
        let reply = server.refresh(&session.refresh).await;
        assert_eq!(reply.status, StatusCode::OK, "day {day}: {reply:?}");
        session = Session::of(&reply);
        if day == 24 {
            let line = reply.cookie_line("__Secure-refresh_token").unwrap();
            assert!(
                line.contains(&format!("Max-Age={}", 6 * 86_400)),
                "what is left of thirty days: {line}"
            );
        }
    }
    server.wait(days(6)).await;
    assert_eq!(
        server.refresh(&session.refresh).await.code(),
        "refresh_token_expired"
    );
}

#[tokio::test]
async fn a_family_that_is_not_used_for_seven_days_ends() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    server.wait(days(7)).await;
    let reply = server.refresh(&session.refresh).await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::UNAUTHORIZED, "refresh_token_expired")
    );
    assert!(
        reply
            .cookie_line("__Secure-refresh_token")
            .unwrap()
            .contains("Max-Age=0")
    );
}

#[tokio::test]
async fn rt_10_roles_are_read_again_at_every_refresh() {
    let server = Server::start().await;
    let store = &server.app.store;
    store.add_role("editor", "", server.app_now()).await.unwrap();
    let alice = server.user(ALICE).await;
    store.give_role(&alice.sub, "editor").await.unwrap();
    let session = server.log_in(ALICE, PASSWORD).await;
    assert_eq!(claims(&session.access)["roles"], json!(["editor"]));
    store.take_role(&alice.sub, "editor").await.unwrap();
    let next = Session::of(&server.refresh(&session.refresh).await);
    assert!(claims(&next.access).get("roles").is_none());
}

#[tokio::test]
async fn rt_11_a_failed_refresh_changes_nothing() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    for _ in 0..3 {
        let reply = server
            .post("/auth/refresh")
            .cookie(&session.refresh)
            .json(&json!({ "scope": "admin" }))
            .send()
            .await;
        assert_eq!(reply.code(), "invalid_scope");
        let both = server
            .post("/auth/refresh")
            .cookie(&session.refresh)
            .json(&json!({ "refresh_token": "x" }))
            .send()
            .await;
        assert_eq!(both.code(), "invalid_request");
    }
    server.wait(seconds(30)).await;
    assert_eq!(server.refresh(&session.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rt_12_a_cookie_from_another_site_moves_nothing() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let from = |name: &'static str, value: &str| {
        server
            .post("/auth/refresh")
            .cookie(&session.refresh)
            .header(name, value)
            .send()
    };
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let reply = from(name, value).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::FORBIDDEN, "cross_site_request"),
            "{value}"
        );
    }
    let get = server
        .call(Method::GET, "/auth/refresh")
        .cookie(&session.refresh)
        .send()
        .await;
    assert_eq!(
        (get.status, get.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
    server.wait(seconds(30)).await;
    assert_eq!(
        from("origin", "https://app.example.com").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_token_that_we_did_not_make_is_invalid_and_harms_nobody() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let next = Session::of(&server.refresh(&session.refresh).await);
    server.wait(seconds(30)).await;
    let (head, mac) = session.refresh.rsplit_once('.').unwrap();
    let forged_mac = format!(
        "{head}.{}{}",
        if mac.starts_with('A') { 'B' } else { 'A' },
        &mac[1..]
    );
    let forged_generation = next.refresh.replacen(".1.", ".7.", 1);
    for forged in [
        forged_mac,
        forged_generation,
        "carnet_rt.x.0.AAAA".to_owned(),
        "x".to_owned(),
    ] {
        let reply = server.refresh(&forged).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "refresh_token_invalid"),
            "{forged}"
        );
    }
    assert_eq!(server.refresh("").await.code(), "refresh_token_missing");
    assert_eq!(server.refresh(&next.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_clock_that_steps_back_ends_no_session() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    server.wait(minutes(60)).await;
    let next = Session::of(&server.refresh(&session.refresh).await);
    server.clock.set(server.app_now() - 3_600_000);
    let retried = Session::of(&server.refresh(&session.refresh).await);
    assert_eq!(retried.refresh, next.refresh);
    assert_eq!(server.refresh(&next.refresh).await.status, StatusCode::OK);
}

#[tokio::test]
async fn rt_11_an_audience_that_the_client_may_not_have_any_more_gets_no_token_and_costs_none() {
    let server = Server::start().await;
    let login = json!({ "email": ALICE, "password": PASSWORD, "client_id": "mobile" });
    let login = server.post("/auth/login").json(&login).send().await.json();
    let token = json!({ "refresh_token": login["refresh_token"] });
    let elsewhere = "scope = \"read:orders\"\naudiences = [\"https://legacy.example.com\"]";
    let mobile = "refresh_token_in = \"body\"\n";
    let narrowed = server
        .restarted_with(
            &format!("{mobile}scope = \"read:orders\""),
            &format!("{mobile}{elsewhere}"),
        )
        .await;
    let reply = narrowed.post("/auth/refresh").json(&token).send().await;
    assert_eq!(reply.code(), "refresh_token_invalid");
    let reply = server.post("/auth/refresh").json(&token).send().await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn rt_11_a_token_that_cannot_be_minted_costs_no_refresh_token() {
    let server = Server::start().await;
    let session = server.log_in(ALICE, PASSWORD).await;
    let alice = server.user(ALICE).await;
    // More roles than an access token of four KiB can carry.
    for n in 0..100 {
        let role = format!("a-role-with-quite-a-long-name-{n}-{}", "x".repeat(20));
        server
            .app
            .store
            .add_role(&role, "", server.app_now())
            .await
            .unwrap();
        server.app.store.give_role(&alice.sub, &role).await.unwrap();
    }
    let reply = server.refresh(&session.refresh).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    server.wait(seconds(60)).await;
    for n in 0..100 {
        let role = format!("a-role-with-quite-a-long-name-{n}-{}", "x".repeat(20));
        server.app.store.take_role(&alice.sub, &role).await.unwrap();
    }
    let next = Session::of(&server.refresh(&session.refresh).await);
    server.wait(seconds(60)).await;
    assert_eq!(server.refresh(&next.refresh).await.status, StatusCode::OK);
}
