//! Turns to start a container and its app: as many at once as the host gets through fastest, and one
//! user after the other.
//!
//! Fifty starts at once take the engine longer than fifty one after the other would, and whoever
//! asks for forty of them must not have the others wait. What is made ahead of a launch comes after
//! every launch.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::domain::UserId;

/// A cheap handle.
#[derive(Clone)]
pub(super) struct Starts {
    line: Arc<Mutex<Line>>,
}

/// Never locked across an await.
struct Line {
    pace: Pace,
    under_way: usize,
    launches: Waiting,
    ahead: Waiting,
}

/// Who waits, user by user.
#[derive(Default)]
struct Waiting {
    /// Whose turn it is next.
    users: VecDeque<UserId>,
    of: HashMap<UserId, VecDeque<oneshot::Sender<Turn>>>,
}

/// The right to start one container, given back when it is dropped.
pub(super) struct Turn {
    line: Arc<Mutex<Line>>,
}

/// How many starts at once give the most starts a second, found by going on in one direction for
/// as long as that helps.
#[derive(Debug)]
struct Pace {
    limit: usize,
    least: usize,
    most: usize,
    grows: bool,
    since: Instant,
    done: usize,
    /// Starts a second at the limit before this one.
    before: Option<f64>,
}

/// Below it nothing runs beside anything, above it the engine only thrashes.
const LEAST: usize = 2;
const MOST: usize = 16;

impl Starts {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self::at(Pace::new(2 * cores, LEAST, MOST, Instant::now()))
    }

    fn at(pace: Pace) -> Self {
        let line = Line { pace, under_way: 0, launches: Waiting::default(), ahead: Waiting::default() };
        Self { line: Arc::new(Mutex::new(line)) }
    }

    /// Waits for a turn. Dropping the future gives the place in the line up.
    pub(super) async fn turn(&self, user: &UserId, is_ahead: bool) -> Turn {
        let waiting = {
            let mut line = lock(&self.line);
            if line.under_way < line.pace.limit && line.is_empty() {
                line.under_way += 1;
                None
            } else {
                let (turn, given) = oneshot::channel();
                let part = if is_ahead { &mut line.ahead } else { &mut line.launches };
                part.push(user, turn);
                Some(given)
            }
        };
        match waiting {
            None => Turn { line: Arc::clone(&self.line) },
            // The line outlives everyone in it; were it otherwise, nobody should wait for it.
            Some(given) => given.await.unwrap_or_else(|_| Turn { line: Arc::clone(&self.line) }),
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        let line = lock(&self.line);
        line.launches.len() + line.ahead.len()
    }
}

/// An app that comes up uses the processor that others' starts need, so a turn lasts until it answers;
/// one that waits for something else holds nobody up for longer than this.
const COMING_UP: Duration = Duration::from_secs(2);

impl Turn {
    /// Waits for the answer of what was started in it.
    pub(super) async fn until<T>(mut turn: Option<Self>, answer: impl Future<Output = T>) -> T {
        tokio::pin!(answer);
        let over = tokio::time::sleep(COMING_UP);
        tokio::pin!(over);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = &mut over, if turn.is_some() => turn = None,
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = lock(&self.line);
        line.under_way = line.under_way.saturating_sub(1);
        let is_full = !line.is_empty();
        line.pace.finished(Instant::now(), is_full);
        let mut given = Vec::new();
        while line.under_way < line.pace.limit {
            let Some(next) = line.next() else { break };
            line.under_way += 1;
            given.push(next);
        }
        drop(line);
        for next in given {
            // Somebody who waits no more drops it, and so gives it on.
            drop(next.send(Turn { line: Arc::clone(&self.line) }));
        }
    }
}

impl Line {
    fn is_empty(&self) -> bool {
        self.launches.len() + self.ahead.len() == 0
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        self.launches.next().or_else(|| self.ahead.next())
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.of.values().map(VecDeque::len).sum()
    }

    fn push(&mut self, user: &UserId, turn: oneshot::Sender<Turn>) {
        let own = self.of.entry(user.clone()).or_default();
        if own.is_empty() {
            self.users.push_back(user.clone());
        }
        own.push_back(turn);
    }

    /// One of the user who has waited longest for a turn, who then is the last.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let user = self.users.pop_front()?;
        let own = self.of.get_mut(&user)?;
        let turn = own.pop_front();
        if own.is_empty() {
            self.of.remove(&user);
        } else {
            self.users.push_back(user);
        }
        turn
    }
}

impl Pace {
    fn new(limit: usize, least: usize, most: usize, now: Instant) -> Self {
        Self { limit: limit.clamp(least, most), least, most, grows: true, since: now, done: 0, before: None }
    }

    /// Only a line that somebody waits in tells how fast the engine is.
    fn finished(&mut self, now: Instant, is_full: bool) {
        if !is_full {
            (self.since, self.done, self.before) = (now, 0, None);
            return;
        }
        self.done += 1;
        let seconds = now.duration_since(self.since).as_secs_f64();
        if self.done < 2 * self.limit || seconds <= 0.0 {
            return;
        }
        let rate = self.done as f64 / seconds;
        if self.before.is_some_and(|before| rate < before * 1.03) {
            self.grows = !self.grows;
        }
        self.limit = if self.grows { self.limit + 1 } else { self.limit - 1 }.clamp(self.least, self.most);
        (self.since, self.done, self.before) = (now, 0, Some(rate));
    }
}

/// None of these can be left half changed by a panic.
fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a name")
    }

    fn one_at_a_time() -> Starts {
        Starts::at(Pace::new(1, 1, 1, Instant::now()))
    }

    /// The order in which those who wait get their turns, one at a time.
    async fn order(asking: &[(&'static str, bool)]) -> Vec<&'static str> {
        let starts = one_at_a_time();
        let first = starts.turn(&user("first"), false).await;
        let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
        for (at, (name, is_ahead)) in asking.iter().copied().enumerate() {
            let (all, said) = (starts.clone(), said.clone());
            tokio::spawn(async move {
                let _turn = all.turn(&user(name), is_ahead).await;
                let _ = said.send(name);
            });
            while starts.waiting() <= at {
                tokio::task::yield_now().await;
            }
        }
        drop((first, said));
        let mut names = Vec::new();
        while let Some(name) = heard.recv().await {
            names.push(name);
        }
        names
    }

    #[tokio::test]
    async fn users_take_turns_and_what_is_made_ahead_comes_last() {
        let asking = [("ann", false), ("ann", false), ("eve", true), ("ann", false), ("bob", false)];
        assert_eq!(order(&asking).await, ["ann", "bob", "ann", "ann", "eve"]);
    }

    #[tokio::test]
    async fn who_waits_no_more_holds_nobody_up() {
        let starts = one_at_a_time();
        let held = starts.turn(&user("ann"), false).await;
        let bob = user("bob");
        let mut given_up = Box::pin(starts.turn(&bob, false));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(given_up);
        drop(held);
        tokio::time::timeout(Duration::from_secs(5), starts.turn(&user("eve"), false)).await.expect("a turn");
        assert_eq!(lock(&starts.line).under_way, 0);
    }

    #[tokio::test]
    async fn a_turn_lasts_until_the_answer_but_not_for_ever() {
        let starts = one_at_a_time();
        let turn = starts.turn(&user("ann"), false).await;
        let begun = Instant::now();
        let (served, answer) = oneshot::channel::<()>();
        let next = async {
            let _turn = starts.turn(&user("bob"), false).await;
            let waited = begun.elapsed();
            drop(served);
            waited
        };
        let (_, waited) = tokio::join!(Turn::until(Some(turn), answer), next);
        assert!(waited >= COMING_UP, "{waited:?}");
        let turn = starts.turn(&user("ann"), false).await;
        Turn::until(Some(turn), std::future::ready(())).await;
        assert_eq!(lock(&starts.line).under_way, 0);
    }

    #[test]
    fn the_pace_settles_where_most_is_done() {
        // An engine that is fastest with six at once.
        let rate = |limit: usize| 10.0 - (limit as f64 - 6.0).abs();
        let mut now = Instant::now();
        let mut pace = Pace::new(3, LEAST, MOST, now);
        let mut seen = Vec::new();
        for _ in 0..400 {
            now += Duration::from_secs_f64(1.0 / rate(pace.limit));
            pace.finished(now, true);
            seen.push(pace.limit);
        }
        assert!(seen[200..].iter().all(|limit| (4..=8).contains(limit)), "{seen:?}");
        pace.finished(now, false);
        assert_eq!(pace.done, 0, "a line that is empty tells nothing");
    }
}
