//! A database of its own for every preview: given, filled, kept apart, reset, and gone.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use previewd::engine::Kind;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::clerk::{clerk, database_log, environment, event, on_postgresql, query, rows, run, run_at};
use crate::http::Client;
use crate::scene::{launch_with, nonce, once, path, put, status, stop, text, up, visitor};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_questions_of_one_user_keep_no_other_waiting_and_no_status() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    up(&ann, "sleeps", &on_postgresql()).await;
    up(&bob, "beside", &on_postgresql()).await;
    let long = join_all((0..12).map(|_| query(&ann, "sleeps", "SELECT 1 FROM pg_sleep(4)")));
    let beside = async {
        until(20, async || (query(&ann, "sleeps", "SELECT 1").await.status == 503).then_some(())).await;
        let begun = Instant::now();
        assert_eq!(query(&bob, "beside", "SELECT 1").await.status, 200);
        assert_eq!(status(&bob, "beside").await["database"]["status"], "ready");
        assert_eq!(status(&ann, "sleeps").await["database"]["status"], "ready");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    };
    let (asked, ()) = tokio::join!(long, beside);
    let of = |status: u16| asked.iter().filter(|answer| answer.status == status).count();
    assert!(of(200) >= 2 && of(503) >= 6 && of(200) + of(503) == 12, "{asked:?}");
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
