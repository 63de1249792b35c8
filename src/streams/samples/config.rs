//! How often numbers are read, and how long they are kept.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `PREVIEW_SAMPLE_INTERVAL`, seconds, default 2: between two samples of a preview.
    pub interval: Duration,
    /// `PREVIEW_SAMPLE_SOURCE`: `auto` (default), or `engine` to leave the kernel's files alone.
    pub source: SourceChoice,
    /// Seconds of the finest step of the history, default 10.
    pub step_s: u32,
    /// What becomes coarser when; from young to old.
    pub ages: Vec<Age>,
    /// Between two rounds of making coarser and dropping, default 5 minutes.
    pub age_interval: Duration,
    /// `PREVIEW_METRICS_RETENTION_DAYS`, default 30: how long the history is kept.
    pub retention: Duration,
    /// Between two measurements of the disk, default 60 s.
    pub disk_interval: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceChoice {
    /// The kernel's files, and the engine's statistics where they cannot be read.
    #[default]
    Auto,
    Engine,
}

/// History older than `after` is kept in steps of `step_s` seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    pub after: Duration,
    pub step_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        Self {
            interval: Duration::from_secs(2),
            source: SourceChoice::Auto,
            step_s: 10,
            ages: vec![Age { after: hours(1), step_s: 60 }, Age { after: hours(24), step_s: 600 }],
            age_interval: Duration::from_secs(300),
            retention: hours(24 * 30),
            disk_interval: Duration::from_secs(60),
        }
    }
}
