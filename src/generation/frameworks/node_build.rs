//! How a Node app is built: its script, what else has to run before, and the variables builders
//! write into pages.

use std::collections::BTreeMap;

use super::node_framework::words;
use crate::generation::dotenv;
use crate::generation::node::{self, Package};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};
use crate::generation::quoting::is_plain_path;

/// What builds.
#[derive(Default)]
pub struct Build {
    pub commands: Vec<Vec<String>>,
    /// Tried when the last command fails.
    pub otherwise: Vec<String>,
}

const LEGACY_HASHES: &str = "--openssl-legacy-provider";

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
    build.commands.extend(before(project, package, notes));
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

/// A compiler that finds errors of types leaves what it compiled all the same: where the file that
/// is started is there after a build that failed, the build was good enough.
pub fn accept_what_is_started(
    project: &Project<'_>,
    package: &Package,
    start: &[String],
    build: &mut Build,
    notes: &mut Notes,
) {
    let text = package.scripts.get("build").map_or("nest build", String::as_str);
    // Last: what comes after a compiler that complains is not done.
    let last = text.rsplit([';', '&']).next().unwrap_or(text);
    let compiles = last.split_whitespace().any(|word| word == "tsc") || last.contains("nest build");
    if !compiles || build.commands.is_empty() || !build.otherwise.is_empty() {
        return;
    }
    let Some(file) = made_file(project, package, start) else { return };
    build.otherwise = words(&["test", "-e", &file]);
    let reason = "type errors are no reason to have no preview: when the build fails and yet leaves what is started, that is started";
    let place = package.script_place(project, "build");
    notes.decide("build otherwise", build.otherwise.join(" "), Source::Default, reason, place);
}

/// The file that is started, from package.json, when the build makes it.
fn made_file(project: &Project<'_>, package: &Package, start: &[String]) -> Option<String> {
    let script = start.last().filter(|_| start.first().is_some_and(|program| program == "npm"));
    let text = match script {
        Some(name) => package.scripts.get(name)?.clone(),
        None => start.join(" "),
    };
    let mut after_node = text.split_whitespace().skip_while(|word| *word != "node").skip(1);
    let file = after_node.find(|word| !word.starts_with('-'))?.trim_start_matches("./");
    let named = match file.rsplit('/').next()?.contains('.') {
        true => file.to_owned(),
        false => format!("{file}.js"),
    };
    let is_made = is_plain_path(&named) && !project.contains(&join(package.folder(), &named));
    is_made.then_some(named)
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

/// Builds of the workspace's packages that this one depends on, each after those it depends on
/// itself.
fn before(project: &Project<'_>, package: &Package, notes: &mut Notes) -> Vec<Vec<String>> {
    let root = node::workspace_root(project, package);
    if root.workspaces.is_empty() {
        return Vec::new();
    }
    let members: Vec<&Package> =
        project.packages().iter().filter(|member| root.workspaces.contains(&member.path)).collect();
    let mut order = Vec::new();
    visit(package, &members, &mut vec![package.path.clone()], &mut order);
    let up = "../".repeat(package.folder().split('/').filter(|part| !part.is_empty()).count());
    let builds = order
        .into_iter()
        .filter(|member| member.scripts.contains_key("build") && is_plain_path(member.folder()));
    builds
        .map(|member| {
            let command = words(&["npm", "--prefix", &format!("{up}{}", member.folder()), "run", "build"]);
            let reason = "a package of the workspace that is used has to be built first";
            let place = member.script_place(project, "build");
            notes.decide("build before", command.join(" "), Source::Detected, reason, place);
            command
        })
        .collect()
}

/// Depth first; packages that go round in a circle are passed once.
fn visit<'p>(
    package: &Package,
    members: &[&'p Package],
    seen: &mut Vec<String>,
    order: &mut Vec<&'p Package>,
) {
    for member in members {
        let used = member.name.as_deref().is_some_and(|name| package.lists(name));
        if used && !seen.contains(&member.path) {
            seen.push(member.path.clone());
            visit(member, members, seen, order);
            order.push(member);
        }
    }
}

/// Variables a build needs: those it writes into pages, and what an old builder lacks.
pub fn environment(project: &Project<'_>, package: &Package, notes: &mut Notes) -> BTreeMap<String, String> {
    let mut found = for_old_builders(project, package, notes);
    found.extend(public_environment(project, package, notes));
    found
}

/// Builders on webpack 4 ask for a hash that Node's OpenSSL no longer has. Pages that are published
/// below some path elsewhere lie at the top here.
pub fn for_old_builders(
    project: &Project<'_>,
    package: &Package,
    notes: &mut Notes,
) -> BTreeMap<String, String> {
    const WEBPACK_5_SINCE: [(&str, u32); 7] = [
        ("react-scripts", 5),
        ("@vue/cli-service", 5),
        ("@angular-devkit/build-angular", 12),
        ("next", 12),
        ("nuxt", 3),
        ("gatsby", 3),
        ("webpack", 5),
    ];
    let mut found = BTreeMap::new();
    let old = |(name, since): &&(&str, u32)| package.major_of(name).is_some_and(|major| major < *since);
    if let Some((name, _)) = WEBPACK_5_SINCE.iter().find(old) {
        let reason = "it builds by a hash that Node has only on demand since version 17";
        let place = Some(package.place_of(project, name));
        notes.decide("NODE_OPTIONS", LEGACY_HASHES, Source::Detected, reason, place);
        found.insert("NODE_OPTIONS".to_owned(), LEGACY_HASHES.to_owned());
    }
    if package.has_homepage && package.lists("react-scripts") {
        let reason = "the preview has them at the top, not where homepage says";
        let place = Some(package.place_of(project, "homepage"));
        notes.decide("PUBLIC_URL", "/", Source::Detected, reason, place);
        found.insert("PUBLIC_URL".to_owned(), "/".to_owned());
    }
    found
}

/// Variables a builder writes into pages, where everybody reads them: they have to be there when
/// it builds, and are no secrets.
fn public_environment(
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
