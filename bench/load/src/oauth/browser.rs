//! A browser that is logged in, so that the authorization endpoint answers it with a code at once. It reads the forms of either server.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, StatusCode, header};

use super::server::Server;
use super::token::{AUTHORIZATION, Encoded, REDIRECT_URI};
use crate::Outcome;
use crate::client::{Answer, Connection};

pub(super) const USER: &str = "alice@example.com";
pub(super) const PASSWORD: &str = "a long enough passphrase";

/// A connection and the cookies of one browser.
pub(super) struct Browser {
    connection: Connection,
    cookies: BTreeMap<String, String>,
    origin: String,
    /// The authorization endpoint.
    path: &'static str,
}

impl Browser {
    /// Goes through the pages once for each request that is going to be made.
    pub(super) async fn log_in(server: &Server, resources: &[Option<&str>]) -> Outcome<Self> {
        let mut browser = Self {
            connection: Connection::open(&server.address).await?,
            cookies: BTreeMap::new(),
            origin: format!("http://{}", server.address),
            path: server.paths.authorization,
        };
        for resource in resources {
            browser.through_the_pages(*resource).await?;
        }
        Ok(browser)
    }

    /// A code, without any page.
    pub(super) async fn code(&mut self, resource: Option<&str>) -> Outcome<String> {
        let answer = self.get(&self.request(resource)).await?;
        code_of(&answer).ok_or_else(|| format!("no code but {}", answer.status).into())
    }

    fn request(&self, resource: Option<&str>) -> String {
        let query = Encoded::default().all(AUTHORIZATION);
        let query = match resource {
            Some(resource) => query.pair("resource", resource),
            None => query,
        };
        format!("{}?{}", self.path, query.text)
    }

    async fn through_the_pages(&mut self, resource: Option<&str>) -> Outcome<()> {
        let mut answer = self.get(&self.request(resource)).await?;
        for _ in 0..12 {
            if code_of(&answer).is_some() {
                return Ok(());
            }
            answer = match self.own_location(&answer) {
                Some(next) => self.get(&next).await?,
                None => self.fill_in(&answer).await?,
            };
        }
        Err(format!("the pages lead to no code: {}", answer.status).into())
    }

    /// Whatever the page asks, a field that it does not have is ignored.
    async fn fill_in(&mut self, page: &Answer) -> Outcome<Answer> {
        let text = String::from_utf8_lossy(&page.body);
        let form = text
            .split("<form")
            .nth(1)
            .ok_or_else(|| format!("{}: neither a form nor a redirect", page.status))?;
        let action = attribute(form, "action").ok_or("a form without an action")?;
        let action = self.own_path(&action).ok_or("a form that leads elsewhere")?;
        let mut fields = Encoded::default();
        for input in form
            .split("<input")
            .skip(1)
            .filter(|tag| tag.contains("type=\"hidden\""))
        {
            if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) {
                fields = fields.pair(&name, &value);
            }
        }
        let fields = fields.all(&[
            ("username", USER),
            ("login", USER),
            ("password", PASSWORD),
            ("decision", "login"),
        ]);
        let request = Request::post(action)
            .header(header::ORIGIN, &self.origin)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, fields.text.into()).await
    }

    async fn get(&mut self, path: &str) -> Outcome<Answer> {
        self.send(Request::get(path), Bytes::new()).await
    }

    async fn send(&mut self, mut request: http::request::Builder, body: Bytes) -> Outcome<Answer> {
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let answer = self.connection.send(request, body).await?;
        for line in answer.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').ok_or("an odd cookie")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    fn own_location(&self, answer: &Answer) -> Option<String> {
        self.own_path(answer.headers.get(header::LOCATION)?.to_str().ok()?)
    }

    fn own_path(&self, location: &str) -> Option<String> {
        let path = location.strip_prefix(&self.origin).unwrap_or(location);
        path.starts_with('/').then(|| path.to_owned())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let value = rest.split('"').next()?;
    Some(value.replace("&#x2f;", "/").replace("&amp;", "&"))
}

fn code_of(answer: &Answer) -> Option<String> {
    if answer.status != StatusCode::SEE_OTHER {
        return None;
    }
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    let query = location.strip_prefix(REDIRECT_URI)?;
    let (_, rest) = query.split_once("code=")?;
    rest.split('&').next().map(str::to_owned)
}
