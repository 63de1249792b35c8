//! Two versions of one app.

use insta::assert_json_snapshot;

use super::{Performance, Version, compare};
use crate::domain::{FilePath, FileSet, Metadata, SourceFile};
use crate::generation::outline::outline;
use crate::generation::{BaseImages, plan};

const FIRST: &[(&str, &str)] = &[
    (
        "main.py",
        "import os\nfrom fastapi import FastAPI\nfrom models import Item, NewItem\napp = FastAPI()\nKEY = os.environ['OLD_KEY']\n\
         @app.get('/items/{id}')\ndef one(id: int, full: bool = False) -> Item: ...\n\
         @app.post('/items')\ndef add(item: NewItem) -> Item: ...\n\
         @app.delete('/items/{id}')\ndef gone(id: int): ...\n@app.get('/same')\ndef same(): ...\n",
    ),
    (
        "models.py",
        "from pydantic import BaseModel\nclass Item(BaseModel):\n    id: int\n    name: str\n    note: str | None = None\n\
         class NewItem(BaseModel):\n    name: str\nclass Old(BaseModel):\n    x: int\n",
    ),
    ("requirements.txt", "fastapi>=0.110\npydantic==2.1 ; python_version > '3.8'\nrequests\n"),
];
const SECOND: &[(&str, &str)] = &[
    (
        "main.py",
        "import os\nfrom fastapi import FastAPI\nfrom schemas import Item, NewItem, Page\napp = FastAPI()\nKEY = os.environ['NEW_KEY']\n\
         @app.get('/items/{item_id}')\ndef one(item_id: str, limit: int = 10) -> Page: ...\n\
         @app.post('/items')\ndef add(item: NewItem) -> Item: ...\n@app.get('/same')\ndef same(): ...\n\
         @app.get('/new')\ndef new(): ...\n",
    ),
    (
        "schemas.py",
        "from pydantic import BaseModel\nclass Base(BaseModel):\n    at: int\nclass Item(Base):\n    id: str\n    name: str | None = None\n\
         class NewItem(BaseModel):\n    name: str\nclass Page(BaseModel):\n    items: list[Item]\n",
    ),
    ("requirements.txt", "fastapi>=0.115\npydantic==2.1\nhttpx[http2]>=0.27 # why\n"),
];

fn files(files: &[(&str, &str)]) -> FileSet {
    let files =
        files.iter().map(|(path, text)| (FilePath::parse(path).expect("a path"), SourceFile::text(*text)));
    FileSet::new(files, u64::MAX).expect("files")
}

fn metadata(json: &str) -> Metadata {
    serde_json::from_str(json).expect("metadata")
}

#[test]
fn everything_that_became_of_a_version() {
    let (first, second) = (files(FIRST), files(SECOND));
    let (outlines, bases) = ((outline(&first), outline(&second)), BaseImages::default());
    let metadata = (
        metadata(r#"{"environment": {"KEPT": "a", "GONE": "b"}, "pythonVersion": "3.11"}"#),
        metadata(r#"{"environment": {"KEPT": "other"}, "pythonVersion": "3.11", "port": 9000}"#),
    );
    let plans = (plan(&metadata.0, &first, &bases).ok(), plan(&metadata.1, &second, &bases).ok());
    let before = Version {
        metadata: &metadata.0,
        files: &first,
        outline: &outlines.0,
        plan: plans.0.as_ref(),
        performance: Some(Performance { request_count: 10, error_count: 2, avg_response_time: 20.0 }),
    };
    let after = Version {
        metadata: &metadata.1,
        files: &second,
        outline: &outlines.1,
        plan: plans.1.as_ref(),
        performance: Some(Performance { request_count: 10, error_count: 1, avg_response_time: 17.0 }),
    };
    assert_json_snapshot!(compare(before, after));
    let same = compare(before, before);
    assert_eq!(same.endpoints, Default::default());
    assert_eq!(same.models, Default::default());
    assert_eq!(same.dependencies, Default::default());
    assert_eq!(same.environment, Default::default());
    assert_eq!(same.performance.avg_response_time_change.as_deref(), Some("0%"));
}

#[test]
fn every_manifest_is_read() {
    let first = files(&[
        ("package.json", r#"{"dependencies": {"express": "^4"}, "devDependencies": {"vite": "5"}}"#),
        (
            "api/pyproject.toml",
            "[project]\nname = 'x'\ndependencies = ['flask~=3.0']\n[tool.poetry.dependencies]\npython = '^3.11'\nclick = {version = '^8'}\n",
        ),
        (
            "go.mod",
            "module x\n\nrequire github.com/go-chi/chi/v5 v5.0.0\nrequire (\n\tgolang.org/x/net v0.1.0 // indirect\n)\n",
        ),
    ]);
    let second = files(&[
        ("package.json", r#"{"dependencies": {"express": "^5"}}"#),
        ("go.mod", "module x\n\nrequire (\n\tgithub.com/go-chi/chi/v5 v5.1.0\n)\n"),
        ("Pipfile", "[packages]\nFlask_Cors = '*'\n"),
        ("Cargo.toml", "[dependencies]\nserde = { version = '1' }\n"),
        ("broken/package.json", "{"),
    ]);
    let changes = super::dependencies::changes(&first, &second);
    let names = |all: &[super::Dependency]| {
        all.iter().map(|one| format!("{} {}", one.name, one.version)).collect::<Vec<_>>()
    };
    assert_eq!(names(&changes.added), ["flask-cors *", "serde 1"]);
    assert_eq!(names(&changes.removed), ["click ^8", "flask ~=3.0", "vite 5"]);
    let modified: Vec<_> = changes
        .modified
        .iter()
        .map(|one| (one.name.as_str(), one.before.as_str(), one.after.as_str()))
        .collect();
    assert_eq!(modified, [("express", "^4", "^5"), ("github.com/go-chi/chi/v5", "v5.0.0", "v5.1.0")]);
}
