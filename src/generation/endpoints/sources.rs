//! Which files can matter: the right language, the app's own, not tests, and holding a word that
//! registers routes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::FileSet;

use super::syntax::{folders, holds_any};
use super::{go, node, python};

/// Larger files are generated or data.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Folders of other people's code, of build output and of tests.
const SKIPPED_FOLDERS: &[&str] = &[
    "node_modules",
    "bower_components",
    "jspm_packages",
    "vendor",
    "vendored",
    "third_party",
    "site-packages",
    "dist-packages",
    "venv",
    "virtualenv",
    "__pycache__",
    "__pypackages__",
    "dist",
    "build",
    "out",
    "coverage",
    "htmlcov",
    "test",
    "tests",
    "__tests__",
    "__mocks__",
    "e2e",
    "cypress",
    "fixtures",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    TypeScript,
    Tsx,
    Go,
}

/// The sources of a project, by path.
pub struct Sources<'a> {
    all: &'a FileSet,
    files: BTreeMap<&'a str, (Language, &'a [u8])>,
    folders: BTreeSet<&'a str>,
    /// Folders with a `go.mod`, and the path it gives them; the deepest first.
    go_modules: Vec<(&'a str, &'a str)>,
}

impl Language {
    fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        Some(match extension {
            "py" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            "go" => Self::Go,
            _ => return None,
        })
    }
}

impl<'a> Sources<'a> {
    pub fn of(all: &'a FileSet) -> Self {
        let files: BTreeMap<_, _> = all
            .iter()
            .filter(|(_, file)| file.content.len() <= MAX_FILE_BYTES)
            .filter_map(|(path, file)| {
                let language = Language::of(path.name())?;
                (!is_skipped(path.as_str())).then_some((path.as_str(), (language, &file.content[..])))
            })
            .collect();
        let folders = folders(files.keys().copied());
        let go_modules =
            if files.keys().any(|path| path.ends_with(".go")) { go_modules(all) } else { Vec::new() };
        Self { all, files, folders, go_modules }
    }

    /// Every source with its language and bytes, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Language, &'a [u8])> {
        self.files.iter().map(|(path, (language, bytes))| (*path, *language, *bytes))
    }

    /// Every file of the project, whatever it is.
    pub const fn all(&self) -> &'a FileSet {
        self.all
    }

    /// Go's sources right in a folder.
    pub fn go_files(&self, folder: &str) -> Vec<&'a str> {
        let is_here = |path: &&str| path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder;
        let go = self.files.iter().filter(|(_, (language, _))| *language == Language::Go);
        go.map(|(path, _)| *path).filter(is_here).collect()
    }

    pub fn go_modules(&self) -> &[(&'a str, &'a str)] {
        &self.go_modules
    }

    /// Whether there is a file that an import of this path, without an extension, may mean.
    pub fn anything_at(&self, path: &str) -> bool {
        let is_meant = |name: &str| {
            name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        };
        self.all.iter().any(|(name, _)| is_meant(name.as_str()))
    }

    /// Files that may register routes, in order of path. Others are read only when one of these
    /// imports from them.
    pub fn seeds(&self) -> Vec<&'a str> {
        let matters = |path: &str| {
            self.get(path).is_some_and(|(language, text)| match language {
                Language::Python => python::may_register(&text),
                Language::Go => go::may_start(&text),
                _ => node::may_register(&text),
            })
        };
        self.files.keys().copied().filter(|path| matters(path)).collect()
    }

    /// Text that is not UTF-8 comes with replacement characters.
    pub fn get(&self, path: &str) -> Option<(Language, Cow<'a, str>)> {
        let (language, bytes) = self.files.get(path)?;
        Some((*language, text_of(bytes)))
    }

    /// The path as the project holds it.
    pub fn path(&self, path: &str) -> Option<&'a str> {
        self.files.get_key_value(path).map(|(path, _)| *path)
    }

    /// Whether this is a folder with sources somewhere below.
    pub fn folder(&self, path: &str) -> Option<&'a str> {
        self.folders.get(path).copied()
    }

    /// Whether a file holds one of the words; `false` for none such.
    pub fn holds(&self, path: &str, words: &[&str]) -> bool {
        self.get(path).is_some_and(|(_, text)| holds_any(&text, words))
    }
}

/// Whether a file is a test's, somebody else's, or made from others.
pub fn is_skipped(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let skipped = |folder: &str| folder.starts_with('.') || SKIPPED_FOLDERS.contains(&folder);
    (!folders.is_empty() && folders.split('/').any(skipped)) || is_test_or_generated(name)
}

fn is_test_or_generated(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    name == "conftest.py"
        || name.ends_with("_test.go")
        || (name.ends_with(".py")
            && (stem.starts_with("test_") || stem.ends_with("_test") || stem == "tests"))
        || [".test", ".spec", ".min", ".d", ".bundle", ".gen", ".generated"]
            .iter()
            .any(|end| stem.ends_with(end))
}

/// Text that is whole is not copied, and checked the fast way.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn go_modules(all: &FileSet) -> Vec<(&str, &str)> {
    let mut modules: Vec<(&str, &str)> = Vec::new();
    for (path, file) in all.iter().filter(|(path, _)| path.name() == "go.mod") {
        let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = std::str::from_utf8(&file.content).unwrap_or_default();
        let name = text.lines().find_map(|line| line.trim().strip_prefix("module "));
        modules.extend(name.map(|name| (folder, name.trim().trim_matches('"'))));
    }
    modules.sort_by_key(|(folder, _)| std::cmp::Reverse(folder.len()));
    modules
}
