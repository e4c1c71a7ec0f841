//! One spelling, or none.

use http::Request;

use super::*;

fn spelled(raw: &str) -> Option<String> {
    path(raw).ok().map(Cow::into_owned)
}

#[test]
fn gw_07_no_tunnel_and_no_trace_leads_anywhere() {
    for method in ["CONNECT", "TRACE"] {
        let request = Request::builder().method(method).uri("/public/x");
        let (parts, ()) = request.header("Host", "h.example").body(()).unwrap().into_parts();
        assert_eq!(Target::read(&parts).unwrap_err().status(), 405, "{method}");
    }
}

#[test]
fn a_path_has_one_spelling() {
    for (raw, one) in [
        ("/", "/"),
        ("/orders/7", "/orders/7"),
        ("/orders/", "/orders/"),
        ("/%6frders", "/orders"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/%2e%2E/c", "/c"),
        ("/a/.", "/a/"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/...", "/a/..."),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%20b|c", "/a%20b%7Cc"),
        ("/a%2Bb+c", "/a%2Bb+c"),
        ("/100%25", "/100%25"),
    ] {
        assert_eq!(spelled(raw).as_deref(), Some(one), "{raw}");
        assert_eq!(
            spelled(one).as_deref(),
            Some(one),
            "{one} is not its own spelling"
        );
    }
}

#[test]
fn what_programs_read_in_different_ways_is_refused() {
    for raw in [
        "//",
        "/a//b",
        "/a//",
        "//evil.test/a",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0d%0ab",
        "/a%7f",
        "/a;b=c",
        "/a%3Bb",
        "/..",
        "/a/../../b",
        "/%2e%2e/etc",
        "/%",
        "/%4",
        "/%zz",
        "/%ff",
        "/%c3%28",
        "/a/..%2f",
        "a",
        "*",
        "",
    ] {
        assert_eq!(spelled(raw), None, "{raw}");
    }
}

#[test]
fn a_host_has_one_spelling() {
    for (raw, one) in [
        ("API.Example.COM", ("api.example.com", None)),
        ("api.example.com.", ("api.example.com", None)),
        ("api.example.com:8443", ("api.example.com", Some(8443))),
        ("127.0.0.1:80", ("127.0.0.1", Some(80))),
        ("[2001:DB8:0::1]:9", ("[2001:db8::1]", Some(9))),
        ("a_b", ("a_b", None)),
    ] {
        assert_eq!(host(raw), Ok((one.0.to_owned(), one.1)), "{raw}");
    }
    for raw in [
        "", ".", "a..b", "a b", "a@b", "a:b", "a:", "a:1:2", "a:99999", "a/b", "[::1", "[x]", "[::1]x",
        "a,b", "é",
    ] {
        assert!(host(raw).is_err(), "{raw:?}");
    }
}

fn target(request: http::request::Builder) -> Result<Target, Refusal> {
    Target::read(&request.body(()).unwrap().into_parts().0)
}

#[test]
fn a_request_names_one_host() {
    let get = |uri: &str| Request::get(uri);
    assert_eq!(
        target(get("/a?b=/../c").header("host", "X.test"))
            .unwrap()
            .path_and_query(),
        "/a?b=/../c"
    );
    assert_eq!(target(get("/")).unwrap_err().code(), "host_invalid");
    let two = get("/").header("host", "a").header("host", "a");
    assert_eq!(target(two).unwrap_err().code(), "host_invalid");
    assert_eq!(
        target(get("http://a/").header("host", "a")).unwrap_err().code(),
        "target_invalid"
    );
    let h2 = || get("http://a/x").version(Version::HTTP_2);
    assert_eq!(target(h2()).unwrap().host, "a");
    assert_eq!(target(h2().header("host", "A")).unwrap().host, "a");
    assert_eq!(
        target(h2().header("host", "b")).unwrap_err().code(),
        "host_invalid"
    );
}
