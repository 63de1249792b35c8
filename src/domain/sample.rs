//! What a container uses: as its kernel counts it, and as it is told.

use chrono::{DateTime, Utc};

use super::{Latencies, ResourceLimits};

/// What was counted for a container since it started, and what it holds now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counters {
    pub cpu_seconds: f64,
    /// Periods in which it could have been throttled, and those in which it was.
    pub cpu_periods: u64,
    pub cpu_throttled_periods: u64,
    pub cpu_throttled_seconds: f64,
    /// All memory charged to it, the page cache included.
    pub memory_bytes: u64,
    /// Without file pages the kernel can drop at once: what counts towards being killed.
    pub working_set_bytes: u64,
    /// Memory without a file behind it.
    pub rss_bytes: u64,
    pub cache_bytes: u64,
    /// As the kernel enforces it.
    pub memory_limit_bytes: Option<u64>,
    /// Processes the kernel killed for want of memory.
    pub oom_kills: u64,
    /// Processes and threads.
    pub pids: u64,
    /// `None` where its network cannot be looked into.
    pub network: Option<NetworkCounters>,
    /// `None` where block devices are not accounted for.
    pub block: Option<BlockCounters>,
}

/// All its interfaces but loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkCounters {
    pub received_bytes: u64,
    pub received_packets: u64,
    pub sent_bytes: u64,
    pub sent_packets: u64,
    /// Both ways.
    pub dropped_packets: u64,
}

/// All devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockCounters {
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

/// One look at a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub at: DateTime<Utc>,
    pub counters: Counters,
    /// Cores in use, over the last second or more; `None` until that much has passed.
    pub cores: Option<f64>,
    /// Share of periods in which it was throttled, 0 to 1, over the same time.
    pub throttled: Option<f64>,
    /// Its writable layer and volumes, as last measured.
    pub disk_bytes: Option<u64>,
}

/// What has passed through a preview's port since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrafficTotals {
    pub latencies: Latencies,
    pub errors: ErrorCounts,
    /// Bytes of bodies and of tunnels, from visitors.
    pub bytes_in: u64,
    /// The same, to visitors.
    pub bytes_out: u64,
}

/// How a request went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ErrorKind {
    /// The app answered 500 or above.
    ServerError,
    /// Nothing accepted the connection.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The connection ended without an answer, or with none that is HTTP.
    BadAnswer,
    /// The answer broke off in the middle.
    BrokenOff,
}

/// Errors by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorCounts([u64; ErrorKind::ALL.len()]);

const MIB: f64 = 1024.0 * 1024.0;

impl Sample {
    /// The working set, MiB: what a limit is compared with.
    pub fn memory_mb(&self) -> f64 {
        self.counters.working_set_bytes as f64 / MIB
    }

    pub fn disk_mb(&self) -> Option<f64> {
        self.disk_bytes.map(|bytes| bytes as f64 / MIB)
    }

    /// Of the cores the preview may use, in percent.
    pub fn cpu_percent(&self, limits: &ResourceLimits) -> Option<f64> {
        self.cores.map(|cores| 100.0 * cores / limits.cpu)
    }

    /// Of the memory the preview may use, in percent.
    pub fn memory_percent(&self, limits: &ResourceLimits) -> f64 {
        100.0 * self.memory_mb() / limits.memory_mb as f64
    }
}

impl ErrorKind {
    pub const ALL: [Self; 5] =
        [Self::ServerError, Self::Unreachable, Self::Timeout, Self::BadAnswer, Self::BrokenOff];

    /// The word stored, sent and used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerError => "server_error",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::BadAnswer => "bad_answer",
            Self::BrokenOff => "broken_off",
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }
}

impl ErrorCounts {
    /// In the order of [`ErrorKind::ALL`].
    pub fn from_counts(mut count: impl FnMut(ErrorKind) -> u64) -> Self {
        Self(ErrorKind::ALL.map(&mut count))
    }

    pub fn of(&self, kind: ErrorKind) -> u64 {
        self.0[kind.index()]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those kinds that came up.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorKind, u64)> {
        ErrorKind::ALL.into_iter().map(|kind| (kind, self.of(kind))).filter(|(_, count)| *count > 0)
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    pub fn since(&self, earlier: &Self) -> Self {
        Self::from_counts(|kind| self.of(kind).saturating_sub(earlier.of(kind)))
    }
}

impl TrafficTotals {
    pub fn requests(&self) -> u64 {
        self.latencies.count()
    }

    /// What was added since `earlier` was read from the same port. A port that was opened anew
    /// counts from zero again: then all of it is new.
    pub fn since(&self, earlier: &Self) -> Self {
        if self.requests() < earlier.requests() || self.bytes_out < earlier.bytes_out {
            return self.clone();
        }
        Self {
            latencies: self.latencies.since(&earlier.latencies),
            errors: self.errors.since(&earlier.errors),
            bytes_in: self.bytes_in.saturating_sub(earlier.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(earlier.bytes_out),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.errors.add(&other.errors);
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_are_where_their_counts_are() {
        for (at, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), at, "{kind:?}");
        }
        let counts = ErrorCounts::from_counts(|kind| u64::from(kind == ErrorKind::Timeout) * 3);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(ErrorKind::Timeout, 3)]);
        assert_eq!((counts.total(), counts.since(&counts).total()), (3, 0));
    }

    #[test]
    fn a_port_that_was_opened_anew_counts_from_zero() {
        let totals = |bytes_out| TrafficTotals { bytes_out, ..TrafficTotals::default() };
        assert_eq!(totals(10).since(&totals(4)).bytes_out, 6);
        assert_eq!(totals(3).since(&totals(4)).bytes_out, 3);
    }
}
