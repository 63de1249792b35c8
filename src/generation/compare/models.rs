//! Models of two versions.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Change;
use crate::generation::models::{Field, Model, ModelKind};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelChanges {
    pub added: Vec<Model>,
    pub removed: Vec<Model>,
    pub modified: Vec<ModifiedModel>,
}

/// A model that both versions have, with other fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModifiedModel {
    pub name: String,
    pub kind: ModelKind,
    /// Where the later version has it.
    pub file: String,
    pub changes: Vec<Change>,
}

type Key = (String, ModelKind, String);

/// Models are the same by name, kind and file; else by name and kind, in another file.
pub fn changes(before: &[Model], after: &[Model]) -> ModelChanges {
    let mut earlier: BTreeMap<Key, &Model> = before.iter().map(|model| (key(model), model)).collect();
    let mut changes = ModelChanges::default();
    let mut unmatched = Vec::new();
    for model in after {
        match earlier.remove(&key(model)) {
            Some(old) => changes.modified.extend(modified(old, model)),
            None => unmatched.push(model),
        }
    }
    for model in unmatched {
        let moved = earlier.values().find(|old| old.name == model.name && old.kind == model.kind);
        match moved.map(|old| key(old)).and_then(|key| earlier.remove(&key)) {
            Some(old) => changes.modified.extend(modified(old, model)),
            None => changes.added.push(model.clone()),
        }
    }
    changes.removed = earlier.into_values().cloned().collect();
    changes
}

fn key(model: &Model) -> Key {
    (model.name.clone(), model.kind, model.file.clone())
}

fn modified(before: &Model, after: &Model) -> Option<ModifiedModel> {
    let mut earlier: BTreeMap<&str, &Field> =
        before.fields.iter().map(|field| (field.name.as_str(), field)).collect();
    let mut changes = Vec::new();
    let bases = |model: &Model| (!model.extends.is_empty()).then(|| model.extends.join(", "));
    changes.extend(Change::of("extends", bases(before), bases(after)));
    for field in &after.fields {
        let old = earlier.remove(field.name.as_str());
        changes.extend(Change::of(format!("field {}", field.name), old.map(told), Some(told(field))));
    }
    let gone = before.fields.iter().filter(|field| earlier.contains_key(field.name.as_str()));
    changes.extend(gone.filter_map(|old| Change::of(format!("field {}", old.name), Some(told(old)), None)));
    let (name, kind, file) = (after.name.clone(), after.kind, after.file.clone());
    (!changes.is_empty()).then_some(ModifiedModel { name, kind, file, changes })
}

/// `int`, `int, optional`.
fn told(field: &Field) -> String {
    if field.required { field.kind.clone() } else { format!("{}, optional", field.kind) }
}
