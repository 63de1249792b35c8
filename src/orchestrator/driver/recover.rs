//! A preview whose app ended, or no longer answers: started again, later each time, and not for
//! ever.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Ending, Interrupt, Life, Phase, Way};
use crate::domain::{EventType, Failure, LogLevel, LogSource};
use crate::ingress::Upstream;

/// A preview that went well for so long has its troubles forgiven.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// The restarts of late.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    times: Vec<Instant>,
}

impl Restarts {
    /// The pause before the next restart, which counts from now; none when there were `allowed`.
    /// Each pause is four times the one before it.
    fn next(&mut self, now: Instant, allowed: u32, first_pause: Duration) -> Option<Duration> {
        self.times.retain(|time| now.duration_since(*time) < FORGIVEN_AFTER);
        let before = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        if before >= allowed {
            return None;
        }
        self.times.push(now);
        Some(first_pause * 4u32.saturating_pow(before))
    }
}

impl Life {
    /// What to do about an app that ended or hangs: start it again, or call the preview failed.
    pub(super) async fn recover(&mut self, failure: Failure) -> Phase {
        let config = &self.parts.config;
        let Some(pause) = self.restarts.next(Instant::now(), config.max_restarts, config.restart_pause)
        else {
            return Phase::End(Ending::Failed(failure));
        };
        let text = format!("{}; it is started again in {:.1} s", failure.reason, pause.as_secs_f64());
        self.say(LogLevel::Error, LogSource::System, &text);
        let data =
            json!({ "stage": failure.stage, "reason": failure.reason, "restartInMs": pause.as_millis() });
        self.record(EventType::Crashed, data).await;
        self.begin_restart().await;
        Phase::Lead(Way::Again { after: pause })
    }

    pub(super) async fn again(
        &mut self,
        interrupt: &CancellationToken,
        after: Duration,
    ) -> Result<(), Interrupt> {
        let what = "being started again after it ended".to_owned();
        self.parts.ingress.set_upstream(self.preview.id, Upstream::Waiting { what });
        if interrupt.run_until_cancelled(tokio::time::sleep(after)).await.is_none() {
            return Err(Interrupt::Asked);
        }
        self.bring_up(interrupt, EventType::Restarted).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        let pauses: Vec<_> = (0..4).map(|_| restarts.next(now, 3, Duration::from_secs(1))).collect();
        assert_eq!(pauses.iter().flatten().map(Duration::as_secs).collect::<Vec<_>>(), [1, 4, 16]);
        assert_eq!(pauses[3], None);
    }

    #[test]
    fn a_preview_that_goes_well_is_forgiven() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        assert!(restarts.next(now, 1, Duration::from_secs(1)).is_some());
        assert!(restarts.next(now + Duration::from_secs(599), 1, Duration::from_secs(1)).is_none());
        let pause = restarts.next(now + FORGIVEN_AFTER, 1, Duration::from_secs(1));
        assert_eq!(pause, Some(Duration::from_secs(1)));
    }

    #[test]
    fn no_restarts_means_none() {
        assert_eq!(Restarts::default().next(Instant::now(), 0, Duration::from_secs(1)), None);
    }
}
