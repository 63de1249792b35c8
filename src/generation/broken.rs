//! What is broken in the tree and can be told without running it: syntax, imports of files that
//! are not there, package.json that is no JSON. None of it stops a plan.

use std::collections::BTreeSet;

use super::plan::{Notes, Place};
use super::project::{Project, folder_of, join, name_of, seen_from};
use super::python::{Import, PyFile};

const MOST_WARNINGS: usize = 20;

pub fn warn(project: &Project<'_>, notes: &mut Notes) {
    let mut found = Vec::new();
    for path in project.paths().filter(|path| name_of(path) == "package.json") {
        found.extend(no_json(project, path));
    }
    for file in project.python() {
        found.extend(broken(project, &file.path, file.syntax_error, "imported"));
        let mut seen = BTreeSet::new();
        let once = file.imports.iter().filter(|import| seen.insert((import.level, import.module.as_str())));
        found.extend(once.filter_map(|import| missing_module(project, file, import)));
    }
    for file in project.node() {
        found.extend(broken(project, &file.path, file.syntax_error, "loaded"));
        let missing = file.imports.iter().filter(|(module, _)| is_missing(project, &file.path, module));
        found.extend(missing.map(|(module, line)| {
            (format!("imports {module}, which is not among the files"), Place::line(&file.path, *line))
        }));
    }
    for (message, place) in found.into_iter().take(MOST_WARNINGS) {
        notes.warn(message, place);
    }
}

/// What keeps a file from being what it is.
fn broken(
    project: &Project<'_>,
    path: &str,
    syntax_error: Option<usize>,
    done: &str,
) -> Option<(String, Option<Place>)> {
    if let Some(line) = fence(project.text(path)?) {
        let message = format!("a mark of Markdown (```) was left in it: the file cannot be {done}");
        return Some((message, Place::line(path, line)));
    }
    syntax_error.map(|line| (format!("syntax error: the file cannot be {done}"), Place::line(path, line)))
}

/// Models answer in Markdown, and its marks are easily left around the code. JavaScript may even take
/// all of it for a text.
fn fence(text: &str) -> Option<usize> {
    let mut written = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    // One within may be a part of a text.
    let mut ends = [written.next(), written.last()].into_iter().flatten();
    ends.find(|(_, line)| line.starts_with("```")).map(|(index, _)| index + 1)
}

fn no_json(project: &Project<'_>, path: &str) -> Option<(String, Option<Place>)> {
    let text = project.text(path)?.trim_start_matches('\u{feff}');
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    Some((format!("not used: it is no JSON ({error})"), Place::line(path, error.line().max(1))))
}

/// A module of the tree's own packages that is not there.
fn missing_module(project: &Project<'_>, file: &PyFile, import: &Import) -> Option<(String, Option<Place>)> {
    if import.optional || import.module.is_empty() {
        return None;
    }
    let here = folder_of(&file.path);
    let inner = import.module.replace('.', "/");
    let exists = |base: &str| {
        let at = join(base, &inner);
        project.contains(&format!("{at}.py"))
            || project.has_folder(&at)
            || project.contains(&format!("{at}.pyi"))
    };
    let missing = if import.level > 0 {
        let mut base = here;
        for _ in 1..import.level {
            base = folder_of(base);
        }
        !exists(base)
    } else {
        // Where the first part is one of the tree's packages, seen from some folder above.
        let mut homes = ancestors(here)
            .into_iter()
            .filter(|base| is_package(project, &join(base, import.top())))
            .peekable();
        homes.peek().is_some() && !homes.any(exists)
    };
    let dots = ".".repeat(import.level);
    missing.then(|| {
        let message = format!("imports {dots}{}, which is not among the files", import.module);
        (message, Place::line(&file.path, import.line))
    })
}

fn is_package(project: &Project<'_>, folder: &str) -> bool {
    // Most names are of no folder at all, which is quickly seen.
    project.has_folder(folder) && {
        let under = format!("{folder}/");
        project.python().iter().any(|file| file.path.starts_with(&under))
    }
}

/// The top, `a`, `a/b`.
fn ancestors(folder: &str) -> Vec<&str> {
    let mut all = vec![""];
    all.extend(folder.match_indices('/').map(|(at, _)| &folder[..at]));
    if !folder.is_empty() {
        all.push(folder);
    }
    all
}

/// `./x` of a JavaScript file that no file of the tree answers to.
fn is_missing(project: &Project<'_>, path: &str, module: &str) -> bool {
    const ENDS: [&str; 14] = [
        "", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".json", ".node", ".vue",
        ".svelte", ".d.ts",
    ];
    let relative = module.starts_with("./") || module.starts_with("../");
    // What a build makes, or a builder understands in its own way.
    let made =
        ["generated", "dist/", "build/", "+types", "$types", ".gen"].iter().any(|part| module.contains(part));
    if !relative || made || module.contains(['?', '*', '$', '!']) {
        return false;
    }
    let Some(at) = seen_from(folder_of(path), module) else { return false };
    let stem = [".js", ".mjs", ".cjs", ".jsx"].iter().find_map(|end| at.strip_suffix(end)).unwrap_or(&at);
    let answers = |base: &str| ENDS.iter().any(|end| project.contains(&format!("{base}{end}")));
    !(answers(&at)
        || answers(stem)
        || answers(&join(&at, "index"))
        || project.contains(&join(&at, "package.json")))
}
