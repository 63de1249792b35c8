//! How many requests a minute: for each user, each token, and each address that names nobody.
//!
//! A limit is a bucket that holds a minute's worth and fills evenly. Buckets that are full again
//! are forgotten, so that their number follows that of callers of the last minute.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Requests a minute; 0 is no limit.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// `PREVIEW_USER_RATE_PER_MINUTE`, default 1200: of one user, with all tokens.
    pub user: u32,
    /// `PREVIEW_TOKEN_RATE_PER_MINUTE`, default 600: with one token.
    pub token: u32,
    /// `PREVIEW_ANONYMOUS_RATE_PER_MINUTE`, default 600: of one address without a valid token.
    pub anonymous: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { user: 1200, token: 600, anonymous: 600 }
    }
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// All buckets.
pub struct Rates {
    users: Option<Limiter<String>>,
    tokens: Option<Limiter<TokenId>>,
    addresses: Option<Limiter<IpAddr>>,
}

/// What tells tokens apart, of which the token cannot be found out.
pub type TokenId = [u8; 16];

/// Where a caller stands with the limit that is nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    /// Until the bucket is full again.
    reset: Duration,
    /// When it is empty: until there is something in it.
    wait: Option<Duration>,
}

/// Beyond this many buckets of a kind, those that are full are looked for at once.
const MANY: usize = 100_000;

impl Rates {
    pub fn new(config: Config) -> Self {
        Self {
            users: limiter(config.user),
            tokens: limiter(config.token),
            addresses: limiter(config.anonymous),
        }
    }

    /// A request of somebody known.
    pub fn caller(&self, user: &str, token: TokenId) -> Option<Standing> {
        let of_token = self.tokens.as_ref().map(|limiter| ask(limiter, &token));
        if of_token.is_some_and(|standing| standing.is_over()) {
            // What is refused for one token takes nothing from the user's others.
            return of_token;
        }
        let of_user = self.users.as_ref().map(|limiter| ask(limiter, &user.to_owned()));
        [of_token, of_user].into_iter().flatten().min_by_key(|one| (!one.is_over(), one.remaining))
    }

    /// A request of somebody unknown.
    pub fn anonymous(&self, address: IpAddr) -> Option<Standing> {
        self.addresses.as_ref().map(|limiter| ask(limiter, &network(address)))
    }

    /// Forgets buckets that are full.
    pub fn sweep(&self) {
        fn swept<K: Hash + Eq + Clone>(limiter: Option<&Limiter<K>>) {
            if let Some(limiter) = limiter {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
        swept(self.users.as_ref());
        swept(self.tokens.as_ref());
        swept(self.addresses.as_ref());
    }
}

fn limiter<K: Hash + Eq + Clone>(per_minute: u32) -> Option<Limiter<K>> {
    let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
    Some(RateLimiter::hashmap(quota).with_middleware())
}

fn ask<K: Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K) -> Standing {
    if limiter.len() > MANY {
        limiter.retain_recent();
    }
    match limiter.check_key(key) {
        Ok(state) => {
            let quota = state.quota();
            let limit = quota.burst_size().get();
            let remaining = state.remaining_burst_capacity();
            let reset = quota.replenish_interval() * limit.saturating_sub(remaining);
            Standing { limit, remaining, reset, wait: None }
        }
        Err(early) => {
            let limit = early.quota().burst_size().get();
            let wait = early.wait_time_from(DefaultClock::default().now());
            Standing { limit, remaining: 0, reset: Duration::from_secs(60), wait: Some(wait) }
        }
    }
}

/// Who has an IPv6 address has 2^64 of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

impl Standing {
    pub const fn is_over(&self) -> bool {
        self.wait.is_some()
    }

    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Whole seconds, rounded up: who waits so long gets in.
    pub fn retry_after(&self) -> u32 {
        u32::try_from(seconds_up(self.wait.unwrap_or_default())).unwrap_or(u32::MAX).max(1)
    }

    /// `RateLimit-*`, as the IETF's draft has them.
    pub fn write(&self, headers: &mut HeaderMap) {
        let mut say = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        say("ratelimit-limit", self.limit.to_string());
        say("ratelimit-remaining", self.remaining.to_string());
        say("ratelimit-reset", seconds_up(self.reset).to_string());
        say("ratelimit-policy", format!("{};w=60", self.limit));
    }
}

fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_limit_is_the_one_told_and_each_has_its_own_bucket() {
        let rates = Rates::new(Config { user: 3, token: 2, anonymous: 1 });
        let first = rates.caller("ann", [1; 16]).expect("a limit");
        assert_eq!((first.limit, first.remaining, first.is_over()), (2, 1, false));
        assert!(!rates.caller("ann", [1; 16]).expect("a limit").is_over());
        let over = rates.caller("ann", [1; 16]).expect("a limit");
        assert!(over.is_over() && (1..=30).contains(&over.retry_after()), "{over:?}");
        assert!(!rates.caller("ann", [2; 16]).expect("a limit").is_over(), "another token of ann's");
        let user = rates.caller("ann", [3; 16]).expect("a limit");
        assert_eq!((user.limit, user.is_over()), (3, true), "all of ann's");
        assert!(!rates.caller("ben", [4; 16]).expect("a limit").is_over());
        let address = |text: &str| rates.anonymous(text.parse().expect("an address")).expect("a limit");
        assert!(!address("2001:db8::1").is_over());
        assert!(address("2001:db8::ffff").is_over(), "the same network");
        assert!(!address("2001:db8:0:1::1").is_over());
        assert!(!address("10.0.0.1").is_over());
        assert!(address("::ffff:10.0.0.1").is_over(), "the same address");
    }

    #[test]
    fn no_limit_is_none() {
        let rates = Rates::new(Config { user: 0, token: 0, anonymous: 0 });
        assert_eq!(rates.caller("ann", [1; 16]), None);
        assert_eq!(rates.anonymous(IpAddr::from([10, 0, 0, 1])), None);
    }
}
