//! Refresh token: the newest one of a family for the next, and a fresh access token.
//!
//! Spec: RFC 6749 §6 · RFC 9700 §4.14.2 · OpenID Connect Core §12 · RFC 9449 §5

use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::token_response::TokenResponse;
use carnet_store::{Family, FamilyRecord, Rotated};

use super::request::TokenRequest;
use crate::http::failure::{Because as _, Failure};
use crate::token::asked::{self, Asked};
use crate::token::granted::Granted;
use crate::token::login;
use crate::token::refresh;
use crate::token::rotation;

pub(super) async fn rotate(request: &TokenRequest<'_>) -> Result<TokenResponse, Failure> {
    let TokenRequest {
        app, caller, client, ..
    } = request;
    let presented = request.form.required("refresh_token")?;
    let (token, record, access) = rotation::look(app, presented).await?.ok_or_else(unknown)?;
    let FamilyRecord {
        family,
        user,
        auth_time,
        claims,
    } = record;
    // Everything is checked before any state moves.
    if family.client_id != client.id {
        return Err(unknown());
    }
    // RT-01, RT-11: the live token stays good for who has the key. Of a spent one it is looked at whether it is theft, whoever brings it.
    if token.generation >= family.generation {
        check_key(request, &family)?;
    }
    let audience = request.audience(std::slice::from_ref(&family.audience))?;
    if !client.audiences.iter().any(|known| known == audience) {
        return Err(unknown());
    }
    let granted = Granted {
        user: &user,
        client,
        family: &family,
        scope: request.scope(rotation::granted(&family, client)?)?,
        auth_time,
        jkt: request.jkt,
    };
    // OpenID Connect Core §12.2: what the login was asked for is told again, but for its nonce.
    let claims = asked::read(claims.as_deref())?;
    let asked = Asked {
        nonce: None,
        claims: Some(&claims),
    };
    let mut answer = login::mint(app, granted, access, Some(asked))?;
    let proven = (*client, request.key_of_refresh_tokens());
    match rotation::spend(app, caller, (&token, family, &user), proven).await? {
        Rotated::Fresh(family) | Rotated::Same(family) => {
            // An honest retry proves the key that the family has by now.
            check_key(request, &family)?;
            answer.refresh_token = Some(refresh::write(app, &family)?);
            Ok(answer)
        }
        Rotated::Reused(_) => Err(refuse("the refresh token was used before: its family is revoked")),
        Rotated::Expired => Err(refuse("the refresh token has expired")),
        Rotated::Revoked | Rotated::Unknown => Err(unknown()),
    }
}

/// RFC 9449 §5: a refresh token that is bound to a key is good with a proof of that key alone.
fn check_key(request: &TokenRequest<'_>, family: &Family) -> Result<(), Failure> {
    match &family.jkt {
        Some(jkt) if request.jkt != Some(jkt.as_str()) => Err(refuse(
            "the refresh token is bound to another key than the DPoP proof has",
        )),
        _ => Ok(()),
    }
}

fn unknown() -> Failure {
    refuse("there is no such refresh token for this client, or it was revoked")
}

fn refuse(reason: &'static str) -> Failure {
    ErrorCode::InvalidGrant.because(reason).into()
}
