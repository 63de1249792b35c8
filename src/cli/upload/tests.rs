//! What goes into a generation, and how it is written.

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("tempdir");
    for (path, content) in files {
        let file = dir.path().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("folders");
        fs::write(file, content).expect("a file");
    }
    dir
}

fn names(upload: &Upload) -> Vec<&str> {
    upload.files.iter().map(|(path, _)| path.as_str()).collect()
}

fn read(dir: &TempDir) -> Upload {
    Upload::read(dir.path(), None).expect("an upload")
}

#[test]
fn what_is_ignored_or_never_code_stays_out() {
    let dir = tree(&[
        (".gitignore", "*.log\n/dist\n"),
        (".dockerignore", "docs\n!docs/keep.md\nDockerfile\n.dockerignore\n"),
        ("Dockerfile", "FROM x"),
        (".env.example", "A=1"),
        ("main.py", "x"),
        ("debug.log", "x"),
        ("sub/debug.log", "x"),
        ("sub/.gitignore", "local\n"),
        ("sub/local", "x"),
        ("sub/dist/a.js", "x"),
        ("dist/a.js", "x"),
        ("docs/a.md", "x"),
        ("docs/keep.md", "x"),
        (".git/HEAD", "x"),
        ("node_modules/a/index.js", "x"),
        ("pkg/node_modules/a/index.js", "x"),
        ("pkg/__pycache__/a.pyc", "x"),
        (".venv/bin/python", "x"),
        ("preview.json", "{\"name\": \"shop\"}"),
    ]);
    let upload = read(&dir);
    assert_eq!(
        names(&upload),
        [
            ".dockerignore",
            ".env.example",
            ".gitignore",
            "Dockerfile",
            "docs/keep.md",
            "main.py",
            "sub/.gitignore",
            "sub/dist/a.js"
        ]
    );
    assert_eq!(upload.metadata.name.as_deref(), Some("shop"));
}

#[test]
fn a_folder_docker_leaves_out_is_left_out_whole() {
    let dir = tree(&[(".dockerignore", "data"), ("data/deep/er/x", "x"), ("database.py", "x")]);
    assert_eq!(names(&read(&dir)), [".dockerignore", "database.py"]);
}

#[test]
fn ignore_files_around_the_directory_do_not_count() {
    let outer = tree(&[(".gitignore", "*.py\n"), ("app/main.py", "x")]);
    let upload = Upload::read(&outer.path().join("app"), None).expect("an upload");
    assert_eq!(names(&upload), ["main.py"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_directory_only() {
    use std::os::unix::fs::symlink;
    let outer = tree(&[("secret", "s3cret"), ("app/main.py", "x"), ("app/lib/a.py", "x")]);
    let app = outer.path().join("app");
    symlink("main.py", app.join("same.py")).expect("link");
    symlink("../secret", app.join("out")).expect("link");
    symlink("lib", app.join("folder")).expect("link");
    symlink("nowhere", app.join("dangling")).expect("link");
    let upload = Upload::read(&app, None).expect("an upload");
    assert_eq!(names(&upload), ["lib/a.py", "main.py", "same.py"]);
    assert_eq!(upload.notes.len(), 3, "{:?}", upload.notes);
    assert!(upload.notes.iter().any(|note| note.contains("out: a link")), "{:?}", upload.notes);
}

#[cfg(unix)]
#[test]
fn the_body_says_what_is_text_binary_and_executable() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tree(&[("a.txt", "ä"), ("run.sh", "#!/bin/sh")]);
    fs::write(dir.path().join("b.bin"), [0xff, 0x00]).expect("a file");
    fs::set_permissions(dir.path().join("run.sh"), fs::Permissions::from_mode(0o755)).expect("mode");
    let body: serde_json::Value = serde_json::from_slice(&read(&dir).body().expect("json")).expect("json");
    assert_eq!(
        body["files"],
        json!({"a.txt": "ä", "b.bin": {"content": "/wA=", "encoding": "base64"},
               "run.sh": {"content": "#!/bin/sh", "encoding": "utf-8", "mode": "0755"}})
    );
    assert!(body["metadata"].is_object());
}

#[test]
fn an_edit_makes_another_id_and_a_copy_does_not() {
    let parent = tempfile::tempdir().expect("tempdir");
    let id = |folder: &str, content: &str| {
        let dir = parent.path().join(folder);
        fs::create_dir_all(&dir).expect("folder");
        fs::write(dir.join("a"), content).expect("a file");
        Upload::read(&dir, None).expect("an upload").default_id().expect("an id").to_string()
    };
    let first = id("My Shop!", "1");
    assert!(first.starts_with("My-Shop-") && first.len() == "My-Shop-".len() + 10, "{first}");
    assert_ne!(first, id("My Shop!", "2"));
    assert_eq!(first, id("My Shop!", "1"));
}

#[test]
fn metadata_that_is_none_names_its_field() {
    let dir = tree(&[("main.py", "x"), ("m.json", "{\"port\": \"many\"}"), ("n.json", "{\"port\": 0}")]);
    let said = |file: &str| {
        let error = Upload::read(dir.path(), Some(&dir.path().join(file))).expect_err("refused");
        format!("{error:#}")
    };
    assert!(said("m.json").contains("port: invalid type"), "{}", said("m.json"));
    assert!(said("n.json").contains("port: expected 1 to 65535"), "{}", said("n.json"));
    assert!(said("none.json").starts_with("cannot read "), "{}", said("none.json"));
}

#[test]
fn nothing_to_upload_is_told() {
    let dir = tree(&[(".git/HEAD", "x")]);
    let error = Upload::read(dir.path(), None).expect_err("empty");
    assert!(error.to_string().ends_with("holds no file to upload"), "{error}");
}

#[test]
fn the_largest_entries_are_named() {
    let dir = tree(&[("big/a", &"x".repeat(1500)), ("big/b", &"x".repeat(600)), ("c", "x")]);
    let upload = read(&dir);
    assert_eq!(upload.largest(), "big (2.1 kB), c (1 B)");
    assert_eq!(upload.summary(), "3 files, 2.1 kB");
}

proptest! {
    #[test]
    fn every_directory_name_makes_an_id(name in any::<String>()) {
        let id = format!("{}-0123456789", id_part(&name));
        prop_assert!(GenerationId::parse(&id).is_ok(), "{id:?}");
    }
}
