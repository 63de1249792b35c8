//! Keeps the picture of `src/` true: who may import whom, which crates belong to one module alone,
//! and how long a file may get. A finding names file and line.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and those it may import, from the ground up. `main.rs` is the module `main`.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("seal", &[]),
    // Of tests, and nothing in any other build.
    ("faults", &[]),
    ("generation", &["domain"]),
    ("engine", &["domain", "faults"]),
    ("store", &["domain", "seal", "faults"]),
    ("databases", &["domain", "seal", "engine", "store"]),
    ("streams", &["domain", "engine", "store"]),
    ("webhooks", &["domain", "seal", "store"]),
    ("ingress", &["domain", "engine", "store"]),
    ("orchestrator", &["domain", "seal", "generation", "engine", "store", "databases", "streams", "ingress"]),
    ("web", &["domain"]),
    (
        "api",
        &["domain", "seal", "generation", "store", "streams", "ingress", "orchestrator", "webhooks", "web"],
    ),
    ("data_dir", &[]),
    ("config", ALL),
    ("app", ALL),
    // Client commands know the API; those of the daemon's administration work on all parts.
    ("cli", ALL),
    ("main", &["cli"]),
];

/// May import everything that is below: these compose the others.
const ALL: &[&str] = &["*"];

/// Crates whose types stay inside of the modules named.
const OWNED_CRATES: &[(&str, &[&str])] =
    &[("bollard", &["engine"]), ("sqlx", &["store", "databases"]), ("axum", &["api", "app"])];

const LONGEST_FILE: usize = 500;

#[test]
fn modules_import_downwards_only() {
    let mut findings = Vec::new();
    for file in source_files() {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == file.layer) else {
            findings.push(format!("{}: the module {} has no place in LAYERS", file.name, file.layer));
            continue;
        };
        for import in imports(&file.code, file.depth) {
            let free = import.name == file.layer || allowed.contains(&"*") || !is_layer(&import.name);
            if !free && !allowed.contains(&import.name.as_str()) {
                let Import { line, name } = import;
                findings.push(format!("{}:{line}: {} may not import {name}", file.name, file.layer));
            }
        }
    }
    assert_none(findings);
}

#[test]
fn foreign_types_stay_in_their_module() {
    let mut findings = Vec::new();
    for file in source_files() {
        for (krate, owners) in OWNED_CRATES {
            if owners.contains(&file.layer.as_str()) {
                continue;
            }
            for (number, line) in file.code.lines().enumerate() {
                if names_crate(line, krate) {
                    let line = number + 1;
                    findings.push(format!("{}:{line}: {krate} belongs to {}", file.name, owners.join(", ")));
                }
            }
        }
    }
    assert_none(findings);
}

#[test]
fn no_file_is_too_long() {
    let findings = source_files().into_iter().filter_map(|file| {
        let lines = file.code.lines().count();
        (lines > LONGEST_FILE)
            .then(|| format!("{}:{LONGEST_FILE}: {lines} lines; two ideas may live here", file.name))
    });
    assert_none(findings.collect());
}

#[test]
fn every_way_to_write_an_import_is_seen() {
    let code = "use crate::engine::Engine;\n\
                use crate::{domain::{Preview, store}, store as s,\n    api::v1};\n\
                pub(crate) use super::super::ingress;\n\
                fn f() -> crate::cli::X { previewd::app::run() }\n";
    let found: Vec<_> =
        imports(&without_comments(code), 2).into_iter().map(|i| format!("{}:{}", i.line, i.name)).collect();
    assert_eq!(found, ["1:engine", "2:domain", "2:store", "3:api", "4:ingress", "5:cli", "5:app"]);
    assert!(imports("use super::store;\n", 2).is_empty(), "a neighbour within the module");
    assert!(imports(&without_comments("/// see crate::store\nlet mycrate::x = 1;"), 1).is_empty());
}

#[test]
fn a_crate_is_told_from_what_only_looks_like_it() {
    assert!(names_crate("use bollard::Docker;", "bollard"));
    assert!(names_crate("pub use bollard;", "bollard"));
    assert!(names_crate("#[derive(sqlx::FromRow)]", "sqlx"));
    assert!(!names_crate("use crate::my_sqlx::X;", "sqlx"));
    assert!(!names_crate("let axum_like = 1;", "axum"));
}

struct SourceFile {
    /// Relative to the project: `src/engine/mod.rs`.
    name: String,
    /// The module directly below the crate: `engine`.
    layer: String,
    /// Steps from the crate to this module: `src/engine/mod.rs` is 1, `src/engine/run.rs` is 2.
    depth: usize,
    code: String,
}

#[derive(Debug)]
struct Import {
    line: usize,
    /// The module below the crate.
    name: String,
}

fn assert_none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

fn is_layer(name: &str) -> bool {
    LAYERS.iter().any(|(layer, _)| *layer == name)
}

/// All of `src/` but `lib.rs`, which only lists the modules.
fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no sources found below {}", root.display());
    paths.iter().filter_map(|path| source_file(root, path)).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn source_file(root: &Path, path: &Path) -> Option<SourceFile> {
    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    let module: Vec<&str> = name.strip_prefix("src/")?.strip_suffix(".rs")?.split('/').collect();
    let module = module.strip_suffix(&["mod"]).unwrap_or(&module);
    let (layer, depth) = ((*module.first()?).to_owned(), module.len());
    let code = without_comments(&fs::read_to_string(path).unwrap());
    (layer != "lib").then_some(SourceFile { name, layer, depth, code })
}

/// The code with its line comments emptied, line for line.
fn without_comments(code: &str) -> String {
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path that starts at the crate: `crate::x`, `crate::{x, y::z}`, `previewd::x`, and as many
/// `super::` as lead out of a module `depth` steps below the crate.
fn imports(code: &str, depth: usize) -> Vec<Import> {
    let out = "super::".repeat(depth);
    let mut found = Vec::new();
    for start in ["crate::", "previewd::", out.as_str()] {
        for (at, _) in code.match_indices(start) {
            if code[..at].ends_with(|c: char| is_word(c) || c == ':') {
                continue;
            }
            for (offset, name) in heads(&code[at + start.len()..]) {
                let line = code[..at + start.len() + offset].matches('\n').count() + 1;
                found.push(Import { line, name: name.to_owned() });
            }
        }
    }
    found.sort_by_key(|import| import.line);
    found
}

/// The first names of a path or of the paths of a `{…}` group, with where they start.
fn heads(path: &str) -> Vec<(usize, &str)> {
    if !path.starts_with('{') {
        return vec![(0, word_at(path, 0))];
    }
    let (mut found, mut nesting, mut expecting) = (Vec::new(), 0, true);
    for (at, c) in path.char_indices() {
        match c {
            '{' => nesting += 1,
            '}' if nesting == 1 => break,
            '}' => nesting -= 1,
            ',' if nesting == 1 => expecting = true,
            c if expecting && is_word(c) => {
                found.push((at, word_at(path, at)));
                expecting = false;
            }
            _ => {}
        }
    }
    found
}

fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a line of code speaks of a crate: `name::…` or `use name`.
fn names_crate(line: &str, krate: &str) -> bool {
    line.match_indices(krate).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + krate.len()..]);
        let starts = !before.ends_with(|c: char| is_word(c) || c == ':');
        let used = before.ends_with("use ") && !after.starts_with(is_word);
        starts && (after.starts_with("::") || used)
    })
}
