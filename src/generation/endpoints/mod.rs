//! The endpoints of an app, read from its sources, without running it.
//!
//! ```text
//! FileSet ─ sources ─▶ files that can matter ─ python, node: lower ─▶ syntax
//!                                                                       │ interpreter
//!                          Vec<Endpoint> ◀─ walk from the apps down ─ routes
//! ```
//!
//! A framework is one file, `python/fastapi.rs` or `node/express.rs`: it says what a call of its
//! names makes (`construct`) and what a call of a router's method does (`method`). Following
//! imports, prefixes, constants and functions is the interpreter's, for all of them.

mod interpreter;
mod node;
mod openapi;
mod path;
mod python;
mod refine;
mod routes;
mod sources;
mod syntax;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::FileSet;

pub use openapi::from_openapi;
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
    /// The source file that registers the endpoint; empty when only the running app told of it.
    pub file: String,
    /// The line in `file`, from 1; 0 without a file.
    pub line: u32,
}

/// The endpoints found in the sources, by path and then method. Never fails: what cannot be read
/// is left out. Tests, vendored code, build output and files over 1 MiB are not read; what its
/// author keeps out of the app's own list (`include_in_schema=False`) is not listed, nor are the
/// HEAD and OPTIONS that frameworks add by themselves.
pub fn endpoints(files: &FileSet) -> Vec<Endpoint> {
    interpreter::routers(&sources::Sources::of(files)).endpoints()
}
