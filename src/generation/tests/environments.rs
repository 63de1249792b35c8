//! What generations with the same dependencies share, and what keeps others apart.

use std::collections::BTreeMap;

use super::super::dockerfile::{of_environment, onto_environment};
use super::super::testing::tree;
use super::super::{Dialect, dockerfile, environment_tag, is_environment, shares_environment, source, start};
use super::{EXPRESS, FASTAPI, metadata, planned};
use crate::domain::{FileSet, Metadata};

fn tag(metadata: &Metadata, files: &FileSet, base: &str) -> Option<String> {
    environment_tag(&planned(metadata, files), files, &[base.to_owned()])
}

fn fastapi(requirements: &str, main: &str) -> FileSet {
    tree(&[("main.py", main), ("requirements.txt", requirements)])
}

#[test]
fn source_and_start_are_no_part_of_it_and_dependencies_are() {
    let plain = Metadata::default();
    let one = tag(&plain, &fastapi("fastapi\n", FASTAPI), "base").expect("shared");
    assert!(is_environment(&one), "{one}");
    let other = metadata(|m| {
        m.port = Some(1234);
        m.entry_point = Some("uvicorn main:other".into());
    });
    let source = "from fastapi import FastAPI\nother = FastAPI()\n";
    assert_eq!(tag(&other, &fastapi("fastapi\n", source), "base"), Some(one.clone()));
    let system = metadata(|m| m.system_packages = vec!["graphviz".into()]);
    for different in [
        tag(&plain, &fastapi("fastapi==0.1\n", FASTAPI), "base"),
        tag(&plain, &fastapi("fastapi\n", FASTAPI), "newer"),
        tag(&system, &fastapi("fastapi\n", FASTAPI), "base"),
    ] {
        assert_ne!(different.expect("shared"), one);
    }
}

/// Whether the source is built onto the environment or with it, the lines are the same.
#[test]
fn its_dockerfile_and_that_of_the_source_are_the_whole_one() {
    let express = [("server.js", EXPRESS), ("package.json", r#"{"dependencies":{"express":"4"}}"#)];
    let trees = [
        fastapi("fastapi\n", FASTAPI),
        tree(&[("main.py", "print(1)")]),
        tree(&express),
        tree(&[("index.html", "<p>")]),
    ];
    for files in &trees {
        let plan = planned(&Metadata::default(), files);
        for dialect in [Dialect::BuildKit, Dialect::Classic] {
            let below = of_environment(&plan, dialect).expect("shared");
            let above = onto_environment(&plan, "previewd/env:1", dialect).expect("shared");
            let above = above.strip_prefix("# Written by previewd\n").expect("its first line");
            let above = above.replace("previewd/env:1", "environment");
            assert_eq!(format!("{below}{above}"), dockerfile(&plan, dialect));
        }
    }
}

#[test]
fn what_is_made_of_the_source_is_not_shared_and_says_why() {
    let vite = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"5"}}"#;
    let large = format!("TEXT = '{}'\n", "x".repeat(300 * 1024));
    let large = [("main.py", FASTAPI), ("requirements.txt", "fastapi\n"), ("data.py", large.as_str())];
    for (files, reason) in [
        (tree(&[("index.html", "<p>"), ("package.json", vite), ("vite.config.js", "")]), "built"),
        (tree(&[("Dockerfile", "FROM previewd/static:1\n")]), "its own Dockerfile"),
        (tree(&large), "compiled"),
    ] {
        let plan = planned(&Metadata::default(), &files);
        let said = shares_environment(&plan.recipe).expect_err("not shared");
        assert!(said.contains(reason), "{said}");
        assert_eq!(environment_tag(&plan, &files, &[]), None);
        let decision = plan.decisions.iter().find(|decision| decision.what == "environment");
        assert_eq!(decision.map(|decision| decision.reason.as_str()), Some(said));
    }
}

#[test]
fn the_start_says_what_the_image_would() {
    let files = fastapi("fastapi\n", FASTAPI);
    let plan = planned(&Metadata::default(), &files);
    let start = start(&plan);
    assert_eq!((start.arguments, start.working_dir), (plan.start.clone(), "/app".to_owned()));
    assert!(start.variables["PATH"].starts_with("/opt/venv/bin:/usr/local/sbin:"), "{:?}", start.variables);
    let put = source(&plan, &files);
    assert_eq!(put.keys().collect::<Vec<_>>(), ["main.py", "requirements.txt"]);
    let without: BTreeMap<_, _> = start.variables.into_iter().filter(|(name, _)| name != "PATH").collect();
    assert_eq!(without, plan.environment);
}
