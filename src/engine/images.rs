//! Images: which are there, and fetching one from where the engine gets them.

use std::collections::BTreeMap;

use bollard::models::{CreateImageInfo, ImageInspect, ImageSummary};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::ownership::{belongs_to, instance_filter};
use super::{Engine, EngineError, Ownership, present};

#[derive(Debug, Clone, PartialEq)]
pub struct OwnedImage {
    /// Content id.
    pub id: String,
    /// Names with tags; none once another image took them over.
    pub names: Vec<String>,
    pub ownership: Ownership,
    pub created_at: Option<DateTime<Utc>>,
    pub size_bytes: u64,
}

/// What an image is made of, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Of its content.
    pub id: String,
    /// Digests of the layers' content, the lowest first.
    pub layers: Vec<String>,
    pub entry_point: Vec<String>,
    pub command: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub working_dir: String,
}

impl Engine {
    pub async fn image_facts(&self, name: &str) -> Result<Option<ImageFacts>, EngineError> {
        Ok(self.inspect_image(name).await?.map(ImageFacts::new))
    }

    /// The content id of an image the engine holds.
    pub async fn image_id(&self, name: &str) -> Result<Option<String>, EngineError> {
        Ok(self.inspect_image(name).await?.and_then(|image| image.id))
    }

    /// Images built by this instance.
    pub async fn owned_images(&self) -> Result<Vec<OwnedImage>, EngineError> {
        let filters = instance_filter(self.instance());
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let found = self.call("list images", |docker| docker.list_images(Some(options))).await?;
        Ok(found.into_iter().filter_map(OwnedImage::new).collect())
    }

    /// Takes the name away, and the image with its last name; an id removes an image that has at
    /// most one name. Absent is fine; `Conflict` while a container uses it.
    pub async fn remove_image(&self, name: &str) -> Result<(), EngineError> {
        const CALL: &str = "remove image";
        let Some(found) = self.inspect_image(name).await? else { return Ok(()) };
        if !belongs_to(found.config.and_then(|config| config.labels).as_ref(), self.instance()) {
            return Err(EngineError::NotOurs { call: CALL, name: name.to_owned() });
        }
        let options = RemoveImageOptionsBuilder::default().force(false).build();
        present(self.call(CALL, |docker| docker.remove_image(name, Some(options), None)).await).map(drop)
    }

    /// Fetches an image. Lines for a person go to `progress`, as many as it takes; the deadline
    /// is on silence, not on the whole.
    pub async fn pull(&self, name: &str, progress: &mpsc::Sender<String>) -> Result<(), EngineError> {
        const CALL: &str = "pull image";
        let after = self.config().call_timeout;
        let (image, tag) = split_tag(name);
        let options = CreateImageOptionsBuilder::default().from_image(image).tag(tag).build();
        let mut answers = Box::pin(self.0.docker.create_image(Some(options), None, None));
        loop {
            match tokio::time::timeout(after, answers.next()).await {
                Err(_) => return Err(EngineError::Timeout { call: CALL, after }),
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(EngineError::from_bollard(CALL, error)),
                Ok(Some(Ok(step))) => {
                    if let Some(message) = step.error_detail.as_ref().and_then(|e| e.message.clone()) {
                        return Err(EngineError::Failed { call: CALL, message });
                    }
                    // A full channel loses a line of progress, nothing else.
                    progress.try_send(progress_line(&step)).ok();
                }
            }
        }
    }

    async fn inspect_image(&self, name: &str) -> Result<Option<ImageInspect>, EngineError> {
        present(self.call("inspect image", |docker| docker.inspect_image(name)).await)
    }
}

impl ImageFacts {
    fn new(image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        let variables = config.env.unwrap_or_default().into_iter();
        let pair = |text: String| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        Self {
            id: image.id.unwrap_or_default(),
            layers: image.root_fs.and_then(|root| root.layers).unwrap_or_default(),
            entry_point: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            variables: variables.filter_map(pair).collect(),
            working_dir: config.working_dir.unwrap_or_default(),
        }
    }
}

impl OwnedImage {
    fn new(image: ImageSummary) -> Option<Self> {
        Some(Self {
            ownership: Ownership::from_labels(&image.labels)?,
            // How the engine writes "no name".
            names: image.repo_tags.into_iter().filter(|name| name != "<none>:<none>").collect(),
            created_at: DateTime::from_timestamp(image.created, 0),
            size_bytes: u64::try_from(image.size).unwrap_or(0),
            id: image.id,
        })
    }
}

/// Without a tag the engine would fetch every tag there is.
fn split_tag(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => (image, tag),
        _ => (name, "latest"),
    }
}

fn progress_line(step: &CreateImageInfo) -> String {
    let status = step.status.as_deref().unwrap_or_default();
    let detail = step.progress_detail.as_ref();
    let share = detail.and_then(|detail| Some((detail.current?, detail.total.filter(|t| *t > 0)?)));
    let layer = step.id.as_deref().map(|id| format!("{id}: ")).unwrap_or_default();
    match share {
        Some((current, total)) => format!("{layer}{status} {}%", current * 100 / total),
        None => format!("{layer}{status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(split_tag("app"), ("app", "latest"));
        assert_eq!(split_tag("app:1"), ("app", "1"));
        assert_eq!(split_tag("host:5000/app"), ("host:5000/app", "latest"));
        assert_eq!(split_tag("host:5000/app:1"), ("host:5000/app", "1"));
    }
}
