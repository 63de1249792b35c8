//! The same story with its state in PostgreSQL.

#[path = "../store/postgres.rs"]
pub mod server;

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
