//! A preview that serves: requests to it, its health, its time.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::clock::Tick;
use super::exit::exit_words;
use super::ready::{Listening, answer_of, listening_words, lost_its_container, where_it_listens};
use super::{Driver, Ending, Life, Message, Phase, Refusal, Reply, Way};
use crate::domain::{EventType, Failure, HealthStatus, LogLevel, LogSource, PausedBy, Stage, Status};
use crate::engine::ContainerState;
use crate::ingress::Upstream;
use crate::orchestrator::health::{self, Answer};
use crate::orchestrator::queue::{self, Ask, Denial, Verdict};
use crate::orchestrator::{Check, ErrorType};

impl Driver {
    pub(super) async fn serve(&mut self) -> Phase {
        let mut checks = every(Duration::from_secs(u64::from(self.life.preview.health_interval_s.max(1))));
        let mut looks = self.life.idle_look().map(every);
        let shutdown = self.life.parts.shutdown.clone();
        while let Some(message) = self.held.pop_front() {
            if let Some(phase) = self.hear(message).await {
                return phase;
            }
        }
        if let Some(phase) = self.life.look_for_use().await {
            return phase;
        }
        loop {
            let (at, tick) = self.life.clock.next();
            let phase = tokio::select! {
                Some(message) = self.inbox.recv() => self.hear(message).await,
                _ = checks.tick() => { self.life.probe(); None }
                () = next(&mut looks) => self.life.look_for_use().await,
                () = due(self.life.tell_engine_at) => { self.life.tell_engine().await; None }
                () = tokio::time::sleep_until(at) => self.life.told(at, tick).await,
                () = shutdown.cancelled() => {
                    self.life.tell_engine_now().await;
                    // With what it served until now: the next run counts on.
                    self.life.keep().await;
                    Some(Phase::Detach)
                }
            };
            if let Some(phase) = phase {
                return phase;
            }
        }
    }
}

impl Driver {
    async fn hear(&mut self, message: Message) -> Option<Phase> {
        match message {
            Message::Patch(patching) => self.begin_patch(patching),
            message => self.life.hear(message).await,
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The next tick; never, where there is no interval.
async fn next(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// That moment; never, where there is none.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Life {
    async fn told(&mut self, at: Instant, tick: Tick) -> Option<Phase> {
        let Tick::Warning(left) = tick else { return Some(Phase::End(Ending::Expired)) };
        self.clock.warned(at);
        self.record(EventType::Expiring, json!({ "secondsLeft": left.as_secs() })).await;
        None
    }

    async fn hear(&mut self, message: Message) -> Option<Phase> {
        match message {
            Message::Ask(ask, reply) => self.answer(ask, reply).await,
            Message::Look => match self.look().await {
                Some(failure) => Some(self.recover(failure).await),
                None => None,
            },
            Message::Probed(answer) => match self.probed(answer).await {
                Some(failure) => Some(self.recover(failure).await),
                None => None,
            },
            // Its sender hears that there is nothing to claim.
            Message::Claim(..) => None,
            Message::Wake => self.wake().await,
            Message::Overfull(bytes) => Some(self.too_much(bytes)),
            Message::Imaged(outcome) => {
                self.imaged(outcome).await;
                None
            }
            Message::Database(problem) => {
                self.database_seen(problem).await;
                None
            }
            // Its driver's, which goes another way with it.
            Message::Patch(_) => None,
        }
    }

    /// Does what is asked when that is legal, and says how it went.
    async fn answer(&mut self, ask: Ask, reply: oneshot::Sender<Reply>) -> Option<Phase> {
        let left = self.preview.extensions_allowed.saturating_sub(self.preview.extensions_used);
        let (outcome, phase) = match queue::decide(self.preview.status, ask, left) {
            Verdict::Deny(denial) => (Err(Refusal::Denied(denial)), None),
            Verdict::Redundant => {
                // Whoever resumes it may want the engine to do something with it next.
                self.tell_engine_now().await;
                (Ok(()), None)
            }
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
                // Taken by a message of its own, and only from what is parked.
                Ask::Claim => (Err(Refusal::Denied(Denial::NotParked)), None),
                Ask::Patch => (Err(failed("a patch comes with its files")), None),
                Ask::Pause => (self.pause().await, None),
                Ask::Resume if self.is_on_disk() => match self.come_back().await {
                    Some(phase) => (Ok(()), Some(phase)),
                    None => {
                        (Err(Refusal::Failed("the host lacks the memory to start it again".to_owned())), None)
                    }
                },
                Ask::Resume => (self.resume().await, None),
                Ask::Shed => (self.shed().await, None),
                Ask::Extend(seconds) => {
                    self.extend(seconds).await;
                    (Ok(()), None)
                }
                Ask::RenewToken => {
                    self.renew_token();
                    self.keep().await;
                    (Ok(()), None)
                }
            },
        };
        // A caller that went away needs no answer.
        let _ = reply.send(outcome);
        phase
    }

    /// The token of the earlier run ends here.
    pub(super) async fn begin_restart(&mut self) {
        self.parts
            .ingress
            .set_upstream(self.preview.id, Upstream::Waiting { what: "being restarted".to_owned() });
        self.renew_token();
        self.launching_again().await;
    }

    /// Whoever has the present one is out.
    fn renew_token(&mut self) {
        self.preview.token_version += 1;
        self.preview.token_hash = self.parts.token_hash(&self.preview);
        self.guard_log();
    }

    /// Its container, asleep or not, makes way for another one.
    pub(super) async fn launching_again(&mut self) {
        self.mended();
        self.preview.health = HealthStatus::Unknown;
        self.preview.paused_by = None;
        self.set_status(Status::Launching).await;
    }

    /// An idle preview that is asked to pause is no longer woken by visitors.
    async fn pause(&mut self) -> Reply {
        match self.preview.paused_by {
            Some(PausedBy::Request) => return Ok(()),
            Some(PausedBy::Idleness | PausedBy::Memory) => {}
            None => self.freeze().await.map_err(failed)?,
        }
        self.paused(PausedBy::Request).await;
        Ok(())
    }

    async fn resume(&mut self) -> Reply {
        self.unpause().await.map_err(failed)?;
        self.resumed("request").await;
        Ok(())
    }

    async fn extend(&mut self, seconds: u64) {
        self.preview.extensions_used += 1;
        self.clock.extend(Instant::now(), Duration::from_secs(seconds));
        self.preview.expires_at +=
            chrono::TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
        self.keep().await;
        self.record(EventType::Extended, json!({ "seconds": seconds, "expiresAt": self.preview.expires_at }))
            .await;
    }

    /// Is the container still there and running?
    async fn look(&mut self) -> Option<Failure> {
        let is_meant = self.is_on_disk() || self.waits_for_files();
        if !lost_its_container(self.preview.status) || is_meant {
            return None;
        }
        let id = self.preview.container_id.clone().unwrap_or_default();
        let looked = self.parts.engine.inspect(&id).await;
        if let Ok(state) = &looked {
            self.saw_container(state.as_ref());
        }
        match looked {
            Ok(Some(state)) if state.running && self.is_cut_off(&state) => Some(self.run_failure(
                "its network was removed, or it was taken out of it, by somebody else".to_owned(),
            )),
            Ok(Some(state)) if state.running => {
                self.see_paused(&state).await;
                None
            }
            Ok(Some(state)) => {
                self.logs_settled().await;
                Some(self.container_lost(exit_words(&state)))
            }
            Ok(None) => Some(self.container_lost("its container was removed by somebody else".to_owned())),
            Err(error) => {
                tracing::debug!(%error, preview = %self.preview.id, "cannot look at the container");
                None
            }
        }
    }

    /// It runs, and nobody can reach it any more.
    fn is_cut_off(&self, state: &ContainerState) -> bool {
        self.preview.network.as_ref().is_some_and(|network| !state.networks.contains(network))
    }

    /// Somebody may have paused or resumed the container behind our back; or the engine did late what
    /// it was asked for.
    async fn see_paused(&mut self, state: &ContainerState) {
        match (self.is_frozen(state), self.preview.status) {
            (true, status) if status != Status::Paused => {
                let by = match self.may_freeze_yet {
                    true => PausedBy::Idleness,
                    false => PausedBy::Request,
                };
                self.paused(by).await;
            }
            (true, Status::Paused) if !state.paused => self.agree_on_frost().await,
            (false, Status::Paused) => {
                if let Ok(started) = self.locate(state) {
                    self.serve_at(started.address());
                    self.resumed("engine").await;
                }
            }
            _ => {}
        }
    }

    /// Starting it again would only fill the disk again.
    pub(super) fn too_much(&self, bytes: u64) -> Phase {
        Phase::End(Ending::Failed(self.run_failure(self.parts.overfull(&self.preview, bytes))))
    }

    fn container_lost(&self, reason: String) -> Failure {
        self.parts.checked(&self.preview, Check::Container, HealthStatus::Unhealthy, &reason);
        self.run_failure(reason)
    }

    fn run_failure(&self, reason: String) -> Failure {
        Failure::new(Stage::Run, reason, self.log_tail())
    }

    /// Looks at the app in the background; what its health endpoint says comes as a message, so
    /// that a slow app does not delay a stop.
    fn probe(&self) {
        if !self.preview.status.is_serving() {
            return;
        }
        let Some(address) = self.address else { return };
        self.look_from_outside();
        let (ingress, outbox) = (self.parts.ingress.clone(), self.outbox.clone());
        let (path, timeout) = (self.preview.health_path.clone(), self.parts.config.health_timeout);
        let stop = self.watchers.clone();
        self.parts.tasks.spawn(async move {
            let probe = ingress.probe(address, &path, timeout);
            let Some(result) = stop.run_until_cancelled(probe).await else { return };
            let _ = outbox.try_send(Message::Probed(answer_of(result)));
        });
    }

    /// What the kernel shows of the container: whether it is there, and listens. Where it shows
    /// nothing these checks say nothing.
    fn look_from_outside(&self) {
        let Some(process) = self.process.as_ref().filter(|process| process.is_there()) else { return };
        self.parts.checked(&self.preview, Check::Container, HealthStatus::Healthy, "it runs");
        let Some(sockets) = process.listening() else { return };
        let port = self.preview.container_port;
        let listening = where_it_listens(&sockets, port);
        let (status, said) = match listening {
            Listening::There => (HealthStatus::Healthy, format!("the app listens on port {port}")),
            elsewhere => (HealthStatus::Unhealthy, listening_words(&elsewhere, port)),
        };
        self.parts.checked(&self.preview, Check::Port, status, &said);
    }

    /// The failure when the app has been silent or unwell for too long.
    async fn probed(&mut self, answer: Answer) -> Option<Failure> {
        if !self.preview.status.is_serving() {
            return None;
        }
        let well = health::is_well(answer, self.preview.health_path_given);
        let failures = if well { 0 } else { self.preview.consecutive_failures.saturating_add(1) };
        self.preview.consecutive_failures = failures;
        self.preview.last_health_check = Some(Utc::now());
        if well && self.waits_for_files() {
            self.mended();
        }
        let said = self.said(answer);
        self.regrade(Check::Http, health::grade(failures), &said).await;
        (health::is_hopeless(failures) && !self.waits_for_files())
            .then(|| self.run_failure(format!("{failures} health checks in a row failed: {said}")))
    }

    /// Health after a look, of which `said` tells the outcome.
    pub(super) async fn regrade(&mut self, check: Check, outcome: HealthStatus, said: &str) {
        let before = self.preview.health;
        let grade = health::grade(self.preview.consecutive_failures);
        let all_there = self.database_problem.is_none() && self.files.broken.is_none();
        self.preview.health = health::with_all_there(grade, all_there);
        self.preview.status = health::status_of(self.preview.health);
        self.keep().await;
        self.parts.checked(&self.preview, check, outcome, said);
        if self.preview.health != before {
            self.health_changed(before, said).await;
        }
    }

    fn said(&self, answer: Answer) -> String {
        match answer {
            Answer::Http(status) => format!("{} answered {status}", self.preview.health_path),
            Answer::Silent => format!("{} did not answer", self.preview.health_path),
        }
    }

    async fn health_changed(&self, before: HealthStatus, said: &str) {
        let event = match (before, self.preview.health) {
            (HealthStatus::Degraded | HealthStatus::Unhealthy, HealthStatus::Healthy) => EventType::Recovered,
            (_, HealthStatus::Degraded) => EventType::Degraded,
            (_, HealthStatus::Unhealthy) => EventType::Unhealthy,
            _ => EventType::Healthy,
        };
        if event == EventType::Unhealthy {
            self.parts.metrics.error(ErrorType::HealthCheck);
        }
        if !matches!(event, EventType::Recovered | EventType::Healthy) {
            self.say(LogLevel::Warning, LogSource::System, said);
        }
        self.record(event, json!({ "check": said })).await;
    }
}

pub(super) fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::Failed(error.to_string())
}
