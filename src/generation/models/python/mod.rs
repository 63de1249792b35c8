//! Models of Python: classes, and what they derive from.

mod classes;
mod fields;
mod kinds;
mod lines;

use std::collections::BTreeSet;

use super::super::endpoints::sources::text_of;
use super::{Field, Language, Model, ModelKind, Sources};
use classes::Class;

/// A file without any of these declares nothing of interest, whatever its classes derive from.
const CLASS: &[u8] = b"class ";
const TABLE: &[u8] = b"Table(";

/// The models of all Python files.
pub fn read(sources: &Sources) -> Vec<Model> {
    let mut files = Vec::new();
    for (path, language, bytes) in sources.iter() {
        let holds = |word| memchr::memmem::find(bytes, word).is_some();
        if language == Language::Python && (holds(CLASS) || holds(TABLE)) {
            files.push((path, text_of(bytes)));
        }
    }
    let mut classes: Vec<Class> = Vec::new();
    let mut models = Vec::new();
    for (path, text) in &files {
        let file = kinds::FileFacts::of(text);
        classes::read(path, text, &file, &mut classes, &mut models);
    }
    let kinds = kinds::all(&classes);
    for (class, kind) in classes.iter().zip(&kinds.of) {
        if let Some(kind) = kind {
            models.push(model(class, *kind, &kinds));
        }
    }
    // The declarative base, and what only marks other classes, holds nothing itself.
    models.retain(|model| !model.fields.is_empty() || !model.extends.is_empty());
    let kept: BTreeSet<String> = models.iter().map(|model| model.name.clone()).collect();
    for model in &mut models {
        model.extends.retain(|base| kept.contains(base));
    }
    models
}

fn model(class: &Class, kind: ModelKind, kinds: &kinds::Kinds) -> Model {
    let mut fields: Vec<Field> = Vec::new();
    for line in &class.lines {
        if let Some(field) = fields::of(kind, line) {
            super::add_field(&mut fields, field);
        }
    }
    let extends = class.bases.iter().map(|base| classes::last_name(base));
    let extends = extends.filter(|base| kinds.is_model(base)).map(str::to_owned).collect();
    Model {
        name: class.name.to_owned(),
        kind,
        extends,
        fields,
        description: class.doc.clone(),
        file: class.file.to_owned(),
        line: class.line,
    }
}
