//! A browser: cookies, where requests come from, and what it was told.

use std::net::SocketAddr;

use serde_json::Value;

use super::provider::Issuer;
use crate::harness::{Seen, talk};

/// What pages of the app send with each call.
pub(super) const SCRIPT: &str = "X-CSRF: 1\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Dest: empty\r\n";
/// What a person's click sends.
pub(super) const WINDOW: &str =
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
pub(super) const COOKIE: &str = "__Host-Http-bff";

/// One browser, at one replica of the gateway.
#[derive(Clone)]
pub(super) struct Browser {
    pub(super) gateway: SocketAddr,
    /// In the order in which they were set.
    pub(super) cookies: Vec<(String, String)>,
    pub(super) host: &'static str,
}

impl Browser {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        Self {
            gateway,
            cookies: Vec::new(),
            host: "app.test",
        }
    }

    /// What it sends of its cookies.
    pub(super) fn cookie_line(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        match pairs.collect::<Vec<_>>() {
            none if none.is_empty() => String::new(),
            pairs => format!("Cookie: {}\r\n", pairs.join("; ")),
        }
    }

    /// Sends a request, and keeps the cookies of the answer.
    pub(super) async fn ask(&mut self, method: &str, path: &str, (headers, body): (&str, &str)) -> Told {
        let cookie = self.cookie_line();
        let length = match body.is_empty() {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{cookie}{headers}{length}Connection: close\r\n\r\n{body}",
            self.host
        );
        let told = Told::read(&talk(self.gateway, &text).await);
        for line in told.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            // What the service sets is no matter of ours.
            if !name.starts_with(COOKIE) {
                continue;
            }
            self.cookies.retain(|(kept, _)| kept != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        told
    }

    pub(super) async fn call(&mut self, method: &str, path: &str) -> Told {
        self.ask(method, path, (SCRIPT, "")).await
    }

    pub(super) async fn open(&mut self, path: &str) -> Told {
        self.ask("GET", path, (WINDOW, "")).await
    }

    /// From the app's link to the page that goes on.
    pub(super) async fn log_in(&mut self, issuer: &Issuer) -> Told {
        let begun = self.open("/bff/login?returnUrl=/notes").await;
        assert_eq!(begun.status, 303, "{begun:?}");
        let back = issuer.log_in(&begun.one("location"));
        let cross_site =
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
        // What is strict stays behind on a way that began elsewhere.
        let strict: Vec<_> = self
            .cookies
            .iter()
            .filter(|(name, _)| is_session(name))
            .cloned()
            .collect();
        self.cookies.retain(|(name, _)| !is_session(name));
        let told = self.ask("GET", &back, (cross_site, "")).await;
        if self.session().is_none() {
            self.cookies.extend(strict);
        }
        told
    }

    pub(super) fn session(&self) -> Option<&str> {
        let mut found = self.cookies.iter().filter(|(name, _)| is_session(name));
        found.next().map(|(_, value)| value.as_str())
    }
}

/// Whole, or the parts of one that the browser carries itself.
fn is_session(name: &str) -> bool {
    name == COOKIE || name.starts_with("__Host-Http-bff-")
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Told {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn one(&self, name: &str) -> String {
        match self.all(name).as_slice() {
            [one] => (*one).to_owned(),
            other => panic!("{name}: {other:?} in {self:?}"),
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The status and the stable code of a refusal.
    pub(super) fn refusal(&self) -> (u16, String) {
        (
            self.status,
            self.json()["code"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// What the service saw.
    pub(super) fn seen(&self) -> Seen {
        assert_eq!(self.status, 200, "{self:?}");
        Seen(self.json())
    }

    /// GW-15: nothing of it is a token.
    pub(super) fn has_no_token(&self) {
        let whole = format!("{:?} {}", self.headers, self.body);
        for secret in SECRETS {
            assert!(!whole.contains(secret), "{secret} in {self:?}");
        }
    }
}

/// How tokens begin: headers of JWTs with any of their members first, and refresh tokens. Shorter, and what is drawn at random has it now and then.
pub(super) const SECRETS: [&str; 4] = ["eyJhbGci", "eyJ0eXAi", "eyJraWQi", "rt-secret"];
