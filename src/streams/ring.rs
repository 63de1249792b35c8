//! The lines of one preview: bounded, numbered from 1 without holes, shared with who reads them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::LogLine;

/// What a line costs beside its text: the line itself, its counters and its pointer.
const LINE_COST: usize = 128;

#[derive(Debug)]
pub(super) struct LogStream {
    ring: Mutex<Ring>,
    /// Says that there is something new; a subscriber that sleeps through several learns of one.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    /// Number of the newest line; 0 before the first.
    last: u64,
    ended: bool,
    max_lines: usize,
    max_bytes: usize,
}

impl LogStream {
    pub(super) fn new(ring: Ring) -> Self {
        Self { ring: Mutex::new(ring), changes: watch::Sender::new(()) }
    }

    /// Makes a line of each message and adds it.
    pub(super) fn append(&self, messages: Vec<String>, line: impl Fn(u64, String) -> LogLine) {
        {
            let mut ring = self.lock();
            for message in messages {
                ring.push(|seq| line(seq, message));
            }
        }
        self.changes.send_replace(());
    }

    /// Whether this call ended it.
    pub(super) fn end(&self) -> bool {
        let ended_before = std::mem::replace(&mut self.lock().ended, true);
        self.changes.send_replace(());
        !ended_before
    }

    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn is_untouched(&self) -> bool {
        let ring = self.lock();
        ring.last == 0 && !ring.ended
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    pub(super) fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, last: 0, ended: false, max_lines, max_bytes }
    }

    fn push(&mut self, line: impl FnOnce(u64) -> LogLine) {
        if self.ended {
            return;
        }
        self.last += 1;
        let line = line(self.last);
        self.bytes += cost(&line);
        self.lines.push_back(Arc::new(line));
        // The newest line stays whatever the bounds say.
        while self.lines.len() > 1 && (self.lines.len() > self.max_lines || self.bytes > self.max_bytes) {
            self.bytes -= self.lines.pop_front().map_or(0, |line| cost(&line));
        }
    }

    /// Number of the oldest line kept, or of the next to come.
    pub(super) fn first(&self) -> u64 {
        self.last + 1 - self.lines.len() as u64
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Up to `n` of the lines kept that come after number `seq`, oldest first.
    pub(super) fn after(&self, seq: u64, n: usize) -> Vec<Arc<LogLine>> {
        let skip = seq.saturating_add(1).saturating_sub(self.first());
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.lines.len());
        self.lines.range(skip..).take(n).cloned().collect()
    }
}

fn cost(line: &LogLine) -> usize {
    line.message.len() + LINE_COST
}
