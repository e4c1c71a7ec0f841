//! The app has one origin.

use super::browser::{SCRIPT, WINDOW};
use super::world::World;

#[tokio::test]
async fn what_is_asked_of_another_host_is_misdirected() {
    let world = World::new().await;
    let user = world.user().await;
    // Nobody's session counts there, whatever cookies come along.
    for (host, status) in [
        ("evil.test", 421),
        ("app.test.evil.test", 421),
        ("app.test:8443", 421),
        ("127.0.0.1", 421),
        ("APP.test.", 200),
        ("app.test:443", 200),
    ] {
        let mut there = user.clone();
        there.host = host;
        for (path, headers) in [("/bff/user", SCRIPT), ("/api", SCRIPT), ("/bff/login", WINDOW)] {
            let told = there.ask("GET", path, (headers, "")).await;
            if status == 421 {
                assert_eq!(
                    told.refusal(),
                    (421, "host_misdirected".to_owned()),
                    "{host} {path}"
                );
                assert_eq!(told.all("set-cookie").len(), 0);
            } else {
                assert!([200, 303].contains(&told.status), "{host} {path}: {told:?}");
            }
        }
        assert_eq!(
            there.ask("GET", "/", (SCRIPT, "")).await.status,
            200,
            "routes without a session are for every host"
        );
    }
}

#[tokio::test]
async fn a_trusted_proxy_says_which_host_the_browser_has_asked_for() {
    for (trusted, status) in [("trusted_proxies = [\"127.0.0.1\"]", 200), ("", 421)] {
        let service = crate::harness::mirror().await;
        let world = World::with(service, |text| format!("[listen]\n{trusted}\n{text}")).await;
        let mut user = world.user().await;
        user.host = "10.0.0.7:8081";
        let headers = format!("{SCRIPT}X-Forwarded-Host: app.test\r\n");
        for path in ["/bff/user", "/api"] {
            assert_eq!(
                user.ask("GET", path, (&headers, "")).await.status,
                status,
                "{trusted} {path}"
            );
        }
    }
}
