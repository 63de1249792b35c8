//! Two versions of an app, and what became of the first in the second: endpoints, models,
//! packages, environment, and how fast each was.

mod dependencies;
mod environment;
mod models;
mod performance;
mod routes;
#[cfg(test)]
mod tests;

use serde::Serialize;
use utoipa::ToSchema;

use super::outline::Outline;
use super::plan::Plan;
use crate::domain::{FileSet, Metadata};

pub use dependencies::{Dependency, DependencyChanges, ModifiedDependency};
pub use environment::EnvironmentChanges;
pub use models::{ModelChanges, ModifiedModel};
pub use performance::{Performance, PerformanceChange};
pub use routes::{EndpointChanges, ModifiedEndpoint};

/// What one version is made of.
#[derive(Clone, Copy)]
pub struct Version<'a> {
    pub metadata: &'a Metadata,
    pub files: &'a FileSet,
    pub outline: &'a Outline,
    /// `None` when the version cannot be planned.
    pub plan: Option<&'a Plan>,
    /// Of its latest preview, if it ever served.
    pub performance: Option<Performance>,
}

/// The changes from one version to another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    pub endpoints: EndpointChanges,
    pub models: ModelChanges,
    pub dependencies: DependencyChanges,
    pub environment: EnvironmentChanges,
    pub performance: PerformanceChange,
}

/// One fact that was one thing and is another; nothing where it was, or is, not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// `response`, `query parameter limit`, `field price`, …
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What changed from `before` to `after`.
pub fn compare(before: Version<'_>, after: Version<'_>) -> Comparison {
    Comparison {
        endpoints: routes::changes(&before.outline.endpoints, &after.outline.endpoints),
        models: models::changes(&before.outline.models, &after.outline.models),
        dependencies: dependencies::changes(before.files, after.files),
        environment: environment::changes(&before, &after),
        performance: performance::change(before.performance, after.performance),
    }
}

impl Change {
    fn of(what: impl Into<String>, before: Option<String>, after: Option<String>) -> Option<Self> {
        (before != after).then(|| Self { what: what.into(), before, after })
    }
}
