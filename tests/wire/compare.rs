//! What the code of a generation says of its data, and how two generations differ. Nothing needs
//! to be launched for either.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::refusal::refused;

const FIRST: &str = "from fastapi import FastAPI\nfrom pydantic import BaseModel\napp = FastAPI()\n\
                     class Item(BaseModel):\n    id: int\n\
                     @app.get('/items/{id}')\ndef one(id: int) -> Item: ...\n@app.get('/old')\ndef old(): ...\n";
const SECOND: &str = "from fastapi import FastAPI\nfrom pydantic import BaseModel\napp = FastAPI()\n\
                      class Item(BaseModel):\n    id: str\nclass Page(BaseModel):\n    items: list[Item]\n\
                      @app.get('/items/{id}')\ndef one(id: int, full: bool = False) -> Item: ...\n@app.get('/new')\ndef new(): ...\n";

fn generation(main: &str, requirement: &str) -> Value {
    json!({ "files": { "main.py": main, "requirements.txt": requirement } })
}

fn paths(list: &Value) -> Vec<String> {
    let all = list.as_array().expect("a list");
    all.iter()
        .map(|one| format!("{} {}", one["method"].as_str().unwrap(), one["path"].as_str().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_generations_are_compared_without_a_preview() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.user("ann"), app.user("ben"));
    for (id, body) in
        [("v1", generation(FIRST, "fastapi>=0.1\n")), ("v2", generation(SECOND, "fastapi>=0.2\n"))]
    {
        assert_eq!(ann.put(&format!("/api/v2/generations/{id}"), &body).await.status, 201);
    }
    assert_eq!(ben.put("/api/v2/generations/bens", &generation(FIRST, "")).await.status, 201);

    let answer = ann.get("/api/v2/generations/v1/preview/compare/v2").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found = answer.json()["comparison"].clone();
    assert_eq!(paths(&found["endpoints"]["added"]), ["GET /new"]);
    assert_eq!(paths(&found["endpoints"]["removed"]), ["GET /old"]);
    let modified = json!([{ "method": "GET", "path": "/items/{id}",
        "changes": [{ "what": "query parameter full", "before": null, "after": "bool, optional" }] }]);
    assert_eq!(found["endpoints"]["modified"], modified);
    assert_eq!(found["models"]["added"][0]["name"], "Page");
    assert_eq!(found["models"]["removed"], json!([]));
    let change = json!([{ "what": "field id", "before": "int", "after": "str" }]);
    assert_eq!(found["models"]["modified"][0]["changes"], change);
    assert_eq!(found["dependencies"]["modified"][0]["after"], ">=0.2");
    assert_eq!(found["performance"]["avgResponseTimeChange"], Value::Null, "neither ran");

    let back = ann.get("/api/generations/v2/preview/compare/v1").await.json();
    assert_eq!(paths(&back["comparison"]["endpoints"]["added"]), ["GET /old"]);

    refused(&ann.get("/api/v2/generations/v1/preview/compare/bens").await, 403, "not_owner");
    refused(&ben.get("/api/v2/generations/bens/preview/compare/v1").await, 403, "not_owner");
    refused(&ann.get("/api/v2/generations/v1/preview/compare/absent").await, 404, "not_found");
    refused(&ann.get("/api/v2/generations/absent/preview/compare/v1").await, 404, "not_found");
    refused(&ann.get("/api/v2/generations/v1/preview/compare/..%2Fx").await, 422, "invalid");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_listed_with_what_could_not_be_read() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let broken = format!("{SECOND}\n@app.get('/broken')\ndef broken(:\n");
    let files = json!({ "main.py": broken, "schema.prisma": "model User {\n  id Int @id\n}\n" });
    assert_eq!(ann.put("/api/v2/generations/m", &json!({ "files": files })).await.status, 201);
    let found = ann.get("/api/v2/generations/m/models").await.json();
    assert_eq!(found["count"], 3, "{found}");
    let names: Vec<_> =
        found["models"].as_array().unwrap().iter().map(|one| (&one["name"], &one["kind"])).collect();
    assert_eq!(json!(names), json!([["Item", "pydantic"], ["Page", "pydantic"], ["User", "prisma"]]));
    assert_eq!(found["models"][0]["fields"], json!([{ "name": "id", "type": "str", "required": true }]));
    assert_eq!((&found["models"][0]["file"], &found["models"][0]["line"]), (&json!("main.py"), &json!(4)));
    assert_eq!(
        (&found["warnings"][0]["file"], &found["warnings"][0]["line"]),
        (&json!("main.py"), &json!(14))
    );
    app.finish().await;
}
