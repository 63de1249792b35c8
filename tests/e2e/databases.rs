//! A database of its own for every preview: given, filled, kept apart, reset, and gone.

use std::time::{Duration, Instant};

use previewd::engine::Kind;
use serde_json::{Value, json};

use crate::app::{TestApp, launch_example, until};
use crate::http::{Answer, Client};
use crate::scene::{launch_with, nonce, once, path, put, status, stop, text, up, visitor};

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

/// As another role, or into another database.
async fn run_at(preview: &Client, address: &str, sql: &str) -> Value {
    preview.post("/sql", &json!({ "address": address, "sql": sql })).await.json()
}

async fn events(user: &Client, id: &str) -> Vec<Value> {
    let events = user.get(&path(id, "/events")).await.json();
    events["events"].as_array().expect("a list").clone()
}

/// What the newest event of this type says.
async fn event(user: &Client, id: &str, kind: &str) -> Option<Value> {
    let all = events(user, id).await;
    all.iter().rfind(|event| event["eventType"] == kind).map(|event| event["data"].clone())
}

async fn database_log(user: &Client, id: &str) -> String {
    let logs = user.get(&path(id, "/logs?source=database&limit=200")).await.json();
    let lines = logs["logs"].as_array().expect("lines").iter();
    lines.map(|line| text(line, "message").to_owned() + "\n").collect()
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
    assert_eq!(
        (&inside["tables"], &inside["records"], &inside["status"]),
        (&json!(1), &json!(2), &json!("ready"))
    );
    assert_eq!(inside["tableList"][0]["name"], "people", "{inside}");
    assert!(inside["size"].as_u64() > Some(1_000_000), "{inside}");
    let seen = status(&ann, "clerk").await;
    assert_eq!((&seen["database"]["tables"], &seen["database"]["records"]), (&json!(1), &json!(2)), "{seen}");
    assert!(
        seen["health"]["checks"].as_array().expect("checks").iter().any(|check| check["name"] == "database")
    );

    // What the server says of it is in its log.
    assert_eq!(run(&clerk, "SELECT nothing FROM nowhere").await["state"], "42P01");
    until(20, async || {
        database_log(&ann, "clerk").await.contains("\"nowhere\" does not exist").then_some(())
    })
    .await;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_reaches_nothing_but_its_own_database() {
    let app = TestApp::with(vec![("PREVIEW_DATABASE_CONNECTIONS", "7".to_owned())]).await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let body = on_postgresql();
    put(&bob, "bobs", &body).await;
    let (anns, bobs) =
        tokio::join!(up(&ann, "anns", &body), launch_with(&bob, "bobs", json!({ "wait": true })));
    let (anns, bobs) = (visitor(&anns), visitor(&bobs.json()));
    rows(&anns, "CREATE TABLE secrets AS SELECT 'of ann' AS text").await;
    let (of_ann, of_bob) = (environment(&anns).await, environment(&bobs).await);
    let (ann_db, bob_db) = (text(&of_ann, "PGDATABASE"), text(&of_bob, "PGDATABASE"));
    assert_ne!(ann_db, bob_db);
    let server = text(&of_bob, "DATABASE_URL").rsplit_once('/').expect("a URL").0;

    for other in [ann_db, "postgres", "template1"] {
        let refused = run_at(&bobs, &format!("{server}/{other}"), "SELECT 1").await;
        assert!(text(&refused, "error").contains("no pg_hba.conf entry"), "{other}: {refused}");
    }
    let superuser = run_at(&bobs, "postgresql://previewd:guess@database:5432/postgres", "SELECT 1").await;
    assert!(text(&superuser, "error").contains("pg_hba.conf rejects"), "{superuser}");
    for sql in [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE ROLE more",
        "CREATE DATABASE more",
        "ALTER SYSTEM SET fsync = on",
        "SELECT lo_import('/etc/passwd')",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION bloom",
        "ALTER ROLE CURRENT_USER CONNECTION LIMIT 100",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
    ] {
        let refused = run(&bobs, sql).await;
        let state = refused["state"].as_str();
        // An extension's files may not even be there; what lacks a right is told so, or finds nobody.
        let is_refused = state == Some("42501") || sql.contains("EXTENSION") && refused["error"].is_string();
        let finds_nobody = refused["rows"].as_array().is_some_and(Vec::is_empty);
        assert!(is_refused || finds_nobody, "{sql}: {refused}");
    }
    let limits = "SELECT rolconnlimit, rolsuper, current_setting('statement_timeout'), \
                  current_setting('temp_file_limit') FROM pg_roles WHERE rolname = current_user";
    assert_eq!(rows(&bobs, limits).await, json!([[7, false, "1min", "256MB"]]));
    // One greedy query fails alone, and nobody else notices.
    let greedy = run(&bobs, "SELECT length(repeat('x', 900000000) || repeat('y', 900000000))").await;
    assert!(greedy["error"].is_string(), "{greedy}");
    assert_eq!(rows(&anns, "SELECT text FROM secrets").await, json!([["of ann"]]));

    for (user, other) in [(&bob, "anns"), (&ann, "bobs")] {
        assert_eq!(user.get(&path(other, "/database")).await.status, 403);
        assert_eq!(query(user, other, "SELECT 1").await.status, 403);
        assert_eq!(user.post(&path(other, "/database/reset"), &json!({})).await.status, 403);
    }
    stop(&ann, "anns").await;
    assert_eq!(rows(&bobs, "SELECT count(*) FROM pg_database WHERE datname LIKE 'pv%'").await, json!([[1]]));
    assert_eq!(rows(&bobs, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pv%'").await, json!([[1]]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_read_only_and_bounded() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "asked", &on_postgresql()).await;
    rows(&visitor(&launched), "CREATE TABLE t AS SELECT 1.5 AS a, true AS b, NULL::text AS c, 'x' AS a2")
        .await;
    let ask = async |sql: &str| query(&ann, "asked", sql).await;
    let answer = ask("SELECT a, b, c, a2 AS a FROM t -- all").await.json();
    assert_eq!(answer["columns"], json!(["a", "b", "c", "a"]), "{answer}");
    assert_eq!(answer["rows"], json!([[1.5, true, null, "x"]]));
    let many = ask("SELECT g FROM generate_series(1, 5000) AS g;").await.json();
    assert_eq!((many["rows"].as_array().map(Vec::len), &many["truncated"]), (Some(500), &json!(true)));
    let long = ask("SELECT repeat('é', 1000000)").await.json();
    let value = long["rows"][0][0].as_str().expect("text");
    assert!(value.ends_with('…') && value.chars().count() == 4097, "{}", value.len());
    for sql in [
        "INSERT INTO t VALUES (2)",
        "DROP TABLE t",
        "SELECT 1; SELECT 2",
        "SELECT 1) AS a, (SELECT 2",
        "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM t",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT nothing FROM nowhere",
        "SELECT pg_sleep(60)",
        "",
    ] {
        let begun = Instant::now();
        let refused = ask(sql).await;
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some("sql")),
            "{sql}: {refused:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(20), "{sql}: {:?}", begun.elapsed());
    }
    assert_eq!(ask("SELECT count(*) FROM t").await.json()["rows"], json!([[1]]));
    app.finish().await;
}

/// Two files of SQL and a seed; the third column says which content this is.
fn plain_sql(mark: u64) -> Value {
    let files = json!({
        "migrations/001_people.sql": "CREATE TABLE people (id serial PRIMARY KEY, name text);",
        "migrations/002_mark.sql": format!("ALTER TABLE people ADD COLUMN mark text DEFAULT '{mark}';"),
        "seed.sql": "COPY people (name) FROM stdin;\nann\nbob\n\\.\nSELECT 'seeded ' || count(*) FROM people;\n",
    });
    clerk(json!({ "dbType": "postgresql", "seedDataIncluded": true }), files)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_migrated_once_then_copied_and_comes_back_with_a_reset() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let body = plain_sql(7);
    up(&ann, "plain", &body).await;
    let first = event(&ann, "plain", "migrated").await.expect("migrated");
    assert_eq!((&first["copied"], &first["steps"]), (&json!(false), &json!(3)), "{first}");
    let log = database_log(&ann, "plain").await;
    assert!(log.contains("migrations: migrations/001_people.sql") && log.contains("seeded 2"), "{log}");
    assert_eq!(status(&ann, "plain").await["database"]["migrationStatus"], "completed");
    stop(&ann, "plain").await;

    let again = launch_with(&ann, "plain", json!({ "wait": true })).await.json();
    let second = event(&ann, "plain", "migrated").await.expect("migrated");
    assert_eq!(second["copied"], true, "{second}");
    println!("first {} ms, copied {} ms", first["elapsedMs"], second["elapsedMs"]);
    let clerk = visitor(&again);
    let people = "SELECT name, mark FROM people ORDER BY id";
    let seeded = json!([["ann", "7"], ["bob", "7"]]);
    assert_eq!(rows(&clerk, people).await, seeded);
    // What was copied is the role's own: it may change and drop it.
    rows(&clerk, "ALTER TABLE people ADD COLUMN age int").await;
    rows(&clerk, "INSERT INTO people (name) VALUES ('eve')").await;

    let reset = ann.post(&path("plain", "/database/reset"), &json!({})).await;
    assert_eq!((reset.status, reset.json()["status"].as_str()), (200, Some("reset")), "{reset:?}");
    assert_eq!(reset.json()["database"]["records"], 2, "{reset:?}");
    assert_eq!(rows(&clerk, people).await, seeded);
    assert!(event(&ann, "plain", "reset").await.is_some());

    // A user's template is nobody else's, and a caller may do without.
    let bob = app.user("bob");
    up(&bob, "plain-bob", &body).await;
    assert_eq!(event(&bob, "plain-bob", "migrated").await.expect("migrated")["copied"], false);
    stop(&bob, "plain-bob").await;
    let bare =
        launch_with(&bob, "plain-bob", json!({ "wait": true, "autoMigrateDatabase": false })).await.json();
    assert_eq!(bare["database"]["migrationStatus"], "none", "{bare}");
    let missing = run(&visitor(&bare), people).await;
    assert_eq!(missing["state"], "42P01", "{missing}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_that_fail_or_hang_fail_the_launch_with_their_last_lines() {
    let limit = ("PREVIEW_DATABASE_INITIALIZATION_TIMEOUT", "4".to_owned());
    let app = TestApp::with(vec![limit]).await;
    let ann = app.user("ann");
    let migrating = |command: &str, script: String| {
        let metadata = json!({ "dbType": "postgresql", "migrationCommand": command });
        clerk(metadata, json!({ "migrate.py": script }))
    };
    let mark = nonce();
    let fails =
        "import os\nprint('at', os.environ['DATABASE_URL'])\nraise SystemExit('column mark is missing')";
    put(&ann, "fails", &migrating("python migrate.py", format!("# {mark}\n{fails}"))).await;
    let failed = launch_with(&ann, "fails", json!({ "wait": true })).await;
    let problem = failed.json();
    assert_eq!((failed.status, problem["stage"].as_str()), (502, Some("database")), "{failed:?}");
    assert_eq!(problem["reason"], "migrations failed with exit code 1: python migrate.py");
    let tail = problem["logTail"].to_string();
    assert!(tail.contains("column mark is missing") && tail.contains(":[masked]@database"), "{tail}");

    put(
        &ann,
        "hangs",
        &migrating("python migrate.py", format!("import time\nprint('{mark}', flush=True)\ntime.sleep(600)")),
    )
    .await;
    let hung = launch_with(&ann, "hangs", json!({ "wait": true })).await.json();
    assert!(text(&hung, "reason").contains("did not end within 4 s"), "{hung}");
    assert_eq!(hung["logTail"], json!([mark.to_string()]));

    put(&ann, "absent", &migrating("no-such-tool --now", "x = 1".to_owned())).await;
    let absent = launch_with(&ann, "absent", json!({ "wait": true })).await.json();
    assert_eq!(absent["stage"], "database", "{absent}");

    for (asked, field) in [
        (json!({ "dbType": "postgresql", "dbVersion": "9.6" }), "dbVersion"),
        (json!({ "dbType": "mongodb" }), "dbType"),
    ] {
        let id = format!("odd-{field}").to_lowercase();
        put(&ann, &id, &clerk(asked, json!({}))).await;
        let refused = launch_with(&ann, &id, json!({})).await;
        assert_eq!((refused.status, refused.json()["field"].as_str()), (422, Some(field)), "{refused:?}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_comes_back_and_databases_outlive_the_daemon() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "sturdy", &on_postgresql()).await;
    let clerk = visitor(&launched);
    rows(&clerk, "CREATE TABLE kept AS SELECT 42 AS n").await;
    let server = async |app: &TestApp| {
        let all = app.engine.owned_containers().await.expect("a list");
        all.into_iter().find(|container| container.ownership.kind == Kind::Server).expect("a server")
    };
    let before = server(&app).await;
    // Removed by hand: its data is in a volume that has a name.
    app.engine.remove(&before.id).await.expect("removed");
    until(60, async || (server_answers(&clerk).await).then_some(())).await;
    assert_eq!(rows(&clerk, "SELECT n FROM kept").await, json!([[42]]));
    assert_ne!(server(&app).await.id, before.id);

    app.engine.kill(&server(&app).await.id).await.expect("killed");
    until(60, async || (server_answers(&clerk).await).then_some(())).await;
    let recovered = until(30, async || event(&ann, "sturdy", "recovered").await);
    assert!(text(&recovered.await, "check").contains("database"));
    let degraded = event(&ann, "sturdy", "degraded").await.expect("degraded before that");
    assert!(text(&degraded, "check").contains("database server"), "{degraded}");
    once(&ann, "sturdy", "healthy").await;
    assert_eq!(rows(&clerk, "SELECT n FROM kept").await, json!([[42]]));

    app.shutdown().await;
    let stay = app.engine.owned_containers().await.expect("a list");
    assert_eq!(stay.len(), 2, "the preview and its server stay: {stay:?}");
    app.boot().await;
    let ann = app.user("ann");
    once(&ann, "sturdy", "healthy").await;
    let seen = until(30, async || {
        Some(ann.get(&path("sturdy", "/database")).await).filter(|answer| answer.status == 200)
    });
    assert_eq!(seen.await.json()["records"], 1);
    stop(&ann, "sturdy").await;
    app.finish().await;
}

async fn server_answers(clerk: &Client) -> bool {
    run(clerk, "SELECT 1").await["rows"].is_array()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_its_own_goes_with_its_preview() {
    let app = TestApp::with(vec![("PREVIEW_DATABASE_MODE", "dedicated".to_owned())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "alone", &on_postgresql()).await;
    assert_eq!(launched["database"]["mode"], "dedicated", "{launched}");
    let clerk = visitor(&launched);
    rows(&clerk, "CREATE TABLE kept AS SELECT 42 AS n").await;
    assert_eq!(ann.post(&path("alone", "/restart"), &json!({})).await.status, 202);
    once(&ann, "alone", "healthy").await;
    assert_eq!(rows(&clerk, "SELECT n FROM kept").await, json!([[42]]));
    assert_eq!(app.engine.owned_containers().await.expect("a list").len(), 2);
    stop(&ann, "alone").await;
    assert!(app.engine.owned_containers().await.expect("a list").is_empty());
    assert!(app.engine.owned_volumes().await.expect("a list").is_empty());
    app.finish().await;
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastapi_with_sqlalchemy_and_alembic() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "fastapi-ledger", "ledger").await;
    assert_eq!(launched["database"]["migrationStatus"], "completed", "{launched}");
    let ledger = visitor(&launched);
    let seeded = json!([{ "name": "cash", "cents": 380 }, { "name": "bank", "cents": 0 }]);
    assert_eq!(ledger.get("/accounts").await.json(), seeded);
    let as_json = ledger.clone().header("content-type", "application/json");
    assert_eq!(as_json.post("/accounts/bank/entries", &json!({ "cents": 70 })).await.status, 201);
    assert_eq!(ledger.get("/accounts").await.json()[1]["cents"], 70);
    let names = query(&ann, "ledger", "SELECT name FROM accounts ORDER BY id").await.json();
    assert_eq!(names["rows"], json!([["cash"], ["bank"]]));
    assert_eq!(ann.post(&path("ledger", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(ledger.get("/accounts").await.json(), seeded);
    stop(&ann, "ledger").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn django_with_migrations_and_a_fixture() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "django-library", "library").await;
    let library = visitor(&launched);
    let titles = async || {
        let books = library.get("/books").await.json();
        books["books"]
            .as_array()
            .expect("books")
            .iter()
            .map(|book| text(book, "title").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles().await, ["Moby-Dick", "Middlemarch"]);
    assert_eq!(library.post("/books", &json!({ "title": "Emma", "year": 1815 })).await.status, 201);
    assert_eq!(titles().await.len(), 3);
    assert_eq!(ann.post(&path("library", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(titles().await, ["Moby-Dick", "Middlemarch"]);
    stop(&ann, "library").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_with_knex() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "express-orders", "orders").await;
    let orders = visitor(&launched);
    let first = json!([{ "item": "rope", "amount": 2 }, { "item": "lantern", "amount": 1 }]);
    assert_eq!(orders.get("/orders").await.json(), first);
    let ordered = orders.clone().header("content-type", "application/json");
    assert_eq!(ordered.post("/orders", &json!({ "item": "tar", "amount": 9 })).await.status, 201);
    assert_eq!(ann.post(&path("orders", "/database/reset"), &json!({})).await.status, 200);
    assert_eq!(orders.get("/orders").await.json(), first);
    stop(&ann, "orders").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_own_server_is_used_and_left_clean() {
    let url = crate::postgres::server::new_database().await;
    let app = TestApp::with(vec![
        ("PREVIEW_DATABASE_MODE", "external".to_owned()),
        ("PREVIEW_DATABASE_POSTGRESQL_URL", url.clone()),
    ])
    .await;
    let ann = app.user("ann");
    put(&ann, "abroad", &crate::scene::page("abroad")).await;
    let asked = json!({ "wait": true, "databaseType": "postgresql" });
    let launched = launch_with(&ann, "abroad", asked).await.json();
    assert_eq!(launched["database"]["mode"], "external", "{launched}");
    let who = query(&ann, "abroad", "SELECT current_user = current_database()").await.json();
    assert_eq!(who["rows"], json!([[true]]), "{who}");
    assert_eq!(ours_on(&url).await, (1, 1));
    stop(&ann, "abroad").await;
    assert_eq!(ours_on(&url).await, (0, 0));
    app.finish().await;
}

/// Databases and roles of previews on a server.
async fn ours_on(url: &str) -> (i64, i64) {
    use sqlx::{Connection as _, PgConnection};
    let mut admin = PgConnection::connect(url).await.expect("the server answers");
    let counts = "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'pv\\_%'), \
                  (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pv\\_%')";
    sqlx::query_as(counts).fetch_one(&mut admin).await.expect("counted")
}
