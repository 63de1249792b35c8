//! What an answer of the health endpoint means. Pure.

use crate::domain::{HealthStatus, Status};

/// One look at the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP answer with this status code.
    Http(u16),
    /// No connection, no answer in time, or no HTTP.
    Silent,
}

/// Failures in a row after which a preview is unhealthy rather than degraded.
const UNHEALTHY_AFTER: u32 = 3;

/// Failures in a row after which the app is started again.
const HOPELESS_AFTER: u32 = 5;

/// Whether this answer is that of an app that works. An endpoint the metadata named must answer
/// 2xx or 3xx. The default one need not exist: any answer will do but those that say "I exist
/// and am not well" (5xx).
pub const fn is_well(answer: Answer, endpoint_given: bool) -> bool {
    match answer {
        Answer::Http(status) if endpoint_given => matches!(status, 200..=399),
        Answer::Http(status) => status < 500,
        Answer::Silent => false,
    }
}

/// Health after `failures` failed looks in a row.
pub const fn grade(failures: u32) -> HealthStatus {
    match failures {
        0 => HealthStatus::Healthy,
        1..UNHEALTHY_AFTER => HealthStatus::Degraded,
        _ => HealthStatus::Unhealthy,
    }
}

/// Whether waiting for the app to recover by itself has been long enough.
pub const fn is_hopeless(failures: u32) -> bool {
    failures >= HOPELESS_AFTER
}

/// An app that answers without its database, or without the files it was given last, is not well.
pub const fn with_all_there(health: HealthStatus, is_all_there: bool) -> HealthStatus {
    match health {
        HealthStatus::Healthy if !is_all_there => HealthStatus::Degraded,
        health => health,
    }
}

pub const fn status_of(health: HealthStatus) -> Status {
    match health {
        HealthStatus::Unknown => Status::Running,
        HealthStatus::Healthy => Status::Healthy,
        HealthStatus::Degraded => Status::Degraded,
        HealthStatus::Unhealthy => Status::Unhealthy,
    }
}

/// What so much of its memory, in percent of what a preview may use, says of its health: near the
/// limit the kernel takes its files from it, and at the limit its processes.
pub fn memory(percent: f64) -> HealthStatus {
    match percent {
        95.0.. => HealthStatus::Unhealthy,
        85.0.. => HealthStatus::Degraded,
        _ => HealthStatus::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_endpoint_need_not_exist_but_a_named_one_must_be_well() {
        assert!(is_well(Answer::Http(404), false));
        assert!(!is_well(Answer::Http(404), true));
        assert!(!is_well(Answer::Http(503), false));
        assert!(!is_well(Answer::Silent, false));
        assert!(is_well(Answer::Http(204), true));
    }

    #[test]
    fn memory_is_well_until_it_is_nearly_used_up() {
        use HealthStatus::*;
        assert_eq!(
            [0.0, 84.9, 85.0, 94.9, 95.0, 120.0].map(memory),
            [Healthy, Healthy, Degraded, Degraded, Unhealthy, Unhealthy]
        );
    }

    #[test]
    fn one_failure_degrades_and_three_in_a_row_are_unhealthy() {
        let grades: Vec<_> = (0..4).map(grade).collect();
        use HealthStatus::*;
        assert_eq!(grades, [Healthy, Degraded, Degraded, Unhealthy]);
    }
}
