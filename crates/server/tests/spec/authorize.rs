//! Spec tests of the authorization request: who is told what, and where (RFC 6749 §4.1, RFC 7636, RFC 9207).

use http::StatusCode;

use crate::browser::{Browser, CHALLENGE, answer, authorize_url, form_of, web_url};
use crate::harness::Server;

pub(crate) const ISSUER: &str = "https://auth.example.com";

/// The answer that a browser without any session gets for a request that must not show a page.
pub(crate) async fn error_of(server: &Server, url: &str) -> String {
    let reply = Browser::of(server).get(url).await;
    let answer = answer(&reply);
    // AZ-09: also in errors.
    assert_eq!(answer["iss"], ISSUER);
    assert_eq!(answer["state"], "s-1");
    answer["error"].clone()
}

/// A page in place: no redirect, and it can be told apart.
async fn assert_error_page(server: &Server, url: &str) {
    let reply = Browser::of(server).get(url).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{url}: {reply:?}");
    assert_eq!(reply.header("location"), "", "{url}");
    assert!(reply.text().contains("id=\"oidc-error\""), "{url}");
    assert!(
        reply
            .header("content-security-policy")
            .contains("frame-ancestors 'none'"),
        "CN-01"
    );
}

#[tokio::test]
async fn az_05_none_beside_any_other_value_is_an_error() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    for prompt in ["none create", "create none", "none none", "none login"] {
        let reply = browser.get(&web_url("openid", &[("prompt", prompt)])).await;
        assert_eq!(answer(&reply)["error"], "invalid_request", "{prompt}");
    }
    let alone = browser.get(&web_url("openid", &[("prompt", "none")])).await;
    assert!(answer(&alone).contains_key("code"), "{alone:?}");
}

#[tokio::test]
async fn ru_01_an_address_that_is_not_registered_byte_for_byte_is_never_followed() {
    let server = Server::start().await;
    for uri in [
        "https://web.example.com/cb/",
        "https://web.example.com/cb2",
        "https://web.example.com/cb?x=1",
        "https://web.example.com/%63b",
        "HTTPS://web.example.com/cb",
        "https://WEB.example.com/cb",
        "https://web.example.com:443/cb",
        "https://web.example.com.evil.test/cb",
        "https://web.example.com@evil.test/cb",
        "https://web.example.com/cb#x",
        "https://web.example.com/cb#",
        "//web.example.com/cb",
        "javascript:alert(1)",
        "https://web2.example.com/cb",
    ] {
        assert_error_page(&server, &authorize_url("web", uri, "openid", &[])).await;
    }
}

#[tokio::test]
async fn ru_05_the_port_of_a_loopback_address_is_free_and_nothing_else_is() {
    let server = Server::start().await;
    for uri in [
        "http://127.0.0.1:49152/cb",
        "http://127.0.0.1/cb",
        "com.example.native:/cb",
    ] {
        let reply = Browser::of(&server)
            .follow(&authorize_url("native", uri, "openid", &[]))
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{uri}: {reply:?}");
    }
    for uri in [
        "http://127.0.0.1:49152/other",
        "http://localhost:49152/cb",
        "https://127.0.0.1:49152/cb",
        "http://127.0.0.2:49152/cb",
        "com.example.native:/cb2",
    ] {
        assert_error_page(&server, &authorize_url("native", uri, "openid", &[])).await;
    }
}

#[tokio::test]
async fn ru_08_without_a_client_or_an_address_the_person_is_told() {
    let server = Server::start().await;
    assert_error_page(
        &server,
        &authorize_url("nobody", "https://evil.test/cb", "openid", &[]),
    )
    .await;
    assert_error_page(
        &server,
        "/oauth/authorize?response_type=code&client_id=web&scope=openid",
    )
    .await;
    assert_error_page(&server, "/oauth/authorize").await;
    // A client of the login API has no business here.
    assert_error_page(
        &server,
        &authorize_url("first-party", "https://app.example.com", "openid", &[]),
    )
    .await;
    assert_error_page(&server, "/oauth/authorize?interaction=unknown").await;
    assert_error_page(&server, "/oauth/authorize/resume?interaction=unknown").await;
}

#[tokio::test]
async fn az_01_repeated_parameters_are_refused_and_repeated_addresses_lead_nowhere() {
    let server = Server::start().await;
    let url = web_url("openid", &[("scope", "openid")]);
    let reply = Browser::of(&server).get(&url).await;
    assert_eq!(answer(&reply)["error"], "invalid_request");
    for name in ["client_id", "redirect_uri"] {
        assert_error_page(&server, &web_url("openid", &[(name, "https://evil.test/cb")])).await;
    }
    let reply = Browser::of(&server)
        .get(&web_url("openid", &[("state", "s-2")]))
        .await;
    let told = answer(&reply);
    assert_eq!(told["error"], "invalid_request");
    assert!(!told.contains_key("state"), "which of the two would it be");
}

#[tokio::test]
async fn az_03_the_front_channel_carries_no_tokens_and_says_how_to_move_on() {
    let server = Server::start().await;
    for kind in [
        "token",
        "id_token token",
        "code token",
        "token code",
        "none",
        "CODE",
    ] {
        let url = web_url("openid", &[]).replace(
            "response_type=code",
            &format!("response_type={}", kind.replace(' ', "+")),
        );
        assert_eq!(
            error_of(&server, &url).await,
            "unsupported_response_type",
            "{kind}"
        );
        let told = answer(&Browser::of(&server).get(&url).await);
        let help = told["error_uri"].strip_prefix(ISSUER).unwrap().to_owned();
        let page = server.get(&help).send().await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text()
                .contains("https%3A&#x2f;&#x2f;web.example.com&#x2f;cb"),
            "its own values"
        );
    }
    let url = web_url("openid", &[]).replace("response_type=code&", "");
    assert_eq!(error_of(&server, &url).await, "invalid_request");
}

#[tokio::test]
async fn az_04_an_answer_travels_by_query_or_form_and_a_form_escapes_everything() {
    let server = Server::start().await;
    for mode in ["fragment", "web_message", "jwt", "query.jwt", "x"] {
        assert_eq!(
            error_of(&server, &web_url("openid", &[("response_mode", mode)])).await,
            "invalid_request"
        );
    }
    let state = "\"><script>alert(1)</script>";
    let url = web_url("openid", &[("response_mode", "form_post"), ("prompt", "none")]);
    let url = url.replace(
        "state=s-1",
        &format!(
            "state={}",
            url::form_urlencoded::byte_serialize(state.as_bytes()).collect::<String>()
        ),
    );
    let reply = Browser::of(&server).get(&url).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(!reply.text().contains("<script>alert"));
    assert!(
        reply
            .header("content-security-policy")
            .contains("script-src 'sha256-")
    );
    assert!(
        reply
            .header("content-security-policy")
            .contains("form-action 'self' https:;")
    );
    let (action, fields) = form_of(&reply);
    assert_eq!(action, "https://web.example.com/cb");
    assert!(
        fields
            .iter()
            .any(|(name, value)| name == "error" && value == "login_required")
    );
    assert!(
        fields
            .iter()
            .any(|(name, value)| name == "iss" && value == ISSUER)
    );
}

#[tokio::test]
async fn az_10_state_comes_back_byte_for_byte_and_splits_no_header() {
    let server = Server::start().await;
    let long = "x".repeat(4096);
    for state in [
        "a\r\nSet-Cookie: x=1",
        "\"><img src=x>",
        "💥",
        "a\0b",
        long.as_str(),
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
        let url = web_url("openid", &[("prompt", "none")]).replace("state=s-1", &format!("state={encoded}"));
        let reply = Browser::of(&server).get(&url).await;
        assert_eq!(answer(&reply)["state"], state);
        assert!(reply.cookie_line("x").is_none());
    }
}

#[tokio::test]
async fn az_10_what_is_not_utf_8_is_refused_and_comes_back_as_nothing_else() {
    let server = Server::start().await;
    let url = web_url("openid", &[]);
    for broken in ["state=%ff", "state=a%C3", "state=%C3&x=%A4", "state=%ED%A0%80"] {
        let url = url.replace("state=s-1", broken);
        assert_error_page(&server, &url).await;
        let (_, query) = url.split_once('?').unwrap();
        for path in ["/oauth/authorize", "/oauth/par", "/oauth/token", "/oauth/revoke"] {
            let form = server.post(path).basic("web", "web.secret");
            let reply = form
                .raw("application/x-www-form-urlencoded", query.to_owned())
                .send()
                .await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path} {broken}");
            assert!(
                reply.text().contains("a parameter is not UTF-8"),
                "{path}: {reply:?}"
            );
        }
    }
    assert_error_page(&server, &url.replace("nonce=n-1", "nonce=%ff%fe")).await;
    // The character that stands for what cannot be read is one like any other.
    let whole = url.replace("state=s-1", "state=%EF%BF%BD") + "&prompt=none";
    let reply = Browser::of(&server).get(&whole).await;
    assert_eq!(answer(&reply)["state"], "\u{fffd}");
}

#[tokio::test]
async fn a_parameter_of_a_client_may_be_called_as_one_of_ours() {
    let server = Server::start().await;
    let more = [
        ("interaction", "x"),
        ("prompt", "none"),
        ("lang", "de"),
        ("request", ""),
    ];
    let url = web_url("openid", &more);
    assert_eq!(error_of(&server, &url).await, "login_required");
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[("interaction", "x")])).await;
    assert!(answer(&browser.get(&url).await).contains_key("code"));
}

#[tokio::test]
async fn az_11_a_scope_that_the_client_may_not_ask_for_is_refused() {
    let server = Server::start().await;
    for scope in ["openid admin", "open\"id", "OPENID", "\0"] {
        assert_eq!(
            error_of(&server, &web_url(scope, &[])).await,
            "invalid_scope",
            "{scope}"
        );
    }
    assert_eq!(
        error_of(&server, &web_url("openid", &[("resource", "https://evil.test")])).await,
        "invalid_target"
    );
}

#[tokio::test]
async fn pk_01_pk_02_every_code_has_a_challenge_by_s256() {
    let server = Server::start().await;
    let challenge = format!("code_challenge={CHALLENGE}");
    for change in [
        "",
        "code_challenge=",
        "code_challenge=short",
        &format!("{challenge}%3D"),
        &challenge.replace('-', "%2B"),
    ] {
        let url = web_url("openid", &[]).replace(&challenge, change);
        assert_eq!(error_of(&server, &url).await, "invalid_request", "{change}");
    }
    for method in [
        "",
        "code_challenge_method=plain",
        "code_challenge_method=s256",
        "code_challenge_method=S256+plain",
    ] {
        let url = web_url("openid", &[]).replace("code_challenge_method=S256", method);
        assert_eq!(error_of(&server, &url).await, "invalid_request", "{method}");
    }
    // A confidential client that is registered so may use nonce instead.
    let without = |more: &str| {
        format!("/oauth/authorize?response_type=code&client_id=web2&scope=openid&state=s-1&prompt=none{more}")
    };
    assert_eq!(error_of(&server, &without("")).await, "invalid_request");
    assert_eq!(error_of(&server, &without("&nonce=n-1")).await, "login_required");
}

#[tokio::test]
async fn request_objects_are_not_read_and_say_so() {
    let server = Server::start().await;
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        assert_eq!(error_of(&server, &web_url("openid", &[(name, "x")])).await, error);
    }
    let known = [
        ("display", "popup"),
        ("claims_locales", "de"),
        ("acr_values", "x"),
        ("unknown", "1"),
        ("login_hint", "<b>"),
    ];
    let page = Browser::of(&server).follow(&web_url("openid", &known)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains("<b>"), "CN-04");
}
