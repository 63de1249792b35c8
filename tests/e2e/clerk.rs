//! An app that does with its database what it is told, and what stories of databases ask.

use serde_json::{Value, json};

use crate::http::{Answer, Client};
use crate::scene::{path, text};

/// Runs the SQL it is sent, as its own role or with the address it is told, and says what it
/// finds in its environment.
const CLERK: &str = r#"
import http.server, json, os, time, psycopg

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
                self.wfile.flush()
                time.sleep(asked.get("hold", 0))
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

pub fn clerk(metadata: Value, files: Value) -> Value {
    let mut all = json!({ "main.py": CLERK, "requirements.txt": "psycopg[binary]==3.3.9\n" });
    let more = files.as_object().expect("files").clone();
    all.as_object_mut().expect("files").extend(more);
    json!({ "metadata": metadata, "files": all })
}

pub fn on_postgresql() -> Value {
    clerk(json!({ "dbType": "postgresql" }), json!({}))
}

/// What came of SQL that the app ran.
pub async fn run(preview: &Client, sql: &str) -> Value {
    preview.post("/sql", &json!({ "sql": sql })).await.json()
}

pub async fn rows(preview: &Client, sql: &str) -> Value {
    let answer = run(preview, sql).await;
    assert!(answer["rows"].is_array(), "{sql}: {answer}");
    answer["rows"].clone()
}

pub async fn query(user: &Client, id: &str, sql: &str) -> Answer {
    user.post(&path(id, "/database/query"), &json!({ "sql": sql })).await
}

/// As another role, or into another database.
pub async fn run_at(preview: &Client, address: &str, sql: &str) -> Value {
    preview.post("/sql", &json!({ "address": address, "sql": sql })).await.json()
}

pub async fn events(user: &Client, id: &str) -> Vec<Value> {
    let events = user.get(&path(id, "/events")).await.json();
    events["events"].as_array().expect("a list").clone()
}

/// What the newest event of this type says.
pub async fn event(user: &Client, id: &str, kind: &str) -> Option<Value> {
    let all = events(user, id).await;
    all.iter().rfind(|event| event["eventType"] == kind).map(|event| event["data"].clone())
}

pub async fn database_log(user: &Client, id: &str) -> String {
    let logs = user.get(&path(id, "/logs?source=database&limit=200")).await.json();
    let lines = logs["logs"].as_array().expect("lines").iter();
    lines.map(|line| text(line, "message").to_owned() + "\n").collect()
}

pub async fn environment(preview: &Client) -> Value {
    preview.get("/environment").await.json()["environment"].clone()
}
