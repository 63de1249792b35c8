//! What cannot be planned, and the field each refusal names.

use super::{FASTAPI, metadata, planned, refused, tree};
use crate::domain::Metadata;

#[test]
fn an_entry_point_that_is_not_there_is_named() {
    let files = tree(&[("main.py", FASTAPI), ("package.json", r#"{"scripts":{"start":"node x.js"}}"#)]);
    for (entry, expected) in [
        ("uvicorn app.main:app", "app/main.py"),
        ("gunicorn -w 2 wsgi:app", "wsgi.py"),
        ("nowhere:app", "nowhere.py"),
        ("python other.py", "other.py"),
        ("other.py", "other.py"),
        ("node server.js", "server.js"),
        ("npm run serve", "serve"),
        ("python 'main.py", "quote"),
    ] {
        let error = refused(&metadata(|m| m.entry_point = Some(entry.into())), &files);
        assert_eq!(error.field(), "metadata.entryPoint", "{entry}");
        assert!(error.message().contains(expected), "{entry}: {}", error.message());
        assert_eq!(error.invalid().field, "metadata.entryPoint");
    }
}

#[test]
fn nothing_to_start_says_what_was_looked_for() {
    let error = refused(&Metadata::default(), &tree(&[("README.md", "# hi"), ("data.bin", "\u{0}")]));
    assert_eq!(error.field(), "files");
    for looked_for in ["Dockerfile", "FastAPI()", "Flask()", "package.json", "index.html", "main.py"] {
        assert!(error.message().contains(looked_for), "{}", error.message());
    }
    let python = metadata(|m| m.language = Some("python".into()));
    let error = refused(&python, &tree(&[("index.html", "")]));
    assert!(!error.message().contains("index.html"), "{}", error.message());
}

#[test]
fn a_framework_the_files_do_not_have_is_refused() {
    for (framework, file) in
        [("fastapi", "index.html"), ("flask", "index.html"), ("express", "index.html"), ("static", "main.py")]
    {
        let error = refused(&metadata(|m| m.framework = Some(framework.into())), &tree(&[(file, "")]));
        assert_eq!(error.field(), "metadata.framework", "{framework}");
    }
}

#[test]
fn versions_without_an_image_are_refused_by_field() {
    let files = tree(&[("main.py", FASTAPI)]);
    let error = refused(&metadata(|m| m.python_version = Some("3.6".into())), &files);
    assert_eq!((error.field(), error.message().contains("3.11")), ("metadata.pythonVersion", true));
    let node = tree(&[("server.js", "")]);
    assert_eq!(
        refused(&metadata(|m| m.node_version = Some("8".into())), &node).field(),
        "metadata.nodeVersion"
    );
    // What files ask for is only a wish.
    let wish = tree(&[("main.py", FASTAPI), (".python-version", "3.6\n")]);
    let plan = planned(&Metadata::default(), &wish);
    assert_eq!(plan.runtime_version.as_deref(), Some("3.11"));
    assert!(plan.warnings.iter().any(|warning| warning.file.as_deref() == Some(".python-version")));
}

#[test]
fn a_dockerfile_on_a_foreign_base_is_refused_by_line() {
    let error = refused(&Metadata::default(), &tree(&[("Dockerfile", "# x\nFROM ubuntu:22.04\n")]));
    assert_eq!(error.field(), "files[\"Dockerfile\"]");
    assert!(error.message().starts_with("line 2: base image \"ubuntu:22.04\""), "{}", error.message());
    let given = metadata(|m| m.generated_dockerfile = Some("FROM ubuntu".into()));
    assert_eq!(refused(&given, &tree(&[("x", "")])).field(), "metadata.generatedDockerfile");
}

#[test]
fn metadata_wins_over_detection() {
    let files = tree(&[
        ("main.py", FASTAPI),
        ("Dockerfile", "FROM ubuntu"),
        ("index.html", ""),
        ("web.py", "import flask\nsite = flask.Flask('x')\n"),
    ]);
    let framework = |name: &str| planned(&metadata(|m| m.framework = Some(name.into())), &files).framework;
    assert_eq!(framework("fastapi"), "fastapi");
    assert_eq!(framework("Flask"), "flask");
    assert_eq!(framework("static"), "static");
    let entry = metadata(|m| {
        m.entry_point = Some("web:site".into());
        m.framework = Some("python".into());
    });
    let plan = planned(&entry, &files);
    assert_eq!(plan.framework, "flask");
    assert_eq!(plan.start.expect("a command")[..2], ["gunicorn", "web:site"]);
}
