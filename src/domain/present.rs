//! What is kept for each user who has business at this moment, and forgotten with the last of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::UserId;

/// One `T` for each user somebody holds it of.
#[derive(Debug)]
pub struct Present<T> {
    /// Never locked across an await.
    users: Mutex<HashMap<UserId, Weak<T>>>,
}

impl<T> Present<T> {
    /// That of the user, made where nobody holds it. It is known for as long as it is held.
    pub fn of(&self, user: &UserId, make: impl FnOnce() -> T) -> Arc<T> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, held| held.strong_count() > 0);
        if let Some(held) = users.get(user).and_then(Weak::upgrade) {
            return held;
        }
        let made = Arc::new(make());
        users.insert(user.clone(), Arc::downgrade(&made));
        made
    }
}

// Derived, it would ask for a default of T.
impl<T> Default for Present<T> {
    fn default() -> Self {
        Self { users: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_business_is_known_and_who_is_done_is_forgotten() {
        let user = |name: &str| UserId::parse(name).expect("a name");
        let present = Present::default();
        let first = present.of(&user("ann"), || 1);
        assert_eq!(*present.of(&user("ann"), || 2), 1, "the one that is held");
        assert_eq!(*present.of(&user("bob"), || 3), 3, "each has one of their own");
        drop(first);
        assert_eq!(*present.of(&user("ann"), || 4), 4, "nobody held it any more");
        let _eve = present.of(&user("eve"), || 5);
        assert_eq!(present.users.lock().expect("free").len(), 1, "who is done is forgotten");
    }
}
