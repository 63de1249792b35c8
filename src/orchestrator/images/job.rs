//! One image to be made, as the engine's builder is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio_util::io::{ReaderStream, SyncIoBridge};

use super::{Config, Recipe};
use crate::domain::{Generation, InstanceId, UserId};
use crate::engine::{Archive, BuildRequest, ContainerSpec, Kind, Ownership};
use crate::generation::{self, BuildInputs, Entry, Language, Part};

/// A generation's image, or the part of it that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub generation: Arc<Generation>,
    pub recipe: Arc<Recipe>,
    pub part: Part,
}

impl Job {
    pub fn whole(generation: &Arc<Generation>, recipe: &Arc<Recipe>) -> Self {
        Self { generation: Arc::clone(generation), recipe: Arc::clone(recipe), part: Part::Whole }
    }

    /// Nobody waits for it.
    pub fn is_behind(&self) -> bool {
        self.part != Part::Whole
    }

    /// The name of what is made.
    pub fn tag(&self) -> String {
        match self.part {
            Part::Environment => self.recipe.environment.clone(),
            Part::Whole | Part::Onto(_) => None,
        }
        .unwrap_or_else(|| self.recipe.tag.clone())
    }

    pub fn request(&self, instance: &InstanceId, config: &Config) -> BuildRequest {
        let plan = &self.recipe.plan;
        let has_classic = plan.language != Language::Docker;
        let kind = match self.part {
            Part::Environment => Kind::Environment,
            Part::Whole | Part::Onto(_) => Kind::Image,
        };
        BuildRequest {
            tag: self.tag(),
            context: self.context(config),
            dockerfile: generation::DOCKERFILE.to_owned(),
            classic_dockerfile: has_classic.then(|| generation::CLASSIC_DOCKERFILE.to_owned()),
            build_args: generation::build_args(plan, &config.inputs),
            // Of an environment, the generation that it was first made for.
            ownership: Ownership {
                generation: Some(self.generation.id.clone()),
                ..Ownership::of(instance.clone(), kind)
            },
            labels: BTreeMap::new(),
            timeout: Some(config.timeout),
            memory_bytes: Some(config.memory_mb * 1024 * 1024),
            network: None,
        }
    }

    fn context(&self, config: &Config) -> Archive {
        let caches_of = scope(&self.generation.owner);
        let (job, inputs) = (self.clone(), BuildInputs { caches_of, ..config.inputs.clone() });
        packed(move |out| {
            generation::context(&job.recipe.plan, &job.generation.files, &inputs, &job.part, out)
        })
    }
}

/// What tells an owner's build caches, and what is made with them, from those of others.
pub(super) fn scope(owner: &UserId) -> String {
    let mut scope = crate::orchestrator::token::hash(owner.as_str());
    scope.truncate(16);
    scope
}

/// The source as the image has it in `/app`, for a container of the environment, and what a process
/// that waits in it is told.
pub fn source_archive(generation: &Arc<Generation>, recipe: &Arc<Recipe>, order: Option<Vec<u8>>) -> Archive {
    let (generation, recipe) = (Arc::clone(generation), Arc::clone(recipe));
    let order = order.map(|order| Entry::File { content: order.into(), executable: false });
    packed(move |out| {
        let mut files = generation::source(&recipe.plan, &generation.files);
        files.extend(order.clone().map(|order| (generation::ORDER.to_owned(), order)));
        generation::pack(files, ContainerSpec::UID, out)
    })
}

/// An archive that is packed while it is sent: a large tree is not held twice.
fn packed(pack: impl Fn(&mut dyn io::Write) -> io::Result<()> + Clone + Send + Sync + 'static) -> Archive {
    Archive::stream(move || {
        let (reader, writer) = tokio::io::duplex(256 * 1024);
        let pack = pack.clone();
        let packing = tokio::task::spawn_blocking(move || pack(&mut SyncIoBridge::new(writer)));
        let read = ReaderStream::with_capacity(reader, 64 * 1024);
        let end = stream::once(async move {
            match packing.await {
                Ok(packed) => packed.map(|()| Bytes::new()),
                Err(error) => Err(io::Error::other(error)),
            }
        });
        read.chain(end).try_filter(|bytes| std::future::ready(!bytes.is_empty()))
    })
}
