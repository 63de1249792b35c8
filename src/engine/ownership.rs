//! The labels that say what is ours, and whose it is. Everything previewd makes on an engine
//! carries them, so that after any crash the engine itself tells what belongs to which preview.

use std::collections::HashMap;

use crate::domain::{GenerationId, InstanceId, PreviewId, UserId};

pub const INSTANCE: &str = "previewd.instance";
pub const PREVIEW: &str = "previewd.preview";
pub const GENERATION: &str = "previewd.generation";
pub const OWNER: &str = "previewd.owner";
pub const KIND: &str = "previewd.kind";

/// What a labelled thing is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The container that serves a preview.
    Preview,
    /// A short-lived container that does one job for a preview: a migration, a seed.
    Task,
    /// A database server: of one preview when it names one, else of all.
    Server,
    /// The cache of one preview.
    Cache,
    /// It has loaded what an owner's apps load, and waits for one of them to serve it. It keeps the
    /// label when it does: labels are for ever.
    Warm,
    Network,
    Volume,
    /// An image built from a generation.
    Image,
    /// All of such an image but the source, for every generation of the same dependencies.
    Environment,
    /// An image others are built on.
    Base,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    pub instance: InstanceId,
    pub preview: Option<PreviewId>,
    pub generation: Option<GenerationId>,
    pub owner: Option<UserId>,
    pub kind: Kind,
}

impl Kind {
    /// The value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Task => "task",
            Self::Server => "server",
            Self::Cache => "cache",
            Self::Warm => "warm",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Image => "image",
            Self::Environment => "environment",
            Self::Base => "base",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        const ALL: [Kind; 10] = [
            Kind::Preview,
            Kind::Task,
            Kind::Server,
            Kind::Cache,
            Kind::Warm,
            Kind::Network,
            Kind::Volume,
            Kind::Image,
            Kind::Environment,
            Kind::Base,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Ownership {
    /// Of the instance alone; the other fields are filled in where they apply.
    pub fn of(instance: InstanceId, kind: Kind) -> Self {
        Self { instance, preview: None, generation: None, owner: None, kind }
    }

    /// The same owner of another kind of thing: the network of a preview's container.
    pub fn with_kind(&self, kind: Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    pub fn to_labels(&self) -> HashMap<String, String> {
        let fields = [
            (INSTANCE, Some(self.instance.to_string())),
            (PREVIEW, self.preview.map(|id| id.to_string())),
            (GENERATION, self.generation.as_ref().map(ToString::to_string)),
            (OWNER, self.owner.as_ref().map(ToString::to_string)),
            (KIND, Some(self.kind.as_str().to_owned())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// `None` when the labels are not ours or one of them is broken: such a thing is left alone.
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        fn parsed<T: std::str::FromStr>(labels: &HashMap<String, String>, name: &str) -> Option<Option<T>> {
            labels.get(name).map(|text| text.parse().ok()).map_or(Some(None), |parsed| parsed.map(Some))
        }
        Some(Self {
            instance: parsed(labels, INSTANCE)??,
            preview: parsed(labels, PREVIEW)?,
            generation: parsed(labels, GENERATION)?,
            owner: parsed(labels, OWNER)?,
            kind: Kind::parse(labels.get(KIND)?)?,
        })
    }
}

/// The owner of a container. A container carries the labels of its image too, so one that
/// somebody ran from an image of ours by hand says `image`: that one is not ours.
pub(super) fn of_container(labels: &HashMap<String, String>) -> Option<Ownership> {
    let found = Ownership::from_labels(labels)?;
    matches!(found.kind, Kind::Preview | Kind::Task | Kind::Server | Kind::Cache | Kind::Warm)
        .then_some(found)
}

/// The engine's list filter for everything of one instance.
pub(super) fn instance_filter(instance: &InstanceId) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{INSTANCE}={instance}")])])
}

/// Whether labels read back name this instance, however broken the rest of them may be.
pub(super) fn belongs_to(labels: Option<&HashMap<String, String>>, instance: &InstanceId) -> bool {
    labels.and_then(|labels| labels.get(INSTANCE)).is_some_and(|text| text == instance.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Ownership {
        Ownership {
            instance: InstanceId::parse("abcd1234").expect("valid"),
            preview: Some(PreviewId::new()),
            generation: Some(GenerationId::parse("gen-1").expect("valid")),
            owner: Some(UserId::parse("user@example").expect("valid")),
            kind: Kind::Preview,
        }
    }

    #[test]
    fn labels_are_read_back_as_written() {
        for ownership in [full(), Ownership::of(full().instance, Kind::Image)] {
            assert_eq!(Ownership::from_labels(&ownership.to_labels()), Some(ownership));
        }
    }

    #[test]
    fn a_container_with_no_labels_but_its_images_is_nobody_of_ours() {
        let whole = full();
        assert_eq!(of_container(&whole.to_labels()), Some(whole));
        assert_eq!(of_container(&full().with_kind(Kind::Image).to_labels()), None);
    }

    #[test]
    fn foreign_or_broken_labels_are_nobody_of_ours() {
        let broken = |name: &str, value: Option<&str>| {
            let mut labels = full().to_labels();
            match value {
                Some(value) => labels.insert(name.to_owned(), value.to_owned()),
                None => labels.remove(name),
            };
            Ownership::from_labels(&labels)
        };
        assert_eq!(broken(INSTANCE, None), None);
        assert_eq!(broken(INSTANCE, Some("NOT ONE")), None);
        assert_eq!(broken(PREVIEW, Some("7")), None);
        assert_eq!(broken(KIND, Some("teapot")), None);
        assert!(broken(PREVIEW, None).is_some());
    }
}
