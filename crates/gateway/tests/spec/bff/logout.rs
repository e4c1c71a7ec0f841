//! How a session ends by its user's wish, here and at the issuer.

use std::time::Duration;

use super::browser::{Browser, COOKIE, SCRIPT, Told};
use super::world::{KEY, World};

#[tokio::test]
async fn ck_07_a_logout_ends_the_session_and_gives_the_token_back() {
    let world = World::new().await;
    let mut user = world.user().await;
    let mut copy = user.clone();
    let told = user.call("POST", "/bff/logout?returnUrl=/bye").await;
    assert_eq!(told.status, 200, "{told:?}");
    told.has_no_token();
    assert!(told.all("set-cookie")[0].starts_with(&format!("{COOKIE}=; Path=/; Max-Age=0")));
    assert_eq!(world.issuer.revoked.lock().unwrap().as_slice(), ["rt-secret-2"]);
    assert_eq!(
        copy.call("GET", "/api").await.status,
        401,
        "the old cookie opens nothing"
    );

    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("/bff/logout/end?t="), "{url}");
    // A script cannot follow it: what it leads to is for the issuer alone.
    let script = user.ask("GET", &url, (SCRIPT, "")).await;
    assert_eq!(script.refusal(), (403, "window_required".to_owned()));
    let away = user.open(&url).await;
    let location = url::Url::parse(&away.one("location")).unwrap();
    let query: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!((away.status, location.path()), (303, "/logout"));
    assert_eq!(
        query["post_logout_redirect_uri"],
        "https://app.test/bff/logout/callback"
    );
    assert_eq!(query["client_id"], "app");
    assert!(query["id_token_hint"].starts_with("eyJ"));
    let back = user
        .open(&format!("/bff/logout/callback?state={}", query["state"]))
        .await;
    assert_eq!((back.status, back.one("location").as_str()), (303, "/bye"));
    let strange = user.open("/bff/logout/callback?state=x").await;
    assert_eq!(strange.one("location"), "/");
}

#[tokio::test]
async fn the_way_to_the_issuer_is_open_once_for_a_minute_and_in_the_browser_that_has_logged_out() {
    let world = World::new().await;
    let replica = world.replica().await;
    let mut user = world.user().await;
    let told = user.call("POST", "/bff/logout").await;
    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    let lines = told.all("set-cookie");
    let handed = lines
        .iter()
        .find(|line| line.starts_with("__Host-Http-bffleave="));
    let attributes = "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax";
    assert!(handed.unwrap().ends_with(attributes), "{told:?}");
    // Whoever a script has sent it to, elsewhere, and another browser that has logged out.
    let mut other = world.user().await;
    other.call("POST", "/bff/logout").await;
    for mut stranger in [world.browser(), Browser::new(replica.address), other] {
        let home = stranger.open(&url).await;
        assert_eq!((home.status, home.one("location").as_str()), (303, "/"));
    }
    let again = user.clone();
    assert!(user.open(&url).await.one("location").contains("id_token_hint="));
    let cookies = user.cookie_line();
    assert!(!cookies.contains("leave"), "{cookies}");
    for gateway in [world.gateway.address, replica.address] {
        let mut again = Browser {
            gateway,
            ..again.clone()
        };
        assert_eq!(again.open(&url).await.one("location"), "/");
    }

    let mut late = world.user().await;
    let told = late.call("POST", "/bff/logout").await;
    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    world.clock.wait(Duration::from_secs(61));
    assert_eq!(late.open(&url).await.one("location"), "/");
}

#[tokio::test]
async fn lo_02_a_link_ends_the_session_whose_own_it_is() {
    let world = World::new().await;
    let (mut user, mut other) = (world.user().await, world.user().await);
    let url = user.call("GET", "/bff/user").await.json()["bff:logout_url"]
        .as_str()
        .unwrap()
        .to_owned();
    for link in [
        "/bff/logout",
        "/bff/logout?sid=",
        "/bff/logout?sid=sid_1",
        &format!("{url}x"),
    ] {
        assert_eq!(
            user.open(link).await.refusal(),
            (403, "csrf".to_owned()),
            "{link}"
        );
    }
    assert_eq!(other.open(&url).await.status, 403);
    assert_eq!(user.ask("GET", &url, (SCRIPT, "")).await.status, 403);
    assert_eq!(user.call("GET", "/api").await.status, 200, "nothing has happened");
    let away = user.open(&url).await;
    assert_eq!(away.status, 303);
    assert!(away.one("location").contains("/logout?"));
    assert_eq!(user.session(), None);
    assert_eq!(other.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn a_link_that_a_page_already_has_outlives_the_key_that_it_was_made_with() {
    let world = World::new().await;
    let mut user = world.user().await;
    let link = |told: Told| told.json()["bff:logout_url"].as_str().unwrap().to_owned();
    let url = link(user.call("GET", "/bff/user").await);
    let keys = format!("another-{KEY}\n{KEY}");
    std::fs::write(world.folder.path().join("bff.key"), keys).unwrap();
    let replica = world.replica().await;
    user.gateway = replica.address;
    assert_ne!(
        link(user.call("GET", "/bff/user").await),
        url,
        "the next ones are of the new key"
    );
    let away = user.open(&url).await;
    assert_eq!((away.status, user.session()), (303, None), "{away:?}");
}

#[tokio::test]
async fn a_logout_goes_on_to_an_issuer_whose_metadata_say_no_more_than_they_must() {
    let world = World::new().await;
    world.issuer.manner(|how| {
        how.lacks = &[
            "claims_parameter_supported",
            "claims_supported",
            "request_parameter_supported",
            "request_uri_parameter_supported",
            "userinfo_endpoint",
        ];
    });
    let mut user = world.user().await;
    let told = user.call("POST", "/bff/logout").await;
    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    let away = user.open(&url).await.one("location");
    assert!(away.contains("/logout?client_id=app&"), "{away}");
}

#[tokio::test]
async fn a_logout_that_cannot_go_on_to_its_issuer_says_why_in_the_log() {
    crate::log::keep();
    let world = World::new().await;
    world.issuer.manner(|how| how.lacks = &["end_session_endpoint"]);
    let mut user = world.user().await;
    let told = user.call("POST", "/bff/logout?returnUrl=/bye").await;
    let url = told.json()["logout_url"].as_str().unwrap().to_owned();
    assert_eq!(user.open(&url).await.one("location"), "/bye");
    assert!(crate::log::lines().contains("names no end_session_endpoint"));
}

#[tokio::test]
async fn ck_07_a_session_ends_when_it_rests_and_when_its_time_is_over() {
    let world = World::new().await;
    let mut resting = world.user().await;
    world.clock.wait(Duration::from_secs(8 * 3600 - 1));
    let left = resting.call("GET", "/bff/user?slide=false").await.json();
    assert_eq!(left["bff:session_expires_in"], 1);
    world.clock.wait(Duration::from_secs(2));
    assert_eq!(resting.call("GET", "/bff/user").await.status, 401);

    let mut busy = world.user().await;
    for _ in 0..23 {
        world.clock.wait(Duration::from_secs(7 * 3600));
        assert_eq!(busy.call("GET", "/bff/user").await.status, 200);
    }
    world.clock.wait(Duration::from_secs(7 * 3600));
    assert_eq!(
        busy.call("GET", "/bff/user").await.status,
        401,
        "a week is the most"
    );
}
