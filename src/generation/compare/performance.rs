//! How fast and how sound two versions were while they ran.

use serde::Serialize;
use utoipa::ToSchema;

/// The requests that a version's latest preview answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VersionPerformance)]
pub struct Performance {
    pub request_count: u64,
    pub error_count: u64,
    /// Milliseconds.
    pub avg_response_time: f64,
}

/// Null where one of the two never answered a request, or where there was nothing to begin with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceChange {
    /// `-15%`: less is better.
    pub avg_response_time_change: Option<String>,
    /// `-50%`.
    pub error_rate_change: Option<String>,
    pub before: Option<Performance>,
    pub after: Option<Performance>,
}

pub fn change(before: Option<Performance>, after: Option<Performance>) -> PerformanceChange {
    let served = |one: &Performance| one.request_count > 0;
    let both = before.filter(served).zip(after.filter(served));
    PerformanceChange {
        avg_response_time_change: both
            .and_then(|(before, after)| percent(before.avg_response_time, after.avg_response_time)),
        error_rate_change: both.and_then(|(before, after)| percent(before.error_rate(), after.error_rate())),
        before,
        after,
    }
}

impl Performance {
    fn error_rate(&self) -> f64 {
        self.error_count as f64 / self.request_count.max(1) as f64
    }
}

/// `+20%`, `-15%`, `0%`; nothing when what was nothing is something now.
fn percent(before: f64, after: f64) -> Option<String> {
    if !before.is_finite() || !after.is_finite() {
        return None;
    }
    if before <= 0.0 {
        return (after <= 0.0).then(|| "0%".to_owned());
    }
    let change = ((after - before) / before * 100.0).round();
    // Without a sign: rounding may have left a negative zero.
    Some(if change == 0.0 { "0%".to_owned() } else { format!("{change:+}%") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(request_count: u64, error_count: u64, avg_response_time: f64) -> Option<Performance> {
        Some(Performance { request_count, error_count, avg_response_time })
    }

    #[test]
    fn changes_are_percentages_with_a_sign() {
        let found = change(ran(100, 10, 20.0), ran(200, 10, 17.0));
        assert_eq!(found.avg_response_time_change.as_deref(), Some("-15%"));
        assert_eq!(found.error_rate_change.as_deref(), Some("-50%"));
        let found = change(ran(10, 0, 20.0), ran(10, 0, 24.04));
        assert_eq!(found.avg_response_time_change.as_deref(), Some("+20%"));
        assert_eq!(found.error_rate_change.as_deref(), Some("0%"));
        assert_eq!(change(ran(1, 1, 10.0), ran(1, 1, 9.99)).avg_response_time_change.as_deref(), Some("0%"));
    }

    #[test]
    fn there_is_no_change_from_nothing() {
        assert_eq!(change(ran(0, 0, 0.0), ran(5, 1, 9.0)).avg_response_time_change, None);
        assert_eq!(change(None, ran(5, 1, 9.0)).error_rate_change, None);
        let errors_appeared = change(ran(5, 0, 9.0), ran(5, 1, 9.0));
        assert_eq!(errors_appeared.error_rate_change, None);
        assert_eq!(errors_appeared.avg_response_time_change.as_deref(), Some("0%"));
        assert_eq!(change(ran(1, 0, f64::NAN), ran(1, 0, 1.0)).avg_response_time_change, None);
    }
}
