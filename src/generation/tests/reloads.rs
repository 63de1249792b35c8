//! How changed files come into a running container.

use super::{EXPRESS, FASTAPI, metadata, planned, tree};
use crate::domain::{FileSet, Metadata, Mode, ReloadWay};
use crate::generation::{Reload, reload};

const REQUIREMENTS: (&str, &str) = ("requirements.txt", "fastapi==0.115.0\nuvicorn==0.30.0\n");

fn between(metadata: &Metadata, old: &FileSet, new: &FileSet) -> Reload {
    reload((&planned(metadata, old), old), (&planned(metadata, new), new))
}

/// The way from some files to those with the changes on top; an empty text takes a file away.
fn way(metadata: &Metadata, files: &[(&str, &str)], changes: &[(&str, &str)]) -> (ReloadWay, String) {
    let kept = files.iter().filter(|(path, _)| changes.iter().all(|(changed, _)| changed != path));
    let put = changes.iter().filter(|(_, text)| !text.is_empty());
    let after: Vec<_> = kept.chain(put).copied().collect();
    let found = between(metadata, &tree(files), &tree(&after));
    (found.way, found.reason)
}

fn dev() -> Metadata {
    metadata(|m| m.mode = Some(Mode::Dev))
}

#[test]
fn code_of_a_server_is_read_when_it_starts_unless_it_watches() {
    let files = [("main.py", FASTAPI), REQUIREMENTS, ("templates/a.html", "a"), ("static/a.css", "a")];
    let change = [("main.py", "from fastapi import FastAPI\napp = FastAPI(title='x')\n")];
    assert_eq!(way(&Metadata::default(), &files, &change).0, ReloadWay::Restart);
    assert_eq!(way(&dev(), &files, &change).0, ReloadWay::Hot);
    assert_eq!(
        way(&Metadata::default(), &files, &[("templates/a.html", "b"), ("static/a.css", "b")]).0,
        ReloadWay::Hot
    );
    assert_eq!(
        way(&Metadata::default(), &files, &[("main.py", FASTAPI), ("helper.py", "x = 1\n")]).0,
        ReloadWay::Restart
    );
    let express =
        [("package.json", r#"{"dependencies":{"express":"4"},"main":"index.js"}"#), ("index.js", EXPRESS)];
    let change = [("index.js", "require('express')().listen(process.env.PORT || 3000)")];
    assert_eq!(way(&Metadata::default(), &express, &change).0, ReloadWay::Restart);
    assert_eq!(way(&dev(), &express, &change).0, ReloadWay::Hot);
}

#[test]
fn a_static_site_is_served_as_it_is() {
    let files = [("index.html", "a"), ("style.css", "b")];
    assert_eq!(
        way(&Metadata::default(), &files, &[("index.html", "c"), ("style.css", "")]).0,
        ReloadWay::Hot
    );
    let (way, reason) = way(&Metadata::default(), &files, &[("404.html", "gone")]);
    assert_eq!(way, ReloadWay::Rebuild, "nginx is configured otherwise: {reason}");
}

#[test]
fn what_the_image_is_made_of_beside_the_source_needs_another_image() {
    let files = [("main.py", FASTAPI), REQUIREMENTS];
    for (change, what) in [
        (("requirements.txt", "fastapi==0.116.0\nuvicorn==0.30.0\n"), "dependencies"),
        ((".env", "GREETING=hello\n"), ".env"),
        (("main.py", ""), ""),
    ] {
        let moved = [change, ("server.py", FASTAPI)];
        let changes = if what.is_empty() { &moved[..] } else { &moved[..1] };
        for metadata in [Metadata::default(), dev()] {
            let (way, reason) = way(&metadata, &files, changes);
            assert_eq!(way, ReloadWay::Rebuild, "{changes:?}");
            assert!(reason.contains(what), "{reason}");
        }
    }
}

#[test]
fn what_is_compiled_or_built_is_built_again() {
    let go = [("go.mod", "module a\n\ngo 1.22\n"), ("main.go", "package main\n\nfunc main() {}\n")];
    assert_eq!(
        way(&Metadata::default(), &go, &[("main.go", "package main\n\nfunc main() { }\n")]).0,
        ReloadWay::Rebuild
    );
    let own = [("Dockerfile", "FROM python:3.11-slim\nCOPY . /app\n"), ("main.py", "1")];
    assert_eq!(way(&Metadata::default(), &own, &[("main.py", "2")]).0, ReloadWay::Rebuild);
    let vite = [
        ("package.json", r#"{"scripts":{"dev":"vite","build":"vite build"},"devDependencies":{"vite":"5"}}"#),
        ("index.html", "a"),
    ];
    assert_eq!(way(&Metadata::default(), &vite, &[("index.html", "b")]).0, ReloadWay::Rebuild);
    assert_eq!(way(&dev(), &vite, &[("index.html", "b")]).0, ReloadWay::Hot);
}

#[test]
fn an_archive_names_folders_before_what_lies_in_them_and_what_is_kept_out_stays_out() {
    let (old, new) = (
        tree(&[("main.py", FASTAPI), REQUIREMENTS, ("old.py", "")]),
        tree(&[
            ("main.py", FASTAPI),
            REQUIREMENTS,
            ("a/b/c.py", "x"),
            (".git/config", "x"),
            (".dockerignore", "notes\n"),
            ("notes/x.txt", "x"),
        ]),
    );
    let found = between(&Metadata::default(), &old, &new);
    assert_eq!(found.remove, ["old.py"]);
    let archive = found.archive(1_700_000_000, None).expect("packed");
    let mut archive = tar::Archive::new(archive.as_slice());
    let entries: Vec<_> = archive
        .entries()
        .expect("entries")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let header = entry.header();
            let (uid, time) = (header.uid().expect("a user"), header.mtime().expect("a time"));
            assert_eq!((uid, time), (10001, 1_700_000_000));
            entry.path().expect("a path").to_string_lossy().into_owned()
        })
        .collect();
    assert_eq!(entries, ["a/", "a/b/", ".dockerignore", "a/b/c.py"]);
}
