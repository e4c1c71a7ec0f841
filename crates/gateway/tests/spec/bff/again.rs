//! Logins that come twice: in the same browser, in the same moment, ahead of time, or with mistakes.

use futures_util::future::join_all;

use super::browser::{Browser, COOKIE, WINDOW};
use super::world::World;

#[tokio::test]
async fn ck_02_a_new_login_ends_the_session_that_the_browser_had() {
    let world = World::new().await;
    let mut browser = world.user().await;
    let mut old = browser.clone();
    browser.log_in(&world.issuer).await;
    assert_ne!(browser.session(), old.session());
    assert_eq!(
        old.call("GET", "/api").await.refusal(),
        (401, "session_missing".to_owned())
    );
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    world.until_revoked("rt-secret-2").await;
    let sessions = browser.call("GET", "/bff/sessions").await.json();
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    // Nobody else's.
    let mut other = world.user().await;
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    assert_eq!(other.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn ck_02_a_login_that_another_site_has_begun_ends_it_too() {
    let world = World::new().await;
    let mut browser = world.user().await;
    let mut old = browser.clone();
    let cross_site = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    // The strict cookie stays behind.
    let mut outside = world.browser();
    let told = outside
        .ask(
            "GET",
            "/bff/login?returnUrl=/notes%3Fa%3D1&prompt=login",
            (cross_site, ""),
        )
        .await;
    assert_eq!((told.status, told.all("set-cookie").len()), (200, 0), "{told:?}");
    let here = told.one("refresh").strip_prefix("0;url=").unwrap().to_owned();
    assert_eq!(here, "/bff/login?returnUrl=%2Fnotes%3Fa%3D1&prompt=login&here=1");
    // A browser that says so once more is not led in a circle.
    assert_eq!(outside.ask("GET", &here, (cross_site, "")).await.status, 303);
    let begun = browser.open(&here).await;
    let back = world.issuer.log_in(&begun.one("location"));
    browser.cookies.retain(|(name, _)| name != COOKIE);
    let told = browser.ask("GET", &back, (cross_site, "")).await;
    assert_eq!(
        (told.status, told.one("refresh").as_str()),
        (200, "0;url=/notes?a=1")
    );
    assert_eq!(old.call("GET", "/api").await.status, 401);
    assert_eq!(browser.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn ck_02_of_two_logins_under_way_the_second_ends_the_session_of_the_first() {
    let world = World::new().await;
    let mut browser = world.browser();
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let begun = browser.open("/bff/login").await;
        tabs.push(world.issuer.log_in(&begun.one("location")));
    }
    assert_eq!(browser.open(&tabs[0]).await.status, 200);
    let mut first = browser.clone();
    assert_eq!(first.call("GET", "/api").await.status, 200);
    world.clock.wait(std::time::Duration::from_secs(300));
    // The strict cookie stays behind.
    browser.cookies.retain(|(name, _)| name != COOKIE);
    assert_eq!(browser.open(&tabs[1]).await.status, 200);
    assert_eq!(first.call("GET", "/api").await.status, 401);
    assert_eq!(browser.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn the_same_answer_twice_at_once_is_one_login() {
    let world = World::new().await;
    let other = world.replica().await;
    for _ in 0..5 {
        let mut browser = world.browser();
        let begun = browser.open("/bff/login?returnUrl=/notes").await;
        let back = world.issuer.log_in(&begun.one("location"));
        let calls = (0..6).map(|n| {
            let gateway = if n % 2 == 0 {
                world.gateway.address
            } else {
                other.address
            };
            let mut window = Browser {
                gateway,
                ..browser.clone()
            };
            let back = back.clone();
            tokio::spawn(async move {
                let told = window.ask("GET", &back, (WINDOW, "")).await;
                (window, told)
            })
        });
        let mut sessions = std::collections::BTreeSet::new();
        for done in join_all(calls).await {
            let (mut window, told) = done.unwrap();
            assert_eq!(
                (told.status, told.one("refresh").as_str()),
                (200, "0;url=/notes"),
                "{told:?}"
            );
            assert_eq!(window.call("GET", "/api").await.status, 200);
            sessions.insert(window.session().unwrap().to_owned());
        }
        assert_eq!(sessions.len(), 1);
    }
    assert_eq!(world.issuer.redeemed(), 5, "a code is shown to the issuer once");
}

#[tokio::test]
async fn a_browser_that_hangs_up_and_asks_again_is_logged_in() {
    let world = World::new().await;
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let held = world.issuer.hold();
    let mut hasty = browser.clone();
    let first = tokio::spawn({
        let back = back.clone();
        async move { hasty.open(&back).await }
    });
    world.issuer.until_held().await;
    first.abort();
    let mut again = browser.clone();
    let second = tokio::spawn(async move {
        let told = again.open(&back).await;
        (again, told)
    });
    drop(held);
    let (mut again, told) = second.await.unwrap();
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(again.call("GET", "/api").await.status, 200);
    assert_eq!(world.issuer.redeemed(), 1);
}

#[tokio::test]
async fn the_same_answer_after_a_login_that_failed_or_is_long_over_is_a_page_that_harms_nobody() {
    let world = World::new().await;
    world.issuer.manner(|how| how.nonce = Some("another"));
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let mut twin = browser.clone();
    assert_eq!(browser.open(&back).await.status, 502);
    let told = twin.open(&back).await;
    assert_eq!(
        (told.status, told.all("set-cookie").len(), twin.session()),
        (200, 0, None)
    );

    let world = World::new().await;
    let mut browser = world.browser();
    let begun = browser.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    let mut twin = browser.clone();
    assert_eq!(browser.open(&back).await.status, 200);
    world.clock.wait(std::time::Duration::from_secs(61));
    let told = twin.open(&back).await;
    assert_eq!(
        (told.status, twin.session()),
        (200, None),
        "an old cookie and an old address are no login"
    );
    assert_eq!(browser.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn what_a_browser_asks_ahead_does_nothing() {
    let world = World::new().await;
    let mut browser = world.user().await;
    let logout = browser.call("GET", "/bff/user").await.json()["bff:logout_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut window = world.browser();
    let begun = window.open("/bff/login").await;
    let back = world.issuer.log_in(&begun.one("location"));
    for ahead in [
        "Sec-Purpose: prefetch\r\n",
        "Sec-Purpose: prefetch;prerender\r\n",
        "Purpose: prefetch\r\n",
    ] {
        let headers = format!("{WINDOW}{ahead}");
        for (who, path) in [
            (&mut browser, logout.as_str()),
            (&mut window, &back),
            (&mut world.browser(), "/bff/login"),
        ] {
            let told = who.ask("GET", path, (&headers, "")).await;
            assert_eq!(told.refusal(), (403, "window_required".to_owned()), "{path}");
            assert_eq!(told.all("set-cookie").len(), 0);
        }
    }
    assert_eq!(window.open(&back).await.status, 200);
    assert_eq!(browser.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn hundreds_of_stale_logins_are_forgotten_some_at_a_time() {
    let world = World::new().await;
    let mut browser = world.browser();
    for n in 0..300 {
        browser
            .cookies
            .push((format!("{COOKIE}tx-{n:06}"), "stale".to_owned()));
    }
    let told = browser.open("/bff/login").await;
    assert_eq!(told.status, 303);
    assert!(
        (2..=21).contains(&told.all("set-cookie").len()),
        "{}",
        told.all("set-cookie").len()
    );
    let told = browser.open(&world.issuer.log_in(&told.one("location"))).await;
    assert_eq!(told.status, 200, "{told:?}");
}

#[tokio::test]
async fn a_wish_that_openid_connect_does_not_know_is_the_caller_s_mistake() {
    for par in [false, true] {
        let world = World::new().await;
        world.issuer.manner(|how| how.par = par);
        let mut browser = world.browser();
        for wish in [
            "prompt=nonsense",
            "prompt=none%20login",
            "prompt=login&prompt=none",
            "prompt=%20login",
            "acr_values=a%0Ab",
            "acr_values=a&acr_values=b",
        ] {
            let told = browser.open(&format!("/bff/login?{wish}")).await;
            assert_eq!(
                told.refusal(),
                (400, "login_request_invalid".to_owned()),
                "{wish}"
            );
        }
        for wish in [
            "prompt=",
            "prompt=login%20consent",
            "acr_values=mfa%20pwd",
            "prompt=select_account",
        ] {
            assert_eq!(
                browser.open(&format!("/bff/login?{wish}")).await.status,
                303,
                "{wish}"
            );
        }
    }
}

#[tokio::test]
async fn an_app_that_its_issuer_does_not_know_says_so_to_its_operator() {
    crate::log::keep();
    let world = World::new().await;
    world.issuer.manner(|how| {
        how.par = true;
        how.par_refuses = Some("invalid_request");
    });
    let mut browser = world.browser();
    let told = browser.open("/bff/login").await;
    assert_eq!(told.status, 502, "{told:?}");
    assert!(
        told.body.contains("login_misconfigured") && told.body.contains("invalid_request"),
        "{}",
        told.body
    );
    assert_eq!(told.all("retry-after").len() + told.all("set-cookie").len(), 0);
    assert!(crate::log::lines().contains("login_misconfigured"));
    world.issuer.manner(|how| how.par_refuses = None);
    // The same where the browser brings it back, and where the code is redeemed.
    for code in ["invalid_scope", "unauthorized_client"] {
        world.issuer.manner(|how| how.denies = Some(code));
        let told = browser.log_in(&world.issuer).await;
        assert_eq!(told.status, 502);
        assert!(
            told.body.contains("login_misconfigured") && told.body.contains(code),
            "{}",
            told.body
        );
    }
    world.issuer.manner(|how| {
        how.denies = None;
        how.code_trouble = Some((401, "invalid_client"));
    });
    let told = browser.log_in(&world.issuer).await;
    assert!(
        told.status == 502 && told.body.contains("invalid_client"),
        "{told:?}"
    );
    world.issuer.manner(|how| how.code_trouble = Some((503, "")));
    assert_eq!(
        browser.log_in(&world.issuer).await.refusal(),
        (503, "temporarily_unavailable".to_owned())
    );
}

#[tokio::test]
async fn where_people_return_to_has_one_spelling() {
    let world = World::new().await;
    for (wanted, path) in [
        ("/notes/../orders/./7%3Fa%3D/../b%23c", "/orders/7?a=/../b#c"),
        ("/%7Ealice/%2561", "/~alice/a"),
        ("/b%C3%BCcher", "/b%C3%BCcher"),
        ("/", "/"),
    ] {
        let mut browser = world.browser();
        let begun = browser.open(&format!("/bff/login?returnUrl={wanted}")).await;
        assert_eq!(begun.status, 303, "{wanted}: {begun:?}");
        let told = browser.open(&world.issuer.log_in(&begun.one("location"))).await;
        assert_eq!(told.one("refresh"), format!("0;url={path}"));
    }
    let mut browser = world.user().await;
    for evil in [
        "/a//b",
        "/..//evil.test",
        "/.//evil.test",
        "/%252F%252Fevil.test",
        "/%252e%252e/%252e%252e/x",
        "/a%255Cb",
        "/a;b",
        "/a%00",
        "/a%0D%0Ab",
        "/a&returnUrl=/b",
    ] {
        for told in [
            browser.open(&format!("/bff/login?returnUrl={evil}")).await,
            browser
                .call("POST", &format!("/bff/logout?returnUrl={evil}"))
                .await,
        ] {
            assert_eq!(told.refusal(), (400, "return_url_invalid".to_owned()), "{evil}");
        }
    }
    assert_eq!(browser.call("GET", "/api").await.status, 200);
}
