//! The device cookie: a browser that has logged in before is not locked out by strangers who guess.

use carnet_jose::base64url;

use crate::app::App;
use crate::http::failure::Failure;
use crate::master_key::Purpose;

const LIFE_MS: i64 = 180 * 86_400_000;
/// Seconds a browser keeps the cookie.
pub const MAX_AGE: i64 = LIFE_MS / 1000;

/// A sealed note that this account has logged in from this device.
pub fn write(app: &App, sub: &str) -> Result<String, Failure> {
    let note = format!("{} {sub}", app.now().saturating_add(LIFE_MS));
    let sealed = app
        .master
        .seal(Purpose::DeviceCookie, "", note.as_bytes())
        .map_err(Failure::broken)?;
    Ok(format!("{}.{}", app.master.current(), base64url::encode(&sealed)))
}

/// The account that the note is about, when it is ours and has not expired.
pub fn read(app: &App, cookie: &str) -> Option<String> {
    let (id, sealed) = cookie.split_once('.')?;
    let note = app
        .master
        .open(id, Purpose::DeviceCookie, "", &base64url::decode(sealed).ok()?)
        .ok()?;
    let (expires, sub) = std::str::from_utf8(&note).ok()?.split_once(' ')?;
    (expires.parse::<i64>().ok()? > app.now()).then(|| sub.to_owned())
}
