//! What people see of the app's backend, and what its operator finds of it.

use carnet_gateway::Gateway;

use super::browser::{Browser, Told, WINDOW};
use super::world::World;
use crate::correlation::line;
use crate::harness::Running;

/// A gateway whose metrics can be read.
struct Counted {
    world: World,
    gateway: Gateway,
    running: Running,
}

impl Counted {
    async fn start() -> Self {
        crate::log::keep();
        let world = World::new().await;
        let (gateway, _, running) = world.changing(|text| text).await;
        Self {
            world,
            gateway,
            running,
        }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.running.address)
    }

    /// A refusal with this code is in the line of the request, in the one that says why, and in the metrics.
    fn knows(&self, told: &Told, code: &str) {
        let name = told.one("x-request-id");
        for message in ["request", "a browser was refused"] {
            let line = line(&name, message);
            assert!(line.contains(&format!("code=\"{code}\"")), "{line}");
        }
        let metrics = self.gateway.metrics().text(self.gateway.site().revocations());
        assert!(
            metrics.contains(&format!("refusals_total{{code=\"{code}\"}} 1")),
            "{metrics}"
        );
    }
}

fn german(headers: &str) -> String {
    format!("{headers}Accept: text/html,*/*;q=0.8\r\nAccept-Language: de-AT,de;q=0.9,en;q=0.5\r\n")
}

#[tokio::test]
async fn what_a_browser_is_refused_has_its_code_in_log_and_metrics() {
    let counted = Counted::start().await;
    let mut browser = counted.browser();
    let told = browser.open("/bff/user").await;
    assert_eq!(told.refusal(), (403, "csrf".to_owned()));
    counted.knows(&told, "csrf");
    let told = browser.call("GET", "/bff/user").await;
    assert_eq!(told.refusal(), (401, "session_missing".to_owned()));
    counted.knows(&told, "session_missing");
    let told = browser.open("/bff/callback?code=x&state=y").await;
    assert_eq!(told.status, 400);
    counted.knows(&told, "login_unknown");
    counted
        .world
        .issuer
        .manner(|how| how.denies = Some("access_denied"));
    let told = browser.log_in(&counted.world.issuer).await;
    assert_eq!(told.status, 403);
    counted.knows(&told, "login_refused");
    // Why, in a line of its own.
    let why = line(&told.one("x-request-id"), "the issuer refused a login");
    assert!(why.contains("access_denied"), "{why}");
    // Who is let in is refused nothing.
    counted.world.issuer.manner(|how| how.denies = None);
    let told = browser.log_in(&counted.world.issuer).await;
    assert_eq!(told.status, 200);
    assert!(line(&told.one("x-request-id"), "request").contains("code=\"\""));
}

#[tokio::test]
async fn a_page_of_a_login_that_failed_speaks_german_and_english_and_leads_on() {
    let world = World::new().await;
    world.issuer.manner(|how| how.denies = Some("access_denied"));
    for (language, title, again) in [
        ("de-AT,de;q=0.9,en;q=0.5", "Sie sind nicht angemeldet", "Anmelden"),
        ("en-GB,en;q=0.9,de;q=0.5", "You are not logged in", "Log in"),
        ("fr", "You are not logged in", "Log in"),
    ] {
        let mut browser = world.browser();
        let begun = browser.open("/bff/login?returnUrl=/notes").await;
        let back = world.issuer.log_in(&begun.one("location"));
        let headers = format!("{WINDOW}Accept-Language: {language}\r\n");
        let told = browser.ask("GET", &back, (&headers, "")).await;
        assert_eq!(told.status, 403, "{told:?}");
        let tag = if title.starts_with("Sie") { "de" } else { "en" };
        for said in [
            format!("<html lang=\"{tag}\">"),
            format!("<h1>{title}</h1>"),
            format!("<a class=\"button\" href=\"/bff/login?returnUrl=%2Fnotes\">{again}</a>"),
            "login_refused".to_owned(),
            told.one("x-request-id"),
            "app.test".to_owned(),
        ] {
            assert!(told.body.contains(&said), "{said} is missing in {}", told.body);
        }
        assert_eq!(told.one("vary"), "Cookie, Accept-Language");
    }
}

#[tokio::test]
async fn a_page_loads_nothing_and_runs_nothing() {
    let world = World::new().await;
    let told = world.browser().open("/bff/callback?code=x&state=y").await;
    let (_, rest) = told.body.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let digest = carnet_jose::primitive::sha256(style.as_bytes());
    let digest = carnet_jose::base64url::encode(&digest)
        .replace('-', "+")
        .replace('_', "/");
    assert_eq!(
        told.one("content-security-policy"),
        format!(
            "default-src 'none'; style-src 'sha256-{digest}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    );
    for loaded in ["src=", "<link", "<script", "url(", "@import", " style="] {
        assert!(!told.body.contains(loaded), "{loaded}: {}", told.body);
    }
}

#[tokio::test]
async fn what_a_window_is_refused_is_a_page_and_what_a_program_is_refused_a_problem() {
    let counted = Counted::start().await;
    let mut browser = counted.browser();
    let told = browser
        .ask("GET", "/bff/login?returnUrl=//evil.test", (&german(WINDOW), ""))
        .await;
    assert_eq!(told.status, 400);
    assert_eq!(told.one("content-type"), "text/html; charset=utf-8");
    assert!(
        told.body.contains("Zurück zur App") && told.body.contains("return_url_invalid"),
        "{}",
        told.body
    );
    counted.knows(&told, "return_url_invalid");
    let told = browser.ask("GET", "/bff/logout", (&german(WINDOW), "")).await;
    assert_eq!(told.status, 401);
    assert!(told.body.contains("session_missing"), "{}", told.body);
    for headers in [
        WINDOW.to_owned(),
        german("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"),
    ] {
        let told = browser
            .ask("GET", "/bff/login?returnUrl=//evil.test", (&headers, ""))
            .await;
        assert_eq!(told.one("content-type"), "application/problem+json", "{headers}");
    }
}
