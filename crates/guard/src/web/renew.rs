//! The caller of a request, with an access token that still lives: the one of the cookie, or the next.
//!
//! Spec: RFC 6749 §1.5, §6 · RFC 9700 §4.14.2 · OpenID Connect Core §12.2

use carnet_client::error::ClientError;
use carnet_oauth::token_response::TokenResponse;

use super::app::Web;
use super::logout::give_back;
use super::pending::Answering;
use super::session::Session;
use crate::auth::Auth;
use crate::challenge::Refused;

/// What has become of a session.
pub(super) enum Standing {
    /// It goes on, with these tokens; the browser must be given them when they are new.
    Lives(Auth, Box<Session>, Renewed),
    /// It was ended, here or by the issuer.
    Over,
    /// A refresh brought the tokens of another login: it was ended for that, and only this answer tells the browser.
    Foreign,
    /// It cannot be said: the issuer does not answer.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewed {
    Yes,
    No,
}

/// Where a session stands, after a refresh when it is time for one.
pub(super) async fn standing(web: &Web, session: Session) -> Standing {
    if web.parts.ended.has(&session.id) {
        return Standing::Over;
    }
    let session = Box::new(session);
    if let Some(access) = session
        .held
        .access
        .as_ref()
        .filter(|_| session.is_fresh(web.now()))
    {
        match web.caller(&access.token).await {
            Ok(auth) => return Standing::Lives(auth, session, Renewed::No),
            Err(Refused::Unavailable) => return Standing::Unknown,
            // Taken back, or signed with a key that is gone: the issuer has the last word.
            Err(_) => {}
        }
    }
    match renewed(web, &session).await {
        Ok((auth, session)) => Standing::Lives(auth, session, Renewed::Yes),
        Err(Trouble::Foreign) => Standing::Foreign,
        Err(Trouble::Over) if session.held.refresh.is_some() => Standing::Over,
        Err(trouble) => still_good(web, session).await.unwrap_or(match trouble {
            Trouble::Over | Trouble::Foreign => Standing::Over,
            Trouble::NoAnswer => Standing::Unknown,
        }),
    }
}

enum Trouble {
    Over,
    Foreign,
    NoAnswer,
}

/// Goes on with the newest tokens that this program has seen, or asks for the next.
async fn renewed(web: &Web, session: &Session) -> Result<(Auth, Box<Session>), Trouble> {
    let session = match newest(web, Box::new(session.clone())).await {
        Newest::Seen(auth, session) if session.is_fresh(web.now()) => return Ok((auth, session)),
        Newest::Seen(_, session) | Newest::Unchanged(session) => session,
        Newest::Spent => return Err(Trouble::Over),
        Newest::Foreign => return Err(Trouble::Foreign),
    };
    let refresh = session.held.refresh.as_deref().ok_or(Trouble::Over)?;
    let tokens = web.parts.renewals.renew(refresh).await;
    let tokens = tokens.map_err(|error| trouble(&error))?;
    match step(web, &session, &tokens).await {
        Step::Good(auth, next) => Ok((auth, next)),
        Step::Foreign => Err(Trouble::Foreign),
        Step::Unaccepted(refused) => {
            let code = refused.code();
            tracing::error!(
                code,
                "a new access token is not accepted: for whom does the issuer make them?"
            );
            Err(Trouble::NoAnswer)
        }
    }
}

/// What tokens are for a session whose refresh token has led to them.
enum Step {
    /// The same login goes on with them.
    Good(Auth, Box<Session>),
    /// The access token is not accepted.
    Unaccepted(Refused),
    /// They are another login's. They were given back, and the session has ended.
    Foreign,
}

async fn step(web: &Web, session: &Session, tokens: &TokenResponse) -> Step {
    let id_token = match &session.whose {
        Some(whose) => whose.id_token(web, tokens).await,
        None => Ok(tokens.id_token.clone()),
    };
    let id_token = match id_token {
        Ok(id_token) => id_token,
        Err(why) => return foreign(web, session, why),
    };
    let auth = match web.caller(&tokens.access_token).await {
        Ok(auth) => auth,
        Err(refused) => return Step::Unaccepted(refused),
    };
    if let Some(Err(why)) = session.whose.as_ref().map(|whose| whose.check(&auth)) {
        return foreign(web, session, why);
    }
    let next = session.renewed(tokens, &auth, id_token);
    Step::Good(auth, Box::new(next))
}

fn foreign(web: &Web, session: &Session, why: &str) -> Step {
    tracing::error!(
        why,
        "a refresh was answered with the tokens of another login: the session ends"
    );
    // Of several requests that find it out, one gives them back.
    if !web.parts.ended.has(&session.id) {
        give_back(web, session);
    }
    Step::Foreign
}

/// RFC 6749 §5.2: `invalid_grant` is a word on the token. Whatever else goes wrong says nothing about it, and logs nobody out.
fn trouble(error: &ClientError) -> Trouble {
    match error {
        ClientError::Refused(code, _) if code == "invalid_grant" => Trouble::Over,
        ClientError::Refused(code, _) => {
            tracing::error!(
                code,
                "the issuer refuses this app: are the client and its secret still the same?"
            );
            Trouble::NoAnswer
        }
        error => {
            tracing::warn!(%error, "a login could not be refreshed");
            Trouble::NoAnswer
        }
    }
}

/// The access token may still live when it could not be renewed early.
async fn still_good(web: &Web, session: Box<Session>) -> Option<Standing> {
    let auth = web.caller(&session.held.access.as_ref()?.token).await.ok()?;
    Some(Standing::Lives(auth, session, Renewed::No))
}

/// The session as an answer is to leave it with the browser; `None` when it has ended meanwhile, or the browser has it.
pub(super) async fn latest(
    web: &Web,
    mut session: Box<Session>,
    answering: &Answering,
) -> Option<Box<Session>> {
    if web.parts.ended.has(&session.id) {
        return None;
    }
    let known = answering.newest()?;
    session.held = known.held;
    let session = match newest(web, session).await {
        Newest::Seen(_, session) => return Some(session),
        Newest::Spent | Newest::Foreign => return None,
        Newest::Unchanged(session) => session,
    };
    let is_long = web.now().saturating_sub(known.since) >= LONG_SECONDS;
    if is_long && known.told {
        // Were this answer lost, the browser would be left with a spent token.
        return None;
    }
    if !is_long && !is_taken_back(web, &session).await {
        return Some(session);
    }
    // Another process may have ended it.
    match renewed(web, &session).await {
        Ok((_, session)) => Some(session),
        Err(Trouble::Over | Trouble::Foreign) => None,
        Err(Trouble::NoAnswer) => Some(session),
    }
}

async fn is_taken_back(web: &Web, session: &Session) -> bool {
    match &session.held.access {
        Some(access) => matches!(web.caller(&access.token).await, Err(Refused::TokenRevoked)),
        None => false,
    }
}

/// What this program knows of the tokens of a session.
enum Newest {
    /// Nothing newer, or nothing newer that still lives.
    Unchanged(Box<Session>),
    /// Newer ones, of a request that came before.
    Seen(Auth, Box<Session>),
    /// They were given back, or refused for good.
    Spent,
    /// They are another login's.
    Foreign,
}

/// Follows a session to the newest tokens of the last minute. Another request may have gone on while a slow handler worked, and a browser may
/// have hung up before it saw its new tokens.
async fn newest(web: &Web, session: Box<Session>) -> Newest {
    let (mut session, mut seen) = (session, None);
    for _ in 0..MOST_STEPS {
        let known = session
            .held
            .refresh
            .as_deref()
            .and_then(|refresh| web.parts.renewals.known(refresh));
        let tokens = match known {
            Some(Ok(tokens)) => tokens,
            Some(Err(ClientError::Refused(code, _))) if code == "invalid_grant" => return Newest::Spent,
            Some(Err(_)) | None => break,
        };
        match step(web, &session, &tokens).await {
            Step::Good(auth, next) => (session, seen) = (next, Some(auth)),
            Step::Foreign => return Newest::Foreign,
            // An answer of a moment ago, whose token was short-lived: what comes after it leads on.
            Step::Unaccepted(_) => {
                session.held.refresh = tokens.refresh_token.clone().or(session.held.refresh.take())
            }
        }
        if tokens.refresh_token.is_none() {
            break;
        }
    }
    match seen {
        Some(auth) => Newest::Seen(auth, session),
        None => Newest::Unchanged(session),
    }
}

/// An answer that takes longer asks the issuer once more.
const LONG_SECONDS: u64 = 5;
/// More refreshes than one login sees within a minute.
const MOST_STEPS: usize = 64;
