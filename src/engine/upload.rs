//! Putting files into a container, and reading them back.
//!
//! The engine unpacks an archive with the container's root as its own, so nothing gets out of the
//! container, whatever links the app has made. Within it two rules keep an upload inside its
//! folder: the engine follows links in the folder's own path and then refuses what is not
//! writable; and an entry that is a folder replaces a link of its name, while one that is only
//! implied by a longer path would be followed. Hence an archive lists every folder before what
//! lies in it.

use std::time::Duration;

use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

use super::{Archive, ContainerProcess, Engine, EngineError};

/// For the largest tree on a busy disk; an upload of a small one takes some 50 ms.
const PATIENCE: Duration = Duration::from_secs(120);

impl Engine {
    /// Unpacks an archive in `folder` of the container, running or not, with the owners, modes
    /// and times it names. Files that are there already are replaced; others stay.
    ///
    /// The folder must be one of the spec's `writable` or `volumes`, and must exist: `Refused`
    /// where the container may not write, `Missing` where there is no such folder or container.
    /// The archive must list the folders it has entries in.
    pub async fn upload(
        &self,
        id: &str,
        archive: impl Into<Archive>,
        folder: &str,
    ) -> Result<(), EngineError> {
        let body = bollard::body_try_stream(archive.into().open());
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let deadline = self.config().call_timeout.max(PATIENCE);
        self.call_within(deadline, "upload files", |docker| {
            docker.upload_to_container(id, Some(options), body)
        })
        .await
    }

    /// The same for a container that runs, or is frozen: without the engine, where that can be.
    pub async fn put(
        &self,
        (id, process): (&str, Option<&ContainerProcess>),
        archive: impl Into<Archive>,
        folder: &str,
    ) -> Result<(), EngineError> {
        let archive = archive.into();
        if let Some(process) = process {
            let after = self.config().call_timeout.max(PATIENCE);
            match tokio::time::timeout(after, process.unpack(&archive, folder)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => tracing::debug!(%error, container = id, "the engine unpacks instead"),
                // It may still be at it.
                Err(_) => return Err(EngineError::Timeout { call: "put files", after }),
            }
        }
        self.upload(id, archive, folder).await
    }

    /// A folder of the container, running or not, as a tar archive whose paths begin with the
    /// folder's own name. The deadline is on silence, not on the whole.
    pub fn download(
        &self,
        id: &str,
        folder: &str,
    ) -> impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static {
        const CALL: &str = "download files";
        let options = DownloadFromContainerOptionsBuilder::default().path(folder).build();
        let after = self.config().call_timeout;
        let answers = self.streaming().download_from_container(id, Some(options)).boxed();
        stream::unfold(Some(answers), move |answers| async move {
            let mut answers = answers?;
            match tokio::time::timeout(after, answers.next()).await {
                Err(_) => Some((Err(EngineError::Timeout { call: CALL, after }), None)),
                Ok(None) => None,
                Ok(Some(Err(error))) => Some((Err(EngineError::from_bollard(CALL, error)), None)),
                Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(answers))),
            }
        })
    }
}
