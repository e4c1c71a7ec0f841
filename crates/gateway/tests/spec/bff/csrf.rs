//! What other sites can make a browser send changes nothing and learns nothing.

use super::browser::{SCRIPT, Told};
use super::world::World;

/// What a page of another site, or of no known one, could send.
const FOREIGN: [&str; 12] = [
    "",
    "X-CSRF: 1\r\nSec-Fetch-Site: cross-site\r\n",
    "X-CSRF: 1\r\nSec-Fetch-Site: same-site\r\n",
    "X-CSRF: 1\r\nSec-Fetch-Site: none\r\n",
    "Sec-Fetch-Site: same-origin\r\n",
    "X-CSRF: 0\r\nSec-Fetch-Site: same-origin\r\n",
    "X-CSRF: 1\r\nX-CSRF: 1\r\nSec-Fetch-Site: same-origin\r\n",
    "X-CSRF: 1\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
    "X-CSRF: 1\r\nSec-Fetch-Site: same-origin\r\nOrigin: https://evil.test\r\n",
    "X-CSRF: 1\r\nOrigin: https://evil.test\r\n",
    "X-CSRF: 1\r\nOrigin: null\r\n",
    "X-CSRF: 1\r\nOrigin: https://app.test.evil.test\r\n",
];

fn csrf(told: &Told) -> bool {
    told.refusal() == (403, "csrf".to_owned()) && told.all("access-control-allow-origin").is_empty()
}

#[tokio::test]
async fn ck_05_no_method_of_no_route_answers_what_another_site_sends() {
    let world = World::new().await;
    let mut user = world.user().await;
    let cookies = user.cookies.clone();
    for headers in FOREIGN {
        for (method, path) in [
            ("GET", "/api/orders"),
            ("HEAD", "/bff/none"),
            ("POST", "/api/orders"),
            ("PUT", "/api/orders"),
            ("DELETE", "/api/orders"),
            ("OPTIONS", "/api/orders"),
            ("PATCH", "/quiet/x"),
            ("GET", "/bff/user"),
            ("POST", "/bff/logout"),
            ("GET", "/bff/sessions"),
            ("DELETE", "/bff/sessions/x"),
        ] {
            let told = user.ask(method, path, (headers, "")).await;
            if method == "HEAD" {
                assert_eq!(told.status, 404);
                continue;
            }
            assert!(csrf(&told), "{method} {path} with {headers:?}: {told:?}");
        }
    }
    assert_eq!(user.cookies, cookies);
    assert_eq!(
        user.call("GET", "/bff/user").await.status,
        200,
        "nothing has happened"
    );
}

#[tokio::test]
async fn ck_05_a_browser_of_old_times_proves_itself_by_origin() {
    let world = World::new().await;
    let mut user = world.user().await;
    let ours = "X-CSRF: 1\r\nOrigin: https://app.test\r\n";
    assert_eq!(user.ask("POST", "/api/orders", (ours, "x")).await.status, 200);
    assert_eq!(
        user.ask("GET", "/api/orders", ("X-CSRF: 1\r\n", "")).await.status,
        200
    );
    assert!(csrf(
        &user.ask("POST", "/api/orders", ("X-CSRF: 1\r\n", "x")).await
    ));
}

#[tokio::test]
async fn ck_05_the_proof_is_asked_for_before_the_session_is() {
    let world = World::new().await;
    let mut nobody = world.browser();
    assert!(csrf(&nobody.ask("GET", "/api/orders", ("", "")).await));
    let told = nobody.ask("GET", "/api/orders", (SCRIPT, "")).await;
    assert_eq!(
        told.refusal(),
        (401, "session_missing".to_owned()),
        "a script is never redirected"
    );
}

#[tokio::test]
async fn ck_08_no_other_origin_is_told_that_it_may_read() {
    let world = World::new().await;
    let mut user = world.user().await;
    let preflight = "Origin: https://evil.test\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: x-csrf\r\n";
    for path in ["/api/orders", "/bff/user", "/bff/logout", "/bff/sessions"] {
        let told = user.ask("OPTIONS", path, (preflight, "")).await;
        assert!(told.status == 403 || told.status == 405, "{told:?}");
        assert!(
            !told
                .headers
                .iter()
                .any(|(name, _)| name.starts_with("access-control")),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn gw_17_a_socket_and_a_stream_are_for_pages_of_the_app_alone() {
    let world = World::with(crate::harness::mirror().await, |text| {
        text.replace(
            "session = true\n    token",
            "session = true\n    websocket = true\n    session_events = true\n    token",
        )
    })
    .await;
    let (mut user, mut nobody) = (world.user().await, world.browser());
    let socket = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let stream = "Accept: text/event-stream\r\n";
    for (kind, source, status) in [
        (socket, "Origin: https://app.test\r\n", 200),
        (socket, "", 403),
        (socket, "Origin: https://evil.test\r\n", 403),
        (socket, "Origin: null\r\n", 403),
        (stream, "Sec-Fetch-Site: same-origin\r\n", 200),
        (stream, "Origin: https://app.test\r\n", 200),
        (stream, "", 403),
        (stream, "Sec-Fetch-Site: none\r\n", 403),
        (stream, "Sec-Fetch-Site: cross-site\r\n", 403),
        (
            stream,
            "Sec-Fetch-Site: same-origin\r\nOrigin: https://evil.test\r\n",
            403,
        ),
    ] {
        let headers = format!("{kind}{source}");
        let told = user.ask("GET", "/api/live", (&headers, "")).await;
        assert_eq!(told.status, status, "{headers}");
        let expected = if status == 200 { 401 } else { 403 };
        assert_eq!(
            nobody.ask("GET", "/api/live", (&headers, "")).await.status,
            expected
        );
    }
    // Nobody changes anything by the name of a stream.
    let posted = user
        .ask(
            "POST",
            "/api/live",
            (&format!("{stream}Sec-Fetch-Site: same-origin\r\n"), "x"),
        )
        .await;
    assert!(csrf(&posted));
    let quiet = user
        .ask(
            "GET",
            "/quiet",
            (&format!("{stream}Sec-Fetch-Site: same-origin\r\n"), ""),
        )
        .await;
    assert!(csrf(&quiet), "the route does not say that it has streams");
}
