//! Our nonces: a time and a MAC over it, so that every node knows them and none has to remember them.
//!
//! Nothing in one is secret, so a MAC is enough, and unlike sealing it can be made for every answer: an AES-GCM key wears out.
//!
//! Spec: RFC 9449 §8, §8.2, §9

use axum::response::Response;
use carnet_jose::{base64url, primitive};
use carnet_oauth::dpop;
use http::{HeaderName, HeaderValue};

use crate::app::App;
use crate::config::Ttl;
use crate::http::failure::Failure;
use crate::master_key::Purpose;

/// Where a nonce counts. One of the token endpoint is none for a resource, nor the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The token endpoint.
    TokenEndpoint,
    /// What access tokens open.
    Resource,
}

/// How long a nonce counts.
const LIFE: Ttl = Ttl::minutes(5);
/// How far the clock of the node that made it may be ahead of ours.
const AHEAD: Ttl = Ttl::seconds(10);

/// The header that carries a fresh nonce.
pub(super) fn fresh(app: &App, place: Place) -> Result<(HeaderName, HeaderValue), Failure> {
    let key = app.master.current();
    let made_at = app.now().to_be_bytes();
    let mac = mac(app, key, place, made_at)
        .ok_or_else(|| Failure::broken(format!("the master key {key} is not in the file")))?;
    let text = format!(
        "{key}.{}",
        base64url::encode(&[made_at.as_slice(), &mac].concat())
    );
    let value = HeaderValue::from_str(&text).map_err(Failure::broken)?;
    Ok((HeaderName::from_static(dpop::NONCE_HEADER), value))
}

/// §8.2: a good answer brings the nonce of the next request.
pub(crate) fn give(app: &App, place: Place, response: &mut Response) -> Result<(), Failure> {
    let (name, value) = fresh(app, place)?;
    response.headers_mut().insert(name, value);
    Ok(())
}

/// Whether it is ours, for this place, and not too old.
pub(super) fn counts(app: &App, place: Place, nonce: &str) -> bool {
    let parts = || {
        let (key, text) = nonce.rsplit_once('.')?;
        let bytes = base64url::decode(text).ok()?;
        let (made_at, presented) = bytes.split_first_chunk::<8>()?;
        let expected = mac(app, key, place, *made_at)?;
        primitive::verify_equal(&expected, presented).then(|| i64::from_be_bytes(*made_at))
    };
    parts().is_some_and(|made_at| {
        let (now, end) = (app.now(), made_at.saturating_add(LIFE.millis()));
        now < end && made_at <= now.saturating_add(AHEAD.millis())
    })
}

fn mac(app: &App, key: &str, place: Place, made_at: [u8; 8]) -> Option<[u8; 32]> {
    let secret = app.master.derive(key, Purpose::DpopNonce)?;
    let place: &[u8] = match place {
        Place::TokenEndpoint => b"token\0",
        Place::Resource => b"resource\0",
    };
    Some(primitive::hmac_sha256(secret.as_slice(), &[place, &made_at]))
}
