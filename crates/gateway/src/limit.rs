//! How often one caller may ask.
//!
//! Spec: RFC 6585 §4 (429) · RFC 9110 §10.2.3 (Retry-After)

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use carnet_guard::Auth;
use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::{HeaderValue, StatusCode, header};
use quick_cache::sync::Cache;

use crate::config::RateLimit;
use crate::refusal::Refusal;

type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// A bucket for each caller: the subject of the token, or without one the address. The callers that were seen last have one; who is
/// forgotten begins with a full one.
pub struct Limit {
    quota: Quota,
    buckets: Cache<String, Arc<Bucket>>,
}

impl Limit {
    /// `None` when the numbers make no limit: no request, or no time.
    pub(crate) fn new(config: &RateLimit) -> Option<Self> {
        let requests = NonZeroU32::new(config.requests)?;
        let every = config.per.duration().checked_div(requests.get())?;
        let burst = NonZeroU32::new(config.burst.unwrap_or(config.requests))?;
        Some(Self {
            quota: Quota::with_period(every)?.allow_burst(burst),
            buckets: Cache::new(CALLERS),
        })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 and when to come back.
    pub(crate) fn count(&self, caller: Option<&Auth>, client: IpAddr) -> Result<(), Refusal> {
        let name = name(caller, client);
        let bucket = self.buckets.get_or_insert_with(name.as_str(), || {
            Ok::<_, std::convert::Infallible>(Arc::new(Bucket::direct_with_clock(self.quota, MonotonicClock)))
        });
        let Ok(bucket) = bucket;
        bucket.check().map_err(|until| {
            let wait = until.wait_time_from(MonotonicClock.now());
            // Whole seconds, rounded up.
            let seconds = (wait + Duration::from_millis(999)).as_secs().max(1);
            TOO_MANY.with(header::RETRY_AFTER, HeaderValue::from(seconds))
        })
    }
}

/// Subjects of different issuers are different callers; so are clients that act for themselves.
fn name(caller: Option<&Auth>, client: IpAddr) -> String {
    match caller {
        Some(auth) => {
            let issuer = auth.claim("iss").and_then(serde_json::Value::as_str);
            format!("{}\0{}", issuer.unwrap_or_default(), auth.sub())
        }
        // Whoever has one IPv6 address has the whole /64.
        None => match client {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        },
    }
}

impl std::fmt::Debug for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limit")
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

/// The most callers that are told apart for a route.
const CALLERS: usize = 100_000;

const TOO_MANY: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "rate_limited",
    "too many requests; come back after the time in Retry-After",
);
