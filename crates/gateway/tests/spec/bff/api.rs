//! What a service behind a session sees, and what the browser sees of its answer.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use http::header;

use super::browser::{COOKIE, SCRIPT, SECRETS, WINDOW};
use super::world::World;
use crate::harness::Running;

#[tokio::test]
async fn a_service_gets_the_token_and_nothing_of_the_session() {
    let world = World::new().await;
    let mut user = world.user().await;
    user.cookies.push(("lang".to_owned(), "de".to_owned()));
    user.cookies.push(("other".to_owned(), "1".to_owned()));
    let headers = format!("{SCRIPT}Authorization: Bearer stolen\r\nDPoP: x\r\nX-User-ID: admin\r\n");
    let told = user.ask("POST", "/api/orders?a=1", (&headers, "hello")).await;
    let seen = told.seen();
    assert_eq!(
        (&seen.0["target"], &seen.0["body"]),
        (&"/api/orders?a=1".into(), &"hello".into())
    );
    let authorization = seen.header("Authorization").unwrap();
    let token = authorization.strip_prefix("Bearer ").unwrap();
    assert!(SECRETS.iter().any(|begins| token.starts_with(begins)), "{token}");
    assert_eq!(seen.header("X-User-ID").as_deref(), Some("user_1"));
    assert_eq!(seen.header("Cookie").as_deref(), Some("lang=de"));
    for gone in ["X-CSRF", "DPoP"] {
        assert_eq!(seen.header(gone), None);
    }
    assert_eq!(
        (told.one("cache-control"), told.one("vary")),
        ("no-store".to_owned(), "Cookie".to_owned())
    );
    let quiet = user.call("GET", "/quiet").await.seen();
    assert_eq!(
        (quiet.header("Authorization"), quiet.header("Cookie")),
        (None, None)
    );
    assert_eq!(quiet.header("X-User-ID").as_deref(), Some("user_1"));
    // A route without a session never gets our cookies.
    let open = user.call("GET", "/").await.seen();
    assert_eq!(open.header("Cookie").as_deref(), Some("lang=de; other=1"));
    assert_eq!(
        user.call("GET", "/admin").await.status,
        403,
        "the rules of a route hold for sessions as well"
    );
}

#[tokio::test]
async fn head_is_answered_as_get_is_without_its_body_and_ends_nothing() {
    let world = World::new().await;
    let mut user = world.user().await;
    let whole = user.call("GET", "/bff/user").await;
    let head = user.call("HEAD", "/bff/user").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.one("content-length"), whole.body.len().to_string());
    assert_eq!(world.browser().call("HEAD", "/bff/user").await.status, 401);
    let begun = user.ask("HEAD", "/bff/login", (WINDOW, "")).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    assert_eq!(
        user.ask("POST", "/bff/user", (SCRIPT, "")).await.one("allow"),
        "GET, HEAD"
    );
    let url = whole.json()["bff:logout_url"].as_str().unwrap().to_owned();
    for path in [url.as_str(), "/bff/callback?state=x", "/bff/logout/end?t=x"] {
        assert_eq!(user.ask("HEAD", path, (WINDOW, "")).await.status, 405, "{path}");
    }
    assert_eq!(user.call("GET", "/api").await.status, 200);
}

#[tokio::test]
async fn a_cookie_that_is_no_ascii_hides_neither_a_login_nor_a_session() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.cookies.push(("x".to_owned(), "\u{e9}".to_owned()));
    assert_eq!(browser.log_in(&world.issuer).await.status, 200);
    assert_eq!(browser.call("GET", "/api").await.status, 200);
    assert_eq!(browser.call("POST", "/bff/logout").await.status, 200);
}

#[tokio::test]
async fn gw_14_a_service_cannot_set_our_cookies() {
    let answer = async |_: Request| {
        let cookies = [
            format!("{COOKIE}=x; Path=/"),
            "__Host-Http-bfftx-abcdef=x".to_owned(),
            format!("={COOKIE}=x; Path=/"),
            "lang=en".to_owned(),
        ];
        let mut response = "".into_response();
        let lines = cookies.map(|line| (header::SET_COOKIE, line.parse().unwrap()));
        response
            .headers_mut()
            .extend(lines.into_iter().map(|(name, value)| (Some(name), value)));
        response
    };
    let service = Running::start(Router::new().fallback(answer)).await;
    let world = World::with(service, |text| text).await;
    let mut user = world.user().await;
    for path in ["/api", "/"] {
        assert_eq!(
            user.call("GET", path).await.all("set-cookie"),
            ["lang=en"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn gw_15_the_gateway_is_no_open_proxy_and_tells_no_token() {
    let world = World::new().await;
    let mut user = world.user().await;
    for (path, status) in [
        ("/bff/proxy?url=http://canary.test/", 404),
        ("/bff/@canary.test", 404),
        ("/bff/", 404),
        ("//canary.test/api", 400),
        ("/api/..%2f..%2fx", 400),
        ("/bff/login/../user", 200),
    ] {
        let told = user.call("GET", path).await;
        assert_eq!(told.status, status, "{path}");
        told.has_no_token();
    }
    let told = user.call("GET", "/bff/user").await;
    told.has_no_token();
    let user = told.json();
    let names: Vec<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "auth_time",
        "bff:logout_url",
        "bff:session_expires_in",
        "name",
        "roles",
        "sid",
        "sub",
    ];
    assert_eq!(names, known);
    assert_eq!(user["bff:session_expires_in"], 8 * 3600);
    assert_eq!(
        (told.one("cache-control"), told.one("vary")),
        ("no-store".to_owned(), "Cookie".to_owned())
    );
}

#[tokio::test]
async fn who_is_nobody_can_be_told_as_null() {
    let service = crate::harness::mirror().await;
    let change = |text: String| text.replace("client_id =", "anonymous = \"null\"\nclient_id =");
    let world = World::with(service, change).await;
    let told = world.browser().call("GET", "/bff/user").await;
    assert_eq!((told.status, told.body.as_str()), (200, "null"));
}

#[tokio::test]
async fn a_token_that_a_service_refuses_is_renewed_once() {
    let answer = async |request: Request| {
        let token = request.headers()[header::AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned();
        let token = carnet_jose::dangerous::decode(token.strip_prefix("Bearer ").unwrap()).unwrap();
        // The first token of all was taken back.
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        match token.payload["jti"].as_str().unwrap() {
            "at2" | "at4" => (http::StatusCode::UNAUTHORIZED, challenge).into_response(),
            other => other.to_owned().into_response(),
        }
    };
    let service = Running::start(Router::new().fallback(answer)).await;
    let world = World::with(service, |text| text).await;
    let mut user = world.user().await;
    world.clock.wait(Duration::from_secs(10));
    let told = user.call("GET", "/api").await;
    assert_eq!((told.status, told.body.as_str()), (200, "at3"), "{told:?}");
    assert_eq!(world.issuer.refreshes(), 1);
    assert_eq!(user.call("GET", "/api").await.body, "at3");
    assert_eq!(world.issuer.refreshes(), 1);
}

#[tokio::test]
async fn a_token_that_is_never_good_is_not_asked_for_with_every_request() {
    let answer = async |_: Request| {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        (http::StatusCode::UNAUTHORIZED, challenge).into_response()
    };
    let service = Running::start(Router::new().fallback(answer)).await;
    let route = "[[routes]]\npath = \"/elsewhere\"\nsession = true\naudience = \"https://other.test\"\nupstream = \"service\"";
    let world = World::with(service, |text| format!("{text}\n{route}\n")).await;
    let mut user = world.user().await;
    for asked in [0, 1, 2] {
        // To the service it is none, nor to the gateway.
        for path in ["/api", "/elsewhere", "/api", "/elsewhere"] {
            assert_eq!(user.call("GET", path).await.status, 401);
        }
        assert_eq!(world.issuer.refreshes(), asked);
        world.clock.wait(Duration::from_secs(10));
    }
}
