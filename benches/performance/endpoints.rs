//! Finding the endpoints and the models of a project of 200 files.

use std::time::{Duration, Instant};

use anyhow::ensure;
use previewd::domain::{FilePath, FileSet, SourceFile};
use previewd::generation::outline::outline;

use crate::table::{Goal, Line, duration, median};

const RUNS: usize = 21;
const MODULES: usize = 40;
const VERBS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const LIMIT: Duration = Duration::from_millis(50);

pub fn measure() -> anyhow::Result<Vec<Line>> {
    let files = project()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let found = outline(&files);
        times.push(begun.elapsed());
        ensure!(found.endpoints.len() == MODULES * VERBS.len(), "{} endpoints found", found.endpoints.len());
        let first = &found.endpoints[0];
        ensure!(first.path == "/api/r0/{item_id}/delete", "the first is {}", first.path);
        ensure!(found.models.len() == MODULES * 4, "{} models found", found.models.len());
        ensure!(found.warnings.is_empty(), "{:?}", found.warnings);
    }
    let took = median(&times);
    let size = files.total_bytes() / 1024;
    Ok(vec![Line {
        row: "endpoints".to_owned(),
        ours: duration(took),
        baseline: "–".to_owned(),
        ratio: None,
        goal: Goal::Within { took, limit: LIMIT },
        notes: vec![format!(
            "median of {RUNS} runs over {} files, {size} KiB: 200 endpoints, 160 models",
            files.len()
        )],
    }])
}

/// 40 routers of 5 routes, a schema, a model, a service and a test for each, as generators write
/// them, and an app that includes them all.
fn project() -> anyhow::Result<FileSet> {
    let mut files = Vec::new();
    let mut app = "from fastapi import FastAPI\napp = FastAPI()\n".to_owned();
    for at in 0..MODULES {
        let routes: String = VERBS.iter().map(|verb| route(at, verb)).collect();
        files.push((format!("app/routers/r{at}.py"), router(at) + &routes));
        files.push((format!("app/schemas/s{at}.py"), schema()));
        files.push((format!("app/models/m{at}.py"), schema()));
        files.push((format!("app/services/v{at}.py"), service()));
        files.push((format!("tests/test_r{at}.py"), service()));
        app += &format!("from app.routers import r{at}\napp.include_router(r{at}.router, prefix=\"/api\")\n");
    }
    files.push(("app/main.py".to_owned(), app));
    let parsed: Result<Vec<_>, _> =
        files.into_iter().map(|(path, text)| Ok((FilePath::parse(&path)?, SourceFile::text(text)))).collect();
    parsed.and_then(|files| FileSet::new(files, 10 << 20)).map_err(|invalid| anyhow::anyhow!("{invalid}"))
}

fn router(at: usize) -> String {
    format!(
        "from fastapi import APIRouter, Depends, HTTPException\nfrom app.schemas.s{at} import Item, NewItem\n\
         from app.services.v{at} import Service\nrouter = APIRouter(prefix=\"/r{at}\", tags=[\"r{at}\"])\n"
    )
}

fn route(at: usize, verb: &str) -> String {
    format!(
        "@router.{verb}(\"/{{item_id}}/{verb}\", response_model=Item)\n\
         async def {verb}_item_{at}(item_id: int, item: NewItem, service: Service = Depends()):\n    \
         \"\"\"Does what {verb} does.\"\"\"\n    item = await service.load(item_id)\n    if item is None:\n        \
         raise HTTPException(status_code=404, detail=\"Item not found\")\n    return item\n\n"
    )
}

fn schema() -> String {
    let field = |at| format!("    field_{at}: str | None = Field(default=None, max_length=200)\n");
    let fields: String = (0..30).map(field).collect();
    format!(
        "from pydantic import BaseModel, Field\nclass Item(BaseModel):\n{fields}\nclass NewItem(Item):\n{fields}"
    )
}

fn service() -> String {
    let method = |at| {
        format!(
            "    async def load_{at}(self, item_id: int):\n        \
             rows = await self.session.execute(select(Item).where(Item.id == item_id))\n        \
             return [row.to_dict() for row in rows.scalars().all() if row.visible]\n\n"
        )
    };
    let methods: String = (0..12).map(method).collect();
    format!("from sqlalchemy import select\nclass Service:\n{methods}")
}
