//! How much is let in at once, and how much in a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::ApiError;
use super::rates::{self, Rates};

#[derive(Debug, Clone, Copy)]
pub struct Config {
    pub rates: rates::Config,
    /// `PREVIEW_API_CONCURRENCY`, default 512: requests of callers being answered at once.
    pub at_once: usize,
    /// `PREVIEW_USER_CONCURRENCY`, default 128: those of one user.
    pub at_once_of_user: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { rates: rates::Config::default(), at_once: 512, at_once_of_user: 128 }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    pub rates: Arc<Rates>,
    slots: Arc<Semaphore>,
    users: Arc<Mutex<HashMap<String, usize>>>,
    most_of_user: usize,
}

/// A request's place, given back when it is dropped.
pub struct Place {
    _slot: OwnedSemaphorePermit,
    user: String,
    users: Arc<Mutex<HashMap<String, usize>>>,
}

impl Admission {
    pub fn new(config: Config) -> Self {
        Self {
            rates: Arc::new(Rates::new(config.rates)),
            slots: Arc::new(Semaphore::new(config.at_once)),
            users: Arc::default(),
            most_of_user: config.at_once_of_user,
        }
    }

    /// A place for a request of this user, held until its answer begins. What streams on after
    /// that is bounded by the number of connections.
    pub fn enter(&self, user: &str) -> Result<Place, ApiError> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| ApiError::Unavailable {
            code: "overloaded",
            reason: "too many requests are being answered at once".to_owned(),
            retry_after: 1,
        })?;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let count = users.entry(user.to_owned()).or_default();
        if *count >= self.most_of_user {
            let reason = format!("{count} requests of yours are being answered already");
            return Err(ApiError::Quota { reason, retry_after: 1 });
        }
        *count += 1;
        drop(users);
        Ok(Place { _slot: slot, user: user.to_owned(), users: Arc::clone(&self.users) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_all_and_for_each_and_given_back() {
        let config = Config { at_once: 3, at_once_of_user: 2, ..Config::default() };
        let admission = Admission::new(config);
        let (first, _second) = (admission.enter("ann").expect("in"), admission.enter("ann").expect("in"));
        assert!(matches!(admission.enter("ann"), Err(ApiError::Quota { .. })));
        let ben = admission.enter("ben").expect("in");
        assert!(matches!(admission.enter("eve"), Err(ApiError::Unavailable { code: "overloaded", .. })));
        drop(first);
        assert!(admission.enter("ann").is_ok());
        drop(ben);
        assert!(!admission.users.lock().expect("free").contains_key("ben"));
    }
}
