//! Figures over all logs.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted since the start of the daemon.
#[derive(Debug, Default)]
pub struct Totals {
    lines: AtomicU64,
    dropped: AtomicU64,
}

impl Totals {
    pub(super) fn added(&self, lines: u64) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// Lines added to all logs.
    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Lines that slow readers lost, each counted for each reader.
    pub fn dropped_lines(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
