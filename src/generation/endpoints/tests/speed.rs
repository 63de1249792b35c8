//! How long a project of 200 files takes.

use std::time::{Duration, Instant};

use super::project;
use crate::domain::FileSet;
use crate::generation::outline::outline;

/// 40 routers of 5 routes, a schema, a model, a service and a test for each, as generators write
/// them, and an app that includes them all.
fn project_of_200_files() -> FileSet {
    let mut files = Vec::new();
    let mut includes = String::new();
    for at in 0..40 {
        let routes: String =
            ["get", "post", "put", "patch", "delete"].iter().map(|verb| route(at, verb)).collect();
        let head = format!(
            "from fastapi import APIRouter, Depends\nfrom app.schemas.s{at} import Item, NewItem\n\
             from app.services.v{at} import Service\nrouter = APIRouter(prefix=\"/r{at}\", tags=[\"r{at}\"])\n"
        );
        files.push((format!("app/routers/r{at}.py"), head + &routes));
        files.push((format!("app/schemas/s{at}.py"), schema()));
        files.push((format!("app/models/m{at}.py"), schema()));
        files.push((format!("app/services/v{at}.py"), service()));
        files.push((format!("tests/test_r{at}.py"), service()));
        includes +=
            &format!("from app.routers import r{at}\napp.include_router(r{at}.router, prefix=\"/api\")\n");
    }
    let main =
        format!("from fastapi import FastAPI\nfrom app.core import settings\napp = FastAPI()\n{includes}");
    files.push(("app/main.py".to_owned(), main));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    project(&files)
}

fn route(at: usize, verb: &str) -> String {
    format!(
        "@router.{verb}(\"/{{item_id}}/{verb}\", response_model=Item)\nasync def {verb}_item_{at}(item_id: int, item: NewItem, service: Service = Depends()):\n\
         \x20   \"\"\"Does what {verb} does.\"\"\"\n    item = await service.load(item_id)\n    if item is None:\n\
         \x20       raise HTTPException(status_code=404, detail=\"Item not found\")\n    return item\n\n"
    )
}

fn schema() -> String {
    let fields: String = (0..30)
        .map(|at| format!("    field_{at}: str | None = Field(default=None, max_length=200)\n"))
        .collect();
    format!(
        "from pydantic import BaseModel, Field\nclass Item(BaseModel):\n{fields}\nclass NewItem(Item):\n{fields}"
    )
}

fn service() -> String {
    let methods: String = (0..12)
        .map(|at| {
            format!(
                "    async def load_{at}(self, item_id: int):\n        rows = await self.session.execute(select(Item).where(Item.id == item_id))\n\
                 \x20       return [row.to_dict() for row in rows.scalars().all() if row.visible]\n\n"
            )
        })
        .collect();
    format!("from sqlalchemy import select\nclass Service:\n{methods}")
}

#[test]
fn two_hundred_files_are_read_at_once() {
    let files = project_of_200_files();
    assert_eq!(files.len(), 201);
    let (found, best) = (0..3)
        .map(|_| {
            let start = Instant::now();
            (outline(&files), start.elapsed())
        })
        .min_by_key(|(_, took)| *took)
        .expect("three runs");
    println!("outline of {} files, {} bytes: {best:?}", files.len(), files.total_bytes());
    assert_eq!(found.endpoints.len(), 200);
    assert_eq!(found.endpoints[0].path, "/api/r0/{item_id}/delete");
    assert_eq!(found.models.len(), 160);
    assert!(best < Duration::from_millis(1_500), "took {best:?}");
}
