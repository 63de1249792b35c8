//! Which files can matter: the right language, the app's own, not tests, and holding a word that
//! registers routes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::FileSet;

use super::syntax::{folders, holds_any};
use super::{node, python};

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
}

/// The sources of a project, by path.
pub struct Sources<'a> {
    files: BTreeMap<&'a str, (Language, &'a [u8])>,
    folders: BTreeSet<&'a str>,
}

impl Language {
    fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        Some(match extension {
            "py" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "ts" | "mts" | "cts" => Self::TypeScript,
            "tsx" => Self::Tsx,
            _ => return None,
        })
    }
}

impl<'a> Sources<'a> {
    pub fn of(files: &'a FileSet) -> Self {
        let files: BTreeMap<_, _> = files
            .iter()
            .filter(|(_, file)| file.content.len() <= MAX_FILE_BYTES)
            .filter_map(|(path, file)| {
                let language = Language::of(path.name())?;
                (!is_skipped(path.as_str())).then_some((path.as_str(), (language, &file.content[..])))
            })
            .collect();
        let folders = folders(files.keys().copied());
        Self { files, folders }
    }

    /// Files that may register routes, in order of path. Others are read only when one of these
    /// imports from them.
    pub fn seeds(&self) -> Vec<&'a str> {
        let matters = |path: &str| {
            self.get(path).is_some_and(|(language, text)| match language {
                Language::Python => python::may_register(&text),
                _ => node::may_register(&text),
            })
        };
        self.files.keys().copied().filter(|path| matters(path)).collect()
    }

    /// Text that is not UTF-8 comes with replacement characters.
    pub fn get(&self, path: &str) -> Option<(Language, Cow<'a, str>)> {
        let (language, bytes) = self.files.get(path)?;
        Some((*language, String::from_utf8_lossy(bytes)))
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

fn is_skipped(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let skipped = |folder: &str| folder.starts_with('.') || SKIPPED_FOLDERS.contains(&folder);
    (!folders.is_empty() && folders.split('/').any(skipped)) || is_test_or_generated(name)
}

fn is_test_or_generated(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    name == "conftest.py"
        || (name.ends_with(".py")
            && (stem.starts_with("test_") || stem.ends_with("_test") || stem == "tests"))
        || [".test", ".spec", ".min", ".d", ".bundle"].iter().any(|end| stem.ends_with(end))
}
