//! composer.json, read for what it asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::generation::plan::Place;
use crate::generation::project::{Project, join};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composer {
    /// `api/composer.json`.
    pub path: String,
    /// Names and version constraints, those of `require`.
    pub requires: BTreeMap<String, String>,
}

/// What each framework's package is called here.
const FRAMEWORKS: [(&str, &str); 9] = [
    ("laravel/framework", "laravel"),
    ("laravel/lumen-framework", "lumen"),
    ("symfony/framework-bundle", "symfony"),
    ("slim/slim", "slim"),
    ("codeigniter4/framework", "codeigniter"),
    ("cakephp/cakephp", "cakephp"),
    ("yiisoft/yii2", "yii"),
    ("laminas/laminas-mvc", "laminas"),
    ("flightphp/core", "flight"),
];

/// Extensions that the base image has, or that are part of PHP itself.
const EXTENSIONS: [&str; 36] = [
    "bcmath",
    "calendar",
    "ctype",
    "curl",
    "date",
    "dom",
    "exif",
    "fileinfo",
    "filter",
    "ftp",
    "gd",
    "gettext",
    "hash",
    "iconv",
    "intl",
    "json",
    "libxml",
    "mbstring",
    "mysqli",
    "openssl",
    "pcntl",
    "pcre",
    "pdo",
    "pdo_mysql",
    "pdo_pgsql",
    "pdo_sqlite",
    "pgsql",
    "phar",
    "posix",
    "redis",
    "session",
    "simplexml",
    "sqlite3",
    "tokenizer",
    "xml",
    "zip",
];

impl Composer {
    pub fn read(project: &Project<'_>, folder: &str) -> Option<Self> {
        let path = join(folder, "composer.json");
        let json: Value = serde_json::from_str(project.text(&path)?.trim_start_matches('\u{feff}')).ok()?;
        let listed = json.get("require").and_then(Value::as_object).into_iter().flatten();
        let requires = listed
            .map(|(name, version)| (name.to_ascii_lowercase(), version.as_str().unwrap_or("*").to_owned()))
            .collect();
        Some(Self { path, requires })
    }

    /// The framework it builds on, and the package that says so.
    pub fn framework(&self) -> Option<(&'static str, &'static str)> {
        let known = FRAMEWORKS.iter().find(|(package, _)| self.requires.contains_key(*package));
        known.map(|(package, name)| (*name, *package))
    }

    /// There is something to install: packages have a maker, PHP and its extensions have none.
    pub fn installs(&self) -> bool {
        self.requires.keys().any(|name| name.contains('/'))
    }

    /// Extensions asked for that the base image does not have.
    pub fn lacking(&self) -> impl Iterator<Item = &str> {
        let extensions = self.requires.keys().filter_map(|name| name.strip_prefix("ext-"));
        extensions.filter(|name| !EXTENSIONS.contains(&name.replace('-', "_").as_str()))
    }

    /// The least PHP 8 it asks for: `^8.3` is 3.
    pub fn minor(&self) -> Option<u32> {
        let (_, rest) = self.requires.get("php")?.split_once("8.")?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    }

    /// Where a name stands in it.
    pub fn place(&self, project: &Project<'_>, name: &str) -> Option<Place> {
        let quoted = format!("\"{name}\"");
        let text = project.text(&self.path).unwrap_or_default();
        let line = text.lines().position(|line| line.to_ascii_lowercase().contains(&quoted));
        Some(Place { file: self.path.clone(), line: line.map(|line| line + 1) })
    }
}
