//! What an app offers and what it keeps, read from its sources: endpoints, models, and what
//! stood in the way of reading them.

use std::collections::BTreeSet;
use std::thread;

use super::endpoints::sources::Sources;
use super::endpoints::{self, Endpoint};
use super::models::{self, Model};
use super::plan::Warning;
use crate::domain::FileSet;

/// One version of an app, seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    pub endpoints: Vec<Endpoint>,
    pub models: Vec<Model>,
    /// Each names file and line.
    pub warnings: Vec<Warning>,
}

/// Reads a project once for both; 200 files take some 20 milliseconds. Never fails: what cannot
/// be read is left out, and told of.
pub fn outline(files: &FileSet) -> Outline {
    let sources = Sources::of(files);
    let (found, models) = thread::scope(|scope| {
        // Models are read on a thread of their own: the two share nothing but the sources.
        let models = scope.spawn(|| models::read(&sources));
        let found = endpoints::read(&sources);
        (found, models.join().unwrap_or_default())
    });
    let endpoints::Found { endpoints, mut warnings } = found;
    let mut seen = BTreeSet::new();
    warnings.retain(|warning| seen.insert((warning.file.clone(), warning.line, warning.message.clone())));
    Outline { endpoints, models, warnings }
}
