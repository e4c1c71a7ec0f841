//! `callback`: the issuer's answer, when it fits the login that this browser began.
//!
//! Spec: RFC 6749 §4.1.2, §4.1.3 · RFC 9207 §2.4 · OpenID Connect Core §3.1.3.7

use axum::extract::{RawQuery, State};
use axum::response::Response;
use carnet_client::authorize::Authorization;
use carnet_client::cookie::{self, SameSite};
use carnet_client::error::ClientError;
use carnet_oauth::token_response::TokenResponse;
use http::{HeaderMap, StatusCode, header};

use super::app::Web;
use super::login::{self, Begun};
use super::logout::{self, give_back};
use super::page::{self, Answer, go_on, see_other, unavailable};
use super::session::Session;
use crate::auth::Auth;
use crate::challenge::Refused;

/// Why a login does not come to its end.
enum Unfinished {
    /// This browser began no such login, or too long ago; or the answer is another server's.
    Foreign,
    /// The issuer says no: the user did not want to, or the client may not.
    Refused(String),
    /// The issuer does not answer.
    Down,
    /// It did, and what came cannot be checked at the moment.
    Lost,
    /// Its answer cannot be used. What is wrong stands in the log.
    Unusable,
}

pub(super) async fn end(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let state = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "state");
    let state = state.map(|(_, value)| value.into_owned()).unwrap_or_default();
    let begun = login::find(&web, &headers, &state);
    let mut may_come_again = false;
    let mut response = match &begun {
        Some(begun) => match logged_in(&web, begun, &query).await {
            Ok(session) => welcome(&web, (&session, begun), &headers),
            // Nobody was to see anything, whatever the issuer says.
            Err(Unfinished::Refused(_)) if begun.silent => go_on(&begun.return_to),
            Err(unfinished) => {
                may_come_again = matches!(unfinished, Unfinished::Down);
                sorry(&web, unfinished)
            }
        },
        None => sorry(&web, Unfinished::Foreign),
    };
    // A code is tried once, and so is what belongs to it; but where the issuer did not answer, the same address may be opened again: most often nothing
    // was spent.
    if begun.is_some() && !may_come_again {
        let spent = cookie::set(
            web.parts.settings.secure,
            (&login::name_of(&web, &state), ""),
            0,
            SameSite::Lax,
        );
        response
            .headers_mut()
            .extend(spent.map(|line| (header::SET_COOKIE, line)));
    }
    response
}

async fn logged_in(web: &Web, begun: &Begun, query: &str) -> Result<Session, Unfinished> {
    let client = web
        .parts
        .provider
        .client()
        .await
        .map_err(|error| unfinished(&error))?;
    let authorization = Authorization::resume(&client, (&begun.state, &begun.nonce, &begun.verifier));
    let code = authorization.code(query).ok_or(Unfinished::Foreign)?;
    let code = code.map_err(|error| unfinished(&error))?;
    let openid = web.parts.settings.scope.split(' ').any(|word| word == "openid");
    // A code is spent by the first attempt, and without keys nothing that comes for it could be believed.
    if openid && !web.parts.login.is_ready().await {
        tracing::warn!("a login could not be finished: the keys of the issuer cannot be had");
        return Err(Unfinished::Down);
    }
    let tokens = client.redeem(&code, &web.redirect_uri(), &begun.verifier).await;
    let tokens = tokens.map_err(|error| unfinished(&error))?;
    let unusable = |why: &str| {
        tracing::error!(why, "a login cannot be used");
        Unfinished::Unusable
    };
    let auth = web.caller(&tokens.access_token).await;
    let auth = auth.map_err(|refused| match refused {
        Refused::Unavailable => {
            // The code is spent, and nobody will ever have these.
            logout::end(web, &begun.state, tokens.refresh_token.clone());
            Unfinished::Lost
        }
        refused => unusable(refused.code()),
    })?;
    if openid {
        check_id_token(web, begun, (&tokens, &auth))
            .await
            .map_err(unusable)?;
    }
    let mut session =
        Session::begin(&tokens, &auth, openid.then(|| begun.nonce.clone())).ok_or(Unfinished::Unusable)?;
    session.asked = begun.asked.clone().map(|asked| asked.ended(web.now()));
    Ok(session)
}

/// OpenID Connect Core §3.1.3.7: it is the issuer's, for this client, for this login, and about the same user.
async fn check_id_token(
    web: &Web,
    begun: &Begun,
    (tokens, auth): (&TokenResponse, &Auth),
) -> Result<(), &'static str> {
    let id_token = tokens.id_token.as_deref().ok_or("there is no ID token")?;
    let claims = web.parts.login.check(id_token, &begun.nonce, web.now()).await?;
    if claims.sub != auth.sub() {
        return Err("the tokens are about two users");
    }
    Ok(())
}

fn unfinished(error: &ClientError) -> Unfinished {
    match error {
        ClientError::Refused(code, _) => {
            tracing::info!(%error, "the issuer refused a login");
            Unfinished::Refused(code.clone())
        }
        ClientError::Unreachable(_) | ClientError::Status(..) => {
            tracing::warn!(%error, "a login could not be finished");
            Unfinished::Down
        }
        error => {
            tracing::error!(%error, "a login cannot be used");
            Unfinished::Unusable
        }
    }
}

fn welcome(web: &Web, (session, begun): (&Session, &Begun), headers: &HeaderMap) -> Response {
    let mut response = match web.parts.settings.same_site {
        SameSite::Strict => go_on(&begun.return_to),
        SameSite::Lax => see_other(&begun.return_to),
    };
    if session.keep(web, response.headers_mut()).is_err() {
        give_back(web, session);
        return sorry(web, Unfinished::Unusable);
    }
    end_before(web, begun, headers);
    response
}

/// CK-02: what the browser had before is of no more use to anybody.
fn end_before(web: &Web, begun: &Begun, headers: &HeaderMap) {
    let sent = Session::read(web, headers);
    // Its tokens may be newer than those of when the login began.
    if let Some(old) = &sent {
        give_back(web, old);
    }
    let sent = sent.map(|old| old.id);
    if let Some(old) = begun.before.as_ref().filter(|old| sent.as_ref() != Some(&old.id)) {
        logout::end(web, &old.id, old.token.clone());
    }
}

fn sorry(web: &Web, unfinished: Unfinished) -> Response {
    let again = (web.login_path(), "Log in");
    let again = Some((again.0.as_str(), again.1));
    match unfinished {
        Unfinished::Foreign => {
            const TEXT: &str = "This login was not begun in this browser, or too long ago.";
            page::page(StatusCode::BAD_REQUEST, TEXT, again)
        }
        Unfinished::Refused(code) if code == "access_denied" => page::page(
            StatusCode::FORBIDDEN,
            "You are not logged in: the login was not allowed.",
            again,
        ),
        Unfinished::Refused(code) if code == "unmet_authentication_requirements" => page::page(
            StatusCode::FORBIDDEN,
            "You cannot log in in the way that is asked for. Perhaps your account has no such way yet.",
            again,
        ),
        Unfinished::Refused(_) => page::page(
            StatusCode::BAD_REQUEST,
            "You are not logged in: the login was refused.",
            again,
        ),
        Unfinished::Down | Unfinished::Lost => unavailable(Answer::Page),
        Unfinished::Unusable => {
            const TEXT: &str = "You are not logged in: this app cannot use the answer that came. Its operator finds out why in its log.";
            page::page(StatusCode::BAD_GATEWAY, TEXT, again)
        }
    }
}
