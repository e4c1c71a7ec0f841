//! Spec tests of OpenID Connect Back-Channel Logout: who is told, with what, and at which addresses.

use std::sync::atomic::Ordering;
use std::time::Duration;

use carnet_jose::{Algorithm, TokenType, Verifier};
use carnet_oauth::logout_token::LogoutTokenClaims;
use carnet_server::config::{self, Client};
use carnet_server::logout::back_channel::BackChannel;
use carnet_store::{AuditAction, Ended, NewPassword, Outcome, Reason, Strength, UserState};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{Browser, VERIFIER, authorize_url, web_url};
use crate::harness::{ALICE, PASSWORD, Server, claims};
use crate::listener::{Asked, Listener, knocked_at};
use crate::web::{exchange, redeem, text};

const ISSUER: &str = "http://127.0.0.1:8080";
const WEB: &str = "post_logout_redirect_uris = [\"https://web.example.com/bye\"]";
const WEB2: &str = "redirect_uris = [\"https://web2.example.com/cb\"]";

/// What makes `web` and `web2` clients that are told at this address, on a machine of their own.
pub(crate) fn changes(url: &str) -> [(String, String); 3] {
    let told = |line: &str, path: &str| format!("{line}\nbackchannel_logout_uri = \"{url}/{path}\"");
    [
        ("https://auth.example.com".to_owned(), ISSUER.to_owned()),
        (WEB.to_owned(), told(WEB, "web?tenant=1")),
        (WEB2.to_owned(), told(WEB2, "web2")),
    ]
}

pub(crate) async fn told_at(url: &str) -> Server {
    let changes = changes(url);
    let changes = changes.each_ref().map(|(from, to)| (from.as_str(), to.as_str()));
    Server::replacing(&changes).await
}

pub(crate) async fn log_in(server: &Server, browser: &Browser<'_>, scope: &str) -> Value {
    let code = browser.code(&web_url(scope, &[])).await;
    exchange(server, &code).send().await.json()
}

pub(crate) async fn round(server: &Server) -> usize {
    let channel = BackChannel::new(server.app.clone()).unwrap();
    channel.round().await.unwrap()
}

pub(crate) fn token_of(asked: &Asked) -> String {
    let fields: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(fields.len(), 1, "{asked:?}");
    assert_eq!(fields[0].0, "logout_token");
    fields[0].1.clone()
}

pub(crate) fn notices(rows: Vec<carnet_store::AuditRow>) -> Vec<(String, Outcome, String)> {
    let rows = rows.into_iter().map(|row| row.event);
    rows.filter(|event| event.action == AuditAction::LogoutNotice)
        .map(|event| (event.object, event.outcome, event.details))
        .collect()
}

#[tokio::test]
async fn lo_05_each_client_of_a_session_is_told_with_a_token_as_the_specification_has_it() {
    let listener = Listener::start().await;
    let server = told_at(&listener.url).await;
    let browser = Browser::of(&server);
    let body = log_in(&server, &browser, "openid").await;
    let url = authorize_url("web2", "https://web2.example.com/cb", "openid", &[]);
    let code = browser.code(&url).await;
    let second = redeem(&server, "web2", &code, &[("code_verifier", VERIFIER)])
        .await
        .json();
    let hint = text(&body, "id_token");
    assert_eq!(round(&server).await, 0, "nothing has ended");
    browser.get(&format!("/logout?id_token_hint={hint}")).await;
    assert_eq!(round(&server).await, 2);
    let mut asked = listener.asked();
    asked.sort_by(|a, b| a.path.cmp(&b.path));
    let paths: Vec<_> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths, ["/web", "/web2"]);
    for (asked, id_token, client) in [
        (&asked[0], hint, "web"),
        (&asked[1], text(&second, "id_token"), "web2"),
    ] {
        // §2.5: a POST of a form with the one parameter.
        assert_eq!(asked.method, Method::POST);
        assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
        let token = token_of(asked);
        // §2.4, §2.6: signed as ID tokens are, of its own type, for this client alone.
        let verifier = Verifier::builder(server.app.keys.source())
            .algorithms(&[Algorithm::Es256])
            .token_type(TokenType::Other("logout+jwt"))
            .issuer(ISSUER)
            .audience(client)
            .require(&["iat", "jti", "events"])
            .build()
            .unwrap();
        let now = u64::try_from(server.app_now() / 1000).unwrap();
        let verified = verifier.verify_owned::<LogoutTokenClaims>(&token, now).unwrap();
        assert!(verified.claims.exp - verified.claims.iat <= 120);
        let (told, known) = (claims(&token), claims(id_token));
        assert_eq!((&told["sid"], &told["sub"]), (&known["sid"], &known["sub"]));
        assert_eq!(
            told["events"],
            json!({ "http://schemas.openid.net/event/backchannel-logout": {} })
        );
        assert!(told.get("nonce").is_none());
        assert!(!text(&told, "jti").is_empty());
    }
    assert_ne!(
        claims(&token_of(&asked[0]))["jti"],
        claims(&token_of(&asked[1]))["jti"]
    );
    assert_eq!(round(&server).await, 0, "once is enough");
    let mut noted = notices(server.audit().await);
    noted.sort_by(|a, b| a.0.cmp(&b.0));
    let once = "{\"attempts\":1}".to_owned();
    assert_eq!(
        noted,
        [
            ("web".to_owned(), Outcome::Success, once.clone()),
            ("web2".to_owned(), Outcome::Success, once)
        ]
    );
}

#[tokio::test]
async fn lo_05_a_logout_token_is_neither_a_hint_nor_an_access_token() {
    let listener = Listener::start().await;
    let server = told_at(&listener.url).await;
    let browser = Browser::of(&server);
    let body = log_in(&server, &browser, "openid").await;
    let sid = text(&claims(text(&body, "id_token")), "sid").to_owned();
    let cut = server.cut(Reason::Revoked);
    let ended = server
        .app
        .store
        .end_session(&sid, Strength::DenyList, None, &cut)
        .await;
    assert_eq!(ended.unwrap(), Ended::Now);
    round(&server).await;
    let token = token_of(&listener.asked()[0]);
    let asked = browser.get(&format!("/logout?id_token_hint={token}")).await;
    assert!(asked.text().contains("id=\"logout-confirm\""), "no word of hers");
    let reply = server.get("/userinfo").bearer(&token).send().await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(!server.is_active(&token).await);
}

#[tokio::test]
async fn every_way_in_which_a_session_ends_is_told() {
    let listener = Listener::start().await;
    let server = told_at(&listener.url).await;
    let alice = server.user(ALICE).await;
    let store = &server.app.store;
    let new = || NewPassword::given(&alice.sub, "$2b$04$abcdefghijklmnopqrstuu".to_owned());
    for way in [
        "page",
        "everywhere",
        "revoke session",
        "revoke user",
        "withdraw",
        "password",
        "disable",
    ] {
        let browser = Browser::of(&server);
        let body = log_in(&server, &browser, "openid").await;
        let sid = text(&claims(text(&body, "id_token")), "sid").to_owned();
        let cut = server.cut(Reason::Revoked);
        match way {
            "page" => {
                let page = browser.get("/logout").await;
                browser.submit(&page, &[("decision", "logout")]).await;
            }
            "everywhere" => {
                let own = server.log_in(ALICE, PASSWORD).await;
                let call = server.post("/auth/logout").bearer(&own.access);
                let call = call.json(&serde_json::json!({ "mode": "everywhere" }));
                assert_eq!(call.send().await.status, StatusCode::NO_CONTENT);
            }
            "revoke session" => {
                let ended = store.end_session(&sid, Strength::DenyList, None, &cut).await;
                ended.unwrap();
            }
            "revoke user" => {
                let ended = store
                    .end_sessions_of(alice.id, Strength::DenyList, None, &cut)
                    .await;
                ended.unwrap();
            }
            "withdraw" => {
                let ended = store.withdraw_consent((alice.id, &alice.sub), "web", &cut).await;
                ended.unwrap();
                server.wait(Duration::from_secs(1)).await;
            }
            "password" => {
                let before = store.find_login(ALICE).await.unwrap().unwrap();
                assert!(store.set_password(&new(), &cut).await.unwrap());
                let again = NewPassword::given(&alice.sub, before.password_hash.unwrap());
                store.set_password(&again, &cut).await.unwrap();
            }
            _ => server.set_state(ALICE, UserState::Disabled).await,
        }
        assert!(round(&server).await >= 1, "{way}");
        let told = listener.asked();
        assert!(
            told.iter()
                .any(|asked| claims(&token_of(asked))["sid"] == sid.as_str()),
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_session_that_outlives_the_login_is_told_of_its_end_and_a_plain_one_is_not() {
    let listener = Listener::start().await;
    let server = told_at(&listener.url).await;
    let browser = Browser::of(&server);
    log_in(&server, &browser, "read:orders").await;
    let offline = log_in(&server, &browser, "openid offline_access").await;
    let page = browser.get("/logout").await;
    browser.submit(&page, &[("decision", "logout")]).await;
    assert_eq!(round(&server).await, 1, "who has no ID token knows no session");
    let token = token_of(&listener.asked()[0]);
    assert_eq!(claims(&token)["sid"], claims(text(&offline, "id_token"))["sid"]);
    assert!(server.is_active(text(&offline, "access_token")).await);
}

#[tokio::test]
async fn lo_05_ad_08_addresses_that_are_not_public_are_not_asked_unless_they_are_allowed() {
    let (port, knocks) = knocked_at().await;
    let told = format!("{WEB}\nbackchannel_logout_uri = \"https://127.0.0.1:{port}/out\"");
    let local = format!("{WEB}\nbackchannel_logout_uri = \"https://localhost:{port}/out\"");
    let allowed = "[outbound]\nallowed_networks = [\"127.0.0.0/8\", \"::1\"]\n[first_party]";
    for (told, first_party, knocked) in [
        (&told, "[first_party]", false),
        (&local, "[first_party]", false),
        (&told, allowed, true),
    ] {
        let server = Server::replacing(&[(WEB, told), ("[first_party]", first_party)]).await;
        let browser = Browser::of(&server);
        log_in(&server, &browser, "openid").await;
        let page = browser.get("/logout").await;
        browser.submit(&page, &[("decision", "logout")]).await;
        assert_eq!(round(&server).await, 1);
        // Refused or not understood, nothing is delivered; nobody may tell from outside which it was.
        assert!(notices(server.audit().await).is_empty());
        assert_eq!(knocks.load(Ordering::SeqCst) > 0, knocked, "{told}");
    }
}

#[tokio::test]
async fn lo_05_what_cannot_be_registered_as_a_logout_uri() {
    let server = Server::start().await;
    let client = || Client {
        redirect_uris: vec!["https://app.example.com/cb".to_owned()],
        grant_types: vec![carnet_oauth::grant_type::GrantType::AuthorizationCode],
        ..Client::named("app")
    };
    let check = |client: &Client| config::check_client(&server.app.config, client, &str::to_owned);
    for uri in [
        "http://app.example.com/out",
        "http://127.0.0.1/out",
        "https://app.example.com/out#x",
        "https://u:p@app.example.com/out",
        "/out",
        "com.example.app:/out",
        "https://app.example.com/o ut",
    ] {
        let back = Client {
            backchannel_logout_uri: Some(uri.to_owned()),
            ..client()
        };
        assert!(check(&back).is_err(), "{uri}");
        let front = Client {
            frontchannel_logout_uri: Some(uri.to_owned()),
            ..client()
        };
        assert!(check(&front).is_err(), "{uri}");
    }
    let (here, there) = ("https://app.example.com/out?x=1", "https://other.example.com/out");
    let with = |back: &str, front: &str| Client {
        backchannel_logout_uri: Some(back.to_owned()),
        frontchannel_logout_uri: Some(front.to_owned()),
        frontchannel_logout_session_required: true,
        ..client()
    };
    assert!(check(&with(there, here)).is_ok());
    // Front-Channel Logout §2: scheme, host and port of a redirect URI.
    for foreign in [there, "https://app.example.com:8443/out"] {
        assert_eq!(
            check(&with(here, foreign)).unwrap_err().key,
            "frontchannel_logout_uri"
        );
    }
    let alone = Client {
        backchannel_logout_session_required: true,
        ..client()
    };
    assert!(check(&alone).is_err());
    let of_the_login_api = Client {
        backchannel_logout_uri: Some(here.to_owned()),
        ..Client::named("app")
    };
    assert!(check(&of_the_login_api).is_err());
}

#[tokio::test]
async fn discovery_says_which_logouts_there_are() {
    let server = Server::start().await;
    let metadata = server
        .get("/.well-known/openid-configuration")
        .send()
        .await
        .json();
    for member in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
    ] {
        assert_eq!(metadata[member], true, "{member}");
    }
}
