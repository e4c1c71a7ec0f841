//! How often one caller may ask.
//!
//! Spec: RFC 6585 §4 (429) · RFC 9110 §10.2.3 (Retry-After) · draft-ietf-httpapi-ratelimit-headers-10 §3, §4 (RateLimit-Policy, RateLimit)

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use carnet_guard::Auth;
use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use quick_cache::sync::Cache;

use crate::config::RateLimit;
use crate::refusal::Refusal;

type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

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

    /// Counts a request of a user, or without one of an address. Of whom nobody says an address, which is so behind a unix socket whose proxy is
    /// not trusted, all count as one.
    ///
    /// # Errors
    /// 429 and when to come back.
    pub(crate) fn count(&self, caller: Option<&Auth>, client: Option<IpAddr>) -> Result<Standing, Refusal> {
        match caller {
            Some(auth) => self.count_name(&format!("{}\0{}", auth.iss(), auth.sub())),
            None => self.count_name(&client.map_or_else(|| NOBODY.to_owned(), of_address)),
        }
    }

    /// Counts a request of a service that calls in its own name.
    ///
    /// # Errors
    /// As [`Limit::count`].
    pub(crate) fn count_service(&self, name: &str) -> Result<Standing, Refusal> {
        // No issuer is called so, nor is one without a name.
        self.count_name(&format!("\0\0{name}"))
    }

    /// Subjects of different issuers are different callers; so are clients that act for themselves.
    fn count_name(&self, name: &str) -> Result<Standing, Refusal> {
        let bucket = self.buckets.get_or_insert_with(name, || {
            let bucket = RateLimiter::direct_with_clock(self.quota, MonotonicClock);
            Ok::<_, std::convert::Infallible>(Arc::new(bucket.with_middleware()))
        });
        let Ok(bucket) = bucket;
        match bucket.check() {
            Ok(state) => Ok(self.standing(state.remaining_burst_capacity())),
            Err(until) => {
                let seconds = rounded_up(until.wait_time_from(MonotonicClock.now())).max(1);
                let refusal = TOO_MANY.with(header::RETRY_AFTER, HeaderValue::from(seconds));
                let fields = self.standing(0).fields();
                Err(fields
                    .into_iter()
                    .fold(refusal, |refusal, (name, value)| refusal.with(name, value)))
            }
        }
    }

    fn standing(&self, remaining: u32) -> Standing {
        let burst = self.quota.burst_size().get();
        let every = self.quota.replenish_interval();
        Standing {
            burst,
            window: rounded_up(every * burst),
            remaining,
            full_in: rounded_up(every * burst.saturating_sub(remaining)),
        }
    }
}

/// Whoever has one IPv6 address has the whole /64.
fn of_address(client: IpAddr) -> String {
    match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
    }
}

/// No address is written so.
const NOBODY: &str = "unix";

/// In whole seconds.
fn rounded_up(time: Duration) -> u64 {
    (time + Duration::from_millis(999)).as_secs()
}

/// How a caller stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    burst: u32,
    /// In how many seconds an empty bucket is full.
    window: u64,
    remaining: u32,
    /// In how many seconds this one is.
    full_in: u64,
}

impl Standing {
    /// Says it to the caller, beside what a service says of its own limits.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in self.fields() {
            headers.append(name, value);
        }
    }

    fn fields(&self) -> Vec<(HeaderName, HeaderValue)> {
        let policy = format!("\"gateway\";q={};w={}", self.burst, self.window);
        let state = format!("\"gateway\";r={};t={}", self.remaining, self.full_in);
        let fields = [(POLICY, policy), (STATE, state)];
        let fields = fields
            .into_iter()
            .filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)));
        fields.collect()
    }
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

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
