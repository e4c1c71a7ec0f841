//! Device codes and user codes: what a device has asked for, how it waits, and what somebody said to it.
//!
//! Spec: RFC 8628 §3.2, §3.5, §5.2, §6.1

use carnet_jose::primitive;
use carnet_oauth::device::{DEFAULT_INTERVAL, USER_CODE_LENGTH, USER_CODE_LETTERS};
use carnet_oauth::error_code::ErrorCode;
use carnet_oauth::scope::ScopeSet;
use carnet_store::{Redeemed, TicketKind};
use serde::{Deserialize, Serialize};

use super::code::{random_secret, ticket};
use crate::app::App;
use crate::config::Ttl;
use crate::http::failure::{Because as _, Failure};

/// How long both codes may be used.
pub const LIFE: Ttl = Ttl::minutes(10);
/// How long a device that comes too late is still told that it does.
const REMEMBERED: Ttl = Ttl::minutes(10);
const INTERVAL_MS: i64 = 1_000 * DEFAULT_INTERVAL.cast_signed();
/// A device that keeps to the interval is not refused for a network that took less time than before.
const TOLERANCE_MS: i64 = 500;

/// What a device asks for, and what somebody said to it. Kept under the user code; one change decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// Who asks.
    pub client_id: String,
    /// When the client had last changed: a request does not outlive that.
    pub client_changed_at: i64,
    /// For what.
    pub scope: ScopeSet,
    /// For which resource.
    pub audience: String,
    /// From where, as people are shown.
    pub address: String,
    /// When, in milliseconds.
    pub asked_at: i64,
    /// When both codes expire, in milliseconds.
    pub expires_at: i64,
    /// What was said.
    pub decision: Option<Decision>,
}

/// What somebody said to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// It gets nothing.
    Denied,
    /// It acts for this user.
    Allowed {
        /// The user.
        sub: String,
        /// The session of the browser in which it was said.
        browser_sid: String,
        /// When the user proved who they are, in milliseconds.
        auth_time: i64,
        /// When it was said, in milliseconds: what is taken back later counts.
        allowed_at: i64,
    },
}

/// How a device waits. Kept under the device code.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    /// Whoever reads the database cannot decide by it: that takes a user who is signed in.
    user_code: String,
    expires_at: i64,
    polled_at: Option<i64>,
    interval_ms: i64,
}

/// The two codes of a request.
pub struct Codes {
    /// For the device.
    pub device: String,
    /// For the person.
    pub user: String,
}

impl DeviceRequest {
    /// Keeps it under two new codes.
    pub async fn issue(&self, app: &App) -> Result<Codes, Failure> {
        let gone_at = self.expires_at.saturating_add(REMEMBERED.millis());
        let user = self.keep(app, gone_at).await?;
        let device = random_secret()?;
        let waiting = Waiting {
            user_code: user.clone(),
            expires_at: self.expires_at,
            polled_at: None,
            interval_ms: INTERVAL_MS,
        };
        let name = ticket(&self.client_id, &device);
        app.store
            .keep_ticket(TicketKind::DeviceCode, &name, &json(&waiting)?, gone_at)
            .await?;
        Ok(Codes { device, user })
    }

    async fn keep(&self, app: &App, gone_at: i64) -> Result<String, Failure> {
        let payload = json(self)?;
        for _ in 0..TRIES {
            let code = random_user_code()?;
            let kept = app
                .store
                .keep_ticket(TicketKind::UserCode, &code, &payload, gone_at)
                .await?;
            if kept {
                return Ok(code);
            }
        }
        Err(Failure::broken("every user code that was tried is taken"))
    }

    /// What was asked for under this code, expired or decided though it may be.
    pub async fn find(app: &App, user_code: &str) -> Result<Option<Asked>, Failure> {
        let payload = app
            .store
            .ticket(TicketKind::UserCode, user_code, app.now())
            .await?;
        let asked = payload.map(|payload| {
            let request = serde_json::from_str(&payload).map_err(Failure::broken)?;
            Ok(Asked { request, payload })
        });
        asked.transpose()
    }

    /// Whether the codes still count.
    pub fn lives(&self, app: &App) -> bool {
        app.now() < self.expires_at
    }
}

/// A request as it is kept.
pub struct Asked {
    /// What it says.
    pub request: DeviceRequest,
    payload: String,
}

impl Asked {
    /// Decides; `false` when somebody else was first.
    pub async fn decide(&self, app: &App, user_code: &str, decision: Decision) -> Result<bool, Failure> {
        let decided = DeviceRequest {
            decision: Some(decision),
            ..self.request.clone()
        };
        let after = json(&decided)?;
        let which = (TicketKind::UserCode, user_code);
        Ok(app
            .store
            .replace_ticket(which, (&self.payload, &after), app.now())
            .await?)
    }
}

/// The request behind a device code, once somebody has allowed it: once. Everything before that is a refusal, and so is what `fits` says of
/// a request that somebody has allowed: the code is not spent by it.
pub async fn redeem(
    app: &App,
    (client_id, device_code): (&str, &str),
    fits: impl FnOnce(&DeviceRequest) -> Result<(), Failure>,
) -> Result<DeviceRequest, Failure> {
    let name = ticket(client_id, device_code);
    let payload = app
        .store
        .ticket(TicketKind::DeviceCode, &name, app.now())
        .await?
        .ok_or_else(unknown)?;
    let waiting: Waiting = serde_json::from_str(&payload).map_err(Failure::broken)?;
    let asked = DeviceRequest::find(app, &waiting.user_code).await?;
    let request = asked
        .map(|asked| asked.request)
        .filter(|_| app.now() < waiting.expires_at);
    let request = request.ok_or_else(|| ErrorCode::ExpiredToken.because("the device code has expired"))?;
    if request.decision.is_none() {
        return Err(pace(app, (&name, &payload), waiting).await?);
    }
    if request.decision != Some(Decision::Denied) {
        fits(&request)?;
    }
    match app
        .store
        .redeem_ticket(TicketKind::DeviceCode, &name, app.now())
        .await?
    {
        Redeemed::Fresh(_) if request.decision == Some(Decision::Denied) => {
            Err(ErrorCode::AccessDenied.because("the user did not want to").into())
        }
        Redeemed::Fresh(_) => Ok(request),
        Redeemed::Again(_) | Redeemed::Unknown => Err(unknown()),
    }
}

/// §3.5: each request that comes too early makes the interval five seconds longer.
async fn pace(app: &App, (name, before): (&str, &str), waiting: Waiting) -> Result<Failure, Failure> {
    let now = app.now();
    // A clock that stepped back makes nobody wait longer than the interval.
    let since = |polled_at: i64| now.saturating_sub(polled_at);
    let early = waiting
        .polled_at
        .is_some_and(|polled_at| (0..waiting.interval_ms - TOLERANCE_MS).contains(&since(polled_at)));
    let after = Waiting {
        polled_at: Some(now),
        interval_ms: waiting.interval_ms + if early { INTERVAL_MS } else { 0 },
        ..waiting
    };
    let which = (TicketKind::DeviceCode, name);
    let noted = app
        .store
        .replace_ticket(which, (before, &json(&after)?), now)
        .await?;
    // Not noted: another request of the device came at the same moment.
    let refusal = match early || !noted {
        true => {
            ErrorCode::SlowDown.because("the device asks too often: five seconds more between two requests")
        }
        false => ErrorCode::AuthorizationPending.because("the user has not decided yet"),
    };
    Ok(refusal.into())
}

fn unknown() -> Failure {
    ErrorCode::InvalidGrant
        .because("there is no such device code for this client, or it was redeemed before")
        .into()
}

/// Each letter is as likely as every other.
fn random_user_code() -> Result<String, Failure> {
    let mut code = String::with_capacity(USER_CODE_LENGTH);
    let fair = u8::MAX - u8::MAX % USER_CODE_LETTERS.len() as u8;
    while code.len() < USER_CODE_LENGTH {
        let mut bytes = [0; USER_CODE_LENGTH];
        primitive::fill_random(&mut bytes).map_err(Failure::broken)?;
        let letters = bytes.iter().filter(|byte| **byte < fair);
        let letters =
            letters.filter_map(|byte| USER_CODE_LETTERS.get(usize::from(*byte) % USER_CODE_LETTERS.len()));
        code.extend(
            letters
                .map(|letter| char::from(*letter))
                .take(USER_CODE_LENGTH - code.len()),
        );
    }
    Ok(code)
}

const TRIES: usize = 8;

fn json(kept: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(kept).map_err(Failure::broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dv_01_user_codes_have_eight_of_twenty_letters_each_as_likely() {
        let mut counts = [0_u32; 20];
        for _ in 0..5_000 {
            let code = random_user_code().unwrap();
            assert_eq!(carnet_oauth::device::read_user_code(&code).as_ref(), Some(&code));
            for letter in code.bytes() {
                let place = USER_CODE_LETTERS
                    .iter()
                    .position(|known| *known == letter)
                    .unwrap();
                counts[place] += 1;
            }
        }
        // 2,000 of each are expected; ten standard deviations are 440.
        assert!(
            counts.iter().all(|count| (1_560..2_440).contains(count)),
            "{counts:?}"
        );
    }
}
