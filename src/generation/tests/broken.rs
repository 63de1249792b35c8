//! Code that is broken still gets a plan, with warnings that say where.

use super::{FASTAPI, planned, tree};
use crate::domain::Metadata;
use crate::generation::{Plan, Recipe};

fn warned(plan: &Plan, file: &str, line: Option<usize>, words: &str) {
    let found = plan.warnings.iter().any(|warning| {
        warning.file.as_deref() == Some(file) && warning.line == line && warning.message.contains(words)
    });
    assert!(found, "{file}:{line:?} {words} in {:#?}", plan.warnings);
}

#[test]
fn syntax_errors_are_named() {
    let broken =
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef broken(:\n    return {\n";
    let plan = planned(&Metadata::default(), &tree(&[("main.py", broken)]));
    assert_eq!(plan.framework, "fastapi");
    let warning = plan.warnings.iter().find(|warning| warning.message.contains("syntax")).expect("a warning");
    assert_eq!(warning.file.as_deref(), Some("main.py"));
    assert!((4..=6).contains(&warning.line.unwrap_or(0)), "{warning:?}");
    let js = "const app = require('express')();\napp.get('/', (req, res => {\napp.listen(3000);\n";
    let plan = planned(&Metadata::default(), &tree(&[("server.js", js)]));
    assert_eq!(plan.framework, "express");
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.file.as_deref() == Some("server.js") && warning.line.is_some()),
        "{:?}",
        plan.warnings
    );
    let json = planned(
        &Metadata::default(),
        &tree(&[("server.js", "require('express')().listen(1)"), ("package.json", "{\n \"a\": 1,,\n}")]),
    );
    warned(&json, "package.json", Some(2), "JSON");
}

#[test]
fn files_that_are_imported_and_missing_are_named() {
    let main = "from fastapi import FastAPI\nfrom .routers import users\nfrom app.models import User\napp = FastAPI()\n";
    let plan = planned(&Metadata::default(), &tree(&[("app/__init__.py", ""), ("app/main.py", main)]));
    warned(&plan, "app/main.py", Some(2), "routers");
    warned(&plan, "app/main.py", Some(3), "app.models");
    let js = "const x = require('./routes/users');\nrequire('express')().listen(3000);\n";
    let plan = planned(&Metadata::default(), &tree(&[("server.js", js)]));
    warned(&plan, "server.js", Some(1), "./routes/users");
    let fine = "const x = require('./routes');\nconst y = require('./data.json'); import('./z.js');\nrequire('express')().listen(3000);\n";
    let plan = planned(
        &Metadata::default(),
        &tree(&[("server.js", fine), ("routes/index.js", ""), ("data.json", "{}"), ("z.ts", "")]),
    );
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn requirements_no_index_can_satisfy_are_mended_and_named() {
    let plan = planned(
        &Metadata::default(),
        &tree(&[("main.py", FASTAPI), ("requirements.txt", "fastapi\nuvicorn\nsqlite3\nsklearn\n")]),
    );
    warned(&plan, "requirements.txt", Some(3), "sqlite3");
    warned(&plan, "requirements.txt", Some(4), "scikit-learn");
}

/// The grammar knows no type arguments of a tag; whoever runs it does.
#[test]
fn tagged_templates_with_types_are_no_syntax_errors() {
    let data = "import postgres from 'postgres';\nconst sql = postgres(process.env.POSTGRES_URL!);\n\
                export const all = () => sql<\n  { id: string }[]\n>`SELECT ${1}`;\n";
    let package = r#"{"dependencies": {"next": "15.0.0", "postgres": "3.4.5"}}"#;
    let files =
        [("package.json", package), ("app/lib/data.ts", data), ("app/page.tsx", "export default () => 1")];
    let plan = planned(&Metadata::default(), &tree(&files));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    assert!(plan.environment_missing.is_empty(), "the preview's database sets it");
}

/// What is well known is installed, unless a lock says exactly what is; the rest is said.
#[test]
fn packages_that_package_json_forgot() {
    let json = r#"{"name":"x","scripts":{"start":"node index.js"},"dependencies":{"express":"4","mongoose":"8"},"devDependencies":{"@types/geojson":"1"}}"#;
    let source = "const express = require('express');\nrequire('dotenv').config();\nimport made from 'made-up-thing/x';\n\
                  import type { T } from 'only-types';\nimport 'node:fs'; import 'fs/promises'; import './index.css';\n\
                  try {\n  require('optional-one');\n} catch {}\nimport { Double } from 'bson';\nimport a from '@/lib/a';\n\
                  import { b } from '@parts/b';\nimport c from 'lib/c';\nimport { G } from 'geojson';\n\
                  import 'x/self';\nlisten(3000);\n";
    let files = [
        ("package.json", json),
        ("index.js", source),
        ("index.test.js", "require('jest-thing')\n"),
        ("scripts/once.js", "require('of-a-script')\n"),
        ("lib/c.js", ""),
        ("tsconfig.json", r#"{"compilerOptions":{"paths":{"@parts/*":["./lib/*"]}}}"#),
    ];
    let of = |files: &[(&str, &str)]| {
        let plan = planned(&Metadata::default(), &tree(files));
        let needs = plan.warnings.into_iter().filter(|warning| warning.message.contains("does not name"));
        let needs = needs.map(|warning| (warning.message, warning.file, warning.line)).collect::<Vec<_>>();
        let Recipe::Node(recipe) = plan.recipe else { panic!("{:?}", plan.recipe) };
        (recipe.packages, needs)
    };
    let needs = |package: &str, line| {
        let message = format!("needs {package}, which package.json does not name");
        (message, Some("index.js".to_owned()), Some(line))
    };
    let (packages, warned) = of(&files);
    assert_eq!(packages, ["dotenv"]);
    assert_eq!(warned, [needs("made-up-thing", 3)]);
    let lock = ("package-lock.json", r#"{"packages":{"node_modules/made-up-thing":{}}}"#);
    let (packages, warned) = of(&[files.as_slice(), &[lock]].concat());
    assert!(packages.is_empty());
    assert_eq!(warned, [needs("dotenv", 2)]);
}

#[test]
fn marks_of_markdown_around_the_code_are_named() {
    let warned = |name: &str, text: &str| {
        let plan = planned(&Metadata::default(), &tree(&[("main.py", super::FASTAPI), (name, text)]));
        let mut warnings = plan.warnings.into_iter();
        warnings.find(|warning| warning.file.as_deref() == Some(name)).map(|it| (it.message, it.line))
    };
    let fence = |done: &str, line| {
        Some((format!("a mark of Markdown (```) was left in it: the file cannot be {done}"), Some(line)))
    };
    assert_eq!(warned("a.py", "\n```python\nx = os.getenv(1)\n```\n"), fence("imported", 2));
    assert_eq!(warned("a.py", "x = os.getenv(1)\n```\n"), fence("imported", 2));
    assert_eq!(warned("a.js", "```js\nimport express from 'express';\n```\n"), fence("loaded", 1));
    let text = "\"\"\"\n```\nx\n```\n\"\"\"\nx = = os.getenv(1)\n";
    assert_eq!(warned("a.py", text), Some(("syntax error: the file cannot be imported".to_owned(), Some(6))));
}
