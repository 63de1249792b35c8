//! The lines of one preview: who adds, in which order, and who is woken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::StreamLine;
use super::journal::Journal;
use super::line::Clock;
use super::mask::Masker;
use super::pace::Viewers;
use super::place::Mark;
use super::ring::Ring;
use crate::domain::LogEntry;

#[derive(Debug)]
pub(super) struct LogStream {
    /// Held while lines are numbered, written down and shown, so that they are in one order
    /// everywhere. Never across an await; what is written goes to the kernel's cache.
    writer: Mutex<Writer>,
    /// Held for moments: viewers wait for it.
    ring: Mutex<Ring>,
    /// Says that there is something new; a subscriber that sleeps through several learns of one.
    changes: watch::Sender<()>,
    viewers: Viewers,
    masker: Mutex<Arc<Masker>>,
    /// Number of the newest line that the archive has.
    stored: AtomicU64,
    /// When the archive last had all of it.
    brought_at: Mutex<Instant>,
}

#[derive(Debug)]
struct Writer {
    journal: Option<Journal>,
    /// How far the container's output was read.
    mark: Option<Mark>,
}

impl LogStream {
    pub(super) fn new(ring: Ring, journal: Option<Journal>, mark: Option<Mark>, stored: u64) -> Self {
        Self {
            writer: Mutex::new(Writer { journal, mark }),
            ring: Mutex::new(ring),
            changes: watch::Sender::new(()),
            viewers: Viewers::default(),
            masker: Mutex::default(),
            stored: AtomicU64::new(stored),
            brought_at: Mutex::new(Instant::now()),
        }
    }

    /// Numbers the lines, writes them down, then shows them: a line that somebody saw is never
    /// lost to a daemon that is killed. `mark` is where the container's output goes on after
    /// them. How many there were; none after the end.
    pub(super) fn append(&self, entries: Vec<LogEntry>, mark: Option<Mark>) -> u64 {
        let count = entries.len() as u64;
        if count == 0 {
            return 0;
        }
        {
            let mut writer = lock(&self.writer);
            let first = {
                let ring = self.lock();
                if ring.ended() {
                    return 0;
                }
                ring.last() + 1
            };
            let (numbered, mut clock) = ((first..).zip(entries), Clock::default());
            let numbered = numbered.map(|(seq, entry)| StreamLine::numbered(entry, seq, &mut clock));
            let lines: Vec<_> = numbered.map(Arc::new).collect();
            if let Some(journal) = &mut writer.journal {
                journal.append(&lines, mark.as_ref());
            }
            if mark.is_some() {
                writer.mark = mark;
            }
            let mut ring = self.lock();
            lines.into_iter().for_each(|line| ring.push(line));
        }
        self.changes.send_replace(());
        count
    }

    /// Whether this call ended it.
    pub(super) fn end(&self) -> bool {
        let ended_now = {
            let _order = lock(&self.writer);
            self.lock().end()
        };
        self.changes.send_replace(());
        ended_now
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        lock(&self.writer).mark.clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn viewers(&self) -> &Viewers {
        &self.viewers
    }

    pub(super) fn masker(&self) -> Arc<Masker> {
        Arc::clone(&lock(&self.masker))
    }

    pub(super) fn set_masker(&self, masker: Masker) {
        *lock(&self.masker) = Arc::new(masker);
    }

    pub(super) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Acquire)
    }

    /// The archive has the lines up to this one: the journal need not keep them.
    pub(super) fn set_stored(&self, seq: u64, release: bool) {
        self.stored.store(seq, Ordering::Release);
        if release && let Some(journal) = &mut lock(&self.writer).journal {
            journal.release(seq);
        }
    }

    pub(super) fn brought(&self) {
        *lock(&self.brought_at) = Instant::now();
    }

    /// How long ago that was.
    pub(super) fn waited(&self) -> Duration {
        lock(&self.brought_at).elapsed()
    }

    /// Takes the journal away once nothing will be added: an archive has all of it.
    pub(super) fn take_journal(&self) -> Option<Journal> {
        lock(&self.writer).journal.take()
    }

    pub(super) fn is_untouched(&self) -> bool {
        let ring = self.lock();
        ring.last() == 0 && !ring.ended()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Ring> {
        lock(&self.ring)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
