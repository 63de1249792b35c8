//! The data models of an app, read from its sources, without running it.
//!
//! ```text
//! sources ─┬─ python/      lines ─▶ classes ─▶ kinds (by what they derive from) ─▶ fields
//!          ├─ typescript/  interfaces, decorated classes, and calls that make schemas
//!          ├─ go           structs with tags, by lines
//!          └─ prisma       its own small language
//! ```
//!
//! What a model is follows from what it is made with; a class that derives from a model of the
//! project is one of the same kind. Fields are a class's own: those of its bases are theirs.

mod go;
mod prisma;
mod python;
#[cfg(test)]
mod tests;
mod typescript;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoints::sources::{Language, Sources, is_skipped};
use crate::domain::FileSet;

/// Larger files are data.
const MAX_FILE_BYTES: usize = 1024 * 1024;
const MAX_MODELS: usize = 2_000;
const MAX_FIELDS: usize = 300;
const MAX_TYPE: usize = 300;

/// One shape of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    pub name: String,
    pub kind: ModelKind,
    /// Models of the project that it has the fields of, too.
    pub extends: Vec<String>,
    /// In the order in which they are written.
    pub fields: Vec<Field>,
    pub description: Option<String>,
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// What a model is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    Pydantic,
    Dataclass,
    TypedDict,
    SqlAlchemy,
    SqlModel,
    Django,
    /// Documents of Beanie and MongoEngine.
    Document,
    Tortoise,
    Peewee,
    Mongoose,
    Prisma,
    TypeOrm,
    Zod,
    Drizzle,
    Sequelize,
    Interface,
    /// A `type` of TypeScript that is an object.
    Type,
    /// A class of TypeScript whose fields are checked: what NestJS takes as bodies.
    Dto,
    /// A struct of Go whose fields have tags.
    Struct,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Field {
    pub name: String,
    /// As written: `int | None`, `String(50)`, `CharField`, `string[]`.
    #[serde(rename = "type")]
    pub kind: String,
    /// It has neither a default nor may it be absent or null.
    pub required: bool,
}

/// The models found in the sources, by name and then file. Never fails: what cannot be read is
/// left out. Tests, vendored code and build output are not read.
pub fn models(files: &FileSet) -> Vec<Model> {
    read(&Sources::of(files))
}

/// The same, of sources at hand.
pub fn read(sources: &Sources) -> Vec<Model> {
    let mut all = python::read(sources);
    all.extend(typescript::read(sources));
    for (path, file) in sources.all().iter() {
        let name = path.name();
        let read: fn(&str, &str) -> Vec<Model> = if name.ends_with(".prisma") {
            prisma::read
        } else if name.ends_with(".go") && !name.ends_with("_test.go") {
            go::read
        } else {
            continue;
        };
        if !is_skipped(path.as_str()) && file.content.len() <= MAX_FILE_BYTES {
            all.extend(read(path.as_str(), &String::from_utf8_lossy(&file.content)));
        }
    }
    all.retain(|model| !model.name.is_empty() && model.name.len() <= MAX_TYPE);
    all.sort_by(|a, b| (&a.name, &a.file, a.line).cmp(&(&b.name, &b.file, b.line)));
    all.truncate(MAX_MODELS);
    all
}

/// A type on one line, of bounded length.
fn one_line(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match joined.char_indices().nth(MAX_TYPE) {
        Some((at, _)) => format!("{}…", &joined[..at]),
        None => joined,
    }
}

/// Adds a field, unless there is one of the name: the last one counts, in the first one's place.
fn add_field(fields: &mut Vec<Field>, field: Field) {
    if let Some(there) = fields.iter_mut().find(|one| one.name == field.name) {
        *there = field;
    } else if fields.len() < MAX_FIELDS {
        fields.push(field);
    }
}
