//! Spec tests of pushed authorization requests (RFC 9126).

use http::{Method, StatusCode};
use url::Url;

use crate::authorize::error_of;
use crate::browser::{Browser, CHALLENGE, answer, form_of, web_url};
use crate::client_auth::{assert_refused, assertion};
use crate::harness::{Call, Reply, Server, minutes};
use crate::web::{exchange, text};

pub(crate) const PAR: &str = "/oauth/par";
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The parameters of a request of the client `web`, as they would stand in a URL.
fn parameters(url: &str) -> Vec<(String, String)> {
    let url = Url::parse("https://auth.example.com").unwrap().join(url).unwrap();
    url.query_pairs().into_owned().collect()
}

pub(crate) fn push<'a>(server: &'a Server, url: &str) -> Call<'a> {
    let all = parameters(url);
    let pairs: Vec<_> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    server.post(PAR).form(&pairs)
}

pub(crate) async fn pushed(server: &Server, url: &str) -> String {
    let reply = push(server, url).basic("web", "web.secret").send().await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    text(&reply.json(), "request_uri").to_owned()
}

pub(crate) fn by_reference(client: &str, uri: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", client), ("request_uri", uri)])
        .finish();
    format!("/oauth/authorize?{query}")
}

fn assert_unusable(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    assert_eq!(reply.header("location"), "");
    assert!(reply.text().contains("invalid_request_uri"), "{reply:?}");
    assert!(reply.text().contains("id=\"oidc-error\""));
}

#[tokio::test]
async fn a_pushed_request_leads_to_a_code_like_any_other() {
    let server = Server::start().await;
    let reply = push(&server, &web_url("openid email", &[]))
        .basic("web", "web.secret")
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    assert_eq!(reply.header("cache-control"), "no-cache, no-store");
    assert_eq!(reply.header("content-type"), "application/json");
    let body = reply.json();
    assert_eq!(body["expires_in"], 90);
    assert_eq!(body.as_object().unwrap().len(), 2);
    let uri = text(&body, "request_uri");
    // §7.1: 256 random bits that nobody guesses.
    let reference = uri.strip_prefix(PREFIX).unwrap();
    assert_eq!(carnet_jose::base64url::decode(reference).unwrap().len(), 32);
    let browser = Browser::of(&server);
    let code = browser.code(&by_reference("web", uri)).await;
    let tokens = exchange(&server, &code).send().await.json();
    let id = crate::harness::claims(text(&tokens, "id_token"));
    assert_eq!(id["nonce"], "n-1");
    assert!(text(&tokens, "scope").contains("email"));
    // Known and allowed: the next one is answered without any page.
    let again = pushed(&server, &web_url("openid email", &[])).await;
    let told = answer(&browser.get(&by_reference("web", &again)).await);
    assert!(told.contains_key("code"));
    assert_eq!(told["state"], "s-1");
    let metadata = server
        .get("/.well-known/openid-configuration")
        .send()
        .await
        .json();
    assert_eq!(
        metadata["pushed_authorization_request_endpoint"],
        "https://auth.example.com/oauth/par"
    );
}

#[tokio::test]
async fn of_what_stands_beside_a_reference_nothing_counts() {
    let server = Server::start().await;
    let uri = pushed(&server, &web_url("openid", &[])).await;
    let browser = Browser::of(&server);
    browser.code(&web_url("openid write:orders", &[])).await;
    let more = "&scope=openid+write:orders&state=evil&redirect_uri=https://evil.test/cb&response_type=token&prompt=none&request=x";
    let page = browser
        .follow(&format!("{}{more}", by_reference("web", &uri)))
        .await;
    let told = answer(&page);
    assert!(page.header("location").starts_with("https://web.example.com/cb?"));
    assert_eq!(told["state"], "s-1");
    let tokens = exchange(&server, &told["code"]).send().await.json();
    assert_eq!(text(&tokens, "scope"), "openid");
    // Of two references, or two clients, none.
    let uri = pushed(&server, &web_url("openid", &[])).await;
    for more in [format!("&request_uri={PREFIX}x"), "&client_id=web2".to_owned()] {
        assert_unusable(&browser.get(&format!("{}{more}", by_reference("web", &uri))).await);
    }
    assert_unusable(&browser.get(&format!("/oauth/authorize?request_uri={uri}")).await);
    assert!(answer(&browser.get(&by_reference("web", &uri)).await).contains_key("code"));
}

#[tokio::test]
async fn pp_08_a_reference_is_for_its_client_and_for_ninety_seconds() {
    let server = Server::start().await;
    let uri = pushed(&server, &web_url("openid", &[])).await;
    let browser = Browser::of(&server);
    assert_unusable(&browser.get(&by_reference("web2", &uri)).await);
    assert_unusable(&browser.get(&by_reference("nobody", &uri)).await);
    assert_unusable(&browser.get(&by_reference("web", &format!("{uri}1"))).await);
    assert_unusable(&browser.get(&by_reference("web", PREFIX)).await);
    server.wait(std::time::Duration::from_secs(89)).await;
    let page = browser.follow(&by_reference("web", &uri)).await;
    assert_eq!(page.status, StatusCode::OK, "and others have not spent it");
    server.wait(std::time::Duration::from_secs(1)).await;
    assert_unusable(&browser.get(&by_reference("web", &uri)).await);
    // Whoever was at the login page by then may take the time.
    server.wait(minutes(30)).await;
    let consent = browser.log_in(&page).await;
    let back = browser.submit(&consent, &[("decision", "allow")]).await;
    assert!(answer(&back).contains_key("code"));
}

#[tokio::test]
async fn pp_08_a_request_has_one_answer_and_may_be_looked_at_again_until_then() {
    let server = Server::start().await;
    let uri = pushed(&server, &web_url("openid", &[])).await;
    let browser = Browser::of(&server);
    // Reloaded, and in another tab, and in another browser.
    let first = browser.follow(&by_reference("web", &uri)).await;
    let second = browser.follow(&by_reference("web", &uri)).await;
    let stranger = Browser::of(&server);
    let third = stranger.follow(&by_reference("web", &uri)).await;
    for page in [&first, &second, &third] {
        assert!(page.text().contains("id=\"login-submit\""));
    }
    let consent = browser.log_in(&second).await;
    let back = browser
        .submit(&consent, &[("decision", "allow"), ("remember", "yes")])
        .await;
    assert!(answer(&back).contains_key("code"));
    assert_unusable(&browser.get(&by_reference("web", &uri)).await);
    assert_unusable(&browser.log_in(&first).await);
    // Not after the ninety seconds either, when nobody follows the reference any more.
    server.wait(minutes(20)).await;
    assert_unusable(&stranger.log_in(&third).await);
}

#[tokio::test]
async fn an_error_is_an_answer_as_well() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let uri = pushed(&server, &web_url("openid", &[("prompt", "none")])).await;
    let told = answer(&browser.get(&by_reference("web", &uri)).await);
    assert_eq!(told["error"], "login_required");
    assert_unusable(&browser.get(&by_reference("web", &uri)).await);
    let uri = pushed(&server, &web_url("openid", &[])).await;
    let login = browser.follow(&by_reference("web", &uri)).await;
    let back = browser.submit(&login, &[("decision", "cancel")]).await;
    assert_eq!(answer(&back)["error"], "access_denied");
    assert_unusable(&browser.get(&by_reference("web", &uri)).await);
}

#[tokio::test]
async fn pp_10_the_endpoint_refuses_what_it_must() {
    let server = Server::start().await;
    let url = web_url("openid", &[]);
    let nested = push(
        &server,
        &web_url("openid", &[("request_uri", &format!("{PREFIX}x"))]),
    );
    let nested = nested.basic("web", "web.secret").send().await;
    assert_refused(&nested, StatusCode::BAD_REQUEST, "invalid_request");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = server.call(method, PAR).send().await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(reply.header("allow"), "POST");
    }
    // §2: as at the token endpoint. `web` has a secret, and nothing else counts.
    for call in [
        push(&server, &url),
        push(&server, &url).basic_exactly("web", "wrong"),
        push(&server, &url.replace("client_id=web", "client_id=nobody")).basic("nobody", "web.secret"),
    ] {
        assert_refused(&call.send().await, StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let other = push(&server, &url).basic("web2", "web2.secret").send().await;
    assert_refused(&other, StatusCode::BAD_REQUEST, "invalid_request");
    let twice = push(&server, &web_url("openid", &[("scope", "openid")]));
    let twice = twice.basic("web", "web.secret").send().await;
    assert_refused(&twice, StatusCode::BAD_REQUEST, "invalid_request");
    let large = push(&server, &web_url("openid", &[("x", &"x".repeat(70_000))]));
    let large = large.basic("web", "web.secret").send().await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let json = server.post(PAR).json(&serde_json::json!({})).send().await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let much = push(&server, &web_url("openid", &[("x", &"x".repeat(8_200))]));
    let much = much.basic("web", "web.secret").send().await;
    assert_refused(&much, StatusCode::BAD_REQUEST, "invalid_request");
    let state = "s".repeat(6_000);
    let uri = pushed(&server, &url.replace("state=s-1", &format!("state={state}"))).await;
    let browser = Browser::of(&server);
    browser.code(&url).await;
    let told = answer(&browser.get(&by_reference("web", &uri)).await);
    assert_eq!(told["state"], state);
}

#[tokio::test]
async fn pk_06_a_pushed_request_is_checked_as_one_in_a_url_is() {
    let server = Server::start().await;
    let change = |from: &str, to: &str| web_url("openid", &[]).replace(from, to);
    let challenge = format!("&code_challenge={CHALLENGE}");
    for (url, error) in [
        (change(&challenge, ""), "invalid_request"),
        (change("&code_challenge_method=S256", ""), "invalid_request"),
        (
            change("code_challenge_method=S256", "code_challenge_method=plain"),
            "invalid_request",
        ),
        (change("response_type=code&", ""), "invalid_request"),
        (
            change("response_type=code", "response_type=token"),
            "unsupported_response_type",
        ),
        (change("web.example.com", "evil.test"), "invalid_request"),
        (change("scope=openid", "scope=openid+admin"), "invalid_scope"),
        (
            web_url("openid", &[("resource", "https://evil.test")]),
            "invalid_target",
        ),
        (
            web_url("openid", &[("response_mode", "fragment")]),
            "invalid_request",
        ),
        (web_url("openid", &[("prompt", "none login")]), "invalid_request"),
        (web_url("openid", &[("request", "x")]), "request_not_supported"),
        (web_url("openid", &[("claims", "{")]), "invalid_request"),
    ] {
        let reply = push(&server, &url).basic("web", "web.secret").send().await;
        assert_refused(&reply, StatusCode::BAD_REQUEST, error);
        assert!(reply.json()["error_description"].is_string());
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let svc = push(
        &server,
        &change("client_id=web", "client_id=svc")
            .replace("redirect_uri=https%3A%2F%2Fweb.example.com%2Fcb&", ""),
    );
    let reply = svc.send().await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "CA-02: it has a secret");
}

#[tokio::test]
async fn every_way_to_prove_who_a_client_is_counts_and_none_for_a_public_one() {
    let server = Server::start().await;
    let spa = web_url("openid", &[])
        .replace("client_id=web", "client_id=spa")
        .replace("web.example.com", "spa.example.com");
    let reply = push(&server, &spa).send().await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    let uri = text(&reply.json(), "request_uri").to_owned();
    let code = Browser::of(&server).code(&by_reference("spa", &uri)).await;
    assert!(!code.is_empty());
    let server = server
        .restarted_with(
            "id = \"jwtc\"\ngrant_types = [\"client_credentials\", \"jwt_bearer\"]",
            "id = \"jwtc\"\ngrant_types = [\"authorization_code\"]\nredirect_uris = [\"https://jwtc.example.com/cb\"]",
        )
        .await;
    let url = "/x?response_type=code&redirect_uri=https://jwtc.example.com/cb&code_challenge_method=S256&scope=read:metrics";
    let url = format!("{url}&code_challenge={CHALLENGE}");
    let by_key = async |jwt: &str| {
        let proof = format!(
            "{url}&client_assertion={jwt}&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        push(&server, &proof).send().await
    };
    let jwt = assertion(&server, |_| {});
    assert_eq!(by_key(&jwt).await.status, StatusCode::CREATED);
    // CA-06, CA-05: once, and for this server rather than for one of its endpoints.
    assert_refused(&by_key(&jwt).await, StatusCode::UNAUTHORIZED, "invalid_client");
    let jwt = assertion(&server, |claims| {
        claims["aud"] = "https://auth.example.com/oauth/par".into();
    });
    assert_refused(&by_key(&jwt).await, StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn pp_10_whoever_has_to_push_is_told_so() {
    let server = Server::start().await;
    let switch = "require_pushed_authorization_requests = true";
    let own = server
        .restarted_with("id = \"web\"", &format!("id = \"web\"\n{switch}"))
        .await;
    assert_eq!(
        error_of(&own, &web_url("openid", &[("prompt", "none")])).await,
        "invalid_request"
    );
    let metadata = own.get("/.well-known/openid-configuration").send().await.json();
    assert!(metadata.get("require_pushed_authorization_requests").is_none());
    let all = server
        .restarted_with(
            "[first_party]",
            &format!("[authorization]\n{switch}\n[first_party]"),
        )
        .await;
    let metadata = all.get("/.well-known/openid-configuration").send().await.json();
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
    let external = web_url("openid", &[("request_uri", "https://canary.test/r")]);
    for url in [web_url("openid", &[]), external] {
        assert_eq!(error_of(&all, &url).await, "invalid_request");
    }
    for server in [&own, &all] {
        let uri = pushed(server, &web_url("openid", &[])).await;
        let code = Browser::of(server).code(&by_reference("web", &uri)).await;
        assert_eq!(exchange(server, &code).send().await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn pp_12_a_reference_to_elsewhere_is_not_followed() {
    let server = Server::start().await;
    for uri in [
        "https://canary.test/r",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "urn:ietf:params:oauth:request_ur",
    ] {
        let url = web_url("openid", &[("request_uri", uri)]);
        assert_eq!(error_of(&server, &url).await, "request_uri_not_supported");
    }
}

#[tokio::test]
async fn pp_13_the_browser_sees_the_reference_and_nothing_of_the_request() {
    let server = Server::start().await;
    let url = web_url("openid", &[("ui_locales", "en"), ("marker", "mark-1")]).replace("s-1", "mark-2");
    let uri = pushed(&server, &url.replace("n-1", "mark-3")).await;
    let browser = Browser::of(&server);
    let redirect = browser.get(&by_reference("web", &uri)).await;
    let page = browser.follow(redirect.header("location")).await;
    for reply in [&redirect, &page] {
        let seen = format!("{:?}{}", reply.headers, reply.text());
        for hidden in ["mark-1", "mark-2", "mark-3", CHALLENGE, "web.example.com/cb"] {
            assert!(!seen.contains(hidden), "{hidden}: {seen}");
        }
    }
    let (_, fields) = form_of(&page);
    assert_eq!(
        fields.len(),
        2,
        "the name of the interaction, and that the form is ours"
    );
    let cookie = browser.cookie("__Host-browser").unwrap();
    assert_eq!(
        carnet_jose::base64url::decode(&cookie).unwrap().len(),
        32,
        "random"
    );
}

#[tokio::test]
async fn a_reference_may_come_in_a_form_too() {
    let server = Server::start().await;
    let uri = pushed(&server, &web_url("openid", &[])).await;
    let call = || {
        server
            .post("/oauth/authorize")
            .form(&[("client_id", "web"), ("request_uri", &uri)])
    };
    let reply = call().send().await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    let browser = Browser::of(&server);
    let page = browser.follow(reply.header("location")).await;
    let consent = browser.log_in(&page).await;
    let back = browser.submit(&consent, &[("decision", "allow")]).await;
    assert!(answer(&back).contains_key("code"));
    assert_unusable(&call().send().await);
}
