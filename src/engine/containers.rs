//! Making, starting, stopping and removing containers. Each call may be repeated: what it
//! would bring about and already is, is no error.

use std::time::{Duration, Instant};

use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RestartContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::ownership::instance_filter;
use super::{ContainerSpec, ContainerState, Engine, EngineError, OwnedContainer, present};

impl Engine {
    /// Its id. A container of that name, with the same ownership, image and environment, is taken for the one
    /// made by an earlier call whose answer was lost. `Missing` when the image is.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        match self.create(spec).await {
            Err(conflict @ EngineError::Conflict { .. }) => match self.made_before(spec, conflict).await? {
                Some(id) => Ok(id),
                None => self.create(spec).await,
            },
            created => created,
        }
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        const CALL: &str = "create container";
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
        let created =
            self.call(CALL, |docker| docker.create_container(Some(options), spec.to_engine())).await;
        match created {
            Ok(created) => {
                if !created.warnings.is_empty() {
                    tracing::debug!(container = spec.name, warnings = ?created.warnings, "container created");
                }
                Ok(created.id)
            }
            Err(error) => Err(error),
        }
    }

    /// What an earlier call makes under this name. A busy engine takes the name first and shows the
    /// container once it is made. `None` when that was a call of a daemon that was killed, for a start
    /// with another environment, such as another password of its database: it is removed.
    async fn made_before(
        &self,
        spec: &ContainerSpec,
        conflict: EngineError,
    ) -> Result<Option<String>, EngineError> {
        let deadline = Instant::now() + self.config().call_timeout;
        loop {
            match self.inspect(&spec.name).await? {
                Some(found) if is_same(&found, spec) => {
                    if self.was_given(&found.id, spec).await? {
                        return Ok(Some(found.id));
                    }
                    self.remove(&found.id).await?;
                    return Ok(None);
                }
                None if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => return Err(conflict),
            }
        }
    }

    /// Whether it has what this one's environment has; the engine adds what the image says.
    async fn was_given(&self, id: &str, spec: &ContainerSpec) -> Result<bool, EngineError> {
        let options = None::<InspectContainerOptions>;
        let found = self.call("inspect container", |docker| docker.inspect_container(id, options)).await;
        let given = present(found)?.and_then(|found| found.config?.env).unwrap_or_default();
        Ok(spec.environment().iter().all(|pair| given.contains(pair)))
    }

    /// `Missing` when the container or its network is. A command that cannot be executed is
    /// `Refused`; the container is then exited.
    pub async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.call("start container", |docker| docker.start_container(id, None::<StartContainerOptions>)).await
    }

    /// SIGTERM (or the image's stop signal), after `grace` SIGKILL. Whole seconds.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let options = StopContainerOptionsBuilder::default().t(whole_seconds(grace)).build();
        let deadline = self.config().call_timeout + grace;
        self.call_within(deadline, "stop container", |docker| docker.stop_container(id, Some(options))).await
    }

    /// SIGKILL.
    pub async fn kill(&self, id: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        match self.call("kill container", |docker| docker.kill_container(id, Some(options))).await {
            Err(EngineError::Conflict { .. }) => Ok(()), // it does not run
            answer => answer,
        }
    }

    /// Any signal, by its number, to the first process, which an init passes on.
    pub async fn signal(&self, id: &str, number: u8) -> Result<(), EngineError> {
        let number = number.to_string();
        let options = KillContainerOptionsBuilder::default().signal(&number).build();
        self.call("signal container", |docker| docker.kill_container(id, Some(options))).await
    }

    /// Stop and start again, the same container.
    pub async fn restart(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let options = RestartContainerOptionsBuilder::default().t(whole_seconds(grace)).build();
        let deadline = self.config().call_timeout + grace;
        self.call_within(deadline, "restart container", |docker| docker.restart_container(id, Some(options)))
            .await
    }

    pub async fn pause(&self, id: &str) -> Result<(), EngineError> {
        let answer = self.call("pause container", |docker| docker.pause_container(id)).await;
        self.unless_already(id, answer, |state| state.paused).await
    }

    pub async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        let answer = self.call("unpause container", |docker| docker.unpause_container(id)).await;
        self.unless_already(id, answer, |state| state.running && !state.paused).await
    }

    /// Engines of different ages answer "it already is" with different statuses: look instead.
    async fn unless_already(
        &self,
        id: &str,
        answer: Result<(), EngineError>,
        already: impl FnOnce(&ContainerState) -> bool,
    ) -> Result<(), EngineError> {
        if !matches!(answer, Err(EngineError::Conflict { .. } | EngineError::Refused { .. })) {
            return answer;
        }
        match self.inspect(id).await? {
            Some(state) if already(&state) => Ok(()),
            _ => answer,
        }
    }

    /// Kills it if it runs, removes it and its volumes, and returns when it is gone. Absent is
    /// fine; a container without our label is `NotOurs`.
    pub async fn remove(&self, id: &str) -> Result<(), EngineError> {
        const CALL: &str = "remove container";
        let Some(found) = self.inspect(id).await? else { return Ok(()) };
        if found.ownership.is_none_or(|ownership| ownership.instance != *self.instance()) {
            return Err(EngineError::NotOurs { call: CALL, name: id.to_owned() });
        }
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let _turn = self.0.removals.acquire().await;
        match self.call(CALL, |docker| docker.remove_container(&found.id, Some(options))).await {
            Err(EngineError::Conflict { .. }) => self.wait_until_gone(CALL, &found.id).await,
            answer => present(answer).map(drop),
        }
    }

    /// Somebody else's removal is in progress.
    async fn wait_until_gone(&self, call: &'static str, id: &str) -> Result<(), EngineError> {
        let after = self.config().call_timeout;
        let gone = async {
            while self.inspect(id).await?.is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        };
        tokio::time::timeout(after, gone).await.unwrap_or(Err(EngineError::Timeout { call, after }))
    }

    /// `None` when there is no such container.
    pub async fn inspect(&self, id: &str) -> Result<Option<ContainerState>, EngineError> {
        let options = None::<InspectContainerOptions>;
        let answer = self.call("inspect container", |docker| docker.inspect_container(id, options)).await;
        Ok(present(answer)?.map(ContainerState::new))
    }

    /// The exit code, once it has ended; at once when it has already. Deadline `within`.
    pub async fn wait(&self, id: &str, within: Duration) -> Result<i64, EngineError> {
        const CALL: &str = "wait for container";
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut answers = Box::pin(self.0.docker.wait_container(id, Some(options)));
        match tokio::time::timeout(within, answers.next()).await {
            Err(_) => Err(EngineError::Timeout { call: CALL, after: within }),
            Ok(Some(Ok(answer))) => Ok(answer.status_code),
            // The library calls a nonzero exit an error; it is a result.
            Ok(Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. }))) => Ok(code),
            Ok(Some(Err(error))) => Err(EngineError::from_bollard(CALL, error)),
            Ok(None) => Err(EngineError::Protocol { call: CALL, reason: "no answer".into() }),
        }
    }

    /// Every container of this instance, whatever its state.
    pub async fn owned_containers(&self) -> Result<Vec<OwnedContainer>, EngineError> {
        let filters = instance_filter(self.instance());
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.call("list containers", |docker| docker.list_containers(Some(options))).await?;
        Ok(found.into_iter().filter_map(OwnedContainer::new).collect())
    }
}

/// The container an earlier create would have made.
fn is_same(found: &ContainerState, spec: &ContainerSpec) -> bool {
    found.ownership.as_ref() == Some(&spec.ownership) && found.image == spec.image
}

fn whole_seconds(grace: Duration) -> i32 {
    i32::try_from(grace.as_secs()).unwrap_or(i32::MAX)
}
