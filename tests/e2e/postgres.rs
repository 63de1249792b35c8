//! The same story with its state in PostgreSQL.

#[path = "../store/postgres.rs"]
pub mod server;

use sqlx::Connection as _;

use crate::app::{TestApp, until};
use crate::scene::{OBEDIENT, once, python, status, stop, up, visitor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_with_its_state_in_postgresql_outlives_the_daemon() {
    let url = server::new_database().await;
    let mut app = TestApp::with(vec![("DATABASE_URL", url)]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "kept", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    let detailed = app.admin().get("/api/v1/health/detailed").await.json();
    assert_eq!(detailed["store"]["backend"], "postgresql", "{detailed}");
    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    once(&ann, "kept", "healthy").await;
    // The status is that of the row at once; the way in follows when the container is found.
    let page = until(30, async || {
        let answer = visitor(&launched).get("/").await;
        (answer.status == 200).then(|| answer.text())
    });
    assert_eq!(page.await, pid);
    stop(&ann, "kept").await;
    assert_eq!(status(&ann, "kept").await["status"], "stopped");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_database_is_refused() {
    let url = server::new_database().await;
    let app = TestApp::with(vec![("DATABASE_URL", url.clone())]).await;
    let store = previewd::store::Store::open(previewd::store::Config::new(url)).await.expect("opened");
    let refused = store.claim().await.expect_err("two daemons on one database");
    assert!(refused.to_string().contains("another previewd"), "{refused}");
    store.close().await;
    app.finish().await;
}

/// As a restart of the server, a failover or a proxy in between does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_claim_was_forgotten_takes_it_again_or_ends() {
    let url = server::new_database().await;
    let mut app = TestApp::with(vec![("DATABASE_URL", url.clone())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "kept", &python(OBEDIENT)).await;
    let mut operator = sqlx::PgConnection::connect(&url).await.expect("connected");
    forget(&mut operator).await;
    until(15, async || {
        (holders(&mut sqlx::PgConnection::connect(&url).await.ok()?).await == 1).then_some(())
    })
    .await;
    assert_eq!(visitor(&launched).get("/").await.status, 200);
    // And another is quicker this time.
    let store =
        previewd::store::Store::open(previewd::store::Config::new(url.clone())).await.expect("opened");
    let claim = tokio::spawn(async move { (store.claim().await, store) });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    forget(&mut operator).await;
    let (claim, store) = claim.await.expect("no panic");
    let claim = claim.expect("it was free");
    let ended = app.ended(30).await;
    assert!(ended.is_err_and(|error| error.to_string().contains("taken the store over")));
    claim.release().await;
    store.close().await;
    // The preview has stayed, for whoever comes next.
    app.boot().await;
    once(&app.user("ann"), "kept", "healthy").await;
    stop(&app.user("ann"), "kept").await;
    app.finish().await;
}

async fn holders(operator: &mut sqlx::PgConnection) -> i64 {
    const HELD: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query_scalar(HELD).fetch_one(operator).await.expect("a count")
}

/// Ends the connection that the claim lives on.
async fn forget(operator: &mut sqlx::PgConnection) {
    const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query(END).execute(operator).await.expect("ended");
}
