//! Stories of the store as a whole, and what is SQLite's alone.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use previewd::store::{Config, Insert, Page, PreviewFilter, Store, StoreError};
use sqlx::Connection as _;

use crate::{Setting, generation, preview};

pub async fn opening_twice_changes_nothing(setting: Setting) {
    let again = Store::open(setting.config.clone()).await.expect("opens");
    assert_eq!(again.schema_version(), setting.store.schema_version());
    again.check().await.expect("answers");
    let applied = "SELECT max(version) FROM _sqlx_migrations";
    assert_eq!(setting.number(applied).await, again.schema_version());
}

pub async fn what_was_stored_is_there_after_reopening(setting: Setting) {
    let put = generation("g", "ann", "x");
    let row = preview("g", "ann");
    setting.store.put_generation(&put).await.expect("puts");
    setting.store.insert_preview(&row, None, None).await.expect("inserts");
    setting.store.put_setting_if_absent("k", "v").await.expect("puts");
    setting.store.close().await;

    let store = Store::open(setting.config.clone()).await.expect("opens");
    let got = store.generation(&put.id).await.expect("reads").expect("is there");
    assert_eq!(got.files, put.files);
    assert_eq!(store.live_previews().await.expect("lists"), [row]);
    assert_eq!(store.setting("k").await.expect("reads").as_deref(), Some("v"));
}

pub async fn a_newer_schema_is_refused(setting: Setting) {
    setting.sql("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").await;
    let error = Store::open(setting.config.clone()).await.expect_err("is newer");
    assert!(matches!(error, StoreError::Migrate(_)) && error.to_string().contains("9999"), "{error}");
    assert!(!error.is_busy());
}

pub async fn cursors_of_other_lists_are_refused(setting: Setting) {
    let store = setting.store;
    for name in ["a", "b"] {
        store.put_generation(&generation(name, "ann", "x")).await.expect("puts");
    }
    let page = store.generations(None, Page::first(1)).await.expect("lists");
    for cursor in [page.next.expect("there is more"), "nonsense".to_owned(), String::new()] {
        let page = Page { cursor: Some(cursor), limit: 1 };
        let error = store.previews(&PreviewFilter::default(), page).await.expect_err("is not of this list");
        assert!(matches!(error, StoreError::Cursor), "{error}");
    }
}

pub async fn a_closed_store_fails(setting: Setting) {
    setting.store.check().await.expect("answers");
    setting.store.close().await;
    assert!(matches!(setting.store.check().await, Err(StoreError::Check(_))));
}

#[tokio::test]
async fn a_locked_sqlite_file_is_busy_and_then_is_not() {
    let setting = Setting::sqlite().await;
    let impatient = Config { acquire_timeout: Duration::from_millis(500), ..setting.config.clone() };
    let store = Store::open(impatient.clone()).await.expect("opens");
    let mut other = sqlx::SqliteConnection::connect(&setting.config.database_url).await.expect("connects");
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.expect("locks");

    let row = preview("g", "ann");
    let error = store.insert_preview(&row, None, None).await.expect_err("is locked");
    assert!(error.is_busy(), "{error}");
    let error = store.put_setting_if_absent("k", "v").await.expect_err("is locked");
    assert!(error.is_busy(), "{error}");
    store.check().await.expect("reading goes on");

    sqlx::query("ROLLBACK").execute(&mut other).await.expect("unlocks");
    let inserted = store.insert_preview(&row, None, None).await.expect("inserts");
    assert_eq!(inserted, Insert::Inserted);
}

#[tokio::test]
async fn a_sqlite_file_is_its_owners_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("previewd.db");
    let store = Store::open(Config::sqlite(&path)).await.expect("opens");
    store.put_setting_if_absent("k", "v").await.expect("puts");
    for entry in std::fs::read_dir(directory.path()).expect("lists") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.path());
    }
}

#[tokio::test]
async fn addresses_that_are_none_say_what_was_expected() {
    for url in ["", "mysql://x/y", "sqlite://:memory:", "postgres://u:hunter2@h:99999/d", "/tmp/x.db"] {
        let error = Store::open(Config::new(url)).await.expect_err("is no address");
        let text = format!("{error} {error:?}");
        assert!(matches!(error, StoreError::Address(_)) && text.contains("expected"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let nowhere = Config::new("sqlite:///nonexistent/previewd.db");
    let error = Store::open(nowhere).await.expect_err("has no directory");
    assert!(matches!(error, StoreError::Open { .. }) && !error.is_busy(), "{error}");
    assert!(error.to_string().contains("/nonexistent/previewd.db"), "{error}");
}

#[tokio::test]
async fn a_postgresql_server_that_is_not_there_is_busy() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("bound").port();
    let config = Config {
        acquire_timeout: Duration::from_millis(200),
        ..Config::new(format!("postgres://ann:hunter2@127.0.0.1:{port}/previews"))
    };
    let error = Store::open(config).await.expect_err("nobody listens");
    assert!(error.is_busy(), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}
