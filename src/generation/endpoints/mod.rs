//! The endpoints of an app, read from its sources, without running it.
//!
//! ```text
//! FileSet ─ sources ─▶ files that can matter ─ python, node, go: lower ─▶ syntax
//!                                                                       │ interpreter
//!                          Vec<Endpoint> ◀─ walk from the apps down ─ routes
//! ```
//!
//! A framework is one file, `python/fastapi.rs` or `node/express.rs`: it says what a call of its
//! names makes (`construct`) and what a call of a router's method does (`method`). Following
//! imports, prefixes, constants and functions is the interpreter's, for all of them.

mod differences;
mod go;
mod interpreter;
mod jsdoc;
mod node;
mod openapi;
mod path;
mod python;
mod refine;
mod routes;
mod schema;
pub(super) mod sources;
pub(super) mod syntax;
#[cfg(test)]
mod tests;
mod verbs;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan::Warning;
use crate::domain::FileSet;

pub use openapi::from_openapi;
pub use path::shape;
pub use refine::refine;

/// One thing an app answers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// In capitals: `GET`.
    pub method: String,
    /// Parameters are in braces whatever the framework: `/items/{id}`. A `*` is any text.
    pub path: String,
    /// A line for lists.
    pub summary: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<String>,
    /// Of path, query, headers and cookies, as far as the code or the document says.
    pub parameters: Vec<Parameter>,
    /// The type of what is sent, in the code's words: `NewItem`, `list[int]`.
    pub body: Option<String>,
    /// The type of what comes back.
    pub response: Option<String>,
    /// Who told of it.
    pub source: Origin,
    /// Where code and document do not agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// The source file that registers the endpoint; empty when only the running app told of it.
    pub file: String,
    /// The line in `file`, from 1; 0 without a file.
    pub line: u32,
}

/// One thing a request says besides its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "in")]
    pub place: Place,
    /// As written: `int`, `string`, `str | None`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ParameterPlace)]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

/// Who told of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EndpointSource)]
pub enum Origin {
    /// The sources.
    #[default]
    Code,
    /// The running app's own OpenAPI document.
    Document,
    /// Both, as one.
    Both,
}

/// What was found, and where something stood in the way.
#[derive(Debug, Default)]
pub struct Found {
    pub endpoints: Vec<Endpoint>,
    pub warnings: Vec<Warning>,
}

/// The endpoints found in the sources, by path and then method. Never fails: what cannot be read
/// is left out. Tests, vendored code, build output and files over 1 MiB are not read; what its
/// author keeps out of the app's own list (`include_in_schema=False`) is not listed, nor are the
/// HEAD and OPTIONS that frameworks add by themselves.
pub fn endpoints(files: &FileSet) -> Vec<Endpoint> {
    read(&sources::Sources::of(files)).endpoints
}

/// The same, and what of the sources could not be read.
pub fn read(sources: &sources::Sources) -> Found {
    let (routers, warnings) = interpreter::routers(sources);
    Found { endpoints: routers.endpoints(), warnings }
}
