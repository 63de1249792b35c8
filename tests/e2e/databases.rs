//! A database of its own for every preview: given, filled, kept apart, reset, and gone.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::http::{Answer, Client};
use crate::scene::{launch_with, once, path, put, status, stop, text, up, visitor};

/// Runs the SQL it is sent, as its own role or with the address it is told, and says what it
/// finds in its environment.
const CLERK: &str = r#"
import http.server, json, os, psycopg

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"environment": dict(os.environ)} if self.path == "/environment" else {"ok": True})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            address = asked.get("address") or os.environ["DATABASE_URL"]
            with psycopg.connect(address, autocommit=True, connect_timeout=5) as db:
                found = db.execute(asked["sql"])
                self.answer({"rows": found.fetchall() if found.description else []})
        except Exception as error:
            self.answer({"error": str(error), "state": getattr(error, "sqlstate", None)})

    def answer(self, what):
        body = json.dumps(what, default=str).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"#;

fn clerk(metadata: Value, files: Value) -> Value {
    let mut all = json!({ "main.py": CLERK, "requirements.txt": "psycopg[binary]==3.3.9\n" });
    let more = files.as_object().expect("files").clone();
    all.as_object_mut().expect("files").extend(more);
    json!({ "metadata": metadata, "files": all })
}

fn on_postgresql() -> Value {
    clerk(json!({ "dbType": "postgresql" }), json!({}))
}

/// What came of SQL that the app ran.
async fn run(preview: &Client, sql: &str) -> Value {
    preview.post("/sql", &json!({ "sql": sql })).await.json()
}

async fn rows(preview: &Client, sql: &str) -> Value {
    let answer = run(preview, sql).await;
    assert!(answer["rows"].is_array(), "{sql}: {answer}");
    answer["rows"].clone()
}

async fn query(user: &Client, id: &str, sql: &str) -> Answer {
    user.post(&path(id, "/database/query"), &json!({ "sql": sql })).await
}

async fn environment(preview: &Client) -> Value {
    preview.get("/environment").await.json()["environment"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_has_a_database_of_its_own_that_goes_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "clerk", &on_postgresql()).await;
    assert_eq!(launched["database"]["type"], "postgresql", "{launched}");
    assert_eq!(launched["database"]["ready"], true, "{launched}");
    let clerk = visitor(&launched);
    let found = environment(&clerk).await;
    let url = text(&found, "DATABASE_URL");
    assert!(url.starts_with("postgresql://") && url.contains("@database:5432/"), "{url}");
    let (user, password) = (text(&found, "PGUSER"), text(&found, "PGPASSWORD"));
    assert_eq!((text(&found, "PGHOST"), text(&found, "PGDATABASE")), ("database", user));
    assert_eq!(password.len(), 48);

    rows(&clerk, "CREATE TABLE people (id serial PRIMARY KEY, name text)").await;
    rows(&clerk, "INSERT INTO people (name) VALUES ('ann'), ('bob')").await;
    rows(&clerk, "CREATE EXTENSION pg_trgm").await;
    let inside = ann.get(&path("clerk", "/database")).await.json();
    assert_eq!((&inside["tables"], &inside["records"], &inside["status"]), (&json!(1), &json!(2), &json!("ready")));
    assert_eq!(inside["tableList"][0]["name"], "people", "{inside}");
    assert!(inside["size"].as_u64() > Some(1_000_000), "{inside}");
    let seen = status(&ann, "clerk").await;
    assert_eq!((&seen["database"]["tables"], &seen["database"]["records"]), (&json!(1), &json!(2)), "{seen}");
    assert!(seen["health"]["checks"].as_array().expect("checks").iter().any(|check| check["name"] == "database"));

    // A restart keeps what was written.
    assert_eq!(ann.post(&path("clerk", "/restart"), &json!({})).await.status, 202);
    once(&ann, "clerk", "healthy").await;
    assert_eq!(rows(&clerk, "SELECT name FROM people ORDER BY id").await, json!([["ann"], ["bob"]]));

    let stored = std::fs::read(app.data_dir().join("previewd.db")).expect("the store");
    let journal = std::fs::read(app.data_dir().join("previewd.db-wal")).unwrap_or_default();
    for bytes in [stored, journal] {
        let holds = bytes.windows(password.len()).any(|window| window == password.as_bytes());
        assert!(!holds, "the password lies in the store in the clear");
    }
    stop(&ann, "clerk").await;
    assert_eq!(ann.get(&path("clerk", "/database")).await.status, 409);
    app.finish().await;
}
