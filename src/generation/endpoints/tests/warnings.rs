//! What stands in the way is told, with file and line.

use super::project;
use crate::generation::outline::outline;

fn warnings(files: &[(&str, &str)]) -> Vec<String> {
    let told = outline(&project(files)).warnings.into_iter();
    let place = |file: Option<String>, line: Option<usize>| {
        format!("{}:{}", file.unwrap_or_default(), line.unwrap_or_default())
    };
    let mut all: Vec<String> =
        told.map(|one| format!("{} {}", place(one.file, one.line), one.message)).collect();
    all.sort();
    all
}

#[test]
fn broken_files_missing_files_and_wrong_names() {
    let files = [
        (
            "main.py",
            "from fastapi import FastAPI\nfrom .gone import router as gone\nfrom . import items\napp = FastAPI()\n\
             app.include_router(gone)\napp.include_router(items.rooter)\n",
        ),
        (
            "items.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n\n@router.get('/x')\ndef x(:\n    return {\n",
        ),
    ];
    assert_eq!(
        warnings(&files),
        [
            "items.py:5 a syntax error: what is written around here may be missing",
            "main.py:2 it imports from .gone, which is not among the files",
            "main.py:6 what is mounted here could not be followed; its endpoints may be missing",
        ]
    );
    let node = [
        (
            "src/app.js",
            "const express = require('express');\nconst app = express();\napp.use('/a', require('./routes/gone'));\napp.use(require('./data.json'));\n",
        ),
        ("src/data.json", "{}"),
    ];
    assert_eq!(warnings(&node), ["src/app.js:3 it imports from ./routes/gone, which is not among the files"]);
}

#[test]
fn sound_projects_have_none() {
    let files = [
        (
            "main.py",
            "from fastapi import FastAPI\nfrom fastapi.staticfiles import StaticFiles\nfrom lib import users\nimport items\napp = FastAPI()\n\
             app.include_router(items.router)\napp.include_router(users.router)\napp.mount('/static', StaticFiles(directory='s'))\n",
        ),
        (
            "items.py",
            "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/x')\ndef x[T](a: T) -> T: ...\n",
        ),
        ("go.mod", "module x\n"),
        (
            "main.go",
            "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.HandleFunc(\"/x\", nil)\n}\n",
        ),
    ];
    assert_eq!(warnings(&files), Vec::<String>::new());
}
