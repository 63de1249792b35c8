//! Two versions of an app that both ran: what their code says, what they say of themselves, and
//! how they did.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::scene::{path, python, status, stop, up, visitor};

/// Describes itself, and fails when it is told to.
const SELF_DESCRIBING: &str = r##"
import http.server, json

DOCUMENT = {"openapi": "3.1.0", "paths": {
    "/items/{item_id}": {"get": {"summary": "One item", "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}}}},
    "/only/documented": {"post": {}},
}}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(DOCUMENT).encode() if self.path == "/openapi.json" else b"ok"
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"##;

/// What the program is said to be made of; it is in the tree and not in the image.
const CODE: &str = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/items/{id}')\ndef one(id: int, full: bool) -> Item: ...\n\
                    @app.get('/only/coded')\ndef coded(): ...\n";

fn version(more: &str) -> Value {
    let mut body = python(&format!("{SELF_DESCRIBING}\n# {more}\n"));
    body["files"]["api.py"] = json!(format!("{CODE}{more}"));
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_ran_are_compared_and_their_documents_read() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let first = up(&ann, "fresh-one", &version("")).await;
    let second = up(&ann, "fresh-two", &version("@app.put('/new')\ndef new(): ...\n")).await;

    let listed = ann.get(&path("fresh-one", "/endpoints")).await.json();
    let all = listed["endpoints"].as_array().expect("a list");
    let told: Vec<_> = all.iter().map(|one| json!([one["method"], one["path"], one["source"]])).collect();
    assert_eq!(
        json!(told),
        json!([
            ["GET", "/items/{item_id}", "both"],
            ["GET", "/only/coded", "code"],
            ["POST", "/only/documented", "document"]
        ])
    );
    assert_eq!((&all[0]["summary"], &all[0]["file"]), (&json!("One item"), &json!("api.py")));
    let differences = json!([
        "the path is /items/{id} in the code and /items/{item_id} in the document",
        "the query parameter full is in the code and not in the document",
    ]);
    assert_eq!(all[0]["differences"], differences);
    let document = json!({ "path": "/openapi.json", "onlyInCode": 1, "onlyInDocument": 1, "different": 1 });
    assert_eq!(listed["document"], document);
    let counted = status(&ann, "fresh-one").await["performance"]["requestCount"].clone();
    assert_eq!(counted, 0, "reading the document is no traffic");

    for (launched, paths) in [(&first, ["/", "/", "/fail", "/fail"]), (&second, ["/", "/", "/", "/fail"])] {
        for path in paths {
            visitor(launched).get(path).await;
        }
    }
    let compare =
        || async { ann.get(&path("fresh-one", "/compare/fresh-two")).await.json()["comparison"].clone() };
    let found = compare().await;
    assert_eq!(found["endpoints"]["added"][0]["path"], "/new", "the code is compared, whatever runs");
    let performance = &found["performance"];
    assert_eq!(performance["errorRateChange"], "-50%", "{performance}");
    let change = performance["avgResponseTimeChange"].as_str().expect("both ran");
    let number = change.strip_suffix('%').map(str::parse::<i64>);
    assert!(matches!(number, Some(Ok(_))), "{change}");

    for id in ["fresh-one", "fresh-two"] {
        stop(&ann, id).await;
    }
    let later = compare().await;
    assert_eq!(later["performance"]["errorRateChange"], "-50%", "what ran is remembered: {later}");
    let listed = ann.get(&path("fresh-one", "/endpoints")).await.json();
    assert_eq!(listed["document"], Value::Null, "it serves no more");
    app.finish().await;
}
