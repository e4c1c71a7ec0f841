//! Spec tests of OpenID Connect Front-Channel Logout: the page with the frames, and where it goes on.

use http::StatusCode;
use serde_json::Value;

use crate::browser::{Browser, VERIFIER, authorize_url, web_url};
use crate::harness::{Server, claims};
use crate::web::{exchange, redeem, text};

const WEB: &str = "post_logout_redirect_uris = [\"https://web.example.com/bye\"]";
const WEB2: &str = "redirect_uris = [\"https://web2.example.com/cb\"]";

async fn framed() -> Server {
    let web = format!("{WEB}\nfrontchannel_logout_uri = \"https://web.example.com/front?a=1\"");
    let web2 = format!("{WEB2}\nfrontchannel_logout_uri = \"https://web2.example.com/front\"");
    Server::replacing(&[(WEB, &web), (WEB2, &web2)]).await
}

async fn log_in(server: &Server, browser: &Browser<'_>) -> Value {
    let code = browser.code(&web_url("openid", &[])).await;
    exchange(server, &code).send().await.json()
}

fn sid(body: &Value) -> String {
    text(&claims(text(body, "id_token")), "sid").to_owned()
}

/// The addresses of a page's frames.
fn frames(page: &str) -> Vec<String> {
    let sources = page.split("<iframe src=\"").skip(1);
    sources
        .map(|rest| {
            rest.split('"')
                .next()
                .unwrap()
                .replace("&amp;", "&")
                .replace("&#x2f;", "/")
        })
        .collect()
}

#[tokio::test]
async fn a_logout_loads_each_client_in_a_frame_with_iss_and_sid_and_goes_on() {
    let server = framed().await;
    let browser = Browser::of(&server);
    let body = log_in(&server, &browser).await;
    let url = authorize_url("web2", "https://web2.example.com/cb", "openid", &[]);
    let code = browser.code(&url).await;
    let second = redeem(&server, "web2", &code, &[("code_verifier", VERIFIER)])
        .await
        .json();
    let hint = text(&body, "id_token");
    let bye = "post_logout_redirect_uri=https://web.example.com/bye";
    let page = browser
        .get(&format!("/logout?id_token_hint={hint}&state=s-9&{bye}"))
        .await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let iss = "iss=https%3A%2F%2Fauth.example.com";
    let mut loaded = frames(&page.text());
    loaded.sort();
    assert_eq!(
        loaded,
        [
            format!("https://web.example.com/front?a=1&{iss}&sid={}", sid(&body)),
            format!("https://web2.example.com/front?{iss}&sid={}", sid(&second)),
        ]
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("; frame-src https://web.example.com https://web2.example.com;"),
        "{policy}"
    );
    // Without script, and by hand for whoever does not want to wait.
    assert_eq!(
        page.header("refresh"),
        "3; url=https://web.example.com/bye?state=s-9"
    );
    assert!(
        page.text()
            .contains("class=\"button wide\" id=\"logged-out-back\" href=\"https:&#x2f;&#x2f;web.example.com&#x2f;bye?state=s-9\"")
    );
    assert!(browser.cookie("__Host-session").is_none());
}

#[tokio::test]
async fn lo_02_whoever_stays_signed_in_loads_no_frame_and_other_logins_are_not_told() {
    let server = framed().await;
    let (browser, other) = (Browser::of(&server), Browser::of(&server));
    let (body, elsewhere) = (log_in(&server, &browser).await, log_in(&server, &other).await);
    let asked = browser.get("/logout").await;
    assert!(frames(&asked.text()).is_empty());
    let stayed = browser.submit(&asked, &[("decision", "cancel")]).await;
    assert!(frames(&stayed.text()).is_empty());
    let out = browser.submit(&asked, &[("decision", "logout")]).await;
    let loaded = frames(&out.text());
    assert_eq!(loaded.len(), 1);
    assert!(loaded[0].contains(&sid(&body)) && !loaded[0].contains(&sid(&elsewhere)));
    assert_eq!(out.header("refresh"), "", "nobody said where to");
    // Already signed out: there is nobody to tell.
    let again = browser.get("/logout").await;
    assert!(frames(&again.text()).is_empty());
    assert!(!again.header("content-security-policy").contains("frame-src"));
}
