//! The archive of a build and the name of its image.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;

use super::super::testing::tree;
use super::super::{BuildInputs, Part, build_args, context, image_tag};
use super::{EXPRESS, FASTAPI, metadata, planned};
use crate::domain::{FilePath, FileSet, Metadata, SourceFile};

fn inputs() -> BuildInputs {
    BuildInputs {
        ca_bundle: Some(Bytes::from_static(b"PEM")),
        pip_index_url: Some("https://user:password@index.example/simple".into()),
        npm_registry: Some("https://npm.example/".into()),
        apt_mirror: Some("http://mirror.example/debian".into()),
        env: BTreeMap::from([("HTTPS_PROXY".to_owned(), "http://proxy.example:1".to_owned())]),
        caches_of: String::new(),
    }
}

fn bytes(metadata: &Metadata, files: &FileSet, inputs: &BuildInputs) -> Vec<u8> {
    let mut out = Vec::new();
    context(&planned(metadata, files), files, inputs, &Part::Whole, &mut out).expect("written");
    out
}

/// Name → (mode, content or link target).
fn entries(archive: &[u8]) -> BTreeMap<String, (u32, String)> {
    let mut tar = tar::Archive::new(archive);
    let read = tar.entries().expect("a tar").map(|entry| {
        let mut entry = entry.expect("an entry");
        assert_eq!(entry.header().mtime().expect("a time"), 0);
        assert_eq!(entry.header().uid().expect("an owner"), 0);
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mode = entry.header().mode().expect("a mode");
        let link = entry.link_name().expect("readable").map(|to| to.to_string_lossy().into_owned());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        (name, (mode, link.unwrap_or_else(|| String::from_utf8_lossy(&content).into_owned())))
    });
    read.collect()
}

#[test]
fn the_archive_holds_what_is_built_and_nothing_else() {
    let long = format!("{}/{}.txt", "d".repeat(120), "f".repeat(120));
    let files = tree(&[
        ("main.py", FASTAPI),
        ("requirements.txt", "fastapi\n"),
        (".git/config", "x"),
        ("sub/.git/config", "x"),
        (".env", "KEY=secret"),
        (".env.local", "KEY=secret"),
        (".env.example", "KEY="),
        ("node_modules/a/index.js", "x"),
        ("docs/a.md", "x"),
        ("docs/keep.md", "x"),
        (&long, "long"),
        (".dockerignore", "docs/**\n!docs/keep.md\n"),
    ]);
    let archive = bytes(&Metadata::default(), &files, &inputs());
    let entries = entries(&archive);
    let names: Vec<&str> = entries.keys().map(String::as_str).collect();
    let long = format!("app/{long}");
    for present in [
        "Dockerfile",
        "app/",
        "app/main.py",
        "app/docs/keep.md",
        "app/.env.example",
        "deps/requirements.txt",
        "previewd/env",
        "previewd/ca.crt",
        long.as_str(),
    ] {
        assert!(names.contains(&present), "{present} in {names:?}");
    }
    for absent in [".git", "secret", "node_modules", "docs/a.md", ".env.local"] {
        assert!(!names.iter().any(|name| name.contains(absent)), "{absent} in {names:?}");
    }
    assert!(!names.contains(&"app/.env"));
    assert_eq!(entries["previewd/ca.crt"].1, "PEM");
    let env = &entries["previewd/env"].1;
    for line in [
        "export UV_DEFAULT_INDEX=",
        "export npm_config_registry=",
        "export HTTPS_PROXY=",
        "export NODE_EXTRA_CA_CERTS=",
    ] {
        assert!(env.contains(line), "{line} in {env}");
    }
}

#[test]
fn equal_arguments_give_equal_bytes() {
    let files = tree(&[("b/main.py", FASTAPI), ("a.txt", "x")]);
    let (one, two) =
        (bytes(&Metadata::default(), &files, &inputs()), bytes(&Metadata::default(), &files, &inputs()));
    assert_eq!(one, two);
}

/// What is mounted into the dependency step must not follow the app, or each new start command
/// would install everything again.
#[test]
fn the_dependency_step_sees_the_same_for_every_app_of_a_host() {
    let mounted = |metadata: &Metadata, main: &str| {
        let files = tree(&[("main.py", main), ("requirements.txt", "fastapi\n")]);
        let mut listed = entries(&bytes(metadata, &files, &inputs()));
        listed.retain(|name, _| name.starts_with("previewd/") || name.starts_with("deps/"));
        listed
    };
    let one = mounted(&Metadata::default(), FASTAPI);
    let other = metadata(|m| {
        m.port = Some(1234);
        m.entry_point = Some("uvicorn main:other".into());
    });
    assert_eq!(one, mounted(&other, "from fastapi import FastAPI\nother = FastAPI()\n"));
}

#[test]
fn programs_stay_programs() {
    let program = SourceFile { content: Bytes::from_static(b"#!/bin/sh"), executable: true };
    let path = |path| FilePath::parse(path).expect("a path");
    let files = [(path("run.sh"), program), (path("main.py"), SourceFile::text(FASTAPI))];
    let files = FileSet::new(files, 1000).expect("a tree");
    let entries = entries(&bytes(&Metadata::default(), &files, &BuildInputs::default()));
    assert_eq!(entries["app/run.sh"].0, 0o755);
    assert_eq!(entries["app/main.py"].0, 0o644);
}

#[test]
fn node_modules_is_a_link_into_the_dependency_layer() {
    let files = tree(&[("server.js", EXPRESS), ("package.json", r#"{"dependencies":{"express":"4"}}"#)]);
    let listed = entries(&bytes(&Metadata::default(), &files, &BuildInputs::default()));
    assert_eq!(listed["app/node_modules"].1, "/opt/node/node_modules");
    assert_eq!(listed["deps/package.json"].1, r#"{"dependencies":{"express":"4"}}"#);
}

#[test]
fn an_own_dockerfile_gets_the_tree_as_it_is() {
    let files = tree(&[
        ("Dockerfile", "FROM python:3.11\nCOPY . .\n"),
        ("a/.env", "x"),
        (".git/x", ""),
        ("skip", ""),
        (".dockerignore", "skip"),
    ]);
    let listed = entries(&bytes(&Metadata::default(), &files, &inputs()));
    let names: Vec<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(names, [".dockerignore", "Dockerfile", "a/", "a/.env"]);
    assert_eq!(listed["Dockerfile"].1, "FROM previewd/python:3.11\nCOPY . .\n");
    let plan = planned(&Metadata::default(), &files);
    let args = build_args(&plan, &inputs());
    assert_eq!(args.get("HTTPS_PROXY").map(String::as_str), Some("http://proxy.example:1"));
    assert!(!args.values().any(|value| value.contains("password")), "{args:?}");
    assert!(build_args(&planned(&Metadata::default(), &tree(&[("main.py", FASTAPI)])), &inputs()).is_empty());
}

#[test]
fn the_tag_follows_the_content() {
    let tag = |metadata: &Metadata, files: &[(&str, &str)], digests: &[&str]| {
        let files = tree(files);
        let digests: Vec<String> = digests.iter().map(|digest| (*digest).to_owned()).collect();
        image_tag(&planned(metadata, &files), &files, &digests)
    };
    let plain = Metadata::default();
    let first = tag(&plain, &[("main.py", FASTAPI)], &["a", "b"]);
    let (name, hash) = first.split_once(':').expect("a tag");
    assert_eq!((name, hash.len()), ("previewd/app", 32));
    assert_eq!(first, tag(&plain, &[("main.py", FASTAPI)], &["b", "a"]), "order of digests");
    assert_eq!(
        first,
        tag(&plain, &[("main.py", FASTAPI), (".git/HEAD", "x"), (".env", "A=1")], &["a", "b"]),
        "what is not built"
    );
    let with_environment = metadata(|m| {
        m.environment.insert("A".into(), "1".into());
        m.name = Some("other".into());
    });
    assert_eq!(
        first,
        tag(&with_environment, &[("main.py", FASTAPI)], &["a", "b"]),
        "what is given at run time"
    );
    for other in [
        tag(&plain, &[("main.py", &format!("{FASTAPI}#"))], &["a", "b"]),
        tag(&plain, &[("main.py", FASTAPI), ("x", "")], &["a", "b"]),
        tag(&plain, &[("main.py", FASTAPI)], &["a", "c"]),
        tag(&metadata(|m| m.port = Some(1)), &[("main.py", FASTAPI)], &["a", "b"]),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn pages_built_to_lie_under_a_path_are_found_there() {
    let files = tree(&[
        ("package.json", r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#),
        ("vite.config.js", "export default { base: '/notes/' }\n"),
        ("index.html", "<p>"),
    ]);
    let found = entries(&bytes(&Metadata::default(), &files, &BuildInputs::default()));
    let nginx = &found["nginx.conf"].1;
    assert!(nginx.contains("location = / { return 302 /notes/; }"), "{nginx}");
    assert!(nginx.contains("try_files $uri $uri/index.html $uri.html /index.html; }"), "{nginx}");
}
