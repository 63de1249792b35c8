//! A row of the table, and the figures behind it.

use std::fmt;
use std::time::Duration;

/// One comparison, ready to be printed.
pub struct Line {
    pub row: String,
    pub ours: String,
    pub baseline: String,
    pub ratio: Option<f64>,
    pub goal: Goal,
    /// What was done exactly, spread, further figures.
    pub notes: Vec<String>,
}

/// What a row is to come to.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Our time is at most so many times the baseline's.
    AtMost(f64),
    /// We do at least so many times as much as the baseline.
    AtLeast(f64),
    /// At most this long; there is no baseline.
    Within { took: Duration, limit: Duration },
    /// At most so much of something that is no time.
    Below { is: f64, limit: f64, unit: &'static str },
}

pub fn head() -> String {
    columns("row", "ours", "baseline", "ratio", "goal", "")
}

pub fn not_measured(row: &str, error: &anyhow::Error) -> String {
    format!("{row:<22} not measured: {error:#}")
}

fn columns(row: &str, ours: &str, baseline: &str, ratio: &str, goal: &str, verdict: &str) -> String {
    format!("{row:<22} {ours:>14} {baseline:>14} {ratio:>8} {goal:>10}  {verdict}").trim_end().to_owned()
}

impl Goal {
    fn is_met(self, ratio: Option<f64>) -> bool {
        match (self, ratio) {
            (Self::AtMost(limit), Some(ratio)) => ratio <= limit,
            (Self::AtLeast(limit), Some(ratio)) => ratio >= limit,
            (Self::Within { took, limit }, _) => took <= limit,
            (Self::Below { is, limit, .. }, _) => is <= limit,
            (_, None) => false,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {limit}×"),
            Self::AtLeast(limit) => write!(f, "≥ {limit}×"),
            Self::Within { limit, .. } => write!(f, "≤ {}", duration(*limit)),
            Self::Below { limit, unit, .. } => write!(f, "≤ {limit} {unit}"),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}×"));
        let verdict = if self.goal.is_met(self.ratio) { "met" } else { "NOT MET" };
        let goal = self.goal.to_string();
        write!(f, "{}", columns(&self.row, &self.ours, &self.baseline, &ratio, &goal, verdict))?;
        for note in &self.notes {
            write!(f, "\n    {note}")?;
        }
        Ok(())
    }
}

/// Pairs of times taken in turn.
#[derive(Default)]
pub struct Pairs {
    ours: Vec<Duration>,
    baseline: Vec<Duration>,
}

impl Pairs {
    pub fn push(&mut self, ours: Duration, baseline: Duration) {
        self.ours.push(ours);
        self.baseline.push(baseline);
    }

    /// The medians compared, with the spread as the first note.
    pub fn line(&self, row: &str, goal: Goal, notes: Vec<String>) -> Line {
        let (ours, baseline) = (median(&self.ours), median(&self.baseline));
        let spread = format!(
            "{} pairs; quartiles of ours {}, of the baseline {}",
            self.ours.len(),
            quartiles(&self.ours),
            quartiles(&self.baseline),
        );
        Line {
            row: row.to_owned(),
            ours: duration(ours),
            baseline: duration(baseline),
            ratio: Some(ours.as_secs_f64() / baseline.as_secs_f64()),
            goal,
            notes: [vec![spread], notes].concat(),
        }
    }
}

pub fn median(times: &[Duration]) -> Duration {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    Duration::from_secs_f64(quantile(&seconds, 0.5))
}

fn quartiles(times: &[Duration]) -> String {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let at = |share| duration(Duration::from_secs_f64(quantile(&seconds, share)));
    format!("{}–{}", at(0.25), at(0.75))
}

/// `share` from 0 to 1, between two values their weighted mean; 0 of no values.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(below), Some(above)) => below + (above - below) * place.fract(),
        _ => 0.0,
    }
}

pub fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        10_000.0.. => format!("{:.1} s", ms / 1e3),
        100.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.1} ms"),
    }
}
