//! Databases that are a file: given, filled, looked into from outside, reset, and gone.

use serde_json::json;

use crate::app::TestApp;
use crate::clerk::{database_log, query, rows};
use crate::scene::{launch_with, once, path, stop, up, visitor};

/// The same clerk for a file.
const FILE_CLERK: &str = r#"
import http.server, json, os, sqlite3

FILE = os.environ["DATABASE_URL"].removeprefix("sqlite:///")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"url": os.environ["DATABASE_URL"]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with sqlite3.connect(FILE) as db:
            db.execute("PRAGMA journal_mode = WAL")
            self.answer({"rows": db.execute(asked["sql"]).fetchall()})

    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_outlives_restarts_and_is_looked_into_from_outside() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let migrate = "import os, sqlite3\n\
                   db = sqlite3.connect(os.environ['DATABASE_URL'].removeprefix('sqlite:///'))\n\
                   db.execute('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')\n\
                   db.commit()\nprint('one table')\n";
    let metadata = json!({ "dbType": "sqlite", "migrationCommand": "python migrate.py" });
    let body = json!({ "metadata": metadata, "files": { "main.py": FILE_CLERK, "migrate.py": migrate } });
    let launched = up(&ann, "file", &body).await;
    let clerk = visitor(&launched);
    assert_eq!(clerk.get("/").await.json()["url"], "sqlite:////data/db/app.db");
    assert!(database_log(&ann, "file").await.contains("one table"));
    rows(&clerk, "INSERT INTO notes (text) VALUES ('ahoy')").await;
    assert_eq!(ann.post(&path("file", "/restart"), &json!({})).await.status, 202);
    once(&ann, "file", "healthy").await;
    assert_eq!(rows(&clerk, "SELECT text FROM notes").await, json!([["ahoy"]]));

    let inside = ann.get(&path("file", "/database")).await.json();
    assert_eq!(
        (&inside["tableList"][0]["name"], &inside["records"]),
        (&json!("notes"), &json!(1)),
        "{inside}"
    );
    let answer = query(&ann, "file", "SELECT id, text FROM notes").await.json();
    assert_eq!(answer, json!({ "columns": ["id", "text"], "rows": [[1, "ahoy"]], "truncated": false }));
    for sql in
        ["DELETE FROM notes", "ATTACH '/data/db/x.db' AS x", "PRAGMA journal_mode", "SELECT 1; SELECT 2"]
    {
        let refused = query(&ann, "file", sql).await;
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some("sql")),
            "{sql}: {refused:?}"
        );
    }
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    assert_eq!(query(&ann, "file", endless).await.status, 422);
    let reset = ann.post(&path("file", "/database/reset"), &json!({})).await;
    assert_eq!(reset.status, 200, "{reset:?}");
    assert_eq!(rows(&clerk, "SELECT count(*) FROM notes").await, json!([[0]]));
    stop(&ann, "file").await;
    app.finish().await;
}

/// A schema, rows of CSV and a change of the schema, in files and for no tool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_sql_and_of_rows_make_and_fill_a_file() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let schema = "BEGIN;\nCREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); -- one; two\n\
                  CREATE TABLE notes (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, text TEXT);\nCOMMIT;\n";
    let body = json!({
        "metadata": { "dbType": "sqlite", "seedDataIncluded": true },
        "files": {
            "main.py": FILE_CLERK,
            "migrations/001_tables.sql": schema,
            "migrations/002_age.sql": "ALTER TABLE people ADD COLUMN age INTEGER;",
            "seeds/notes.json": r#"[{"person_id": 2, "text": "ahoy; 'tis"}]"#,
            "seeds/people.csv": "id,name,age\n1,ann,31\n2,\"bob, the other\",\n",
        },
    });
    let launched = up(&ann, "filled", &body).await;
    assert_eq!(launched["database"]["migrationStatus"], "completed", "{launched}");
    let clerk = visitor(&launched);
    let people = "SELECT id, name, age FROM people ORDER BY id";
    let seeded = json!([[1, "ann", 31], [2, "bob, the other", null]]);
    assert_eq!(rows(&clerk, people).await, seeded);
    assert_eq!(rows(&clerk, "SELECT person_id, text FROM notes").await, json!([[2, "ahoy; 'tis"]]));
    rows(&clerk, "DELETE FROM people").await;
    assert_eq!(ann.post(&path("filled", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(rows(&clerk, people).await, seeded);
    stop(&ann, "filled").await;

    let mut broken = body;
    broken["files"]["migrations/002_age.sql"] = json!("\nALTER TABLE nobody ADD COLUMN age;");
    crate::scene::put(&ann, "broken", &broken).await;
    let failed = launch_with(&ann, "broken", json!({ "wait": true })).await;
    let problem = failed.json();
    assert_eq!((failed.status, problem["stage"].as_str()), (502, Some("database")), "{failed:?}");
    assert!(problem["logTail"].to_string().contains("error in line 2: no such table: nobody"), "{problem}");
    app.finish().await;
}
