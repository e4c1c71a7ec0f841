//! The pieces of load: what each asks, of either server, as fast as answers come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, header};

use super::browser::Browser;
use super::server::{Server, Which};
use super::token::{self, Caller, ES256_API, Encoded, RS256_API};
use crate::Outcome;
use crate::client::Connection;
use crate::drive::{Rate, closed_loop};

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    ClientCredentials(&'static str),
    Refresh,
    Introspection,
    Userinfo,
    Jwks,
}

impl Work {
    pub(super) const ALL: [Self; 6] = [
        Self::ClientCredentials(ES256_API),
        Self::ClientCredentials(RS256_API),
        Self::Refresh,
        Self::Introspection,
        Self::Userinfo,
        Self::Jwks,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials(ES256_API) => "client_credentials, ES256 access token",
            Self::ClientCredentials(_) => "client_credentials, RS256 access token",
            Self::Refresh => "refresh, ES256 access and ID token",
            Self::Introspection => "introspection of a user's token",
            Self::Userinfo => "userinfo",
            Self::Jwks => "JWKS",
        }
    }

    /// How many times less CPU Carnet is to need.
    pub(super) fn aim(self) -> Option<u32> {
        match self {
            Self::ClientCredentials(ES256_API) => Some(8),
            Self::Refresh => Some(6),
            Self::Introspection => Some(5),
            _ => None,
        }
    }
}

/// One of many that ask at the same time.
pub(super) enum Asker {
    Post(Caller, &'static str, Encoded),
    Refresh(Caller, &'static str, String),
    Get(Connection, &'static str, String),
}

impl Asker {
    /// Connected, with everything that asking needs.
    pub(super) async fn ready(work: Work, server: &Server) -> Outcome<Self> {
        let paths = server.paths;
        Ok(match work {
            Work::ClientCredentials(resource) => {
                let caller = Caller::open(server, "service").await?;
                let asker = Self::Post(caller, paths.token, token::for_itself(Some(resource)));
                asker.tried(resource).await?
            }
            Work::Refresh => {
                let tokens = log_in(server, Some(ES256_API)).await?;
                check(server, "access token", Some(tokens.access), Some("ES256"))?;
                check(server, "ID token", tokens.id, Some("ES256"))?;
                let refresh = tokens.refresh.ok_or("no refresh token")?;
                Self::Refresh(Caller::open(server, "web").await?, paths.token, refresh)
            }
            Work::Introspection => {
                let access = users_token(server).await?;
                let form = Encoded::default().pair("token", &access);
                Self::Post(Caller::open(server, "api").await?, paths.introspection, form)
            }
            Work::Userinfo => {
                let access = users_token(server).await?;
                Self::Get(Connection::open(&server.address).await?, paths.userinfo, access)
            }
            Work::Jwks => Self::Get(
                Connection::open(&server.address).await?,
                paths.jwks,
                String::new(),
            ),
        })
    }

    /// Asks once; anything but a good answer ends the run.
    pub(super) async fn ask(&mut self) -> Outcome<()> {
        match self {
            Self::Post(caller, path, form) => {
                let answer = caller.post(path, form).await?;
                if answer.body.starts_with(b"{\"active\":false") {
                    return Err("a good token is said to be inactive".into());
                }
            }
            Self::Refresh(caller, path, refresh) => {
                let form =
                    Encoded::default().all(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
                let tokens = token::tokens(&caller.post(path, &form).await?)?;
                if tokens.id.is_none() {
                    return Err("a refresh brought no ID token".into());
                }
                let next = tokens.refresh.ok_or("a refresh brought no refresh token")?;
                if next == *refresh {
                    return Err("a refresh token did not rotate".into());
                }
                *refresh = next;
            }
            Self::Get(connection, path, bearer) => {
                let mut request = Request::get(*path);
                if !bearer.is_empty() {
                    request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
                }
                let answer = connection.send(request, Bytes::new()).await?;
                if answer.status != StatusCode::OK {
                    return Err(format!("{path}: {}", answer.status).into());
                }
            }
        }
        Ok(())
    }

    async fn tried(mut self, resource: &str) -> Outcome<Self> {
        if let Self::Post(caller, path, form) = &mut self {
            let tokens = token::tokens(&caller.post(path, form).await?)?;
            let expected = if resource == RS256_API { "RS256" } else { "ES256" };
            if token::algorithm(&tokens.access).as_deref() != Some(expected) {
                return Err(format!("the access token is not signed with {expected}").into());
            }
        }
        Ok(self)
    }
}

/// Many ask until the time is over.
pub(super) async fn load(work: Work, server: &Server, (askers, piece): (usize, Duration)) -> Outcome<Rate> {
    let mut jobs = Vec::new();
    for _ in 0..askers {
        let mut asker = Asker::ready(work, server).await?;
        jobs.push(async move {
            let (started, mut done) = (Instant::now(), 0);
            while started.elapsed() < piece {
                asker.ask().await?;
                done += 1;
            }
            Ok(done)
        });
    }
    closed_loop(&server.process, jobs).await
}

/// Logged-in browsers fetch codes, and the client redeems them: what the first and what the second costs.
pub(super) async fn codes(server: &Server, (askers, each): (usize, usize)) -> Outcome<(Rate, Rate)> {
    let basket = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut jobs = Vec::new();
    for _ in 0..askers {
        let mut browser = Browser::log_in(server, &[Some(ES256_API)]).await?;
        let basket = basket.clone();
        jobs.push(async move {
            let mut own = Vec::new();
            for _ in 0..each {
                own.push(browser.code(Some(ES256_API)).await?);
            }
            let count = u64::try_from(own.len())?;
            basket.lock().map_err(|_| "a basket was dropped")?.push(own);
            Ok(count)
        });
    }
    let fetched = closed_loop(&server.process, jobs).await?;
    let all = std::mem::take(&mut *basket.lock().map_err(|_| "a basket was dropped")?);
    let mut jobs = Vec::new();
    for own in all {
        let (mut caller, path) = (Caller::open(server, "web").await?, server.paths.token);
        jobs.push(async move {
            for code in &own {
                let tokens = caller.redeem(path, (code, Some(ES256_API))).await?;
                if tokens.id.is_none() || tokens.refresh.is_none() {
                    return Err("a code brought too little".into());
                }
            }
            Ok(u64::try_from(own.len())?)
        });
    }
    Ok((fetched, closed_loop(&server.process, jobs).await?))
}

async fn log_in(server: &Server, resource: Option<&str>) -> Outcome<token::Tokens> {
    let code = Browser::log_in(server, &[resource]).await?.code(resource).await?;
    let mut caller = Caller::open(server, "web").await?;
    caller.redeem(server.paths.token, (&code, resource)).await
}

/// A token that userinfo and introspection take. The peer looks its opaque tokens up and refuses JWTs at both; Carnet has JWTs alone.
async fn users_token(server: &Server) -> Outcome<String> {
    let (resource, expected) = match server.which {
        Which::Carnet => (Some(ES256_API), Some("ES256")),
        Which::Peer => (None, None),
    };
    let tokens = log_in(server, resource).await?;
    check(server, "access token", Some(tokens.access.clone()), expected)?;
    Ok(tokens.access)
}

fn check(server: &Server, what: &str, token: Option<String>, expected: Option<&str>) -> Outcome<()> {
    let found = token.as_deref().and_then(token::algorithm);
    if found.as_deref() == expected {
        return Ok(());
    }
    Err(format!(
        "{}: the {what} is of {found:?}, not {expected:?}",
        server.which.name()
    )
    .into())
}
