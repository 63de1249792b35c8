//! What an app can do with its database to trouble others on the same server: it reads nothing of theirs, and what it makes of
//! its own neither keeps them from being looked after nor stays when it goes.

use std::time::Duration;

use serde_json::json;

use crate::app::{TestApp, until};
use crate::clerk::{clerk, environment, on_postgresql, rows, run};
use crate::scene::{launch_with, once, path, put, status, stop, text, up, visitor};

const ROLES: &str = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pv%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_for_others_and_odd_marks_keep_no_database_from_going() {
    let app = TestApp::start().await;
    let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
    let body = on_postgresql();
    let (anns, bobs, eves) =
        (up(&ann, "anns", &body).await, up(&bob, "bobs", &body).await, up(&eve, "eves", &body).await);
    let (anns, bobs, eves) = (visitor(&anns), visitor(&bobs), visitor(&eves));
    let (bob_role, eve_role) = (environment(&bobs).await, environment(&eves).await);
    let (bob_role, eve_role) = (text(&bob_role, "PGUSER"), text(&eve_role, "PGUSER"));
    rows(&anns, "CREATE TABLE t AS SELECT 1 AS n").await;
    for victim in [bob_role, eve_role] {
        rows(&anns, &format!("GRANT SELECT ON t TO {victim}")).await;
        rows(&anns, &format!("GRANT CONNECT ON DATABASE {} TO {victim}", own(&anns).await)).await;
    }
    rows(&anns, &format!("ALTER DATABASE {} IS_TEMPLATE true", own(&anns).await)).await;

    // Whose role is named there resets its database and goes on.
    rows(&bobs, "CREATE TABLE gone (n int)").await;
    let reset = bob.post(&path("bobs", "/database/reset"), &json!({})).await;
    assert!(reset.status < 300, "{reset:?}");
    once(&bob, "bobs", "healthy").await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    until(30, async || (run(&bobs, tables).await["rows"] == json!([[0]])).then_some(())).await;
    // And ends: the database at once, the role with what speaks of it.
    stop(&eve, "eves").await;
    let databases = format!("SELECT count(*) FROM pg_database WHERE datname = '{eve_role}'");
    assert_eq!(rows(&bobs, &databases).await, json!([[0]]));
    let can_login = format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{eve_role}'");
    assert_eq!(rows(&bobs, &can_login).await, json!([[false]]));
    // The server is still looked after, and nobody is told that theirs is not well.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(status(&bob, "bobs").await["status"], "healthy");

    stop(&ann, "anns").await;
    stop(&bob, "bobs").await;
    let last = visitor(&up(&bob, "last", &body).await);
    until(60, async || (rows(&last, ROLES).await == json!([[1]])).then_some(())).await;
    app.finish().await;
}

async fn own(preview: &crate::http::Client) -> String {
    rows(preview, "SELECT current_database()").await[0][0].as_str().expect("a name").to_owned()
}

/// A migration that names the others' roles is theirs for as long as its template is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_with_rights_for_others_is_kept_as_no_template() {
    let app = TestApp::start().await;
    let (bob, eve) = (app.user("bob"), app.user("eve"));
    let bobs = visitor(&up(&bob, "bobs", &on_postgresql()).await);
    let role = text(&environment(&bobs).await, "PGUSER").to_owned();
    let sly =
        json!({ "migrations/001.sql": format!("CREATE TABLE t (n int); GRANT SELECT ON t TO {role};") });
    put(&eve, "eves", &clerk(json!({ "dbType": "postgresql" }), sly)).await;
    let launched = launch_with(&eve, "eves", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let eves = visitor(&launched.json());
    assert_eq!(rows(&eves, "SELECT count(*) FROM t").await, json!([[0]]));
    assert_eq!(rows(&eves, "SELECT count(*) FROM pg_database WHERE datname LIKE 'pt%'").await, json!([[0]]));
    stop(&eve, "eves").await;
    stop(&bob, "bobs").await;
    let last = visitor(&up(&bob, "last", &on_postgresql()).await);
    until(60, async || (rows(&last, ROLES).await == json!([[1]])).then_some(())).await;
    app.finish().await;
}

/// Messages that nobody reads lie on the server for all databases together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_keeps_messages_from_being_dropped_is_ended() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let anns = visitor(&up(&ann, "anns", &on_postgresql()).await);
    // It stays in its transaction for as long as its connection is held.
    let deaf = "LISTEN c; COMMIT; BEGIN; SELECT 1";
    let held = anns.post("/sql", &json!({ "sql": deaf, "hold": 600 })).await;
    assert_eq!(held.status, 200, "{held:?}");
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN c%' AND state = 'idle in transaction'";
    assert_eq!(rows(&anns, idle).await, json!([[1]]));
    rows(&anns, "SELECT count(pg_notify('c', i || repeat('x', 7900))) FROM generate_series(1, 14000) AS i")
        .await;
    let used = rows(&anns, "SELECT pg_notification_queue_usage()::float8").await;
    assert!(used[0][0].as_f64() > Some(0.01), "{used}");
    until(90, async || (rows(&anns, idle).await == json!([[0]])).then_some(())).await;
    let emptied = "SELECT pg_notification_queue_usage()::float8 < 0.01";
    until(20, async || (rows(&anns, emptied).await == json!([[true]])).then_some(())).await;
    app.finish().await;
}
