//! Endpoints of two versions.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Change;
use crate::generation::endpoints::{Endpoint, Parameter, Place, shape};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct EndpointChanges {
    pub added: Vec<Endpoint>,
    pub removed: Vec<Endpoint>,
    pub modified: Vec<ModifiedEndpoint>,
}

/// An endpoint that both versions have, and that asks for or gives something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModifiedEndpoint {
    pub method: String,
    /// As the later version has it.
    pub path: String,
    pub changes: Vec<Change>,
}

type Key = (String, String);

/// Endpoints are the same by method and path; else by a path that only calls its parameters
/// something else.
pub fn changes(before: &[Endpoint], after: &[Endpoint]) -> EndpointChanges {
    let mut earlier: BTreeMap<Key, &Endpoint> = before.iter().map(|one| (key(one), one)).collect();
    let mut changes = EndpointChanges::default();
    let mut unmatched = Vec::new();
    for endpoint in after {
        match earlier.remove(&key(endpoint)) {
            Some(old) => changes.modified.extend(modified(old, endpoint)),
            None => unmatched.push(endpoint),
        }
    }
    for endpoint in unmatched {
        let alike = earlier
            .values()
            .find(|old| old.method == endpoint.method && shape(&old.path) == shape(&endpoint.path));
        match alike.map(|old| key(old)).and_then(|key| earlier.remove(&key)) {
            Some(old) => changes.modified.extend(modified(old, endpoint)),
            None => changes.added.push(endpoint.clone()),
        }
    }
    changes.removed = earlier.into_values().cloned().collect();
    changes
}

fn key(endpoint: &Endpoint) -> Key {
    (endpoint.path.clone(), endpoint.method.clone())
}

fn modified(before: &Endpoint, after: &Endpoint) -> Option<ModifiedEndpoint> {
    let mut changes = Vec::new();
    changes.extend(Change::of("path", Some(before.path.clone()), Some(after.path.clone())));
    changes.extend(parameters(&before.parameters, &after.parameters));
    changes.extend(Change::of("body", before.body.clone(), after.body.clone()));
    changes.extend(Change::of("response", before.response.clone(), after.response.clone()));
    let (method, path) = (after.method.clone(), after.path.clone());
    (!changes.is_empty()).then_some(ModifiedEndpoint { method, path, changes })
}

/// Parameters of the path have their places by its order, the others their names.
fn parameters(before: &[Parameter], after: &[Parameter]) -> Vec<Change> {
    let of_path = |all: &[Parameter]| -> Vec<(String, Parameter)> {
        let all = all.iter().filter(|one| one.place == Place::Path).enumerate();
        all.map(|(at, one)| (at.to_string(), one.clone())).collect()
    };
    let others = |all: &[Parameter]| -> Vec<(String, Parameter)> {
        let all = all.iter().filter(|one| one.place != Place::Path);
        all.map(|one| (format!("{:?} {}", one.place, one.name), one.clone())).collect()
    };
    let mut earlier: BTreeMap<String, Parameter> =
        of_path(before).into_iter().chain(others(before)).collect();
    let mut changes = Vec::new();
    for (key, parameter) in of_path(after).into_iter().chain(others(after)) {
        let old = earlier.remove(&key);
        changes.extend(Change::of(named(&parameter), old.as_ref().map(told), Some(told(&parameter))));
    }
    changes.extend(earlier.values().filter_map(|old| Change::of(named(old), Some(told(old)), None)));
    changes
}

fn named(parameter: &Parameter) -> String {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
        Place::Cookie => "cookie",
    };
    format!("{place} parameter {}", parameter.name)
}

/// `int`, `int, optional`.
fn told(parameter: &Parameter) -> String {
    let kind = parameter.kind.as_deref().unwrap_or("any");
    if parameter.required { kind.to_owned() } else { format!("{kind}, optional") }
}
