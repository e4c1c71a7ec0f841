//! Device flow, the device's side: two codes, and asking until somebody has decided.
//!
//! Spec: RFC 8628 §3.1, §3.4, §3.5

use std::time::Duration;

use carnet_oauth::device::DeviceAuthorizationResponse;
use carnet_oauth::token_response::TokenResponse;
use tokio::time::Instant;

use crate::error::ClientError;
use crate::http::address;
use crate::token::{Client, read};

/// Asks for a pair of codes (§3.1). `fields` may hold `scope` and `resource`.
pub async fn begin(
    client: &Client,
    fields: &[(&str, &str)],
) -> Result<DeviceAuthorizationResponse, ClientError> {
    let url = client.metadata().device_authorization_endpoint.as_ref();
    let url = client.endpoint(url, "device_authorization_endpoint")?;
    let codes: DeviceAuthorizationResponse = read(&client.ask(url, fields).await?, url)?;
    let addresses = [
        Some(&codes.verification_uri),
        codes.verification_uri_complete.as_ref(),
    ];
    for shown in addresses.into_iter().flatten() {
        address(shown)?;
    }
    if codes.user_code.chars().count() > LONGEST_CODE {
        return Err(ClientError::Invalid(format!(
            "{url} answered with a code that nobody can type"
        )));
    }
    Ok(codes)
}

/// What somebody reads from one screen and types at another.
const LONGEST_CODE: usize = 64;

/// Asks for the tokens until somebody has decided, or the codes have expired (§3.5).
///
/// # Errors
///
/// [`ClientError::Refused`] with `access_denied` or `expired_token`. What breaks on the way is tried again.
pub async fn wait(
    client: &Client,
    codes: &DeviceAuthorizationResponse,
) -> Result<TokenResponse, ClientError> {
    let ends = Instant::now() + Duration::from_secs(codes.expires_in.min(MOST_SECONDS));
    let mut pace = Pace::of(codes);
    let fields = [("grant_type", GRANT_TYPE), ("device_code", &codes.device_code)];
    loop {
        tokio::time::sleep(pace.interval()).await;
        let outcome = client.tokens(&fields).await;
        if !pace.goes_on(&outcome) {
            return outcome;
        }
        if Instant::now() >= ends {
            let why = "nobody decided in time".to_owned();
            return Err(ClientError::Refused("expired_token".to_owned(), why));
        }
    }
}

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// However long a server lets its codes live.
const MOST_SECONDS: u64 = 3_600;
/// §3.5: what `slow_down` adds.
const SLOWER: u64 = 5;
const LONGEST: u64 = 60;

/// How long to wait before the next request.
struct Pace(u64);

impl Pace {
    fn of(codes: &DeviceAuthorizationResponse) -> Self {
        Self(codes.interval.clamp(1, LONGEST))
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Whether to ask again after this answer.
    fn goes_on(&mut self, outcome: &Result<TokenResponse, ClientError>) -> bool {
        match outcome {
            Err(ClientError::Refused(error, _)) if error == "authorization_pending" => true,
            Err(ClientError::Refused(error, _)) if error == "slow_down" => {
                self.0 = self.0.saturating_add(SLOWER);
                true
            }
            // §3.5: a network that breaks is not pressed.
            Err(ClientError::Unreachable(_)) => {
                self.0 = self.0.saturating_mul(2).min(LONGEST);
                true
            }
            // Overloaded, or restarting behind a proxy.
            Err(ClientError::Status(_, 429 | 500..)) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: &str) -> Result<TokenResponse, ClientError> {
        Err(ClientError::Refused(error.to_owned(), String::new()))
    }

    #[test]
    fn dv_02_slow_down_is_obeyed_and_stays() {
        let mut pace = Pace(5);
        let mut after = |error| (pace.goes_on(&refused(error)), pace.interval().as_secs());
        assert_eq!(after("authorization_pending"), (true, 5));
        assert_eq!(after("slow_down"), (true, 10));
        assert_eq!(after("slow_down"), (true, 15));
        assert_eq!(after("authorization_pending"), (true, 15));
    }

    #[test]
    fn a_decision_ends_it_and_a_broken_network_does_not() {
        let mut pace = Pace(5);
        for error in [
            "access_denied",
            "expired_token",
            "invalid_grant",
            "invalid_client",
        ] {
            assert!(!pace.goes_on(&refused(error)), "{error}");
        }
        let broken = Err(ClientError::Unreachable(String::new()));
        let mut waits = Vec::new();
        for _ in 0..5 {
            assert!(pace.goes_on(&broken));
            waits.push(pace.interval().as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 60, 60]);
    }
}
