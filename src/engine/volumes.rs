//! Volumes. Most come and go with containers; some have a name and outlive theirs.

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};

use super::ownership::{belongs_to, instance_filter};
use super::{Engine, EngineError, Ownership, present};

#[derive(Debug, Clone, PartialEq)]
pub struct OwnedVolume {
    pub name: String,
    pub ownership: Ownership,
}

/// A volume with a name, which outlives the containers it is mounted in.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeSpec {
    pub name: String,
    pub ownership: Ownership,
}

impl Engine {
    /// One of that name and ownership that is there already is fine; another's is `Conflict`.
    pub async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), EngineError> {
        const CALL: &str = "create volume";
        let request = VolumeCreateRequest {
            name: Some(spec.name.clone()),
            labels: Some(spec.ownership.to_labels()),
            ..Default::default()
        };
        // The engine answers with the volume that has the name, whoever made it.
        let volume = self.call(CALL, |docker| docker.create_volume(request)).await?;
        if Ownership::from_labels(&volume.labels).as_ref() == Some(&spec.ownership) {
            return Ok(());
        }
        let message = format!("a volume named {} exists", spec.name);
        Err(EngineError::Conflict { call: CALL, message })
    }

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
