//! Prisma's client is generated from the schema when packages are installed.

use std::collections::BTreeMap;

use super::package::Package;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};
use crate::generation::recipe::DependencyFile;

/// The commands to run once packages are there; the schema becomes a file they depend on.
pub fn prepare(
    project: &Project<'_>,
    package: &Package,
    in_place: bool,
    files: &mut BTreeMap<String, DependencyFile>,
    notes: &mut Notes,
) -> Vec<Vec<String>> {
    let folder = package.folder();
    let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let schema = join(folder, "prisma/schema.prisma");
    let Some(text) =
        project.text(&schema).filter(|_| package.lists("@prisma/client") || package.lists("prisma"))
    else {
        return Vec::new();
    };
    let into_source = client_in_source(text);
    let reason = "the client is made from the schema";
    notes.decide("prepare", "prisma generate", Source::Detected, reason, Place::file(&schema));
    if into_source && !in_place {
        // Into the source: the build stage does it, where the source is.
        return Vec::new();
    }
    for path in project
        .paths()
        .filter(|path| path.starts_with(&format!("{start}prisma/")) && path.ends_with(".prisma"))
    {
        let name = path.strip_prefix(start.as_str()).unwrap_or(path);
        files.insert(name.to_owned(), DependencyFile::Copied(path.to_owned()));
    }
    vec![["prisma", "generate"].map(str::to_owned).to_vec()]
}

/// The generator writes among the source, where only a build step can leave it.
pub fn generates_into_source(project: &Project<'_>, package: &Package) -> bool {
    let schema = join(package.folder(), "prisma/schema.prisma");
    project.text(&schema).is_some_and(client_in_source)
}

fn client_in_source(schema: &str) -> bool {
    schema.lines().any(|line| {
        line.split_once('=')
            .is_some_and(|(key, value)| key.trim() == "output" && !value.contains("node_modules"))
    })
}
