//! Turns to look into databases: a few at once, and not all of them one user's.
//!
//! A look lasts as long as its question does, so whoever keeps on asking would keep everybody else
//! waiting. A user has a part of the turns, a few more of theirs wait, and the rest is told so at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::DatabaseError;
use crate::domain::{Present, UserId};

/// Of all users together: each is a connection or a container of its own.
const AT_ONCE: usize = 4;
const OF_USER: usize = 2;
/// Of one user's, beyond those that have their turn.
const WAITING: usize = 4;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Looks {
    all: Arc<Semaphore>,
    /// Those who look or wait at this moment.
    users: Present<User>,
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
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), users: Present::default() }
    }

    /// Waits for a turn, where there is a place to wait in.
    pub async fn turn(&self, user: &UserId) -> Result<Turn, DatabaseError> {
        let user = self.users.of(user, User::new);
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
        let user = self.users.of(user, User::new);
        let permits = [now(&user.places)?, now(&user.turns)?, now(&self.all)?];
        Ok(Turn { _permits: permits, _user: user })
    }
}

impl User {
    fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(OF_USER)), places: Arc::new(Semaphore::new(OF_USER + WAITING)) }
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
