//! Spec tests of throttling: logins, and what strangers leave in the store.

use http::StatusCode;
use serde_json::json;

use crate::browser::{Browser, answer, web_url};
use crate::harness::{ALICE, PASSWORD, Reply, Server, minutes};
use crate::par::{push, pushed};

const WRONG: &str = "not the right passphrase";

async fn from(server: &Server, address: [u8; 4], email: &str, password: &str) -> Reply {
    server
        .post("/auth/login")
        .from(address)
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
}

#[tokio::test]
async fn pw_08_guessing_one_account_is_stopped_and_the_right_password_gets_the_same_answer() {
    let server = Server::start().await;
    for _ in 0..10 {
        assert_eq!(
            server.try_log_in(ALICE, WRONG).await.code(),
            "invalid_credentials"
        );
    }
    let wrong = server.try_log_in(ALICE, WRONG).await;
    let right = server.try_log_in(ALICE, PASSWORD).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
    );
    assert_eq!((right.status, &right.body), (wrong.status, &wrong.body));
    assert_eq!(right.header("retry-after"), "900");
    let unknown: Vec<Reply> =
        futures_util::future::join_all((0..11).map(|_| server.try_log_in("nobody@example.com", WRONG))).await;
    assert_eq!(
        unknown
            .iter()
            .filter(|reply| reply.status == StatusCode::TOO_MANY_REQUESTS)
            .count(),
        1,
        "an unknown account is no different"
    );
    server.wait(minutes(15)).await;
    assert_eq!(server.try_log_in(ALICE, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pw_08_spraying_many_accounts_from_one_address_is_stopped() {
    let server = Server::with("[login]\nattempts_per_address = 20").await;
    for i in 0..20 {
        assert_eq!(
            from(&server, [192, 0, 2, 1], &format!("user{i}@example.com"), WRONG)
                .await
                .status,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        from(&server, [192, 0, 2, 1], "user99@example.com", WRONG)
            .await
            .status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        from(&server, [192, 0, 2, 2], ALICE, PASSWORD).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_sprayer_with_an_account_of_their_own_gains_nothing_by_logging_in() {
    let server = Server::with("[login]\nattempts_per_address = 5").await;
    for i in 0..5 {
        assert_eq!(
            from(&server, [192, 0, 2, 1], &format!("user{i}@example.com"), WRONG)
                .await
                .status,
            StatusCode::UNAUTHORIZED
        );
        if i < 4 {
            assert_eq!(
                from(&server, [192, 0, 2, 1], ALICE, PASSWORD).await.status,
                StatusCode::OK
            );
        }
    }
    assert_eq!(
        from(&server, [192, 0, 2, 1], "user9@example.com", WRONG)
            .await
            .status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn pw_10_strangers_lock_nobody_out() {
    let server = Server::with("[login]\nattempts_per_account = 30").await;
    let login = server.try_log_in(ALICE, PASSWORD).await;
    let device = login.cookie("__Secure-device").unwrap();
    // One address exhausts its own counter and no other.
    for _ in 0..1_000 {
        from(&server, [192, 0, 2, 1], ALICE, WRONG).await;
    }
    assert_eq!(
        from(&server, [192, 0, 2, 2], ALICE, PASSWORD).await.status,
        StatusCode::OK
    );
    // Many addresses exhaust the account's; the device that has logged in before is exempt.
    for host in 10..14 {
        for _ in 0..10 {
            from(&server, [192, 0, 2, host], ALICE, WRONG).await;
        }
    }
    assert_eq!(
        from(&server, [198, 51, 100, 1], ALICE, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    let body = json!({ "email": ALICE, "password": PASSWORD });
    let known = server
        .post("/auth/login")
        .from([198, 51, 100, 1])
        .header("cookie", &format!("__Secure-device={device}"))
        .json(&body);
    assert_eq!(known.send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn rc_04_parallel_guesses_do_not_beat_the_counter() {
    let server = Server::start().await;
    let replies = futures_util::future::join_all((0..60).map(|_| server.try_log_in(ALICE, WRONG))).await;
    let tried = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::UNAUTHORIZED)
        .count();
    assert_eq!(tried, 10);
}

#[tokio::test]
async fn logging_in_rightly_is_never_too_often() {
    let server = Server::start().await;
    for _ in 0..120 {
        assert_eq!(server.try_log_in(ALICE, PASSWORD).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_device_cookie_of_one_account_opens_no_other() {
    let server = Server::start().await;
    server.add_user("bob@example.com", Some(PASSWORD)).await;
    let device = server
        .try_log_in("bob@example.com", PASSWORD)
        .await
        .cookie("__Secure-device")
        .unwrap();
    for _ in 0..10 {
        server.try_log_in(ALICE, WRONG).await;
    }
    for cookie in [device.as_str(), "x", "x.y"] {
        let body = json!({ "email": ALICE, "password": PASSWORD });
        let call = server
            .post("/auth/login")
            .header("cookie", &format!("__Secure-device={cookie}"))
            .json(&body);
        assert_eq!(call.send().await.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_had_time_for_counts_for_nothing() {
    let limits = "[login]\nattempts_per_account_and_address = 40\n[passwords]\nqueue = 1\nthreads = 1";
    let server = Server::with(limits).await;
    let burst = (0..30).map(|_| server.try_log_in(ALICE, "a wrong password"));
    let replies = futures_util::future::join_all(burst).await;
    let refused = replies
        .iter()
        .filter(|reply| reply.code() == "invalid_credentials")
        .count();
    assert!(refused < 30, "the queue was never full");
    for _ in refused..40 {
        assert_eq!(
            server.try_log_in(ALICE, "a wrong password").await.code(),
            "invalid_credentials"
        );
    }
    assert_eq!(
        server.try_log_in(ALICE, PASSWORD).await.code(),
        "too_many_attempts"
    );
}

#[tokio::test]
async fn a_burst_of_right_logins_is_not_refused() {
    let server = Server::start().await;
    let burst = (0..30).map(|_| server.try_log_in(ALICE, PASSWORD));
    for reply in futures_util::future::join_all(burst).await {
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
}

#[tokio::test]
async fn an_office_that_logs_in_at_nine_o_clock_is_not_refused() {
    let server = Server::with("[login]\nattempts_per_address = 8").await;
    let hash = server
        .app
        .store
        .find_login(ALICE)
        .await
        .unwrap()
        .unwrap()
        .password_hash;
    let people: Vec<_> = (0..40).map(|n| format!("user{n}@example.com")).collect();
    for email in &people {
        server.add_user_with_hash(email, hash.clone()).await;
    }
    let burst = people.iter().map(|email| server.try_log_in(email, PASSWORD));
    for reply in futures_util::future::join_all(burst).await {
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
}

#[tokio::test]
async fn a_thief_of_an_access_token_closes_no_login() {
    let server = Server::start().await;
    let login = server.try_log_in(ALICE, PASSWORD).await;
    let device = login.cookie("__Secure-device").unwrap();
    let stolen = crate::harness::Session::of(&login).access;
    let guess = json!({ "old_password": WRONG, "new_password": "another long enough passphrase" });
    for _ in 0..10 {
        let reply = server
            .post("/auth/password")
            .bearer(&stolen)
            .json(&guess)
            .send()
            .await;
        assert_eq!(reply.code(), "invalid_credentials");
    }
    let reply = server
        .post("/auth/password")
        .bearer(&stolen)
        .json(&guess)
        .send()
        .await;
    assert_eq!(reply.code(), "too_many_attempts");
    let own = server
        .post("/auth/login")
        .header("cookie", &format!("__Secure-device={device}"))
        .json(&json!({ "email": ALICE, "password": PASSWORD }));
    assert_eq!(own.send().await.status, StatusCode::OK);
}

#[tokio::test]
async fn dv_09_strangers_fill_the_store_only_so_fast() {
    let server = Server::with("[authorization]\nrequests_per_address = 3").await;
    let known = Browser::of(&server);
    known.code(&web_url("openid", &[])).await;
    let spa = web_url("openid", &[])
        .replace("client_id=web", "client_id=spa")
        .replace("web.example.com", "spa.example.com");
    let (_, query) = spa.split_once('?').unwrap();
    let form = "application/x-www-form-urlencoded";
    let posted = server.post("/oauth/authorize").raw(form, query.to_owned());
    assert_eq!(posted.send().await.status, StatusCode::SEE_OTHER);
    assert_eq!(push(&server, &spa).send().await.status, StatusCode::CREATED);
    let stopped = Browser::of(&server).get(&web_url("openid", &[])).await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS, "{stopped:?}");
    assert!(stopped.header("retry-after").parse::<u64>().unwrap() > 0);
    let stopped = push(&server, &spa).send().await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    let stopped = server.post("/oauth/authorize").raw(form, query.to_owned());
    assert_eq!(stopped.send().await.status, StatusCode::TOO_MANY_REQUESTS);
    // Who is known, who proves who it is, and who calls from elsewhere goes on.
    assert!(answer(&known.get(&web_url("openid", &[])).await).contains_key("code"));
    let page = known.follow(&web_url("openid", &[("prompt", "login")])).await;
    assert_eq!(page.status, StatusCode::OK);
    pushed(&server, &web_url("openid", &[])).await;
    let elsewhere = server.get(&web_url("openid", &[])).from([192, 0, 2, 9]);
    assert_eq!(elsewhere.send().await.status, StatusCode::SEE_OTHER);
    server.wait(minutes(15)).await;
    let again = Browser::of(&server).get(&web_url("openid", &[])).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn dv_09_an_account_fills_the_store_only_so_fast() {
    let server = Server::with("[authorization]\nrequests_per_address = 3").await;
    let known = Browser::of(&server);
    known.code(&web_url("openid", &[])).await;
    let asks = web_url("openid", &[("prompt", "consent")]);
    let silent = web_url("openid", &[("prompt", "none")]);
    for _ in 0..2 {
        assert_eq!(known.get(&asks).await.status, StatusCode::SEE_OTHER);
    }
    // What no page goes before is counted too: it keeps a code.
    let code = known.get(&silent).await;
    assert!(answer(&code).contains_key("code"), "{code:?}");
    let plain = web_url("openid", &[]);
    for stopped in [known.get(&asks).await, known.get(&plain).await] {
        assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS, "{stopped:?}");
    }
    // RFC 6749 §4.1.2.1: where no page may be shown, the client hears of it.
    let stopped = answer(&known.get(&silent).await);
    assert_eq!(stopped["error"], "temporarily_unavailable", "{stopped:?}");
    // Another browser of the same account as well.
    let other = Browser::of(&server);
    other.code(&web_url("openid", &[])).await;
    assert_eq!(other.get(&asks).await.status, StatusCode::TOO_MANY_REQUESTS);
    server.wait(minutes(15)).await;
    assert_eq!(known.get(&asks).await.status, StatusCode::SEE_OTHER);
    assert!(answer(&known.get(&silent).await).contains_key("code"));
}
