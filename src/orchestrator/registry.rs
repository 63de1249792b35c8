//! The live previews of this daemon: how to reach the driver of each, and its newest row.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use super::checks::Checks;
use super::driver::Message;
use super::served::Earlier;
use crate::domain::{Preview, PreviewId};

/// How to reach one driver.
#[derive(Clone)]
pub struct Entry {
    pub(super) inbox: mpsc::Sender<Message>,
    pub view: watch::Receiver<Preview>,
    pub(super) earlier: Earlier,
    pub(super) checks: Checks,
}

/// Never locked across an await.
#[derive(Default)]
pub struct Registry {
    entries: Mutex<HashMap<PreviewId, Entry>>,
}

impl Registry {
    pub fn insert(&self, id: PreviewId, entry: Entry) {
        self.entries().insert(id, entry);
    }

    pub fn remove(&self, id: PreviewId) {
        self.entries().remove(&id);
    }

    pub fn get(&self, id: PreviewId) -> Option<Entry> {
        self.entries().get(&id).cloned()
    }

    /// Newest rows of all live previews. One that has just ended still has its entry.
    pub fn previews(&self) -> Vec<Preview> {
        let entries = self.entries();
        let live = entries.values().filter(|entry| entry.view.borrow().status.is_live());
        live.map(|entry| entry.view.borrow().clone()).collect()
    }

    /// The entry whose newest row is like this.
    pub fn find(&self, is_it: impl Fn(&Preview) -> bool) -> Option<Entry> {
        self.entries().values().find(|entry| is_it(&entry.view.borrow())).cloned()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<PreviewId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
