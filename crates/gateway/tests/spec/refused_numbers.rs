//! Numbers, times and names with which nothing would work: they are refused.

use std::sync::Arc;

use carnet_gateway::load;
use carnet_gateway::site::Site;
use carnet_guard::testing::TestClock;

use crate::harness::NOW;
use crate::refused_settings::{place, wrong};

#[tokio::test]
async fn a_time_in_which_nothing_can_happen_is_refused() {
    for member in [
        "health_interval",
        "idle_timeout",
        "connect_timeout",
        "answer_timeout",
        "eject_for",
    ] {
        let said = |time: &str| format!("{member} = {time:?}");
        let key = format!("upstreams[0].{member}");
        assert_eq!(wrong("", &said("0s")).await, Some(key), "{member}");
        assert_eq!(wrong("", &said("1ms")).await, None, "{member}");
    }
}

#[tokio::test]
async fn a_server_that_has_not_failed_is_not_left_alone() {
    let said = |times| format!("eject_after = {times}");
    let key = Some("upstreams[0].eject_after".to_owned());
    assert_eq!(wrong("", &said(0)).await, key);
    assert_eq!(wrong("", &said(1)).await, None);
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = "[[upstreams]]\nname = \"s\"\nurls = [\n  \"http://127.0.0.1:9\",\n]\n\n[[upstreams]]\nurls = [\"x\"]\nname = \"t\"\n";
    let text = format!("{text}\n[[routes]]\npath = \"/\"\nupstream = \"s\"\npublic = true\n");
    std::fs::write(&file, &text).unwrap();
    let config = load::load(&file).unwrap();
    let error = Site::build(&config, Arc::new(TestClock::at(NOW)), None).await;
    let error = error.err().unwrap().in_file(&file);
    assert_eq!(error.place, format!("{}:8", file.display()));
    assert!(error.what.starts_with("upstreams[1].urls: "), "{error}");
}

#[tokio::test]
async fn what_is_asked_of_a_health_check_is_a_path() {
    for (path, key) in [
        ("health", Some("upstreams[0].health_path")),
        ("*", Some("upstreams[0].health_path")),
        ("http://evil.test/x", Some("upstreams[0].health_path")),
        ("", Some("upstreams[0].health_path")),
        ("/a b", Some("upstreams[0].health_path")),
        ("//evil.test/x", Some("upstreams[0].health_path")),
        ("/health#x", Some("upstreams[0].health_path")),
        ("/hü", Some("upstreams[0].health_path")),
        ("/health", None),
        ("/health?deep=1", None),
    ] {
        let said = format!("health_path = {path:?}");
        assert_eq!(wrong("", &said).await.as_deref(), key, "{path:?}");
    }
}

#[tokio::test]
async fn a_listener_that_nobody_could_use_is_refused() {
    let listen = |line: &str| format!("[listen]\n{line}");
    let side = |line: &str| format!("[forward_auth]\n{line}");
    for (text, key) in [
        (
            listen("max_connections_per_address = 0"),
            Some("listen.max_connections_per_address"),
        ),
        (listen("max_connections = 0"), Some("listen.max_connections")),
        (listen("max_head_bytes = 0"), Some("listen.max_head_bytes")),
        (listen("max_head_bytes = 8191"), Some("listen.max_head_bytes")),
        (
            listen("max_head_bytes = 100000000000"),
            Some("listen.max_head_bytes"),
        ),
        (listen("max_head_bytes = 8192"), None),
        (listen("max_head_bytes = 1048576"), None),
        (side("dialects = []"), Some("forward_auth.dialects")),
        (
            side("dialects = [\"nginx\"]\npeers = []"),
            Some("forward_auth.peers"),
        ),
        (side("dialects = [\"nginx\"]"), None),
    ] {
        assert_eq!(wrong(&text, "").await.as_deref(), key, "{text}");
    }
}

#[tokio::test]
async fn keys_are_kept_in_a_folder_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    for (name, key) in [("nope", Some("tokens.key_folder")), ("", None)] {
        let text = format!("[tokens]\nkey_folder = {:?}", folder.path().join(name));
        assert_eq!(wrong(&text, "").await.as_deref(), key, "{text}");
    }
}

#[tokio::test]
async fn an_origin_that_no_browser_names_lets_no_page_in() {
    for (origins, credentials, is_one) in [
        ("[]", false, false),
        ("[\"null\"]", true, false),
        ("[\"null\"]", false, false),
        ("[\"a\"]", false, false),
        ("[\"https://a/\"]", false, false),
        ("[\"https://A.test\"]", false, false),
        ("[\"https://*.a.test\"]", false, false),
        ("[\"https://a:443\"]", false, false),
        ("[\"https://a.test\", \"http://localhost:5173\"]", true, true),
        ("[\"*\"]", false, true),
    ] {
        let cors = format!("cors = {{ origins = {origins}, credentials = {credentials} }}");
        let key = (!is_one).then_some("routes[0].cors.origins");
        assert_eq!(of_route(&cors).await.as_deref(), key, "{cors}");
    }
    for (origin, is_one) in [
        ("*", false),
        ("null", false),
        ("a.test", false),
        ("wss://a.test", false),
        ("https://a.test", true),
    ] {
        let sockets = format!("websocket = true\nwebsocket_origins = [{origin:?}]");
        let key = (!is_one).then_some("routes[0].websocket_origins");
        assert_eq!(of_route(&sockets).await.as_deref(), key, "{sockets}");
    }
    let any = "cors = { origins = [\"https://a.test\"], headers = [\"*\"] }";
    assert_eq!(of_route(any).await.as_deref(), Some("routes[0].cors.headers"));
}

/// The key that is wrong with a route for everybody.
async fn of_route(route: &str) -> Option<String> {
    place(&format!(
        "[[upstreams]]\nname = \"s\"\nurls = [\"http://127.0.0.1:9\"]\n[[routes]]\npath = \"/\"\npublic = true\nupstream = \"s\"\n{route}\n"
    ))
    .await
}

#[tokio::test]
async fn a_header_that_means_something_already_cannot_say_who_asks() {
    let header = |name: &str, more: &str| format!("[[identity]]\nname = {name:?}\nclaim = \"c\"\n{more}\n");
    for name in [
        "Upgrade",
        "HTTP2-Settings",
        "Early-Data",
        "Trailer",
        "Keep-Alive",
        "Expect",
        "Proxy-Authorization",
        "Max-Forwards",
        "Sec-WebSocket-Protocol",
        "Content-Encoding",
        "Set-Cookie",
        "X-Forwarded-For",
        "x-forwarded-prefix",
        "Forwarded",
        "X-Identity-Assertion",
        "X-Calling-Service",
        "X-Request-ID",
        "traceparent",
        "Authorization",
    ] {
        let key = wrong(&header(name, ""), "").await;
        assert_eq!(key.as_deref(), Some("identity[0].name"), "{name}");
    }
    // What services behind other proxies read.
    for name in ["X-Forwarded-User", "X-Auth-Request-Email", "Remote-User", "From"] {
        assert_eq!(wrong(&header(name, ""), "").await, None, "{name}");
    }
    let twice = header("X-User-ID", "") + &header("x-user-id", "");
    assert_eq!(wrong(&twice, "").await.as_deref(), Some("identity[1].name"));
    for (line, key) in [
        ("join = \"\\r\\n\"", Some("identity[0].join")),
        ("join = \"\"", Some("identity[0].join")),
        ("join = \"é\"", Some("identity[0].join")),
        ("join = \", \"", None),
        ("default = \"é\"", Some("identity[0].default")),
        ("default = \"a\\tb\"", Some("identity[0].default")),
        ("default = \"not known\"", None),
    ] {
        let key_found = wrong(&header("X-Role", line), "").await;
        assert_eq!(key_found.as_deref(), key, "{line}");
    }
    let of_none = "[[identity]]\nname = \"X-Role\"\nclaim = \"\"\n";
    assert_eq!(wrong(of_none, "").await.as_deref(), Some("identity[0].claim"));
}

#[tokio::test]
async fn what_every_request_needs_is_not_reserved() {
    for (line, key) in [
        ("reserved = [\"*\"]", Some("headers.reserved[0]")),
        ("reserved = [\"\"]", Some("headers.reserved[0]")),
        ("reserved = [\"Host\"]", Some("headers.reserved[0]")),
        ("reserved = [\"X-A\", \"auth*\"]", Some("headers.reserved[1]")),
        ("reserved = [\"X-*-ID\"]", Some("headers.reserved[0]")),
        ("reserved = [\"X Tenant\"]", Some("headers.reserved[0]")),
        ("reserved = [\"X-Tenant-*\", \"X_Org\"]", None),
        ("own_cookies = [\"\"]", Some("headers.own_cookies[0]")),
        ("own_cookies = [\"sid=1\"]", Some("headers.own_cookies[0]")),
        ("own_cookies = [\"sid\", \"a;b\"]", Some("headers.own_cookies[1]")),
        ("own_cookies = [\"__Host-*\"]", None),
        // No service gets or sets any.
        ("own_cookies = [\"*\"]", None),
    ] {
        let text = format!("[headers]\n{line}");
        assert_eq!(wrong(&text, "").await.as_deref(), key, "{line}");
    }
}
