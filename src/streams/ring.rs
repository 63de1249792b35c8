//! The newest lines of one preview in memory: bounded, numbered without holes, shared with who
//! reads them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::StreamLine;

#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<Arc<StreamLine>>,
    bytes: usize,
    /// Number of the newest line; 0 before the first.
    last: u64,
    ended: bool,
    max_lines: usize,
    max_bytes: usize,
}

impl Ring {
    pub(super) fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, last: 0, ended: false, max_lines, max_bytes }
    }

    /// One that goes on after line `last`, some of whose predecessors are here again.
    pub(super) fn resumed(mut self, lines: Vec<Arc<StreamLine>>, last: u64) -> Self {
        self.last = last - lines.len() as u64;
        for line in lines {
            self.push(line);
        }
        self
    }

    /// Adds the line with the next number.
    pub(super) fn push(&mut self, line: Arc<StreamLine>) {
        self.last += 1;
        self.bytes += line.cost();
        self.lines.push_back(line);
        self.forget_older();
    }

    fn forget_older(&mut self) {
        // The newest line stays whatever the bounds say.
        while self.lines.len() > 1 && (self.lines.len() > self.max_lines || self.bytes > self.max_bytes) {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.cost());
        }
    }

    /// Keeps no more than so many lines from now on.
    pub(super) fn bound(&mut self, max_lines: usize) {
        self.max_lines = max_lines.max(1);
        self.forget_older();
    }

    /// Number of the oldest line kept, or of the next to come.
    pub(super) fn first(&self) -> u64 {
        self.last + 1 - self.lines.len() as u64
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn max_lines(&self) -> u64 {
        self.max_lines as u64
    }

    pub(super) fn end(&mut self) -> bool {
        !std::mem::replace(&mut self.ended, true)
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Up to `n` of the lines kept that come after number `seq`, oldest first.
    pub(super) fn after(&self, seq: u64, n: usize) -> Vec<Arc<StreamLine>> {
        let skip = seq.saturating_add(1).saturating_sub(self.first());
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.lines.len());
        self.lines.range(skip..).take(n).cloned().collect()
    }
}
