//! What two versions run in: variables, runtime, system packages, the start command.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Change, Version};
use crate::generation::plan::Plan;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct EnvironmentChanges {
    /// Names of variables that the later version sets or its code asks for, and the earlier not.
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Variables with another value, whose values are not told; and the framework, runtime, start
    /// command, port and system packages where they differ.
    pub modified: Vec<Change>,
}

pub fn changes(before: &Version<'_>, after: &Version<'_>) -> EnvironmentChanges {
    let (ours, theirs) = (names(before), names(after));
    let mut modified = Vec::new();
    for (name, value) in &after.metadata.environment {
        let changed = before.metadata.environment.get(name).is_some_and(|old| old != value);
        // Values may be secret.
        modified.extend(changed.then(|| Change {
            what: format!("variable {name}"),
            before: Some("a value".to_owned()),
            after: Some("another value".to_owned()),
        }));
    }
    if let (Some(before), Some(after)) = (before.plan, after.plan) {
        modified.extend(plans(before, after));
    }
    EnvironmentChanges {
        added: theirs.difference(&ours).cloned().collect(),
        removed: ours.difference(&theirs).cloned().collect(),
        modified,
    }
}

/// Variables the metadata sets, and those the code asks for.
fn names(version: &Version<'_>) -> BTreeSet<String> {
    let set = version.metadata.environment.keys().cloned();
    let read = version.plan.into_iter().flat_map(|plan| &plan.environment_read);
    set.chain(read.map(|read| read.name.clone())).collect()
}

fn plans(before: &Plan, after: &Plan) -> Vec<Change> {
    let start = |plan: &Plan| plan.start.as_ref().map(|words| words.join(" "));
    let packages = |plan: &Plan| (!plan.system_packages.is_empty()).then(|| plan.system_packages.join(", "));
    let some = |text: &str| Some(text.to_owned());
    [
        Change::of("framework", some(&before.framework), some(&after.framework)),
        Change::of("runtime", before.runtime_version.clone(), after.runtime_version.clone()),
        Change::of("start", start(before), start(after)),
        Change::of("port", Some(before.port.to_string()), Some(after.port.to_string())),
        Change::of("health path", some(&before.health_path), some(&after.health_path)),
        Change::of("system packages", packages(before), packages(after)),
    ]
    .into_iter()
    .flatten()
    .collect()
}
