//! Turns to look into databases: a few at once, and not all of them one user's.
//!
//! A look lasts as long as its question does, so whoever keeps on asking would keep everybody else
//! waiting. A user has a part of the turns, a few more of theirs wait, and the rest is told so at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::DatabaseError;
use crate::domain::UserId;

/// Of all users together: each is a connection or a container of its own.
const AT_ONCE: usize = 4;
const OF_USER: usize = 2;
/// Of one user's, beyond those that have their turn.
const WAITING: usize = 4;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Looks {
    all: Arc<Semaphore>,
    /// Those who look or wait at this moment. Never locked across an await.
    users: Mutex<HashMap<UserId, Weak<User>>>,
}

struct User {
    turns: Arc<Semaphore>,
    /// For those that have a turn and those that wait for one.
    places: Arc<Semaphore>,
}

/// The right to one look, given back when it is dropped.
pub(super) struct Turn {
    _permits: [OwnedSemaphorePermit; 3],
    /// Keeps them among those who look.
    _user: Arc<User>,
}

impl Looks {
    pub fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), users: Mutex::default() }
    }

    /// Waits for a turn, where there is a place to wait in.
    pub async fn turn(&self, user: &UserId) -> Result<Turn, DatabaseError> {
        let user = self.user(user);
        let place = now(&user.places)?;
        // In this order: who waits for one of their own keeps none from the others.
        let permits = async {
            let own = Arc::clone(&user.turns).acquire_owned().await?;
            let one = Arc::clone(&self.all).acquire_owned().await?;
            Ok::<_, AcquireError>([place, own, one])
        };
        let permits = tokio::time::timeout(PATIENCE, permits).await;
        let permits = permits.map_err(|_| DatabaseError::Busy)?.map_err(|_| DatabaseError::Busy)?;
        Ok(Turn { _permits: permits, _user: user })
    }

    /// A turn that is free at this moment.
    pub fn turn_now(&self, user: &UserId) -> Result<Turn, DatabaseError> {
        let user = self.user(user);
        let permits = [now(&user.places)?, now(&user.turns)?, now(&self.all)?];
        Ok(Turn { _permits: permits, _user: user })
    }

    fn user(&self, id: &UserId) -> Arc<User> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, user| user.strong_count() > 0);
        if let Some(user) = users.get(id).and_then(Weak::upgrade) {
            return user;
        }
        let user = Arc::new(User {
            turns: Arc::new(Semaphore::new(OF_USER)),
            places: Arc::new(Semaphore::new(OF_USER + WAITING)),
        });
        users.insert(id.clone(), Arc::downgrade(&user));
        user
    }
}

fn now(from: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DatabaseError> {
    Arc::clone(from).try_acquire_owned().map_err(|_| DatabaseError::Busy)
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a name")
    }

    #[tokio::test]
    async fn a_user_who_keeps_on_asking_keeps_nobody_else_waiting() {
        let (looks, ann, bob) = (Looks::new(), user("ann"), user("bob"));
        let held = [looks.turn(&ann).await.expect("a turn"), looks.turn(&ann).await.expect("a turn")];
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(looks.turn(&ann))).collect();
        for turn in &mut waiting {
            assert!(poll!(turn).is_pending());
        }
        let more = tokio::time::timeout(PATIENCE / 2, looks.turn(&ann)).await.expect("told at once");
        assert!(matches!(more, Err(DatabaseError::Busy)));
        assert!(matches!(looks.turn_now(&ann), Err(DatabaseError::Busy)));
        let of_bob = [looks.turn_now(&bob).expect("free"), looks.turn_now(&bob).expect("free")];
        drop(held);
        // Each that is done makes room for another.
        for turn in waiting {
            drop(tokio::time::timeout(PATIENCE / 2, turn).await.expect("soon").expect("a turn"));
        }
        drop(of_bob);
        drop(looks.turn_now(&bob).expect("free"));
        assert_eq!(looks.users.lock().expect("free").len(), 1, "who is done is forgotten");
    }

    #[tokio::test]
    async fn all_together_have_so_many_turns_and_who_gives_up_holds_nobody_up() {
        let looks = Looks::new();
        let (ann, bob, eve) = (user("ann"), user("bob"), user("eve"));
        let mut held = Vec::new();
        for name in [&ann, &ann, &bob, &bob] {
            held.push(looks.turn_now(name).expect("free"));
        }
        assert!(matches!(looks.turn_now(&eve), Err(DatabaseError::Busy)));
        let mut given_up = Box::pin(looks.turn(&eve));
        assert!(poll!(&mut given_up).is_pending());
        drop(given_up);
        drop(held.pop());
        drop(looks.turn_now(&eve).expect("free again"));
    }
}
