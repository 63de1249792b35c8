//! The store keeps its promises, the same ones on SQLite and on a real PostgreSQL server.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod access;
mod generations;
mod logs;
mod metrics;
mod outside;
mod postgres;
mod previews;
mod records;
mod whole;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use previewd::domain::{
    DatabaseType, FilePath, FileSet, Generation, GenerationId, HealthStatus, LogLevel, Metadata, Preview,
    PreviewId, ResourceLimits, SourceFile, Status, UserId, UserTier,
};
use previewd::store::{Config, Store};

/// One empty database, and the store in it.
pub struct Setting {
    pub store: Store,
    pub config: Config,
    /// The SQLite file's directory.
    _directory: tempfile::TempDir,
}

impl Setting {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let config = Config::sqlite(&directory.path().join("previewd.db"));
        Self::open(config, directory).await
    }

    pub async fn postgres() -> Self {
        let config = Config::new(postgres::new_database().await);
        Self::open(config, tempfile::tempdir().expect("a directory")).await
    }

    async fn open(config: Config, directory: tempfile::TempDir) -> Self {
        let config = Config { acquire_timeout: Duration::from_secs(20), ..config };
        let store = Store::open(config.clone()).await.expect("opens");
        Self { store, config, _directory: directory }
    }

    /// Runs SQL past the store.
    pub async fn sql(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.store.backend() == "sqlite" {
            let mut raw = connect::<sqlx::SqliteConnection>(&self.config.database_url).await;
            sqlx::query(sql).execute(&mut raw).await.expect("runs");
        } else {
            let mut raw = connect::<sqlx::PgConnection>(&self.config.database_url).await;
            sqlx::query(sql).execute(&mut raw).await.expect("runs");
        }
    }

    /// The single number that SQL gives, past the store.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.store.backend() == "sqlite" {
            let mut raw = connect::<sqlx::SqliteConnection>(&self.config.database_url).await;
            sqlx::query_scalar(sql).fetch_one(&mut raw).await.expect("runs")
        } else {
            let mut raw = connect::<sqlx::PgConnection>(&self.config.database_url).await;
            sqlx::query_scalar(sql).fetch_one(&mut raw).await.expect("runs")
        }
    }
}

async fn connect<C: sqlx::Connection>(url: &str) -> C {
    C::connect(url).await.expect("connects")
}

/// Runs each story on either backend.
macro_rules! stories {
    ($($module:ident :: $story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::$module::$story(crate::Setting::sqlite().await).await;
            })+
        }
        mod postgresql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::$module::$story(crate::Setting::postgres().await).await;
            })+
        }
    };
}

stories! {
    access::of_claims_at_once_one_is_first_and_the_rest_get_its_answer,
    access::keys_come_back_as_they_were_and_have_a_number,
    access::links_open_live_previews_until_they_end,
    access::no_more_links_than_a_preview_may_have_however_many_are_made_at_once,
    access::the_trail_is_read_newest_first_and_by_what_is_asked,
    access::environments_are_encrypted_and_encrypted_again,
    outside::secrets_of_webhooks_follow_the_keys,
    generations::a_generation_is_stored_once_and_never_changed,
    generations::a_generation_comes_back_as_it_was,
    generations::of_equal_puts_at_once_one_creates,
    generations::equal_content_is_kept_once_and_goes_with_its_last_user,
    generations::puts_and_deletes_at_once_leave_no_generation_without_files,
    generations::pages_are_newest_first_and_stable,
    generations::damage_is_an_error_that_names_the_row,
    logs::lines_come_back_as_they_were_and_by_number,
    logs::lines_go_by_age_and_by_count,
    previews::every_field_survives,
    previews::a_second_live_preview_is_not_inserted,
    previews::what_is_parked_is_nobodys_until_it_is_claimed,
    previews::a_quota_holds_under_concurrent_inserts,
    previews::one_of_many_inserts_for_the_same_generation_and_user_wins,
    previews::the_index_refuses_a_second_live_row_whatever_the_code_does,
    previews::previews_are_found_by_their_generation_and_user,
    previews::lists_filter_and_page,
    previews::a_word_that_is_none_is_an_error_that_names_the_row,
    records::events_come_in_the_order_they_were_appended,
    records::of_settings_at_once_the_first_stays,
    records::pruning_takes_what_ended_and_all_that_belongs_to_it,
    outside::changed_files_are_kept_until_the_preview_ends,
    outside::events_wait_for_those_who_want_them_in_order,
    outside::who_never_answers_delays_nobody_else,
    outside::an_address_that_takes_nothing_fills_no_disk,
    metrics::a_history_comes_back_as_it_was,
    metrics::two_halves_of_a_step_are_one,
    metrics::an_old_history_grows_coarser_and_loses_no_request,
    metrics::a_long_history_grows_coarser_in_parts,
    metrics::what_was_used_last_is_in_the_row,
    whole::opening_twice_changes_nothing,
    whole::what_was_stored_is_there_after_reopening,
    whole::a_newer_schema_is_refused,
    whole::cursors_of_other_lists_are_refused,
    whole::a_closed_store_fails,
}

/// What the database can hold: times are kept to the millisecond.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user")
}

pub fn generation_id(name: &str) -> GenerationId {
    GenerationId::parse(name).expect("an id")
}

pub fn generation(id: &str, owner: &str, content: &str) -> Generation {
    let files = [("app/main.py", content, false), ("run.sh", "#!/bin/sh\n", true)].map(
        |(path, content, executable)| {
            let content = content.as_bytes().to_vec().into();
            (FilePath::parse(path).expect("a path"), SourceFile { content, executable })
        },
    );
    let files = FileSet::new(files, 1 << 20).expect("files");
    let mut generation = Generation::new(generation_id(id), user(owner), Metadata::default(), files);
    generation.created_at = now();
    generation
}

pub fn preview(generation: &str, owner: &str) -> Preview {
    Preview {
        id: PreviewId::new(),
        generation_id: generation_id(generation),
        project_id: None,
        user_id: user(owner),
        user_tier: UserTier::Free,
        status: Status::Launching,
        failure: None,
        port: None,
        base_url: "http://127.0.0.1:3001".into(),
        token_hash: "0".repeat(64),
        token_version: 0,
        created_at: now(),
        started_at: None,
        stopped_at: None,
        expires_at: now() + Duration::from_secs(3600),
        container_id: None,
        image: None,
        network: None,
        container_port: 8000,
        limits: ResourceLimits::new(512, 0.5, 1024),
        startup_timeout_s: 30,
        environment: BTreeMap::new(),
        database: DatabaseType::None,
        health: HealthStatus::Unknown,
        health_path: "/health".into(),
        health_path_given: false,
        health_interval_s: 30,
        last_health_check: None,
        consecutive_failures: 0,
        extensions_used: 0,
        extensions_allowed: 3,
        request_count: 0,
        error_count: 0,
        avg_response_time: 0.0,
        paused_by: None,
        idle_timeout_s: None,
        parked_until: None,
        egress: previewd::domain::Egress::Open,
        container_status: None,
        log_level: LogLevel::Info,
        max_log_lines: 10_000,
        log_storage: None,
    }
}
