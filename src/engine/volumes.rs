//! Volumes. They come and go with containers; this is for those a crash left behind.

use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};

use super::ownership::{belongs_to, instance_filter};
use super::{Engine, EngineError, Ownership, present};

#[derive(Debug, Clone, PartialEq)]
pub struct OwnedVolume {
    pub name: String,
    pub ownership: Ownership,
}

impl Engine {
    pub async fn owned_volumes(&self) -> Result<Vec<OwnedVolume>, EngineError> {
        let filters = instance_filter(self.instance());
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let found = self.call("list volumes", |docker| docker.list_volumes(Some(options))).await?;
        let volumes = found.volumes.unwrap_or_default().into_iter();
        let owned = volumes.filter_map(|volume| {
            Some(OwnedVolume { ownership: Ownership::from_labels(&volume.labels)?, name: volume.name })
        });
        Ok(owned.collect())
    }

    /// Absent is fine; `Conflict` while a container uses it.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        const CALL: &str = "remove volume";
        let Some(found) = present(self.call(CALL, |docker| docker.inspect_volume(name)).await)? else {
            return Ok(());
        };
        if !belongs_to(Some(&found.labels), self.instance()) {
            return Err(EngineError::NotOurs { call: CALL, name: name.to_owned() });
        }
        let options = RemoveVolumeOptionsBuilder::default().force(false).build();
        present(self.call(CALL, |docker| docker.remove_volume(name, Some(options))).await).map(drop)
    }
}
