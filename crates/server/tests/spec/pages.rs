//! Spec tests of the way through the pages: login, account, consent (OpenID Connect Core §3.1.2.3 ff., RFC 9700 §4.7, §4.16).

use http::{Method, StatusCode};

use crate::authorize::{ISSUER, error_of};
use crate::browser::{Browser, answer, authorize_url, form_of, web_url};
use crate::harness::{ALICE, PASSWORD, Server, minutes};

#[tokio::test]
async fn a_person_logs_in_allows_and_is_sent_back_with_a_code() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let login = browser.follow(&web_url("openid email", &[])).await;
    assert_eq!(login.status, StatusCode::OK, "{login:?}");
    assert!(login.text().contains("The web shop"));
    let consent = browser.log_in(&login).await;
    assert_eq!(consent.status, StatusCode::OK, "{consent:?}");
    assert!(consent.text().contains("id=\"consent-allow\""));
    assert!(consent.text().contains("Your e-mail address"));
    let back = browser
        .submit(&consent, &[("decision", "allow"), ("remember", "yes")])
        .await;
    assert!(
        back.header("location")
            .starts_with("https://web.example.com/cb?code="),
        "{back:?}"
    );
    let told = answer(&back);
    assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("s-1", ISSUER));
    assert_eq!(told.len(), 3);
    // Remembered, and the browser is known: nobody is asked again.
    let again = browser.follow(&web_url("openid email", &[])).await;
    assert!(answer(&again).contains_key("code"));
    assert_ne!(answer(&again)["code"], told["code"]);
    // Less is granted with it; more is asked for, and what is new is marked.
    assert!(answer(&browser.follow(&web_url("openid", &[])).await).contains_key("code"));
    let more = browser.follow(&web_url("openid email profile", &[])).await;
    assert!(more.text().contains("class=\"stamp wait\""), "{}", more.text());
}

#[tokio::test]
async fn the_pages_speak_german_and_follow_ui_locales_and_the_choice_that_was_made() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let page = browser
        .follow(&web_url("openid", &[("ui_locales", "fr de")]))
        .await;
    assert!(page.text().contains("<html lang=\"de\">"));
    let page = Browser::of(&server)
        .follow(&web_url("openid", &[("ui_locales", "fr")]))
        .await;
    assert!(page.text().contains("<html lang=\"en\">"));
    let browser = Browser::of(&server);
    let page = browser.follow(&web_url("openid", &[])).await;
    let (_, fields) = form_of(&page);
    let id = fields
        .iter()
        .find(|(name, _)| name == "interaction")
        .unwrap()
        .1
        .clone();
    let page = browser.get(&format!("/login?interaction={id}&lang=de")).await;
    assert!(page.text().contains("<html lang=\"de\">"));
    let page = browser.log_in(&page).await;
    assert!(page.text().contains("<html lang=\"de\">"), "it lasts");
}

#[tokio::test]
async fn whoever_refuses_sends_access_denied_and_nothing_else() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let login = browser.follow(&web_url("openid", &[])).await;
    let back = browser.submit(&login, &[("decision", "cancel")]).await;
    assert_eq!(answer(&back)["error"], "access_denied");
    let login = browser.follow(&web_url("openid", &[])).await;
    let consent = browser.log_in(&login).await;
    let back = browser.submit(&consent, &[("decision", "deny")]).await;
    assert_eq!(answer(&back)["error"], "access_denied");
    assert!(!answer(&back).contains_key("code"));
}

#[tokio::test]
async fn az_05_prompt_none_shows_no_page_and_login_asks_again() {
    let server = Server::start().await;
    assert_eq!(
        error_of(&server, &web_url("openid", &[("prompt", "none")])).await,
        "login_required"
    );
    assert_eq!(
        error_of(&server, &web_url("openid", &[("prompt", "none login")])).await,
        "invalid_request"
    );
    assert_eq!(
        error_of(&server, &web_url("openid", &[("prompt", "everything")])).await,
        "invalid_request"
    );
    assert_eq!(
        error_of(&server, &web_url("openid", &[("max_age", "soon")])).await,
        "invalid_request"
    );
    let browser = Browser::of(&server);
    let consent = browser
        .log_in(&browser.follow(&web_url("openid", &[])).await)
        .await;
    let silent = browser.follow(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "consent_required");
    browser
        .submit(&consent, &[("decision", "allow"), ("remember", "yes")])
        .await;
    let silent = browser.follow(&web_url("openid", &[("prompt", "none")])).await;
    assert!(answer(&silent).contains_key("code"));
    // Asked again although known, and then not once more.
    for again in [("prompt", "login"), ("max_age", "0")] {
        let page = browser.follow(&web_url("openid", &[again])).await;
        assert!(page.text().contains("id=\"login-submit\""), "{again:?}");
        assert!(answer(&browser.log_in(&page).await).contains_key("code"));
    }
    server.wait(minutes(10)).await;
    let page = browser.follow(&web_url("openid", &[("max_age", "300")])).await;
    assert!(page.text().contains("id=\"login-submit\""));
    let page = browser.follow(&web_url("openid", &[("prompt", "consent")])).await;
    assert!(page.text().contains("id=\"consent-allow\""));
}

#[tokio::test]
async fn select_account_asks_which_and_another_one_logs_in() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    let page = browser
        .follow(&web_url("openid", &[("prompt", "select_account")]))
        .await;
    assert!(page.text().contains(ALICE), "{}", page.text());
    let back = browser.submit(&page, &[("decision", "continue")]).await;
    assert!(answer(&back).contains_key("code"));
    let page = browser
        .follow(&web_url("openid", &[("prompt", "select_account")]))
        .await;
    let page = browser.submit(&page, &[("decision", "other")]).await;
    assert!(page.text().contains("id=\"login-submit\""));
    server
        .add_user("bob@example.com", Some("another long passphrase"))
        .await;
    let bob = [
        ("username", "bob@example.com"),
        ("password", "another long passphrase"),
        ("decision", "login"),
    ];
    let consent = browser.submit(&page, &bob).await;
    assert!(
        consent.text().contains("bob@example.com"),
        "he has allowed nothing yet"
    );
}

#[tokio::test]
async fn az_07_no_form_changes_what_was_asked_for() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let evil = [
        ("scope", "openid profile write:orders"),
        ("redirect_uri", "https://evil.test/cb"),
        ("client_id", "web2"),
        ("response_type", "token"),
    ];
    let login = browser.follow(&web_url("openid", &[])).await;
    let mut fields = vec![("username", ALICE), ("password", PASSWORD), ("decision", "login")];
    fields.extend(evil);
    let consent = browser.submit(&login, &fields).await;
    assert!(!consent.text().contains("write:orders"));
    let mut fields = vec![("decision", "allow")];
    fields.extend(evil);
    let back = browser.submit(&consent, &fields).await;
    assert!(
        back.header("location")
            .starts_with("https://web.example.com/cb?code=")
    );
}

#[tokio::test]
async fn a_request_may_come_as_the_form_of_another_site() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let (_, query) = web_url("openid", &[])
        .split_once('?')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let call = server
        .call(Method::POST, "/oauth/authorize")
        .raw("application/x-www-form-urlencoded", query)
        .header("origin", "https://web.example.com")
        .header("sec-fetch-site", "cross-site");
    // Its cookies are not sent, and none is set: it would take the place of the one that the browser has.
    let reply = call.send().await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    assert!(reply.headers.get("set-cookie").is_none());
    let page = browser.follow(reply.header("location")).await;
    assert!(page.text().contains("id=\"login-submit\""));
}

#[tokio::test]
async fn a_wrong_password_is_said_on_the_page_and_guessing_is_stopped() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let page = browser.follow(&web_url("openid", &[])).await;
    let wrong = |name: &'static str, password: &'static str| {
        [("username", name), ("password", password), ("decision", "login")]
    };
    let reply = browser.submit(&page, &wrong(ALICE, "wrong")).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(reply.text().contains("do not match"));
    assert!(reply.text().contains("value=\"alice@example.com\"") || reply.text().contains(ALICE));
    assert!(
        !reply.text().contains("\"wrong\""),
        "the password never comes back"
    );
    let unknown = browser.submit(&page, &wrong("nobody@example.com", "wrong")).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    for (fields, status) in [
        (wrong("", ""), StatusCode::BAD_REQUEST),
        (wrong("alice", "x"), StatusCode::BAD_REQUEST),
        (wrong(ALICE, ""), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(browser.submit(&page, &fields).await.status, status);
    }
    for _ in 0..20 {
        browser.submit(&page, &wrong(ALICE, "wrong")).await;
    }
    let stopped = browser.submit(&page, &wrong(ALICE, PASSWORD)).await;
    assert_eq!(stopped.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(stopped.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn cn_02_a_program_that_anybody_may_pose_as_is_asked_about_every_time() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let url = authorize_url("native", "http://127.0.0.1:4000/cb", "openid", &[]);
    browser.code(&url).await;
    let again = browser.follow(&url).await;
    assert!(again.text().contains("id=\"consent-allow\""));
    assert!(!again.text().contains("consent-remember"));
    let explicit = authorize_url("web2", "https://web2.example.com/cb", "openid", &[]);
    browser.code(&explicit).await;
    assert!(
        browser
            .follow(&explicit)
            .await
            .text()
            .contains("id=\"consent-allow\"")
    );
    // The operator's own client asks nobody.
    let own = authorize_url("spa", "https://spa.example.com/cb", "openid", &[]);
    assert!(answer(&browser.follow(&own).await).contains_key("code"));
}

#[tokio::test]
async fn ck_07_a_browser_is_signed_out_by_time_and_by_the_end_of_the_account() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    let silent = web_url("openid", &[("prompt", "none")]);
    assert!(answer(&browser.get(&silent).await).contains_key("code"));
    server.set_state(ALICE, carnet_store::UserState::Disabled).await;
    assert_eq!(answer(&browser.get(&silent).await)["error"], "login_required");
    server.set_state(ALICE, carnet_store::UserState::Active).await;
    assert_eq!(
        answer(&browser.get(&silent).await)["error"],
        "login_required",
        "what ended does not come back"
    );
    browser.code(&web_url("openid", &[])).await;
    server.wait(crate::harness::days(8)).await;
    assert_eq!(answer(&browser.get(&silent).await)["error"], "login_required");
}

#[tokio::test]
async fn an_interaction_leads_to_one_answer_and_expires() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    let login = browser.follow(&web_url("openid", &[])).await;
    let consent = browser.log_in(&login).await;
    browser.submit(&consent, &[("decision", "allow")]).await;
    let late = browser.submit(&consent, &[("decision", "allow")]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    assert!(late.text().contains("interaction_finished"), "{late:?}");
    let (_, fields) = form_of(&login);
    let (_, id) = fields.iter().find(|(name, _)| name == "interaction").unwrap();
    let back = browser.get(&format!("/login?interaction={id}")).await;
    assert_eq!(back.status, StatusCode::BAD_REQUEST);
    assert!(back.text().contains("This sign-in is over"), "{back:?}");
    let page = browser.follow(&web_url("openid", &[("prompt", "login")])).await;
    server.wait(minutes(61)).await;
    let late = browser.log_in(&page).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    assert!(late.text().contains("interaction_expired"), "{late:?}");
}

#[tokio::test]
async fn one_persons_yes_is_not_anothers() {
    let server = Server::start().await;
    let password = "another long passphrase";
    server.add_user("bob@example.com", Some(password)).await;
    let bob = [
        ("username", "bob@example.com"),
        ("password", password),
        ("decision", "login"),
    ];
    let browser = Browser::of(&server);
    // Bob allows, and leaves before he is sent back.
    let login = browser.follow(&web_url("openid", &[])).await;
    let consent = browser.submit(&login, &bob).await;
    let (action, mut fields) = form_of(&consent);
    fields.push(("decision".to_owned(), "allow".to_owned()));
    let pairs: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let resume = browser.post(&action, &pairs).await.header("location").to_owned();
    // Alice signs in at the same browser: she is asked herself, on the page of Bob's too.
    let login = browser.follow(&web_url("openid", &[("prompt", "login")])).await;
    browser.log_in(&login).await;
    let asked = browser.follow(&resume).await;
    assert!(asked.text().contains(ALICE), "{asked:?}");
    let posted = browser.post(&action, &pairs).await;
    let asked = browser.follow(posted.header("location")).await;
    assert!(asked.text().contains(ALICE));
    let silent = browser.follow(&web_url("openid", &[("prompt", "none")])).await;
    assert_eq!(answer(&silent)["error"], "consent_required");
}

#[tokio::test]
async fn a_yes_for_one_resource_is_none_for_another() {
    let server = Server::start().await;
    let browser = Browser::of(&server);
    browser.code(&web_url("openid", &[])).await;
    let other = [("resource", "https://legacy.example.com"), ("prompt", "none")];
    let silent = browser.follow(&web_url("openid", &other)).await;
    assert_eq!(answer(&silent)["error"], "consent_required");
}

#[tokio::test]
async fn cn_02_not_even_the_operator_speaks_for_an_app_that_anybody_may_pose_as() {
    let server = Server::start().await;
    let server = server
        .restarted_with("id = \"native\"", "id = \"native\"\nconsent = \"none\"")
        .await;
    let browser = Browser::of(&server);
    let url = authorize_url("native", "http://127.0.0.1:4000/cb", "openid", &[]);
    let page = browser.log_in(&browser.follow(&url).await).await;
    assert!(page.text().contains("id=\"consent-allow\""));
}

#[tokio::test]
async fn the_operator_chooses_the_look_and_the_sheet_has_another_address_then() {
    let ours = Server::start().await;
    let look = "[pages]\naccent = \"#FFD400\"\nradius = \"4px\"\nfont = [\"Noto Sans\", \"sans-serif\"]\n\
                [pages.colors]\npaper = \"#fafafa\"\n[pages.colors_dark]\ncard = \"#101010\"";
    let theirs = Server::with(look).await;
    let dark = Server::with(&look.replacen("\nradius", "\naccent_dark = \"#a01010\"\nradius", 1)).await;
    let mut sheets = Vec::new();
    for server in [&ours, &theirs, &dark] {
        let page = server.get("/device").send().await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("style-src 'self';"), "{policy}");
        let text = page.text().replace("&#x2f;", "/");
        let (_, rest) = text.split_once("<link rel=\"stylesheet\" href=\"").unwrap();
        let address = rest.split('"').next().unwrap().to_owned();
        let sheet = server.get(&address).send().await;
        assert_eq!(sheet.status, StatusCode::OK, "{address}");
        sheets.push((address, sheet.text()));
    }
    let [(ours, plain), (theirs, chosen), (other, dark)] = &sheets[..] else {
        panic!("three")
    };
    assert!(ours != theirs && theirs != other, "{ours} {theirs} {other}");
    // Behind ours, so that it counts; print stays black.
    let added = chosen.strip_prefix(plain.as_str()).unwrap();
    assert_eq!(
        added,
        "\n:root { --radius: 4px; --font: \"Noto Sans\", sans-serif; }\n\
         \n@media screen and (prefers-color-scheme: light) { :root { --paper: #fafafa; --accent: #ffd400; --accent-ink: #000000; } }\n\
         \n@media screen and (prefers-color-scheme: dark) { :root { --card: #101010; --accent: #ffd400; --accent-ink: #000000; } }\n"
    );
    assert!(
        dark.contains("--accent: #a01010; --accent-ink: #ffffff; } }"),
        "{dark}"
    );
}
