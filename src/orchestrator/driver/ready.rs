//! From a created container to its first answer.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::exit::exit_words;
use super::{Interrupt, Life};
use crate::domain::{HealthStatus, Stage, Status};
use crate::engine::{ContainerProcess, ContainerState, ListeningSocket};
use crate::ingress::ProbeResult;
use crate::orchestrator::Dial;
use crate::orchestrator::health::{self, Answer};
use crate::orchestrator::retry::retry;

/// Where a started container is.
pub(super) struct Started {
    address: SocketAddr,
    process: Option<ContainerProcess>,
}

impl Started {
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resolves once its first process has; never where that is not seen from here.
    async fn ended(&self) {
        let Some(process) = &self.process else { return std::future::pending().await };
        loop {
            tokio::time::sleep(SEEN_WITHIN).await;
            if !process.is_there() {
                return;
            }
        }
    }
}

impl Life {
    pub(super) async fn start(&mut self) -> Result<Started, Interrupt> {
        if let Some(taken) = self.warm.take() {
            return self.release(taken).await;
        }
        let id = self.preview.container_id.clone().unwrap_or_default();
        self.attach_log().await;
        retry(|| self.parts.engine.start(&id))
            .await
            .map_err(|error| self.refused("starting the container", &error))?;
        self.preview.started_at = Some(Utc::now());
        // Written with the first answer: a daemon that dies before it starts the container anew.
        self.show();
        self.follow_log();
        let state = retry(|| self.parts.engine.inspect(&id))
            .await
            .map_err(|error| self.refused("looking at the container", &error))?;
        self.saw_container(state.as_ref());
        match state {
            Some(state) if state.running => self.locate(&state),
            Some(state) => {
                self.logs_settled().await;
                Err(self.fail(Stage::Startup, exit_words(&state)))
            }
            None => Err(self.fail(Stage::Startup, "its container was removed by somebody else")),
        }
    }

    pub(super) fn saw_container(&mut self, state: Option<&ContainerState>) {
        self.preview.container_status = state.map(|state| state.status);
    }

    /// The address to dial: the container's own, or the published port where that is the way. What
    /// the container uses is seen from here on.
    pub(super) fn locate(&mut self, state: &ContainerState) -> Result<Started, Interrupt> {
        self.parts.samples.watch(self.preview.id, &self.parts.engine, state);
        self.freezer = state.process.as_ref().and_then(ContainerProcess::freezer);
        // Woken by a daemon that had no time left to tell the engine.
        let is_behind = state.paused && !self.is_frozen(state);
        self.tell_engine_at = is_behind.then(Instant::now);
        self.engine_may_differ = false;
        self.process.clone_from(&state.process);
        let network = self.preview.network.as_deref().unwrap_or_default();
        let own = state.address_in(network);
        let address = match (self.parts.reach.dial(), own, state.published_port) {
            (Dial::Container, Some(ip), _) => SocketAddr::new(ip, self.preview.container_port),
            (Dial::Published, _, Some(port)) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            _ => return Err(self.fail(Stage::Prepare, "the engine gave the container no address")),
        };
        Ok(Started { address, process: state.process.clone() })
    }

    /// Asks until the app answers, the container ends, the deadline passes or somebody stops it.
    pub(super) async fn await_answer(
        &mut self,
        interrupt: &CancellationToken,
        started: &Started,
    ) -> Result<(), Interrupt> {
        let limit = Duration::from_secs(u64::from(self.preview.startup_timeout_s));
        let begun = Instant::now();
        let deadline = begun + limit;
        let mut next_look = Instant::now() + LOOK_EVERY;
        loop {
            if interrupt.is_cancelled() {
                return Err(Interrupt::Asked);
            }
            let answer = tokio::select! {
                answer = self.ask(started.address, PROBE_TIMEOUT.min(limit)) => answer,
                () = interrupt.cancelled() => return Err(Interrupt::Asked),
                // Nobody refuses what is sent to a container that has gone: the kernel looks for its
                // address for three seconds.
                () = started.ended() => {
                    next_look = Instant::now();
                    Answer::Silent
                }
            };
            if health::is_well(answer, self.preview.health_path_given) {
                self.serve_at(started.address);
                return Ok(());
            }
            if Instant::now() >= next_look {
                self.still_running(started).await?;
                next_look = Instant::now() + LOOK_EVERY;
            }
            if Instant::now() >= deadline {
                return Err(self.never_answered(limit, answer, started.process.as_ref()));
            }
            tokio::select! {
                () = interrupt.cancelled() => {}
                () = tokio::time::sleep(pause_after(begun.elapsed())) => {}
            }
        }
    }

    /// The app answers: the row and its viewers say so.
    pub(super) async fn serves_well(&mut self) {
        self.mended();
        self.preview.status = Status::Healthy;
        self.preview.health = HealthStatus::Healthy;
        self.preview.consecutive_failures = 0;
        self.used = Instant::now();
        self.preview.last_health_check = Some(Utc::now());
        self.keep().await;
        self.first_checks();
    }

    /// One look at the health endpoint, not counted as traffic.
    pub(super) async fn ask(&self, address: SocketAddr, timeout: Duration) -> Answer {
        answer_of(self.parts.ingress.probe(address, &self.preview.health_path, timeout).await)
    }

    /// Asks the kernel, which costs nothing, and the engine only where the kernel has no answer.
    async fn still_running(&mut self, started: &Started) -> Result<(), Interrupt> {
        if started.process.as_ref().is_some_and(ContainerProcess::is_there) {
            return Ok(());
        }
        let id = self.preview.container_id.clone().unwrap_or_default();
        match self.parts.engine.inspect(&id).await {
            Ok(Some(state)) if !state.running => {
                self.logs_settled().await;
                Err(self.fail(Stage::Startup, exit_words(&state)))
            }
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(self.fail(Stage::Startup, "its container was removed by somebody else")),
            // The engine is slow or away; the deadline decides.
            Err(_) => Ok(()),
        }
    }

    fn never_answered(&self, limit: Duration, last: Answer, process: Option<&ContainerProcess>) -> Interrupt {
        let port = self.preview.container_port;
        let path = &self.preview.health_path;
        let sockets = process.and_then(ContainerProcess::listening);
        let found = match (last, sockets) {
            (Answer::Http(status), _) => format!("{path} answers {status}"),
            (Answer::Silent, Some(sockets)) => listening_words(&where_it_listens(&sockets, port), port),
            (Answer::Silent, None) => format!("nothing answers on port {port}"),
        };
        self.fail(Stage::Startup, format!("not ready after {} s: {found}", limit.as_secs()))
    }
}

/// How often the container is looked at while nothing answers.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How soon an end is seen while an app is asked.
const SEEN_WITHIN: Duration = Duration::from_millis(50);
/// One probe; an app that hangs is asked again.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Until the next probe. A port where nothing listens refuses within microseconds, so an app that
/// may come any moment is asked often; what has taken long may be met a little later.
fn pause_after(waited: Duration) -> Duration {
    (waited / 100).clamp(Duration::from_millis(2), Duration::from_millis(40))
}

pub(super) const fn answer_of(result: ProbeResult) -> Answer {
    match result {
        ProbeResult::Status(status) => Answer::Http(status),
        ProbeResult::Refused | ProbeResult::Timeout | ProbeResult::Garbage => Answer::Silent,
    }
}

/// Where an app listens, seen from the port it was expected on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    There,
    LoopbackOnly,
    Nowhere,
    /// On these ports instead.
    Elsewhere(Vec<u16>),
}

pub fn where_it_listens(sockets: &[ListeningSocket], port: u16) -> Listening {
    let mut on_port = sockets.iter().filter(|socket| socket.port == port).peekable();
    if on_port.peek().is_some() {
        let only_loopback = on_port.all(|socket| !socket.is_open());
        return if only_loopback { Listening::LoopbackOnly } else { Listening::There };
    }
    let others: BTreeSet<u16> = sockets.iter().map(|socket| socket.port).collect();
    if others.is_empty() { Listening::Nowhere } else { Listening::Elsewhere(others.into_iter().collect()) }
}

pub(super) fn listening_words(listening: &Listening, port: u16) -> String {
    match listening {
        Listening::There => format!("the app listens on port {port} but does not answer"),
        Listening::LoopbackOnly => format!("the app listens on 127.0.0.1:{port} only: bind 0.0.0.0"),
        Listening::Nowhere => format!("nothing listens on {port} yet"),
        Listening::Elsewhere(ports) => {
            let list: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!("nothing listens on {port}; the app listens on {}", list.join(", "))
        }
    }
}

/// A preview whose container stopped under it is not serving, whatever its last status.
pub(super) const fn lost_its_container(status: Status) -> bool {
    status.is_serving() || matches!(status, Status::Paused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(address: &str, port: u16) -> ListeningSocket {
        ListeningSocket { address: address.parse().expect("an address"), port }
    }

    #[test]
    fn the_reason_names_what_to_change() {
        let words = |sockets: &[ListeningSocket]| listening_words(&where_it_listens(sockets, 8000), 8000);
        assert_eq!(words(&[]), "nothing listens on 8000 yet");
        assert_eq!(
            words(&[socket("127.0.0.1", 8000)]),
            "the app listens on 127.0.0.1:8000 only: bind 0.0.0.0"
        );
        let elsewhere = [socket("0.0.0.0", 5000)];
        assert_eq!(words(&elsewhere), "nothing listens on 8000; the app listens on 5000");
    }
}
