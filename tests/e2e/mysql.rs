//! Previews on MySQL's protocol: a database each on one server of ours, kept apart and gone.

use serde_json::{Value, json};

use previewd::engine::Kind;

use crate::app::{TestApp, until};
use crate::clerk::{environment, query, rows, run};
use crate::http::Client;
use crate::scene::{launch_with, once, path, put, stop, text, up, visitor};

/// Runs the SQL it is sent, as its own user or as the one it is told.
const MYSQL_CLERK: &str = r#"
import http.server, json, os, pymysql

def connection(user, password, database):
    return pymysql.connect(
        host=os.environ["MYSQL_HOST"], port=int(os.environ["MYSQL_PORT"]), user=user, password=password,
        database=database, autocommit=True, connect_timeout=5, local_infile=True)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"environment": dict(os.environ)} if self.path == "/environment" else {"ok": True})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        own = os.environ["MYSQL_USER"], os.environ["MYSQL_PASSWORD"], os.environ["MYSQL_DATABASE"]
        try:
            with connection(*asked.get("as", own)) as db, db.cursor() as cursor:
                cursor.execute(asked["sql"])
                self.answer({"rows": cursor.fetchall()})
        except Exception as error:
            self.answer({"error": str(error), "state": error.args[0] if error.args else None})

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

fn on_mysql() -> Value {
    let files = json!({ "main.py": MYSQL_CLERK, "requirements.txt": "pymysql==1.1.1\n" });
    json!({ "metadata": { "dbType": "mariadb" }, "files": files })
}

/// As another user, or into another database.
async fn run_as(preview: &Client, login: [&str; 3], sql: &str) -> Value {
    preview.post("/sql", &json!({ "as": login, "sql": sql })).await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_on_one_server_reach_nothing_but_their_own_database() {
    let app = TestApp::with(vec![("PREVIEW_DATABASE_CONNECTIONS", "7".to_owned())]).await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let body = on_mysql();
    let launched = up(&ann, "anns", &body).await;
    assert_eq!(launched["database"]["type"], "mysql", "{launched}");
    put(&bob, "bobs", &body).await;
    let other = launch_with(&bob, "bobs", json!({ "wait": true })).await.json();
    let (anns, bobs) = (visitor(&launched), visitor(&other));
    rows(&anns, "CREATE TABLE secrets (text VARCHAR(20))").await;
    rows(&anns, "INSERT INTO secrets VALUES ('of ann')").await;
    let (of_ann, of_bob) = (environment(&anns).await, environment(&bobs).await);
    let (ann_db, bob_db) = (text(&of_ann, "MYSQL_DATABASE"), text(&of_bob, "MYSQL_DATABASE"));
    assert_ne!(ann_db, bob_db);
    assert!(text(&of_bob, "DATABASE_URL").starts_with("mysql://"), "{of_bob}");
    let password = text(&of_bob, "MYSQL_PASSWORD");
    for database in [ann_db, "mysql"] {
        let refused = run_as(&bobs, [bob_db, password, database], "SELECT 1").await;
        assert_eq!(refused["state"], 1044, "{database}: {refused}");
    }
    for user in ["previewd", "root", ""] {
        let refused = run_as(&bobs, [user, "", bob_db], "SELECT 1").await;
        assert_eq!(refused["state"], 1045, "{user}: {refused}");
    }
    for sql in [
        format!("SELECT * FROM {ann_db}.secrets"),
        format!("CREATE DATABASE {}", bob_db.replace('_', "x")),
        "CREATE USER more".to_owned(),
        "SELECT 1 INTO OUTFILE '/tmp/x'".to_owned(),
        "SELECT password FROM mysql.global_priv".to_owned(),
        "SET GLOBAL max_connections = 1".to_owned(),
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE t".to_owned(),
        "INSTALL SONAME 'x'".to_owned(),
        "SHUTDOWN".to_owned(),
    ] {
        let refused = run(&bobs, &sql).await;
        assert!(refused["error"].is_string(), "{sql}: {refused}");
    }
    // Neither sees that the other is there.
    let seen = rows(&bobs, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'pv%'");
    assert_eq!(seen.await, json!([[1]]));
    let limits = "SELECT @@max_user_connections, CAST(@@max_statement_time AS SIGNED)";
    assert_eq!(rows(&bobs, limits).await, json!([[7, 60]]));
    for (user, other) in [(&bob, "anns"), (&ann, "bobs")] {
        assert_eq!(user.get(&path(other, "/database")).await.status, 403);
    }
    stop(&bob, "bobs").await;
    let people = "SELECT text FROM secrets";
    assert_eq!(rows(&anns, people).await, json!([["of ann"]]));

    // A server that was removed comes back with what was on it.
    let containers = app.engine.owned_containers().await.expect("a list");
    let server = containers.into_iter().find(|container| container.ownership.kind == Kind::Server);
    app.engine.remove(&server.expect("a server").id).await.expect("removed");
    until(60, async || run(&anns, people).await["rows"].is_array().then_some(())).await;
    assert_eq!(rows(&anns, people).await, json!([["of ann"]]));
    once(&ann, "anns", "healthy").await;
    stop(&ann, "anns").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_read_only_and_bounded() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "asked", &on_mysql()).await;
    let clerk = visitor(&launched);
    rows(&clerk, "CREATE TABLE t AS SELECT 1.5 AS a, 7 AS b, NULL AS c, 'x' AS d, x'ff00' AS e").await;
    rows(&clerk, "CREATE PROCEDURE p() MODIFIES SQL DATA BEGIN COMMIT; DELETE FROM t; END").await;
    let ask = async |sql: &str| query(&ann, "asked", sql).await;
    let answer = ask("SELECT a, b, c, d AS a, e FROM t;").await.json();
    assert_eq!(answer["columns"], json!(["a", "b", "c", "a", "e"]), "{answer}");
    assert_eq!(answer["rows"], json!([[1.5, 7, null, "x", "x'ff00'"]]));
    let long = ask("SELECT REPEAT('é', 1000000)").await.json();
    assert_eq!(long["rows"][0][0].as_str().map(|value| value.chars().count()), Some(4097));
    let many = ask("SELECT seq FROM seq_1_to_5000").await.json();
    assert_eq!((many["rows"].as_array().map(Vec::len), &many["truncated"]), (Some(500), &json!(true)));
    for sql in [
        "INSERT INTO t (b) VALUES (2)",
        "DROP TABLE t",
        "CALL p()",
        "/*! CALL p() */",
        "SELECT 1; DELETE FROM t",
        "WITH a AS (SELECT 1) DELETE FROM t",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT nothing FROM nowhere",
        "SELECT SLEEP(60)",
        "",
    ] {
        let refused = ask(sql).await;
        let field = refused.json()["field"].as_str().map(str::to_owned);
        assert_eq!((refused.status, field.as_deref()), (422, Some("sql")), "{sql}: {refused:?}");
    }
    assert_eq!(ask("SELECT COUNT(*) FROM t").await.json()["rows"], json!([[1]]));
    stop(&ann, "asked").await;
    app.finish().await;
}
