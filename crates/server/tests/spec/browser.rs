//! A browser with a cookie jar, and the way through the pages.

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::{Method, StatusCode, header};
use url::Url;

use crate::harness::{ALICE, Call, PASSWORD, Reply, Server};

/// The example of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What Alice writes on the login page.
pub(crate) const AS_ALICE: [(&str, &str); 3] =
    [("username", ALICE), ("password", PASSWORD), ("decision", "login")];

/// The cookies of one browser.
pub(crate) struct Browser<'a> {
    server: &'a Server,
    jar: RefCell<BTreeMap<String, String>>,
}

/// An authorization request of a client, with PKCE.
pub(crate) fn authorize_url(
    client_id: &str,
    redirect_uri: &str,
    scope: &str,
    more: &[(&str, &str)],
) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    query.extend_pairs(more);
    format!("/oauth/authorize?{}", query.finish())
}

/// The request that most tests begin with.
pub(crate) fn web_url(scope: &str, more: &[(&str, &str)]) -> String {
    authorize_url("web", "https://web.example.com/cb", scope, more)
}

impl<'a> Browser<'a> {
    pub(crate) fn of(server: &'a Server) -> Self {
        Self {
            server,
            jar: RefCell::default(),
        }
    }

    /// The same browser, with its cookies, at another server.
    pub(crate) fn at<'b>(&self, server: &'b Server) -> Browser<'b> {
        Browser {
            server,
            jar: self.jar.clone(),
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.jar.borrow().get(name).cloned()
    }

    /// The names of all.
    pub(crate) fn cookies(&self) -> Vec<String> {
        self.jar.borrow().keys().cloned().collect()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.server.call(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let call = self.server.call(Method::POST, path).form(fields);
        self.send(
            call.header("origin", &self.server.app.config.issuer.origin())
                .header("sec-fetch-site", "same-origin"),
        )
        .await
    }

    pub(crate) async fn send(&self, call: Call<'_>) -> Reply {
        let jar = self.jar.borrow().clone();
        let mut call = call;
        for (name, value) in &jar {
            call = call.header("cookie", &format!("{name}={value}"));
        }
        let reply = call.send().await;
        for line in reply.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.jar.borrow_mut().remove(name);
            } else {
                self.set_cookie(name, value);
            }
        }
        reply
    }

    /// Follows redirects until there is a page, or an address of somebody else.
    pub(crate) async fn follow(&self, path: &str) -> Reply {
        let mut reply = self.get(path).await;
        while let Some(next) = own_location(&reply) {
            reply = self.get(&next).await;
        }
        reply
    }

    /// Fills in the form of the page and follows where it leads.
    pub(crate) async fn submit(&self, page: &Reply, fields: &[(&str, &str)]) -> Reply {
        let reply = self.sent(page, fields).await;
        match own_location(&reply) {
            Some(next) => self.follow(&next).await,
            None => reply,
        }
    }

    /// Fills in the form, and the answer never comes.
    pub(crate) async fn submit_in_vain(&self, page: &Reply, fields: &[(&str, &str)]) {
        let jar = self.jar.borrow().clone();
        self.sent(page, fields).await;
        *self.jar.borrow_mut() = jar;
    }

    async fn sent(&self, page: &Reply, fields: &[(&str, &str)]) -> Reply {
        let (action, mut all) = form_of(page);
        all.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let pairs: Vec<(&str, &str)> = all
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.post(&action, &pairs).await
    }

    /// Logs Alice in at the page.
    pub(crate) async fn log_in(&self, page: &Reply) -> Reply {
        self.submit(page, &AS_ALICE).await
    }

    /// A code for this request: Alice logs in and allows whatever is asked.
    pub(crate) async fn code(&self, url: &str) -> String {
        let mut reply = self.follow(url).await;
        for _ in 0..3 {
            if reply.status != StatusCode::OK {
                break;
            }
            reply = if reply.text().contains("id=\"login-submit\"") {
                self.log_in(&reply).await
            } else {
                self.submit(&reply, &[("decision", "allow"), ("remember", "yes")])
                    .await
            };
        }
        answer(&reply)
            .get("code")
            .unwrap_or_else(|| panic!("no code: {reply:?}"))
            .clone()
    }
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

/// The parameters with which a browser is sent back to a client.
pub(crate) fn answer(reply: &Reply) -> BTreeMap<String, String> {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    let location = Url::parse(reply.header("location")).unwrap();
    location.query_pairs().into_owned().collect()
}

fn own_location(reply: &Reply) -> Option<String> {
    let location = reply.header("location");
    location.starts_with('/').then(|| location.to_owned())
}

/// Where the form of a page leads, and what stands in its hidden fields.
pub(crate) fn form_of(page: &Reply) -> (String, Vec<(String, String)>) {
    let text = page.text();
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        Some(
            rest.split('"')
                .next()
                .unwrap_or_default()
                .replace("&amp;", "&")
                .replace("&#x2f;", "/"),
        )
    };
    let form = text
        .split("<form")
        .nth(1)
        .unwrap_or_else(|| panic!("no form: {page:?}"));
    let action = attribute(form.split('>').next().unwrap(), "action").unwrap();
    let hidden = form.split("<input type=\"hidden\"").skip(1).map(|rest| {
        let tag = rest.split('>').next().unwrap();
        (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap())
    });
    (action, hidden.collect())
}
