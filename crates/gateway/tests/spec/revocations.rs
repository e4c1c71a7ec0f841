//! What an issuer has taken back is refused on every way in; and what happens when nobody can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carnet_gateway::load;
use carnet_gateway::reload::Reload;
use carnet_gateway::site::Site;
use carnet_guard::testing::TestClock;
use serde_json::json;
use tokio::sync::watch;

use crate::followed::{SECRET, Scene, configuration, say, secret};
use crate::harness::{Answer, ISSUER, Issuer, NOW, Running, mirror, soon, talk};

#[tokio::test]
async fn gw_13_a_token_that_was_taken_back_opens_nothing_any_more() {
    let scene = Scene::set("", mirror().await).await;
    let (token, other) = (scene.token("s1"), scene.token("s2"));
    // Remembered by now.
    for _ in 0..2 {
        assert_eq!(scene.asks("/orders", &token).await.status, 200);
    }
    scene.ends_session("s1");
    scene.becomes(&token, 401).await;
    let answer = scene.asks("/orders", &token).await;
    assert_eq!(answer.code(), "token_invalid", "{answer:?}");
    assert!(answer.head.contains("error=\"invalid_token\""), "{answer:?}");
    assert_eq!(scene.asks("/orders", &other).await.status, 200);
    // It was good once, so nobody guesses: whoever keeps asking is told to log in again, and never to wait.
    for _ in 0..70 {
        assert_eq!(scene.asks("/orders", &token).await.status, 401);
    }
    for (token, status) in [(&token, 401), (&other, 200)] {
        let asked = format!(
            "GET /forward-auth/nginx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Original-Method: GET\r\n\
             X-Original-URL: https://api.test/orders\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = Answer::read(&talk(scene.side, &asked).await);
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // One audience or two: it is followed once.
    assert_eq!(scene.feed.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn gw_13_before_the_first_word_and_after_the_last_the_policy_says_what_happens() {
    // It cannot be reached, which is no reason not to start.
    let nothing = json!("nothing yet");
    let closed = Scene::with("after = \"10s\"", mirror().await, &nothing).await;
    let open = Scene::with("on_loss = \"open\"", mirror().await, &nothing).await;
    let token = closed.token("s1");
    let answer = closed.asks("/orders", &token).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "temporarily_unavailable")
    );
    assert!(answer.head.contains("retry-after"), "{answer:?}");
    let ready = closed.operator("/health/ready").await;
    assert_eq!(
        (ready.status, ready.body.as_str()),
        (503, "the revocation feed of an issuer is lost\n")
    );
    let metric =
        |name: &str, value: &str| format!("carnet_gateway_revocations_{name}{{issuer={ISSUER:?}}} {value}\n");
    let metrics = closed.operator("/metrics").await.body;
    assert!(
        metrics.contains(&metric("available", "0")) && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    assert!(!metrics.contains("revocations_age_seconds{"), "{metrics}");
    assert_eq!(open.asks("/orders", &open.token("s1")).await.status, 200);
    assert_eq!(open.operator("/health/ready").await.status, 200);

    closed.ends_session("s2");
    closed.becomes(&token, 200).await;
    assert_eq!(closed.operator("/health/ready").await.status, 200);
    closed.feed.says.send_replace(None);
    closed.clock.wait(Duration::from_secs(9));
    assert_eq!(closed.asks("/orders", &token).await.status, 200);
    let metrics = closed.operator("/metrics").await.body;
    for line in [
        metric("available", "1"),
        metric("entries", "1"),
        metric("age_seconds", "9.0"),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    closed.clock.wait(Duration::from_secs(1));
    assert_eq!(closed.asks("/orders", &token).await.status, 503);
    // What is known to be taken back is refused, whatever is lost.
    assert_eq!(closed.asks("/orders", &closed.token("s2")).await.status, 401);
    soon(async {
        while !crate::log::lines().contains("the revocation feed is lost; trying until it is back") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn gw_13_what_another_issuer_says_counts_for_nothing() {
    let scene = Scene::set("", mirror().await).await;
    let token = scene.token("s1");
    assert_eq!(scene.asks("/orders", &token).await.status, 200);
    let stranger = Issuer::new();
    say(
        &stranger,
        &scene.feed,
        &json!({ "kind": "sid", "value": "s1", "exp": NOW + 900 }),
    );
    soon(async {
        while !crate::log::lines().contains("a message of the revocation feed") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(scene.asks("/orders", &token).await.status, 200);
    // The server with another history, as after a restored backup: what it says counts, and nothing of before.
    scene.ends_session("s1");
    scene.becomes(&token, 401).await;
    scene.ends_session("s2");
    scene.becomes(&token, 200).await;
}

#[tokio::test]
async fn gw_13_messages_are_checked_with_the_keys_of_a_new_file_as_soon_as_the_issuer_signs_with_them() {
    for policy in ["", "on_loss = \"open\""] {
        let mut scene = Scene::set(policy, mirror().await).await;
        scene.ends_session("s1");
        let revoked = scene.token("s1");
        scene.becomes(&revoked, 401).await;
        let (before, next) = (scene.token("s2"), Issuer::new());
        std::fs::write(scene.folder.path().join("jwks.json"), &next.jwks).unwrap();
        // Two looks find it, and it is refused: nobody could tell what is taken back.
        assert!(!scene.reload.look_again().await && !scene.reload.look_again().await);
        assert_eq!(scene.asks("/orders", &before).await.status, 200);
        scene.issuer = next;
        scene.ends_session("s3");
        // Nobody has to touch a file.
        soon(in_use(&mut scene.reload)).await;
        for (token, status) in [(before, 401), (scene.token("s3"), 401), (scene.token("s2"), 200)] {
            assert_eq!(scene.asks("/orders", &token).await.status, status);
        }
    }
}

/// Until a look finds that another configuration can be used.
async fn in_use(reload: &mut Reload) {
    while !reload.look_again().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn gw_13_a_feed_that_takes_longer_than_a_reload_waits_is_followed_in_the_end() {
    let mut scene = Scene::set("", mirror().await).await;
    scene.ends_session("s1");
    scene.becomes(&scene.token("s1"), 401).await;
    let (asked, ready) = (Arc::new(AtomicUsize::new(0)), watch::Sender::new(false));
    let (said, asking, waiting) = (scene.feed.says.clone(), asked.clone(), ready.clone());
    let slow = axum::routing::get(async move || {
        asking.fetch_add(1, Ordering::SeqCst);
        waiting.subscribe().wait_for(|ready| *ready).await.unwrap();
        let message = said.borrow().clone().unwrap();
        (
            [("content-type", "text/event-stream")],
            format!("data: {message}\n\n"),
        )
    });
    let slow = Running::start(axum::Router::new().route("/revocations", slow)).await;
    let url = scene
        .text
        .split("url = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let other = format!("http://{}/revocations", slow.address);
    scene.write(&scene.text.replace(url, &other));
    for _ in 0..10 {
        assert!(!scene.reload.look_again().await);
    }
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "it is not asked anew for every look"
    );
    assert_eq!(scene.asks("/orders", &scene.token("s2")).await.status, 200);
    ready.send_replace(true);
    soon(in_use(&mut scene.reload)).await;
    for (session, status) in [("s1", 401), ("s2", 200)] {
        assert_eq!(scene.asks("/orders", &scene.token(session)).await.status, status);
    }
    let written = crate::log::lines();
    assert!(written.contains("cannot be used yet"), "{written}");
}

#[tokio::test]
async fn gw_13_a_feed_that_is_heard_is_not_given_up_for_one_that_is_not() {
    let scene = Scene::set("on_loss = \"open\"", mirror().await).await;
    scene.ends_session("s1");
    scene.becomes(&scene.token("s1"), 401).await;
    std::fs::remove_file(scene.folder.path().join("feed.secret")).unwrap();
    secret(scene.folder.path(), "feed.secret", "mistyped");
    assert!(!scene.reload.read().await);
    scene.ends_session("s2");
    scene.becomes(&scene.token("s2"), 401).await;
}

#[tokio::test]
async fn a_feed_of_which_nothing_else_is_said_goes_on_when_the_configuration_changes() {
    let scene = Scene::set("", mirror().await).await;
    scene.ends_session("s1");
    scene.becomes(&scene.token("s1"), 401).await;
    // Another audience, another issuer beside it, the same again.
    let other = format!(
        "{}\n[[issuers]]\nissuer = \"https://other.test\"\njwks_file = \"jwks.json\"\n",
        scene.text.replace("path = \"/other\"", "path = \"/another\"")
    );
    for text in [
        scene.text.replace("https://other.test", "https://third.test"),
        other,
        scene.text.clone(),
    ] {
        scene.write(&text);
        assert!(scene.reload.read().await, "{text}");
        assert_eq!(scene.asks("/orders", &scene.token("s1")).await.status, 401);
        assert_eq!(scene.asks("/orders", &scene.token("s2")).await.status, 200);
    }
    assert_eq!(scene.feed.begun.load(Ordering::SeqCst), 1);
    // Another policy: followed anew.
    scene.write(&scene.text.replace("url =", "after = \"20s\", url ="));
    assert!(scene.reload.read().await);
    assert_eq!(scene.feed.begun.load(Ordering::SeqCst), 2);
    // A secret that the issuer does not know would close every route: not taken.
    std::fs::remove_file(scene.folder.path().join("feed.secret")).unwrap();
    secret(scene.folder.path(), "feed.secret", "another");
    assert!(!scene.reload.read().await);
    assert!(scene.feed.unknown.load(Ordering::SeqCst) > 0);
    assert_eq!(scene.asks("/orders", &scene.token("s2")).await.status, 200);
    // Nobody is followed any more.
    let line = scene
        .text
        .lines()
        .find(|line| line.contains("revocations ="))
        .unwrap();
    scene.write(&scene.text.replace(line, ""));
    assert!(scene.reload.read().await);
    assert_eq!(scene.asks("/orders", &scene.token("s1")).await.status, 200);
    let metrics = scene.operator("/metrics").await.body;
    assert!(!metrics.contains("revocations_available{"), "{metrics}");
}

#[tokio::test]
async fn what_is_known_to_be_taken_back_stays_so_when_the_table_of_its_issuer_changes_while_the_feed_is_lost()
{
    let scene = Scene::set("on_loss = \"open\"", mirror().await).await;
    scene.ends_session("s1");
    scene.becomes(&scene.token("s1"), 401).await;
    scene.feed.says.send_replace(None);
    scene.clock.wait(Duration::from_secs(30));
    let written = [
        scene.text.replace(
            "revocations =",
            "algorithms = [\"ES256\", \"RS256\"]\nrevocations =",
        ),
        // A second change, of one that has heard nothing itself.
        scene.text.clone(),
    ];
    for text in written {
        scene.write(&text);
        assert!(scene.reload.read().await, "{text}");
        assert_eq!(scene.asks("/orders", &scene.token("s1")).await.status, 401);
        assert_eq!(scene.asks("/orders", &scene.token("s2")).await.status, 200);
    }
    // Another secret alone, which the issuer does not know.
    let file = scene.folder.path().join("feed.secret");
    std::fs::remove_file(&file).unwrap();
    secret(scene.folder.path(), "feed.secret", "another");
    assert!(scene.reload.read().await);
    assert_eq!(scene.asks("/orders", &scene.token("s1")).await.status, 401);
    std::fs::remove_file(&file).unwrap();
    secret(scene.folder.path(), "feed.secret", SECRET);
    assert!(scene.reload.read().await);
    assert_eq!(scene.asks("/orders", &scene.token("s1")).await.status, 401);
    // It is back: what it says now counts, and nothing of before.
    scene.ends_session("s2");
    scene.becomes(&scene.token("s2"), 401).await;
    assert_eq!(scene.asks("/orders", &scene.token("s1")).await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_in_the_table_of_a_feed_is_named() {
    let service = mirror().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwks.json"), Issuer::new().jwks).unwrap();
    secret(folder.path(), "feed.secret", SECRET);
    secret(folder.path(), "empty.secret", "");
    std::fs::write(folder.path().join("open.secret"), SECRET).unwrap();
    let good = configuration(&service, "url = \"http://127.0.0.1:9/revocations\"");
    let build = async |text: &str| {
        let config = load::parse(text, &folder.path().join("gateway.toml"))?;
        Site::build(&config, Arc::new(TestClock::at(NOW)), None).await
    };
    for (from, to, place, what) in [
        (
            "feed.secret",
            "missing.secret",
            ".client_secret_file",
            "missing.secret",
        ),
        ("feed.secret", "empty.secret", ".client_secret_file", "empty"),
        ("feed.secret", "open.secret", ".client_secret_file", "open.secret"),
        (
            "client_id = \"gateway\"",
            "client_id = \"\"",
            ".client_id",
            "empty",
        ),
        (
            "http://127.0.0.1:9/",
            "ftp://127.0.0.1/",
            ".url",
            "no URL of a feed",
        ),
        ("http://127.0.0.1:9/", "/", ".url", "no URL of a feed"),
        ("url =", "after = \"1s\", url =", ".after", "shorter"),
        (
            "url =",
            "after = \"10s\", on_loss = \"open\", url =",
            ".after",
            "on_loss = \"closed\"",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let error = build(&good.replace(from, to)).await.unwrap_err();
        assert_eq!(error.place, format!("issuers[0].revocations{place}"), "{to}");
        assert!(error.what.contains(what) && !error.todo.is_empty(), "{error}");
        assert!(!error.to_string().contains(SECRET));
    }
    for (from, to) in [
        ("client_id = \"gateway\", ", ""),
        ("url =", "on_loss = \"ajar\", url ="),
        ("url =", "uri ="),
        ("url =", "after = 10, url ="),
    ] {
        let error = build(&good.replace(from, to)).await.unwrap_err();
        assert!(error.place.contains("gateway.toml:"), "{to}: {error}");
    }
}
