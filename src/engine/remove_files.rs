//! Taking files away in a container that runs.
//!
//! The engine's API has no call for it, so the container's own `rm` does it: as the app's user,
//! its arguments given as a list, so that a name is never more than a name. What a link of the
//! app's leads to is inside the container as well.

use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt as _;

use super::{ContainerSpec, Engine, EngineError};

const CALL: &str = "remove files";
/// The kernel takes some megabytes of arguments; this is far from it.
const ARGUMENTS: usize = 64 * 1024;
/// What `rm` says of one failure.
const WORDS: usize = 1024;

impl Engine {
    /// Removes files, and folders with all that is in them, from a folder of a container that
    /// runs. Those that are not there are passed over. `Failed` when something stays, or when the
    /// image has no `rm`.
    pub async fn remove_files(&self, id: &str, folder: &str, paths: &[String]) -> Result<(), EngineError> {
        let mut rest = paths;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|path| {
                bytes += path.len() + 1;
                bytes <= ARGUMENTS
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            self.remove_some(id, folder, now).await?;
            rest = later;
        }
        Ok(())
    }

    async fn remove_some(&self, id: &str, folder: &str, paths: &[String]) -> Result<(), EngineError> {
        let command = ["rm", "-rf", "--"].into_iter().map(str::to_owned);
        let uid = ContainerSpec::UID;
        let options = CreateExecOptions {
            cmd: Some(command.chain(paths.iter().map(|path| format!("./{path}"))).collect()),
            user: Some(format!("{uid}:{uid}")),
            working_dir: Some(folder.to_owned()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            privileged: Some(false),
            ..Default::default()
        };
        let exec = self.call(CALL, |docker| docker.create_exec(id, options)).await?.id;
        let started = self.call(CALL, |docker| docker.start_exec(&exec, None)).await?;
        let mut said = String::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            let listen = async {
                while let Some(Ok(piece)) = output.next().await {
                    let room = WORDS.saturating_sub(said.len());
                    said.extend(piece.to_string().chars().take(room));
                }
            };
            let after = self.config().call_timeout;
            let over = tokio::time::timeout(after, listen).await;
            over.map_err(|_| EngineError::Timeout { call: CALL, after })?;
        }
        match self.call(CALL, |docker| docker.inspect_exec(&exec)).await?.exit_code {
            Some(0) => Ok(()),
            _ => Err(EngineError::Failed { call: CALL, message: said.trim().to_owned() }),
        }
    }
}
