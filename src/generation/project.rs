//! The generation as frameworks look at it: the files that would be in the image, read once.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::bases::BaseImages;
use super::context::ignore::Ignore;
use super::entry_point::EntryPoint;
use super::go::GoFile;
use super::node::{JsFile, Package};
use super::plan::{EnvRead, Notes, Place};
use super::python::PyFile;
use crate::domain::{FileSet, Metadata, Mode, SourceFile};

/// Larger files are data or bundles, not something to read for its meaning.
const MAX_SCANNED: usize = 1 << 20;

pub struct Project<'a> {
    pub metadata: &'a Metadata,
    pub bases: &'a BaseImages,
    /// The metadata's entry point, split and understood.
    pub entry: Option<EntryPoint>,
    files: BTreeMap<&'a str, &'a SourceFile>,
    python: OnceCell<Vec<PyFile>>,
    node: OnceCell<Vec<JsFile>>,
    go: OnceCell<Vec<GoFile>>,
    /// As they lie in the tree, and by what is to be served.
    packages_read: OnceCell<Vec<Package>>,
    packages: OnceCell<Vec<Package>>,
    python_packages: OnceCell<BTreeMap<String, Place>>,
    node_packages: OnceCell<BTreeMap<String, Place>>,
}

impl<'a> Project<'a> {
    /// Files the image would not carry are not seen; `notes` hears of bad ignore rules.
    pub fn new(
        metadata: &'a Metadata,
        files: &'a FileSet,
        bases: &'a BaseImages,
        entry: Option<EntryPoint>,
        notes: &mut Notes,
    ) -> Self {
        let ignore = Ignore::generated(files.text(".dockerignore"), notes);
        let files: BTreeMap<&str, &SourceFile> = files
            .iter()
            .map(|(path, file)| (path.as_str(), file))
            .filter(|(path, _)| !super::context::always_left_out(path) && !ignore.excludes(path))
            .collect();
        for (path, file) in &files {
            if file.content.len() > MAX_SCANNED && (is_python(path) || is_javascript(path)) {
                notes.warn("larger than 1 MiB, so it was not read for what it does", Place::file(path));
            }
        }
        let (python, node, go, packages_read, packages) = Default::default();
        let (python_packages, node_packages) = Default::default();
        Self {
            metadata,
            bases,
            entry,
            files,
            python,
            node,
            go,
            packages_read,
            packages,
            python_packages,
            node_packages,
        }
    }

    /// The same tree, in which this package is the one to be served and its JavaScript all there is.
    pub fn of_package(&self, package: &Package) -> Self {
        let (all, mut packages) = (self.packages(), vec![package.clone()]);
        let own = self.node().iter().filter(|file| super::node::owns(all, package, &file.path));
        packages.extend(all.iter().filter(|other| other.path != package.path).cloned());
        let (python, go, python_packages, node_packages) = Default::default();
        Self {
            metadata: self.metadata,
            bases: self.bases,
            entry: None,
            files: self.files.clone(),
            python,
            node: OnceCell::from(own.cloned().collect::<Vec<_>>()),
            go,
            packages_read: OnceCell::from(self.packages_read().to_vec()),
            packages: OnceCell::from(packages),
            python_packages,
            node_packages,
        }
    }

    pub fn mode(&self) -> Mode {
        self.metadata.mode.unwrap_or_default()
    }

    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub fn text(&self, path: &str) -> Option<&'a str> {
        std::str::from_utf8(&self.files.get(path)?.content).ok()
    }

    /// Some file lies under it.
    pub fn has_folder(&self, folder: &str) -> bool {
        let under = format!("{folder}/");
        self.files.range(under.as_str()..).next().is_some_and(|(path, _)| path.starts_with(&under))
    }

    /// In order of path.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.files.keys().copied()
    }

    /// Bytes of the files whose name `matches`.
    pub fn bytes_of(&self, matches: impl Fn(&str) -> bool) -> usize {
        self.files.iter().filter(|(path, _)| matches(path)).map(|(_, file)| file.content.len()).sum()
    }

    /// The Python of the app, without its tests; each file read once.
    pub fn python(&self) -> &[PyFile] {
        self.python.get_or_init(|| {
            self.sources(is_python).map(|(path, text)| super::python::scan(path, text)).collect()
        })
    }

    pub fn python_file(&self, path: &str) -> Option<&PyFile> {
        self.python().iter().find(|file| file.path == path)
    }

    /// The JavaScript and TypeScript of the app, without its tests; each file read once.
    pub fn node(&self) -> &[JsFile] {
        self.node.get_or_init(|| {
            self.sources(is_javascript)
                .map(|(path, text)| super::node::scan(path, text, self.packages_read().is_empty()))
                .collect()
        })
    }

    /// The Go of the app, without its tests; each file read once.
    pub fn go(&self) -> &[GoFile] {
        let is_go = |path: &str| path.ends_with(".go") && !path.ends_with("_test.go");
        self.go.get_or_init(|| self.sources(is_go).map(|(path, text)| super::go::scan(path, text)).collect())
    }

    pub fn node_file(&self, path: &str) -> Option<&JsFile> {
        self.node().iter().find(|file| file.path == path)
    }

    /// The package.json of the app: of several, that of what is to be served.
    pub fn package(&self) -> Option<&Package> {
        self.packages().first()
    }

    /// Every package.json that can be read, the one of what is to be served first.
    pub fn packages(&self) -> &[Package] {
        self.packages.get_or_init(|| super::node::sort(self, self.packages_read().to_vec()))
    }

    fn packages_read(&self) -> &[Package] {
        self.packages_read.get_or_init(|| Package::all(self))
    }

    /// Every package that Python of the tree asks for, by listing or importing it, and where.
    pub fn python_packages(&self) -> &BTreeMap<String, Place> {
        self.python_packages.get_or_init(|| super::python::declared(self))
    }

    /// Every package that package.json files list or, without one, that is imported, and where.
    pub fn node_packages(&self) -> &BTreeMap<String, Place> {
        self.node_packages.get_or_init(|| super::node::declared(self))
    }

    /// Every place where source asks for a variable of the environment.
    pub fn environment_read(&self) -> Vec<EnvRead> {
        let python = self.python().iter().flat_map(|file| &file.env);
        let node = self.node().iter().flat_map(|file| &file.env);
        let go = self.go().iter().flat_map(|file| &file.env);
        let mut reads: Vec<EnvRead> = python.chain(node).chain(go).cloned().collect();
        reads.sort();
        reads.dedup();
        reads.truncate(1000);
        reads
    }

    fn sources(&self, is_kind: fn(&str) -> bool) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, file)| is_kind(path) && !is_aside(path) && file.content.len() <= MAX_SCANNED)
            .filter_map(|(path, file)| Some((*path, std::str::from_utf8(&file.content).ok()?)))
    }
}

/// The last part of a path.
pub fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path `relative` seen from `folder`; `None` when that leaves the tree.
pub fn seen_from(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What lies above the last part; empty at the top.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `folder/name`, or `name` at the top.
/// It lies in the folder, at any depth; everything lies in `""`.
pub fn is_under(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

pub fn is_python(path: &str) -> bool {
    path.ends_with(".py")
}

pub fn is_javascript(path: &str) -> bool {
    [".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"].iter().any(|end| path.ends_with(end))
        && !path.ends_with(".d.ts")
        && !path.ends_with(".min.js")
        // What the generator of Express calls the program.
        || path == "bin/www"
        || path.ends_with("/bin/www")
}

/// Tests, examples and the like are no part of what is started.
fn is_aside(path: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "tests",
        "test",
        "__tests__",
        "examples",
        "docs",
        "migrations",
        "alembic",
        "site-packages",
        "fixtures",
        "vendor",
    ];
    let name = name_of(path);
    folder_of(path)
        .split('/')
        .any(|part| FOLDERS.contains(&part) || (part.starts_with('.') && part.len() > 1))
        || name.starts_with("test_")
        || name == "conftest.py"
        || [".test.", ".spec.", "_test.py", ".config."].iter().any(|mark| name.contains(mark))
}
