//! A preview that serves: requests to it, its health, its time.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::ready::{answer_of, exit_words, lost_its_container};
use super::{Driver, Ending, Life, Message, Phase, Refusal, Reply, Way};
use crate::domain::{EventType, Failure, HealthStatus, LogLevel, LogSource, Stage, Status};
use crate::engine::ContainerState;
use crate::ingress::Upstream;
use crate::orchestrator::health::{self, Answer};
use crate::orchestrator::queue::{self, Ask, Verdict};

impl Driver {
    pub(super) async fn serve(&mut self) -> Phase {
        let mut checks = every(Duration::from_secs(u64::from(self.life.preview.health_interval_s.max(1))));
        let shutdown = self.life.parts.shutdown.clone();
        loop {
            let expiry = tokio::time::sleep_until(self.life.expiry);
            let phase = tokio::select! {
                Some(message) = self.inbox.recv() => self.life.hear(message).await,
                _ = checks.tick() => { self.life.probe(); None }
                () = expiry => Some(Phase::End(Ending::Expired)),
                () = shutdown.cancelled() => Some(Phase::Detach),
            };
            if let Some(phase) = phase {
                return phase;
            }
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Life {
    async fn hear(&mut self, message: Message) -> Option<Phase> {
        match message {
            Message::Ask(ask, reply) => self.answer(ask, reply).await,
            Message::Look => self.look().await.map(Phase::End),
            Message::Probed(answer) => {
                self.probed(answer).await;
                None
            }
            Message::Database(problem) => {
                self.database_seen(problem).await;
                None
            }
        }
    }

    /// Does what is asked when that is legal, and says how it went.
    async fn answer(&mut self, ask: Ask, reply: oneshot::Sender<Reply>) -> Option<Phase> {
        let left = self.preview.extensions_allowed.saturating_sub(self.preview.extensions_used);
        let (outcome, phase) = match queue::decide(self.preview.status, ask, left) {
            Verdict::Deny(denial) => (Err(Refusal::Denied(denial)), None),
            Verdict::Redundant => (Ok(()), None),
            Verdict::Accept => match ask {
                Ask::Stop => (Ok(()), Some(Phase::End(Ending::Stopped))),
                Ask::Restart => {
                    self.begin_restart().await;
                    (Ok(()), Some(Phase::Lead(Way::BringUp(EventType::Restarted))))
                }
                Ask::Reset => match self.begin_reset().await {
                    Ok(()) => (Ok(()), Some(Phase::Lead(Way::BringUp(EventType::Reset)))),
                    refused => (refused, None),
                },
                Ask::Pause => (self.pause().await, None),
                Ask::Resume => (self.resume().await, None),
                Ask::Extend(seconds) => {
                    self.extend(seconds).await;
                    (Ok(()), None)
                }
            },
        };
        // A caller that went away needs no answer.
        let _ = reply.send(outcome);
        phase
    }

    /// The token of the earlier run ends here.
    async fn begin_restart(&mut self) {
        self.parts
            .ingress
            .set_upstream(self.preview.id, Upstream::Waiting { what: "being restarted".to_owned() });
        self.preview.token_version += 1;
        self.preview.token_hash = self.parts.token_hash(&self.preview);
        self.preview.health = HealthStatus::Unknown;
        self.set_status(Status::Launching).await;
    }

    async fn pause(&mut self) -> Reply {
        let id = self.preview.container_id.clone().unwrap_or_default();
        self.parts.engine.pause(&id).await.map_err(failed)?;
        self.parts.ingress.set_upstream(self.preview.id, Upstream::Paused);
        self.set_status(Status::Paused).await;
        self.record(EventType::Paused, json!({})).await;
        Ok(())
    }

    async fn resume(&mut self) -> Reply {
        let id = self.preview.container_id.clone().unwrap_or_default();
        self.parts.engine.unpause(&id).await.map_err(failed)?;
        let state = self.parts.engine.inspect(&id).await.map_err(failed)?;
        let Some(Ok(started)) = state.map(|state| self.locate(&state)) else {
            return Err(Refusal::Failed("the container is gone".to_owned()));
        };
        self.serve_at(started.address());
        self.set_status(health::status_of(self.preview.health)).await;
        self.record(EventType::Resumed, json!({})).await;
        Ok(())
    }

    async fn extend(&mut self, seconds: u64) {
        self.preview.extensions_used += 1;
        self.expiry += Duration::from_secs(seconds);
        self.preview.expires_at +=
            chrono::TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
        self.keep().await;
        self.record(EventType::Extended, json!({ "seconds": seconds, "expiresAt": self.preview.expires_at }))
            .await;
    }

    /// Is the container still there and running?
    async fn look(&mut self) -> Option<Ending> {
        if !lost_its_container(self.preview.status) {
            return None;
        }
        let id = self.preview.container_id.clone().unwrap_or_default();
        match self.parts.engine.inspect(&id).await {
            Ok(Some(state)) if state.running => {
                self.see_paused(&state).await;
                None
            }
            Ok(Some(state)) => {
                self.logs_settled().await;
                Some(self.run_failure(exit_words(&state)))
            }
            Ok(None) => Some(self.run_failure("its container was removed by somebody else".to_owned())),
            Err(error) => {
                tracing::debug!(%error, preview = %self.preview.id, "cannot look at the container");
                None
            }
        }
    }

    /// Somebody may have paused or resumed the container behind our back.
    async fn see_paused(&mut self, state: &ContainerState) {
        match (state.paused, self.preview.status) {
            (true, status) if status != Status::Paused => {
                self.parts.ingress.set_upstream(self.preview.id, Upstream::Paused);
                self.set_status(Status::Paused).await;
            }
            (false, Status::Paused) => {
                if let Ok(started) = self.locate(state) {
                    self.serve_at(started.address());
                    self.set_status(health::status_of(self.preview.health)).await;
                }
            }
            _ => {}
        }
    }

    fn run_failure(&self, reason: String) -> Ending {
        Ending::Failed(Failure::new(Stage::Run, reason, self.log_tail()))
    }

    /// Asks the health endpoint in the background; the answer comes as a message, so that a slow
    /// app does not delay a stop.
    fn probe(&self) {
        if !self.preview.status.is_serving() {
            return;
        }
        let Some(address) = self.address else { return };
        let (ingress, outbox) = (self.parts.ingress.clone(), self.outbox.clone());
        let (path, timeout) = (self.preview.health_path.clone(), self.parts.config.health_timeout);
        let stop = self.watchers.clone();
        self.parts.tasks.spawn(async move {
            let probe = ingress.probe(address, &path, timeout);
            let Some(result) = stop.run_until_cancelled(probe).await else { return };
            let _ = outbox.try_send(Message::Probed(answer_of(result)));
        });
    }

    async fn probed(&mut self, answer: Answer) {
        if !self.preview.status.is_serving() {
            return;
        }
        let well = health::is_well(answer, self.preview.health_path_given);
        let failures = if well { 0 } else { self.preview.consecutive_failures.saturating_add(1) };
        self.preview.consecutive_failures = failures;
        self.preview.last_health_check = Some(Utc::now());
        let said = match answer {
            Answer::Http(status) => format!("{} answered {status}", self.preview.health_path),
            Answer::Silent => format!("{} did not answer", self.preview.health_path),
        };
        self.regrade(said).await;
    }

    /// Health after a look, of which `said` tells the outcome.
    pub(super) async fn regrade(&mut self, said: String) {
        let before = self.preview.health;
        let grade = health::grade(self.preview.consecutive_failures);
        self.preview.health = health::with_database(grade, self.database_problem.is_none());
        self.preview.status = health::status_of(self.preview.health);
        self.keep().await;
        if self.preview.health != before {
            self.health_changed(before, said).await;
        }
    }

    async fn health_changed(&self, before: HealthStatus, said: String) {
        let event = match (before, self.preview.health) {
            (HealthStatus::Degraded | HealthStatus::Unhealthy, HealthStatus::Healthy) => EventType::Recovered,
            (_, HealthStatus::Degraded) => EventType::Degraded,
            (_, HealthStatus::Unhealthy) => EventType::Unhealthy,
            _ => EventType::Healthy,
        };
        if !matches!(event, EventType::Recovered | EventType::Healthy) {
            self.say(LogLevel::Warning, LogSource::System, &said);
        }
        self.record(event, json!({ "check": said })).await;
    }
}

pub(super) fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(error.to_string())
}
