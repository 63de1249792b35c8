//! Files on their way to the engine: what a build is given, what a container gets.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

/// A tar archive that can be read from its beginning more than once: when BuildKit turns out to
/// refuse, the classic builder needs it again, and so does an upload whose answer was lost.
#[derive(Clone)]
pub struct Archive(Arc<dyn Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync>);

impl Archive {
    pub fn bytes(tar: Bytes) -> Self {
        Self::stream(move || stream::iter([Ok(tar.clone())]))
    }

    /// `open` starts reading the archive anew. An error on the way fails the call it is for.
    pub fn stream<S>(open: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        Self(Arc::new(move || open().boxed()))
    }

    pub(super) fn open(&self) -> BoxStream<'static, io::Result<Bytes>> {
        (self.0)()
    }
}

impl From<Bytes> for Archive {
    fn from(tar: Bytes) -> Self {
        Self::bytes(tar)
    }
}

impl From<&Archive> for Archive {
    fn from(archive: &Archive) -> Self {
        archive.clone()
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive")
    }
}
