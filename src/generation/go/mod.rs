//! What Go source says: programs, ports, variables. Read by its lines, which is enough for these.

mod scan;

pub use scan::{GoFile, scan};

use super::plan::Place;
use super::project::{Project, folder_of, join, name_of};

/// The module of a tree: the go.mod nearest to the top, read for what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where go.mod lies; empty for the top.
    pub folder: String,
    /// `1.21`, as it stands there.
    pub go: Option<(String, Place)>,
    pub requires: Vec<String>,
}

pub fn module(project: &Project<'_>) -> Option<Module> {
    let path = project
        .paths()
        .filter(|path| name_of(path) == "go.mod")
        .min_by_key(|path| path.matches('/').count())?;
    let text = project.text(path)?;
    let mut module = Module { folder: folder_of(path).to_owned(), go: None, requires: Vec::new() };
    for (index, line) in text.lines().enumerate().take(2000) {
        let line = line.trim();
        if let Some(version) = line.strip_prefix("go ").map(str::trim)
            && version.len() < 12
        {
            module.go = Some((version.to_owned(), Place { file: path.to_owned(), line: Some(index + 1) }));
        }
        let required = line.trim_start_matches("require ").trim();
        if let Some((name, version)) = required.split_once(" v")
            && name.contains('.')
            && version.starts_with(|c: char| c.is_ascii_digit())
        {
            module.requires.push(name.to_owned());
        }
    }
    Some(module)
}

/// The folders with a program, the likeliest to serve first.
pub fn programs<'p>(project: &'p Project<'_>) -> Vec<&'p GoFile> {
    const NAMES: [&str; 8] = ["server", "api", "web", "app", "http", "service", "backend", "main"];
    let mut mains: Vec<&GoFile> = project.go().iter().filter(|file| file.is_main).collect();
    mains.sort_by_key(|file| {
        let folder = folder_of(&file.path);
        let depth = if folder.is_empty() { 0 } else { folder.matches('/').count() + 1 };
        let named = NAMES.iter().position(|name| *name == name_of(folder)).unwrap_or(NAMES.len());
        (file.listens.is_empty(), depth > 2, depth.min(1), named, file.path.clone())
    });
    mains
}

/// The web framework a module builds on, by name.
pub fn framework(module: &Module) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 7] = [
        ("github.com/gin-gonic/gin", "gin"),
        ("github.com/labstack/echo", "echo"),
        ("github.com/gofiber/fiber", "fiber"),
        ("github.com/go-chi/chi", "chi"),
        ("github.com/gorilla/mux", "gorilla"),
        ("github.com/beego/beego", "beego"),
        ("github.com/julienschmidt/httprouter", "httprouter"),
    ];
    let requires = |name: &str| module.requires.iter().any(|required| required.starts_with(name));
    KNOWN.iter().find(|(name, _)| requires(name)).map(|(_, framework)| *framework)
}

/// Packages that need a C compiler.
pub fn needs_cgo(module: &Module) -> Option<&str> {
    let c = [
        "github.com/mattn/go-sqlite3",
        "github.com/go-gl/",
        "gorm.io/driver/sqlite",
        "github.com/h2non/bimg",
    ];
    module.requires.iter().map(String::as_str).find(|name| c.iter().any(|start| name.starts_with(start)))
}

/// Files the module's layer depends on.
pub fn manifests(project: &Project<'_>, folder: &str) -> Vec<String> {
    ["go.mod", "go.sum"].iter().map(|name| join(folder, name)).filter(|path| project.contains(path)).collect()
}
