//! What is going to be built and started, and why: the result of planning, shown to whoever asks.

use std::collections::BTreeMap;

use serde::Serialize;

use super::needs::{CacheNeed, DatabaseNeed, DatabaseTask};
use super::recipe::Recipe;
use crate::domain::Mode;

/// Everything the build and the start of one generation need to know.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub language: Language,
    /// `fastapi`, `flask`, `express`, `static`, `dockerfile`, …
    pub framework: String,
    #[schema(value_type = String)]
    pub mode: Mode,
    /// The image the final stage starts from.
    pub base_image: String,
    /// `3.11`, `20`; absent for static sites and own Dockerfiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<String>,
    /// Where in the container the app is started: `/app` or a folder under it.
    pub working_dir: String,
    /// The start command; absent when the Dockerfile's own CMD or ENTRYPOINT starts the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Vec<String>>,
    /// Where the app listens inside its container.
    pub port: u16,
    /// The address it is made, or expected, to listen on, and how.
    pub bind: String,
    pub health_path: String,
    /// The metadata named it; else any HTTP answer counts as healthy.
    pub health_path_given: bool,
    /// Variables set in the image. Values of the metadata's `environment` are never among them.
    pub environment: BTreeMap<String, String>,
    /// Variables the code asks for.
    pub environment_read: Vec<EnvRead>,
    /// Names among them that have no default and that neither the metadata, `.env` nor the image
    /// sets: without them the app may not start.
    pub environment_missing: Vec<String>,
    /// The database the app expects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseNeed>,
    /// The cache or broker the app expects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheNeed>,
    /// How the app's schema gets into its database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration: Option<DatabaseTask>,
    /// How first data gets into it, after the migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<DatabaseTask>,
    /// Variables of `.env` files at the top of the tree and where the app is started. The files
    /// themselves stay out of the image; whoever starts the container sets these, with lower
    /// precedence than any other source. Not shown: the values may be secret.
    #[serde(skip)]
    pub dotenv: BTreeMap<String, String>,
    /// Modules that a process may load before it is the app. How an image is made and what is in it
    /// does not depend on them.
    #[serde(skip)]
    pub preload: Vec<String>,
    /// Distribution packages installed into the image.
    pub system_packages: Vec<String>,
    /// How the image is made.
    pub recipe: Recipe,
    pub decisions: Vec<Decision>,
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// Every image the build starts from.
    pub fn base_images(&self) -> Vec<String> {
        match &self.recipe {
            Recipe::Dockerfile(own) => own.bases.clone(),
            recipe => {
                let mut images = vec![self.base_image.clone()];
                images.extend(recipe.further_images());
                images.dedup();
                images
            }
        }
    }

    /// Variables somebody sets for the app, in front of which stands what its start depends on:
    /// where the plan sets a path to modules, or options of Node, theirs come after.
    pub fn beside(&self, mut given: BTreeMap<String, String>) -> BTreeMap<String, String> {
        add_to(&self.environment, &mut given);
        given
    }

    /// Folders the app may write to besides those in memory. An own Dockerfile says nowhere what
    /// its app writes; it gets the folders in memory alone.
    pub fn writable(&self) -> Vec<String> {
        match &self.recipe {
            // Nobody but we writes to a static site: its files are replaced while it is served.
            Recipe::Python(_)
            | Recipe::Node(_)
            | Recipe::Both(_)
            | Recipe::Go(_)
            | Recipe::Rust(_)
            | Recipe::Php(_)
            | Recipe::Ruby(_)
            | Recipe::Static(_) => vec!["/app".to_owned()],
            Recipe::Site(_) | Recipe::Dockerfile(_) => Vec::new(),
        }
    }
}

/// Where both set one of the variables that are lists, what is planned and then what is given.
pub(super) fn add_to(planned: &BTreeMap<String, String>, given: &mut BTreeMap<String, String>) {
    for (name, between) in [("PYTHONPATH", ":"), ("NODE_OPTIONS", " ")] {
        if let (Some(planned), Some(given)) = (planned.get(name), given.get_mut(name)) {
            *given = match given.as_str() {
                "" => planned.clone(),
                given => format!("{planned}{between}{given}"),
            };
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Python,
    Node,
    Static,
    Go,
    Rust,
    Php,
    Ruby,
    /// An own Dockerfile: whatever it holds.
    Docker,
}

/// One choice and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What was to be decided: `framework`, `port`, `start`, …
    pub what: String,
    pub choice: String,
    pub reason: String,
    pub source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// Where a choice came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Metadata,
    Detected,
    Default,
}

/// Something that will work less well than its author may expect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// One place where the code asks for an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvRead {
    pub name: String,
    pub file: String,
    /// From 1.
    pub line: usize,
    pub has_default: bool,
}

/// A place in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// From 1; absent when the whole file is meant.
    pub line: Option<usize>,
}

impl Place {
    pub fn line(file: &str, line: usize) -> Option<Self> {
        Some(Self { file: file.to_owned(), line: Some(line) })
    }

    pub fn file(file: &str) -> Option<Self> {
        Some(Self { file: file.to_owned(), line: None })
    }
}

/// Decisions and warnings as they are gathered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notes {
    pub decisions: Vec<Decision>,
    pub warnings: Vec<Warning>,
}

impl Notes {
    pub fn decide(
        &mut self,
        what: &str,
        choice: impl Into<String>,
        source: Source,
        reason: impl Into<String>,
        place: Option<Place>,
    ) {
        let (file, line) = place.map_or((None, None), |place| (Some(place.file), place.line));
        let (what, choice, reason) = (what.to_owned(), choice.into(), reason.into());
        self.decisions.push(Decision { what, choice, reason, source, file, line });
    }

    /// What two parts of a plan say alike is said once.
    pub fn forget_what_was_said_before(&mut self) {
        self.decisions = self.decisions.drain(..).fold(Vec::new(), once);
        self.warnings = self.warnings.drain(..).fold(Vec::new(), once);
    }

    pub fn warn(&mut self, message: impl Into<String>, place: Option<Place>) {
        let (file, line) = place.map_or((None, None), |place| (Some(place.file), place.line));
        self.warnings.push(Warning { message: message.into(), file, line });
    }
}

fn once<T: PartialEq>(mut kept: Vec<T>, next: T) -> Vec<T> {
    if !kept.contains(&next) {
        kept.push(next);
    }
    kept
}
