//! Spec tests of single claims that a request asks for, and of acr.
//!
//! OpenID Connect Core §3.1.2.1, §5.5 · OpenID Connect Core Error Code unmet_authentication_requirements

use carnet_store::{NewUser, User};
use http::StatusCode;
use serde_json::{Value, json};

use crate::authorize::error_of;
use crate::browser::{Browser, answer, authorize_url, web_url};
use crate::harness::{ALICE, PASSWORD, Reply, Server, claims, minutes};
use crate::web::{exchange, redeem, refresh, text};

const ACR: &str = "urn:carnet:acr:password";
const BOB: &str = "bob@example.com";

/// A request of `web` with the parameter `claims`.
fn asking(scope: &str, claims: &Value, more: &[(&str, &str)]) -> String {
    let text = claims.to_string();
    web_url(scope, &[&[("claims", text.as_str())], more].concat())
}

/// A user of whom much is known, who logs in at the page with Alice's password.
async fn add_bob(server: &Server) -> User {
    let claims = json!({
        "nickname": "Bobby", "phone_number": "+41 44 555 01 23", "phone_number_verified": true,
        "address": { "country": "CH", "locality": "Bern" }, "sub": "forged", "iss": "forged",
    });
    let known = server.app.store.find_login(ALICE).await.unwrap().unwrap();
    let new = NewUser {
        sub: String::new(),
        email_display: BOB.to_owned(),
        email_canonical: BOB.to_owned(),
        name: Some("Bob".to_owned()),
        password_hash: known.password_hash,
        roles: Vec::new(),
        email_verified: true,
        claims: claims.to_string(),
        attributes: "{}".to_owned(),
    };
    server
        .app
        .store
        .create_user(&new, server.app_now())
        .await
        .unwrap()
}

async fn log_in_as(browser: &Browser<'_>, page: &Reply, email: &str) -> Reply {
    let fields = [("username", email), ("password", PASSWORD), ("decision", "login")];
    browser.submit(page, &fields).await
}

/// The consent page that Bob is shown for this request, and what comes of his yes.
async fn allowed_by_bob(server: &Server, url: &str) -> (String, Value) {
    let browser = Browser::of(server);
    let consent = log_in_as(&browser, &browser.follow(url).await, BOB).await;
    assert_eq!(consent.status, StatusCode::OK, "{consent:?}");
    let back = browser.submit(&consent, &[("decision", "allow")]).await;
    let tokens = exchange(server, &answer(&back)["code"]).send().await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    (consent.text(), tokens.json())
}

async fn userinfo(server: &Server, tokens: &Value) -> Value {
    let token = text(tokens, "access_token");
    server.get("/userinfo").bearer(token).send().await.json()
}

fn id_token(tokens: &Value) -> Value {
    claims(text(tokens, "id_token"))
}

#[tokio::test]
async fn a_claim_is_told_where_it_was_asked_for_and_nowhere_else() {
    let server = Server::start().await;
    let bob = add_bob(&server).await;
    let asked = json!({
        "id_token": { "email": { "essential": true }, "auth_time": { "essential": true } },
        "userinfo": { "name": null, "nickname": { "value": "Bobby" }, "gender": { "essential": true }, "unknown": null },
        "other": { "email": null },
    });
    let (_, tokens) = allowed_by_bob(&server, &asking("openid", &asked, &[])).await;
    let id = id_token(&tokens);
    assert_eq!((&id["email"], &id["sub"]), (&json!(BOB), &json!(bob.sub)));
    assert!(id["auth_time"].is_u64());
    for name in ["email_verified", "name", "nickname", "acr", "unknown"] {
        assert!(id.get(name).is_none(), "{name}: {id}");
    }
    // §5.5.1: what is not known is no error, however essential.
    assert_eq!(
        userinfo(&server, &tokens).await,
        json!({ "sub": bob.sub, "name": "Bob", "nickname": "Bobby" })
    );
    assert_eq!(text(&tokens, "scope"), "openid", "no scope is granted with them");
}

#[tokio::test]
async fn lk_08_a_client_asks_for_nothing_by_name_that_its_scopes_do_not_open() {
    let server = Server::start().await;
    let bob = add_bob(&server).await;
    // `web` is registered for profile and email, not for address and phone.
    let asked = json!({ "userinfo": { "phone_number": null, "address": null, "email": null } });
    let (page, tokens) = allowed_by_bob(&server, &asking("openid", &asked, &[])).await;
    assert!(!page.contains("phone"), "{page}");
    assert_eq!(
        userinfo(&server, &tokens).await,
        json!({ "sub": bob.sub, "email": BOB })
    );
    let wider = server
        .restarted_with(
            "scope = \"openid profile email ",
            "scope = \"openid profile email phone address ",
        )
        .await;
    let (page, tokens) = allowed_by_bob(&wider, &asking("openid", &asked, &[])).await;
    assert!(page.contains("Your phone number") && page.contains("Your postal address"));
    let told = userinfo(&wider, &tokens).await;
    assert_eq!(told["address"], json!({ "country": "CH", "locality": "Bern" }));
    // Registered for less, the client is told less, though the login was asked for it.
    let told = userinfo(&server, &tokens).await;
    assert_eq!(told, json!({ "sub": bob.sub, "email": BOB }));
    let code = Browser::of(&server)
        .code(&authorize_url(
            "web2",
            "https://web2.example.com/cb",
            "openid",
            &[("claims", r#"{"id_token":{"email":null}}"#)],
        ))
        .await;
    let reply = redeem(
        &server,
        "web2",
        &code,
        &[("code_verifier", crate::browser::VERIFIER)],
    )
    .await;
    assert!(id_token(&reply.json()).get("email").is_none());
}

#[tokio::test]
async fn the_consent_page_names_every_claim_and_asks_again_for_more() {
    let server = Server::start().await;
    add_bob(&server).await;
    let browser = Browser::of(&server);
    let url = asking("openid", &json!({ "userinfo": { "birthdate": null } }), &[]);
    let consent = log_in_as(&browser, &browser.follow(&url).await, BOB).await;
    assert!(
        consent.text().contains("Your date of birth"),
        "{}",
        consent.text()
    );
    assert!(!consent.text().contains("Your e-mail address"));
    let yes = [("decision", "allow"), ("remember", "yes")];
    assert!(answer(&browser.submit(&consent, &yes).await).contains_key("code"));
    // The same, and less, is allowed; what was allowed by name is no scope.
    for again in [url.clone(), web_url("openid", &[])] {
        assert!(answer(&browser.get(&again).await).contains_key("code"));
    }
    for more in [
        web_url("openid profile", &[("prompt", "none")]),
        asking(
            "openid",
            &json!({ "id_token": { "email": null } }),
            &[("prompt", "none")],
        ),
    ] {
        assert_eq!(answer(&browser.get(&more).await)["error"], "consent_required");
    }
    let more = asking(
        "openid",
        &json!({ "id_token": { "birthdate": null, "email": null } }),
        &[],
    );
    let page = browser.follow(&more).await;
    assert_eq!(
        page.text().matches("class=\"stamp wait\"").count(),
        1,
        "the address alone is new"
    );
    // A scope that was allowed opens its claims; one that is asked for beside them names them already.
    let page = browser.follow(&web_url("openid email", &[])).await;
    assert!(answer(&browser.submit(&page, &yes).await).contains_key("code"));
    let by_name = json!({ "userinfo": { "email_verified": null }, "id_token": { "email": null } });
    for scope in ["openid", "openid email"] {
        let silent = asking(scope, &by_name, &[("prompt", "none")]);
        assert!(
            answer(&browser.get(&silent).await).contains_key("code"),
            "{scope}"
        );
    }
}

#[tokio::test]
async fn what_was_asked_for_is_told_again_after_a_refresh() {
    let server = Server::start().await;
    add_bob(&server).await;
    let asked = json!({ "id_token": { "email": null, "acr": null }, "userinfo": { "name": null } });
    let (_, tokens) = allowed_by_bob(&server, &asking("openid", &asked, &[])).await;
    let first = id_token(&tokens);
    server.wait(minutes(5)).await;
    let next = refresh(&server, text(&tokens, "refresh_token"), &[]).await.json();
    let second = id_token(&next);
    // §12.2: the same login, without its nonce.
    for name in ["iss", "sub", "aud", "auth_time", "email", "acr"] {
        assert!(first.get(name).is_some(), "{name}");
        assert_eq!(first[name], second[name], "{name}");
    }
    assert!(second.get("nonce").is_none());
    assert_eq!(userinfo(&server, &next).await["name"], "Bob");
}

#[tokio::test]
async fn a_value_that_the_user_does_not_have_is_not_told() {
    let server = Server::start().await;
    let bob = add_bob(&server).await;
    let asked = json!({ "userinfo": {
        "email": { "value": "somebody@else.example" },
        "name": { "values": ["Robert", "Bob"] },
    } });
    let (_, tokens) = allowed_by_bob(&server, &asking("openid", &asked, &[])).await;
    assert_eq!(
        userinfo(&server, &tokens).await,
        json!({ "sub": bob.sub, "name": "Bob" })
    );
}

#[tokio::test]
async fn a_request_for_one_user_is_never_answered_for_another() {
    let server = Server::start().await;
    let (bob, alice) = (add_bob(&server).await, server.user(ALICE).await);
    let about = |sub: &str, more: &[(&str, &str)]| {
        asking(
            "openid",
            &json!({ "id_token": { "sub": { "value": sub } } }),
            more,
        )
    };
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    assert!(answer(&browser.get(&about(&alice.sub, &[])).await).contains_key("code"));
    let silent = browser.get(&about(&bob.sub, &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "login_required");
    let either = json!({ "id_token": { "sub": { "values": [bob.sub, alice.sub] } } });
    let silent = asking("openid", &either, &[("prompt", "none")]);
    assert!(answer(&browser.get(&silent).await).contains_key("code"));
    // Asked to log in as Bob, Alice does as herself; then Bob does.
    let page = browser.follow(&about(&bob.sub, &[])).await;
    assert!(page.text().contains("id=\"login-submit\""));
    let back = log_in_as(&browser, &page, ALICE).await;
    assert_eq!(answer(&back)["error"], "login_required");
    let page = browser.follow(&about(&bob.sub, &[])).await;
    let consent = log_in_as(&browser, &page, BOB).await;
    let back = browser.submit(&consent, &[("decision", "allow")]).await;
    let tokens = exchange(&server, &answer(&back)["code"]).send().await.json();
    assert_eq!(id_token(&tokens)["sub"], bob.sub);
    // Two that contradict each other.
    let hint = text(&tokens, "id_token");
    let url = about(&alice.sub, &[("id_token_hint", hint)]);
    assert_eq!(error_of(&server, &url).await, "invalid_request");
    let both =
        json!({ "id_token": { "sub": { "value": bob.sub } }, "userinfo": { "sub": { "value": alice.sub } } });
    assert_eq!(
        error_of(&server, &asking("openid", &both, &[])).await,
        "invalid_request"
    );
}

#[tokio::test]
async fn ds_04_a_parameter_that_is_no_such_json_is_refused() {
    let server = Server::start().await;
    let deep = format!("{{\"id_token\":{}", "[".repeat(1_000));
    let long = format!("{{\"id_token\":{{\"{}\":null}}}}", "x".repeat(4_096));
    for claims in [
        "{",
        "[]",
        "email",
        r#"{"id_token":{"email":1}}"#,
        r#"{"userinfo":{"email":null,"email":null}}"#,
        &deep,
        &long,
    ] {
        let url = web_url("openid", &[("claims", claims), ("prompt", "none")]);
        assert_eq!(error_of(&server, &url).await, "invalid_request", "{claims:.40}");
    }
    // Without openid there is nobody to tell anything about.
    let asked = asking(
        "read:orders",
        &json!({ "userinfo": { "email": null } }),
        &[("prompt", "none")],
    );
    assert_eq!(error_of(&server, &asked).await, "login_required");
}

#[tokio::test]
async fn acr_is_told_when_asked_for_and_an_essential_one_that_nobody_reaches_is_an_error() {
    let server = Server::start().await;
    let acr_of = async |url: &str| {
        let code = Browser::of(&server).code(url).await;
        let tokens = exchange(&server, &code).send().await.json();
        id_token(&tokens).get("acr").cloned()
    };
    let acr = |how: Value| asking("openid", &json!({ "id_token": { "acr": how } }), &[]);
    assert_eq!(acr_of(&web_url("openid", &[])).await, None);
    for url in [
        web_url("openid", &[("acr_values", "urn:x:gold urn:x:silver 1")]),
        web_url("openid", &[("acr_values", ACR)]),
        acr(Value::Null),
        acr(json!({ "values": ["urn:x:gold"] })),
        acr(json!({ "essential": true })),
        acr(json!({ "essential": true, "values": ["urn:x:gold", ACR] })),
    ] {
        assert_eq!(acr_of(&url).await, Some(json!(ACR)), "{url}");
    }
    for how in [
        json!({ "essential": true, "value": "urn:x:gold" }),
        json!({ "essential": true, "values": ["urn:x:gold", 1] }),
        json!({ "essential": true, "values": [] }),
    ] {
        assert_eq!(
            error_of(&server, &acr(how)).await,
            "unmet_authentication_requirements"
        );
    }
    let metadata = server
        .get("/.well-known/openid-configuration")
        .send()
        .await
        .json();
    assert_eq!(metadata["acr_values_supported"], json!([ACR]));
    assert_eq!(metadata["claims_parameter_supported"], true);
    for told in metadata["claims_supported"].as_array().unwrap() {
        assert!(told.is_string());
    }
}

#[tokio::test]
async fn display_and_claims_locales_are_never_an_error() {
    let server = Server::start().await;
    for (name, value) in [
        ("display", "page"),
        ("display", "popup"),
        ("display", "touch"),
        ("display", "wap"),
        ("display", "hologram"),
        ("claims_locales", "de-CH fr"),
        ("claims_locales", "no language at all"),
    ] {
        let page = Browser::of(&server)
            .follow(&web_url("openid", &[(name, value)]))
            .await;
        assert!(page.text().contains("id=\"login-submit\""), "{name}={value}");
    }
}

#[tokio::test]
async fn a_client_may_be_registered_to_have_it_all_in_the_id_token() {
    let server = Server::start().await;
    let bob = add_bob(&server).await;
    let url = web_url("openid email", &[]);
    let (_, tokens) = allowed_by_bob(&server, &url).await;
    assert!(id_token(&tokens).get("email").is_none());
    let full = server
        .restarted_with("id = \"web\"", "id = \"web\"\nid_token_claims = \"full\"")
        .await;
    let (_, tokens) = allowed_by_bob(&full, &url).await;
    let id = id_token(&tokens);
    assert_eq!((&id["email"], &id["email_verified"]), (&json!(BOB), &json!(true)));
    assert!(id.get("name").is_none(), "profile was not asked for");
    assert_eq!(
        (&id["sub"], &id["iss"]),
        (&json!(bob.sub), &json!("https://auth.example.com"))
    );
}

#[tokio::test]
async fn a_client_may_be_registered_with_an_age_that_no_login_may_exceed() {
    let server = Server::start().await;
    let server = server
        .restarted_with("id = \"web\"", "id = \"web\"\ndefault_max_age = \"5m\"")
        .await;
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    assert!(answer(&browser.get(&web_url("openid", &[])).await).contains_key("code"));
    server.wait(minutes(6)).await;
    let silent = browser.get(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "login_required");
    let longer = web_url("openid", &[("prompt", "none"), ("max_age", "3600")]);
    assert!(answer(&browser.get(&longer).await).contains_key("code"));
}
