//! How a Node app is built: its script, what else has to run before, and the variables builders
//! write into pages.

use std::collections::BTreeMap;

use super::node_framework::words;
use crate::generation::dotenv;
use crate::generation::node::{self, Package};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};

/// What builds.
#[derive(Default)]
pub struct Build {
    pub commands: Vec<Vec<String>>,
    /// Tried when the last command fails.
    pub otherwise: Vec<String>,
}

/// Beginnings of variables that builders put into pages, for everybody to read.
const PUBLIC: [&str; 11] = [
    "VITE_",
    "NEXT_PUBLIC_",
    "REACT_APP_",
    "NUXT_PUBLIC_",
    "PUBLIC_",
    "VUE_APP_",
    "GATSBY_",
    "NG_APP_",
    "EXPO_PUBLIC_",
    "ASTRO_",
    "STORYBOOK_",
];

/// The build script, always run when there is one: what it makes may be what is started or
/// served; else the framework's own command.
pub fn commands(
    project: &Project<'_>,
    package: &Package,
    own: &'static [&'static str],
    notes: &mut Notes,
) -> Build {
    let mut build = Build::default();
    if node::generates_into_source(project, package) {
        build.commands.push(words(&["prisma", "generate"]));
    }
    if let Some(command) = of_workspace(project, package, notes) {
        build.commands.push(command);
        return build;
    }
    let Some(text) = package.scripts.get("build") else {
        if !own.is_empty() {
            let reason = "package.json has no build script; this is what builds";
            notes.decide("build", own.join(" "), Source::Default, reason, Place::file(&package.path));
            build.commands.push(words(own));
        }
        return build;
    };
    let place = package.script_place(project, "build");
    notes.decide(
        "build",
        "npm run build",
        Source::Detected,
        format!("scripts.build is {text:?}"),
        place.clone(),
    );
    build.commands.push(words(&["npm", "run", "build"]));
    let checks =
        ["tsc", "vue-tsc", "svelte-check", "eslint", "lint"].iter().any(|check| text.contains(check));
    let builder = own.join(" ");
    if checks && !own.is_empty() && text.contains(&builder) {
        let reason =
            "type errors are no reason to have no preview: when the script fails, this alone is tried";
        notes.decide("build otherwise", builder, Source::Default, reason, place);
        build.otherwise = words(own);
    }
    build
}

/// The development server builds as it goes; only what is generated is needed before.
pub fn none(project: &Project<'_>, package: &Package, notes: &mut Notes) -> Build {
    if package.scripts.contains_key("build") {
        notes.decide("build", "none", Source::Default, "the development server builds as it goes", None);
    }
    let mut build = Build::default();
    if node::generates_into_source(project, package) {
        build.commands.push(words(&["prisma", "generate"]));
    }
    build
}

/// A workspace's own builder knows what has to be built before this package.
fn of_workspace(project: &Project<'_>, package: &Package, notes: &mut Notes) -> Option<Vec<String>> {
    let root = node::workspace_root(project, package);
    let turbo = join(root.folder(), "turbo.json");
    if root.path == package.path || !root.lists("turbo") || !project.contains(&turbo) {
        return None;
    }
    let name = package.name.as_deref().filter(|_| package.scripts.contains_key("build"))?;
    let reason = format!("turbo builds what {name} depends on before it");
    notes.decide("build", "turbo run build", Source::Detected, reason, Place::file(&turbo));
    Some(words(&["turbo", "run", "build", &format!("--filter={name}")]))
}

/// Variables a builder writes into pages, where everybody reads them: they have to be there when
/// it builds, and are no secrets.
pub fn public_environment(
    project: &Project<'_>,
    package: &Package,
    notes: &mut Notes,
) -> BTreeMap<String, String> {
    let is_public = |name: &String| PUBLIC.iter().any(|start| name.starts_with(start));
    let mut found = BTreeMap::new();
    for name in [".env", ".env.production"] {
        let path = join(package.folder(), name);
        let read = project.text(&path).map(dotenv::read).unwrap_or_default();
        found.extend(read.into_iter().filter(|(name, _)| is_public(name)));
    }
    let given = project.metadata.environment.iter().filter(|(name, _)| is_public(name));
    found.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    if !found.is_empty() {
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        let reason = "builders write these into the pages, so they are set when it is built";
        notes.decide("variables of the build", names.join(" "), Source::Detected, reason, None);
    }
    found
}
