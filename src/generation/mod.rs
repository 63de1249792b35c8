//! Code in, plan out: detect → plan → Dockerfile, as pure functions over (metadata, files).
//!
//! ```text
//! Metadata + FileSet ──► planner ──► frameworks/ (one file each) ──► Plan with every decision
//!                           └──► own_dockerfile/ (checked)            │
//!                                     dockerfile/ (text) ◄────────────┤
//!                                     context/ (tar)     ◄────────────┤
//!                                     tag (name by content) ◄─────────┘
//! ```
//!
//! No I/O, and no panic whatever the bytes are. `quoting` is the one place where data is written
//! into a Dockerfile, a shell line or a command.

mod assemble;
mod bases;
mod broken;
pub mod compare;
mod container;
mod context;
mod diagnosis;
mod dockerfile;
mod dotenv;
pub mod endpoints;
mod entry_point;
mod environment;
mod error;
mod examples;
mod frameworks;
mod go;
mod health;
pub mod models;
mod needs;
mod node;
pub mod outline;
mod own_dockerfile;
mod php;
mod plan;
mod planner;
mod project;
mod python;
#[cfg(fuzzing)]
pub mod quoting;
#[cfg(not(fuzzing))]
mod quoting;
mod recipe;
mod reload;
mod ruby;
mod syntax;
mod tag;
mod tagged;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod warm;

/// Begins the id of every build cache of our recipes; an own Dockerfile may not name a cache with it.
const OUR_CACHES: &str = "previewd";

/// Begins the id of every build cache of an own Dockerfile, until it is known whose that is.
const OWNERS: &str = "{owner}/";

pub use bases::{BaseImages, Resolved, Runtime};
pub use context::{
    BuildInputs, CLASSIC_DOCKERFILE, DOCKERFILE, Entry, Part, build_args, context, pack, with_folders,
};
pub use diagnosis::explain as explain_failure;
pub use dockerfile::{BUILD_MARK, Dialect, dockerfile};
pub use environment::{Start, environment_tag, is_environment, shared as shares_environment, source, start};
pub use error::PlanError;
pub use needs::{
    CacheKind, CacheNeed, ConnectionPart, DatabaseKind, DatabaseNeed, DatabaseTask, DatabaseVariable,
};
pub use plan::{Decision, EnvRead, Language, Plan, Source, Warning};
pub use planner::plan;
pub use quoting::split_words;
pub use recipe::{
    BothRecipe, BuiltPages, DependencyFile, GoRecipe, NodeRecipe, OwnDockerfile, PackageManager, PagesServer,
    PhpAssets, PhpRecipe, PythonRecipe, Recipe, RubyRecipe, RustRecipe, SiteRecipe, StaticRecipe,
};
pub use reload::{Reload, reload};
pub use tag::image_tag;
pub use warm::{AGAIN, ORDER, WAITING, keeper, order, reads_early, warm};
