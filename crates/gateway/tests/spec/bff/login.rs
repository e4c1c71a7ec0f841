//! From a link of the app to a session, and every way that leads nowhere.

use super::browser::{Browser, COOKIE, SCRIPT};
use super::world::{World, refused};

#[tokio::test]
async fn ck_01_the_cookie_of_a_session_is_short_and_strict_and_says_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let told = browser.log_in(&world.issuer).await;
    let lines = told.all("set-cookie");
    let line = lines
        .iter()
        .find(|line| line.starts_with(&format!("{COOKIE}=")))
        .unwrap();
    let (value, attributes) = line.split_once('=').unwrap().1.split_once("; ").unwrap();
    assert_eq!(value.len(), 43);
    assert!(COOKIE.len() + 1 + value.len() < 130);
    assert_eq!(
        attributes,
        "Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"
    );
    // A redirect after a way that began elsewhere would leave the strict cookie behind.
    assert_eq!((told.status, told.one("refresh").as_str()), (200, "0;url=/notes"));
    assert_eq!(told.one("cache-control"), "no-store");
    assert!(
        told.one("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    told.has_no_token();
    for line in told.all("set-cookie") {
        assert!(
            line.contains("HttpOnly") && line.contains("Secure") && !line.contains("Domain"),
            "{line}"
        );
    }
    let other = world.user().await;
    assert_ne!(browser.session(), other.session());
}

#[tokio::test]
async fn ck_02_a_login_never_takes_up_a_session_that_was_there() {
    let world = World::new().await;
    let mut browser = world.browser();
    let made_up = "A".repeat(43);
    browser.cookies.push((COOKIE.to_owned(), made_up.clone()));
    assert_eq!(
        browser.call("GET", "/bff/user").await.refusal(),
        (401, "session_missing".to_owned())
    );
    browser.log_in(&world.issuer).await;
    let first = browser.session().unwrap().to_owned();
    browser.log_in(&world.issuer).await;
    let second = browser.session().unwrap().to_owned();
    assert!(made_up != first && first != second);
}

#[tokio::test]
async fn ck_04_an_answer_to_a_login_of_another_browser_logs_nobody_in() {
    let world = World::new().await;
    let (mut attacker, mut victim) = (world.browser(), world.browser());
    let begun = attacker.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let told = victim.open(&back).await;
    assert_eq!((told.status, victim.session()), (400, None), "{told:?}");
    // Nor does one whose cookie was put there for another login.
    let _ = victim.open("/bff/login").await;
    let told = victim.open(&back).await;
    assert_eq!((told.status, victim.session()), (400, None));
    assert_eq!(attacker.open(&back).await.status, 200);
    let told = attacker.open(&back).await;
    assert_eq!(told.status, 400, "an answer counts once");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_none() {
    for (manner, status) in [("nonce", 502), ("iss", 400), ("denied", 403), ("refused", 400)] {
        let world = World::new().await;
        world.issuer.manner(|how| match manner {
            "nonce" => how.nonce = Some("another"),
            "iss" => how.iss = Some("https://evil.test"),
            "denied" => how.denies = Some("access_denied"),
            _ => how.denies = Some("server_error"),
        });
        let mut browser = world.browser();
        let told = browser.log_in(&world.issuer).await;
        assert_eq!((told.status, browser.session()), (status, None), "{manner}");
        told.has_no_token();
    }
}

#[tokio::test]
async fn a_login_that_must_not_show_anything_comes_back_to_the_app() {
    let world = World::new().await;
    world.issuer.manner(|how| how.denies = Some("login_required"));
    let mut browser = world.browser();
    let begun = browser
        .open("/bff/login?prompt=none&acr_values=mfa&returnUrl=/notes")
        .await;
    assert!(begun.one("location").contains("prompt=none&acr_values=mfa"));
    let told = browser.open(&world.issuer.log_in(&begun.one("location"))).await;
    assert_eq!((told.status, told.one("refresh").as_str()), (200, "0;url=/notes"));
    assert_eq!(browser.session(), None);
}

#[tokio::test]
async fn people_are_led_to_paths_of_this_app_alone() {
    let world = World::new().await;
    let mut browser = world.browser();
    for evil in [
        "//evil.test",
        "/%5Cevil.test",
        "https://evil.test",
        "%2F%2Fevil.test",
        "/%09/evil.test",
        "javascript:x",
    ] {
        let told = browser.open(&format!("/bff/login?returnUrl={evil}")).await;
        assert_eq!(told.refusal(), (400, "return_url_invalid".to_owned()), "{evil}");
    }
}

#[tokio::test]
async fn a_login_begins_in_a_window_and_the_oldest_of_four_is_forgotten() {
    let world = World::new().await;
    let mut browser = world.browser();
    let told = browser.ask("GET", "/bff/login", (SCRIPT, "")).await;
    assert_eq!(told.refusal(), (403, "window_required".to_owned()));
    let mut begun = Vec::new();
    for _ in 0..4 {
        begun.push(browser.open("/bff/login").await.one("location"));
    }
    let waiting = |browser: &Browser| {
        let names = browser.cookies.iter().map(|(name, _)| name);
        names
            .filter(|name| name.starts_with("__Host-Http-bfftx-"))
            .count()
    };
    assert_eq!(waiting(&browser), 3);
    assert_eq!(browser.open(&world.issuer.log_in(&begun[0])).await.status, 400);
    assert_eq!(browser.open(&world.issuer.log_in(&begun[1])).await.status, 200);
    assert_eq!(waiting(&browser), 2);
}

#[tokio::test]
async fn a_login_that_took_too_long_is_over() {
    let world = World::new().await;
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    world.clock.wait(std::time::Duration::from_secs(601));
    assert_eq!(
        browser
            .open(&world.issuer.log_in(&begun.one("location")))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_request_is_pushed_where_the_issuer_takes_such() {
    let world = World::new().await;
    world.issuer.manner(|how| how.par = true);
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    let location = url::Url::parse(&begun.one("location")).unwrap();
    let names: Vec<_> = location
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["tenant", "client_id", "request_uri"]);
    let told = browser.open(&world.issuer.log_in(location.as_str())).await;
    assert_eq!(told.status, 200, "{told:?}");
}

#[tokio::test]
async fn a_configuration_that_would_not_be_safe_is_refused() {
    for (from, to, place) in [
        ("https://app.test", "http://app.test", "bff.url"),
        ("https://app.test", "https://app.test/x", "bff.url"),
        (
            "url = \"https://app.test\"",
            "url = \"https://app.test\"\ndev_insecure_cookie = true",
            "bff.dev_insecure_cookie",
        ),
        ("\"openid profile\"", "\"profile\"", "bff.scope"),
        ("bff.key", "short.key", "bff.key_file"),
        (
            "client_secret_file = \"client.secret\"",
            "",
            "bff.client_secret_file",
        ),
        ("client_id", "path = \"/bff/../x\"\nclient_id", "bff.path"),
        (
            "client_id",
            "csrf_header = \"Accept\"\nclient_id",
            "bff.csrf_header",
        ),
        (
            "client_id",
            "after_logout = \"//evil.test\"\nclient_id",
            "bff.after_logout",
        ),
        ("client_id", "idle = \"0s\"\nclient_id", "bff.idle"),
        ("client_id", "absolute = \"0s\"\nclient_id", "bff.absolute"),
        ("/quiet\"\n", "/quiet\"\n    public = true\n", "routes[2].session"),
    ] {
        assert_eq!(refused(|text| text.replacen(from, to, 1)).await, place, "{to}");
    }
    assert_eq!(refused(|text| text).await, "");
}

#[test]
fn the_configuration_of_the_docs_is_one() {
    let page = include_str!("../../../../../docs/bff.md");
    let text = page.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    carnet_gateway::load::parse(text, std::path::Path::new("gateway.toml")).unwrap();
    let example = include_str!("../../../../../examples/spa/gateway.toml");
    carnet_gateway::load::parse(example, std::path::Path::new("gateway.toml")).unwrap();
}

#[tokio::test]
async fn an_address_that_is_too_long_or_has_odd_words_is_gone_back_to_without_them() {
    let world = World::new().await;
    let long = "a".repeat(1024);
    for (wanted, path) in [
        (format!("/notes%3Fq={long}"), "/notes"),
        ("/notes%3Fq=a%5Cb".to_owned(), "/notes"),
        ("/notes%3Fq=%C3%BC".to_owned(), "/notes"),
        (format!("/{long}%3Fq=a"), "/"),
        ("/notes%3Fq=a".to_owned(), "/notes?q=a"),
    ] {
        let mut browser = world.browser();
        let begun = browser.open(&format!("/bff/login?returnUrl={wanted}")).await;
        assert_eq!(begun.status, 303, "{wanted}: {begun:?}");
        let back = world.issuer.log_in(&begun.one("location"));
        assert_eq!(browser.open(&back).await.one("refresh"), format!("0;url={path}"));
    }
}
