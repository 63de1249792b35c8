//! From what an app needs to how its image gets it.

use std::collections::{BTreeMap, BTreeSet};

use super::companions;
use super::dependencies::{Dependencies, Kind};
use super::locate::Location;
use super::mend::mended;
use super::packages::{brought_by, package_of};
use super::requirements::is_requirement;
use super::scan::PyFile;
use super::{django_settings, implied, normalized};
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, folder_of, is_python};
use crate::generation::recipe::{DependencyFile, PythonRecipe};

/// What the start command needs besides what the code names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// The package that brings the server: `uvicorn`.
    pub server: Option<&'static str>,
    /// The app may speak WebSockets, for which uvicorn needs a library of its own.
    pub websockets: bool,
}

/// From this much source on, compiling it in the image costs less than every first start pays.
const COMPILE_FROM_BYTES: usize = 256 * 1024;

/// A requirement file of this name holds what the plan wrote down.
const WRITTEN: &str = "requirements.previewd.txt";

pub fn recipe(project: &Project<'_>, location: &Location, needs: Needs, notes: &mut Notes) -> PythonRecipe {
    let dependencies = Dependencies::find(project, &location.folder, notes);
    let mut recipe = PythonRecipe::default();
    match &dependencies.kind {
        Kind::Files { files } => {
            // Included files keep their places relative to each other, but only under the folder
            // they share; so the whole tree's layout is kept.
            recipe.requirements.extend(dependencies.file.clone());
            recipe.dependency_files =
                files.iter().map(|file| mended_or_copied(project, file, notes)).collect();
        }
        Kind::Pyproject => {
            recipe.requirements.extend(dependencies.file.clone());
            recipe.dependency_files = dependencies.file.iter().map(|file| copied(file)).collect();
        }
        Kind::UvLock { pyproject } => {
            recipe.locked = true;
            let lock = dependencies.file.clone().unwrap_or_default();
            for (name, file) in [("uv.lock", lock), ("pyproject.toml", pyproject.clone())] {
                recipe.dependency_files.insert(name.to_owned(), DependencyFile::Copied(file));
            }
        }
        Kind::Written { requirements } => {
            let text = requirements.iter().map(|requirement| format!("{requirement}\n")).collect();
            recipe.dependency_files = BTreeMap::from([(WRITTEN.to_owned(), DependencyFile::Written(text))]);
            recipe.requirements.push(WRITTEN.to_owned());
        }
        Kind::Undeclared => recipe.packages = from_imports(project, location, notes),
    }
    let mut has = Present::new(&dependencies, &recipe.packages);
    add_server(&mut recipe, &mut has, needs, &dependencies, notes);
    for companion in companions::find(project, &dependencies, notes) {
        has.add_requirement(&companion);
        recipe.packages.push(companion);
    }
    add_features(project, &mut recipe, &mut has, needs, notes);
    add_named_by_django(project, &mut recipe, &mut has, &dependencies, notes);
    if dependencies.kind != Kind::Undeclared {
        warn_of_missing(project, location, &has, &dependencies, notes);
    }
    recipe.compile_source = compile_source(project, notes);
    recipe
}

fn mended_or_copied(project: &Project<'_>, path: &str, notes: &mut Notes) -> (String, DependencyFile) {
    match project.text(path).and_then(|text| mended(path, text, notes)) {
        Some(text) => (path.to_owned(), DependencyFile::Written(text)),
        None => copied(path),
    }
}

fn copied(path: &str) -> (String, DependencyFile) {
    (path.to_owned(), DependencyFile::Copied(path.to_owned()))
}

/// Packages that will be there.
struct Present(BTreeSet<String>);

impl Present {
    fn new(dependencies: &Dependencies, packages: &[String]) -> Self {
        let mut present = Self(BTreeSet::new());
        for name in &dependencies.names {
            present.add(name);
        }
        packages.iter().for_each(|package| present.add_requirement(package));
        present
    }

    fn add_requirement(&mut self, requirement: &str) {
        super::requirements::names_in(requirement).iter().for_each(|name| self.add(name));
    }

    fn add(&mut self, name: &str) {
        if self.0.insert(name.to_owned()) {
            brought_by(name).iter().for_each(|brought| self.add(brought));
        }
    }

    fn has(&self, package: &str) -> bool {
        super::requirements::names_in(package).first().is_some_and(|name| self.0.contains(name))
    }
}

fn add_server(
    recipe: &mut PythonRecipe,
    has: &mut Present,
    needs: Needs,
    dependencies: &Dependencies,
    notes: &mut Notes,
) {
    let Some(server) = needs.server.filter(|server| !has.has(server)) else { return };
    let reason = match &dependencies.file {
        Some(file) => format!("the start command needs it and {file} does not name it"),
        None => "the start command needs it".to_owned(),
    };
    let place = dependencies.file.as_deref().and_then(Place::file);
    notes.decide("package", server, Source::Default, reason, place);
    recipe.packages.push(server.to_owned());
    has.add(server);
}

/// Packages frameworks load only when a feature is used, and generated code tends to forget.
const FEATURES: [(&str, &[&str], &str); 6] = [
    ("fastapi", &["Form", "File", "UploadFile", "OAuth2PasswordRequestForm"], "python-multipart"),
    ("pydantic", &["EmailStr"], "email-validator"),
    ("fastapi", &["Jinja2Templates"], "jinja2"),
    ("starlette", &["Jinja2Templates"], "jinja2"),
    ("starlette", &["SessionMiddleware"], "itsdangerous"),
    ("wtforms", &["Email"], "email-validator"),
];

fn add_features(
    project: &Project<'_>,
    recipe: &mut PythonRecipe,
    has: &mut Present,
    needs: Needs,
    notes: &mut Notes,
) {
    let imported = |top: &str, names: &[&str]| {
        project.python().iter().find_map(|file| {
            let import = file.imports.iter().find(|import| import.top() == top && import.takes(names))?;
            Some((file, import.line))
        })
    };
    let mut add = |package: &str, file: &PyFile, line: usize| {
        if !has.has(package) {
            let reason = "what is imported here needs it, and nothing names it";
            notes.decide("package", package, Source::Detected, reason, Place::line(&file.path, line));
            recipe.packages.push(package.to_owned());
            has.add(package);
        }
    };
    for (top, names, package) in FEATURES {
        if let Some((file, line)) = imported(top, names) {
            add(package, file, line);
        }
    }
    if needs.websockets
        && let Some((file, line)) =
            imported("fastapi", &["WebSocket"]).or(imported("starlette", &["WebSocket"]))
    {
        add("websockets", file, line);
    }
    for implied in implied::find(project, |package| has.has(package)) {
        let reason = "a library loads it for what is asked here, and nothing names it";
        let place = Place::line(&implied.file, implied.line);
        notes.decide("package", implied.package, Source::Detected, reason, place);
        recipe.packages.push(implied.package.to_owned());
        has.add_requirement(implied.package);
    }
}

/// What a Django project needs and imports nowhere: installed when nothing lists its packages.
fn add_named_by_django(
    project: &Project<'_>,
    recipe: &mut PythonRecipe,
    has: &mut Present,
    dependencies: &Dependencies,
    notes: &mut Notes,
) {
    if !has.has("django") {
        return;
    }
    for named in django_settings::named(project, &local_names(project)) {
        let others = django_settings::does_as_well(&named.package);
        if has.has(&named.package) || others.iter().any(|other| has.has(other)) {
            continue;
        }
        let place = Place::line(&named.file, named.line);
        has.add_requirement(&named.package);
        match &dependencies.file {
            Some(listed) => {
                notes.warn(format!("needs {}, which {listed} does not name", named.package), place)
            }
            None => {
                let reason = "named here; no requirements.txt or pyproject.toml lists packages";
                notes.decide("package", &named.package, Source::Detected, reason, place);
                recipe.packages.push(named.package);
            }
        }
    }
}

/// One import of a package from outside the tree.
struct Outside {
    /// The name it is imported by.
    top: String,
    package: String,
    file: String,
    line: usize,
    optional: bool,
}

fn outside_imports(project: &Project<'_>, location: &Location) -> Vec<Outside> {
    let tops = local_names(project);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<Outside> = Vec::new();
    let under = |path: &str| location.folder.is_empty() || path.starts_with(&format!("{}/", location.folder));
    for file in project.python().iter().filter(|file| under(&file.path)) {
        for import in file.imports.iter().filter(|import| import.level == 0 && !tops.contains(import.top())) {
            for package in full_names(import).iter().filter_map(|name| package_of(name)) {
                if !is_requirement(&package) || !package.is_ascii() {
                    continue;
                }
                let (path, line, optional) = (file.path.clone(), import.line, import.optional);
                let outside = Outside { top: import.top().to_owned(), package, file: path, line, optional };
                match seen.get(&normalized(&outside.package)) {
                    None => {
                        seen.insert(normalized(&outside.package), found.len());
                        found.push(outside);
                    }
                    // What one file can do without, another may need.
                    Some(at) if found[*at].optional && !outside.optional => found[*at] = outside,
                    Some(_) => {}
                }
            }
        }
    }
    found
}

/// `from google.cloud import storage, speech` imports `google.cloud.storage` and
/// `google.cloud.speech`, which are of different packages.
fn full_names(import: &super::imports::Import) -> Vec<String> {
    let shared = matches!(import.module.as_str(), "google" | "google.cloud");
    match import.names.as_slice() {
        [(only, _)] => vec![format!("{}.{only}", import.module)],
        names if shared => names.iter().map(|(name, _)| format!("{}.{name}", import.module)).collect(),
        _ => vec![import.module.clone()],
    }
}

/// Names that folders and files of the tree answer to.
fn local_names<'a>(project: &Project<'a>) -> BTreeSet<&'a str> {
    let python = project.paths().filter(|path| is_python(path));
    python
        .flat_map(|path| {
            folder_of(path).split('/').chain(path.rsplit('/').next().and_then(|n| n.strip_suffix(".py")))
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn from_imports(project: &Project<'_>, location: &Location, notes: &mut Notes) -> Vec<String> {
    let mut packages = Vec::new();
    let mut present = Present(BTreeSet::new());
    let outside = outside_imports(project, location);
    for import in outside.iter().filter(|import| !import.optional) {
        present.add(&normalized(import.package.split('[').next().unwrap_or_default()));
    }
    for import in outside {
        let brought = present.0.iter().any(|by| brought_by(by).contains(&import.package.as_str()));
        if import.optional || brought {
            continue;
        }
        let reason = "imported here; no requirements.txt or pyproject.toml lists packages";
        let place = Place::line(&import.file, import.line);
        notes.decide("package", &import.package, Source::Detected, reason, place);
        packages.push(import.package);
    }
    packages.sort();
    packages
}

fn warn_of_missing(
    project: &Project<'_>,
    location: &Location,
    has: &Present,
    dependencies: &Dependencies,
    notes: &mut Notes,
) {
    let Some(listed) = &dependencies.file else { return };
    for import in outside_imports(project, location).into_iter().filter(|import| !import.optional).take(20) {
        let same_by_another_name =
            |name: &String| *name == normalized(&import.top) || opencv(name) && opencv(&import.package);
        if !has.has(&import.package) && !has.0.iter().any(same_by_another_name) {
            let message = format!("needs {}, which {listed} does not name", import.package);
            notes.warn(message, Place::line(&import.file, import.line));
        }
    }
}

/// The one package that is published under several names.
fn opencv(package: &str) -> bool {
    package.starts_with("opencv-")
}

fn compile_source(project: &Project<'_>, notes: &mut Notes) -> bool {
    let bytes = project.bytes_of(is_python);
    let large = bytes >= COMPILE_FROM_BYTES;
    let (choice, reason) = match large {
        true => ("in the image", "so much source would slow every first start"),
        false => ("at the first start", "so little source compiles in less time than a build step takes"),
    };
    notes.decide("bytecode of the source", choice, Source::Default, format!("{bytes} bytes: {reason}"), None);
    large
}
