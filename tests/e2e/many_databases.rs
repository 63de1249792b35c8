//! Fifty databases on one server: the part of fifty launches that is the database's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{SubsecRound, Utc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use previewd::config::{Config, Overrides};
use previewd::databases::{Databases, Ground, GroundError, Needs, Passwords, Provided};
use previewd::domain::{
    DatabaseType, GenerationId, HealthStatus, LogLevel, Metadata, Preview, PreviewId, ResourceLimits, Status,
    UserId, UserTier,
};
use previewd::engine::{Engine, Kind, NetworkSpec, Ownership};
use previewd::seal::Seal;
use previewd::store::Store;

use crate::app::TestApp;

const MANY: usize = 50;

/// A network that is there for all.
struct One(String);

impl Ground for One {
    fn lease(&self) -> BoxFuture<'_, Result<String, GroundError>> {
        async { Ok(self.0.clone()) }.boxed()
    }

    fn give_back<'a>(&'a self, _network: &'a str) -> BoxFuture<'a, Result<(), GroundError>> {
        async { Ok(()) }.boxed()
    }

    fn forget<'a>(&'a self, _network: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn publishes(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_databases_live_on_one_server() {
    let app = TestApp::prepared(Vec::new()).await;
    let config = Config::read(app.environment.clone(), &Overrides::default()).expect("valid settings");
    let store = Store::open(config.store.clone()).await.expect("a store");
    let home = network(&app.engine, "home").await;
    let of_previews = network(&app.engine, "previews").await;
    let databases = Databases::new(Needs {
        engine: app.engine.clone(),
        store: store.clone(),
        instance: app.engine.instance().clone(),
        config: config.orchestrator.databases.clone(),
        seal: Seal::new([7; 32], &[]),
        passwords: Passwords::new([7; 32]),
        ground: Arc::new(One(home.clone())),
    });
    let metadata = Metadata { db_type: Some(DatabaseType::Postgresql), ..Metadata::default() };
    let mut previews = Vec::new();
    for at in 0..MANY {
        let preview = preview(&format!("many-{at}"));
        store.insert_preview(&preview, None, None).await.expect("inserted");
        let record =
            databases.choose(preview.id, None, &metadata, None, 100).expect("offered").expect("a database");
        databases.intend(preview.id, record).await.expect("written");
        databases.promise(preview.id).await.expect("promised");
        previews.push(preview.id);
    }
    let first =
        databases.provide(previews[0], &of_previews, Some("k")).await.expect("the first, and its server");
    assert_eq!(first, Provided::Empty);
    databases.keep(previews[0], Some("k")).await.expect("a template");

    let begun = Instant::now();
    let times = join_all(previews[1..].iter().map(async |preview| {
        let begun = Instant::now();
        let provided = databases.provide(*preview, &of_previews, Some("k")).await.expect("a database");
        assert_eq!(provided, Provided::Copied);
        begun.elapsed()
    }));
    let mut times: Vec<Duration> = times.await;
    times.sort();
    println!("{} copies in {:?}, the slowest {:?}", times.len(), begun.elapsed(), times[times.len() - 1]);
    let ann = UserId::parse("ann").expect("a user");
    for preview in previews.iter().step_by(12) {
        let inside = databases.look(*preview, &ann).await.expect("a look");
        assert!(inside.tables.is_empty() && inside.bytes > 1_000_000, "{inside:?}");
    }
    let servers = app.engine.owned_containers().await.expect("a list");
    assert_eq!(servers.len(), 1, "{servers:?}");

    let begun = Instant::now();
    for done in join_all(previews.iter().map(|preview| databases.drop_of(*preview, None))).await {
        done.expect("dropped");
    }
    println!("all dropped in {:?}", begun.elapsed());
    databases.close().await;
    for name in [home, of_previews] {
        app.engine.remove_network(&name).await.expect("removed");
    }
    store.close().await;
    app.finish().await;
}

/// On the first free of some small blocks.
async fn network(engine: &Engine, what: &str) -> String {
    for block in 0..64 {
        let spec = NetworkSpec {
            name: format!("previewd-{}-{what}", engine.instance()),
            subnet: format!("10.217.0.{}/28", (block % 16) * 16),
            internal: false,
            peers: true,
            ownership: Ownership::of(engine.instance().clone(), Kind::Network),
        };
        if engine.create_network(&spec).await.is_ok() {
            return spec.name;
        }
    }
    panic!("no free block");
}

fn preview(generation: &str) -> Preview {
    let now = Utc::now().trunc_subsecs(3);
    Preview {
        id: PreviewId::new(),
        generation_id: GenerationId::parse(generation).expect("an id"),
        project_id: None,
        user_id: UserId::parse("ann").expect("a user"),
        user_tier: UserTier::Free,
        status: Status::Launching,
        failure: None,
        port: None,
        base_url: String::new(),
        token_hash: "0".repeat(64),
        token_version: 0,
        created_at: now,
        started_at: None,
        stopped_at: None,
        expires_at: now + Duration::from_secs(3600),
        container_id: None,
        image: None,
        network: None,
        container_port: 8000,
        limits: ResourceLimits::new(512, 0.5, 1024),
        startup_timeout_s: 30,
        environment: BTreeMap::new(),
        database: DatabaseType::Postgresql,
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
