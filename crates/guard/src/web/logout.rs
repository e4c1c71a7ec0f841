//! `logout`: gives the tokens back, makes the browser forget them, and ends the login at the issuer.
//!
//! Spec: RFC 7009 · OpenID Connect RP-Initiated Logout §2

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;

use super::app::Web;
use super::session::{self, Session};
use super::{csrf, page};

/// A form that was proven to be ours: nobody is logged out by another site.
pub(super) async fn log_out(State(web): State<Web>, request: Request<Body>) -> Response {
    let session = Session::read(&web, request.headers());
    if let Err(refusal) = csrf::demand(&web, session.as_ref(), request).await {
        return refusal;
    }
    let after = web.parts.settings.after_logout.clone();
    let to = match &session {
        Some(session) => {
            // What has begun goes on when the browser hangs up.
            if let Some(giving) = give_back(&web, session) {
                let _ = giving.await;
            }
            end_session(&web, session).await.unwrap_or(after)
        }
        None => after,
    };
    let mut response = page::see_other(&to);
    session::forget(&web, response.headers_mut());
    response
}

/// Ends the session here, and gives the refresh token back with what it has led to (RFC 7009 §2.1), or the access token where there is no other.
pub(super) fn give_back(web: &Web, session: &Session) -> Option<tokio::task::JoinHandle<()>> {
    let access = session.held.access.as_ref().map(|access| &access.token);
    let token = session.held.refresh.as_ref().or(access);
    end(web, &session.id, token.cloned())
}

/// Ends the session of this name here, and gives this token of it back. Requests that still have its cookies are refused at once.
pub(super) fn end(web: &Web, id: &str, token: Option<String>) -> Option<tokio::task::JoinHandle<()>> {
    web.parts.ended.insert(id, web.now());
    let (token, web) = (token?, web.clone());
    Some(tokio::spawn(async move {
        let (renewals, mut newest) = (&web.parts.renewals, token);
        // Another request may have gone on from there, or be about to.
        while let Some(Ok(tokens)) = renewals.settled(&newest).await {
            renewals.spend(&newest);
            let Some(next) = tokens.refresh_token.clone() else {
                break;
            };
            newest = next;
        }
        renewals.spend(&newest);
        let given_back = match web.parts.provider.client().await {
            Ok(client) => client.revoke(&newest).await,
            Err(error) => Err(error),
        };
        if let Err(error) = given_back {
            tracing::warn!(%error, "a token could not be given back; it lives until the issuer forgets it");
        }
    }))
}

/// Where the issuer ends the login itself; `None` when it has no such address, or does not answer.
async fn end_session(web: &Web, session: &Session) -> Option<String> {
    let mut url = web.parts.provider.end_session().await?;
    let settings = &web.parts.settings;
    let back = format!("{}{}", settings.origin, settings.after_logout);
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("post_logout_redirect_uri", &back);
        if let Some(id_token) = session.id_token() {
            query.append_pair("id_token_hint", id_token);
        }
    }
    Some(url.into())
}
