//! Stories of previews.

use std::time::Duration;

use previewd::domain::{
    ContainerStatus, DatabaseType, Failure, HealthStatus, LogLevel, PausedBy, Preview, PreviewId,
    ResourceLimits, Stage, Status, UserTier,
};
use previewd::store::{Fault, Insert, Page, PreviewFilter, Store, StoreError};

use crate::{Setting, generation_id, now, preview, user};

async fn insert(store: &Store, preview: &Preview) {
    let inserted = store.insert_preview(preview, None, None).await.expect("inserts");
    assert_eq!(inserted, Insert::Inserted);
}

async fn end(store: &Store, preview: &mut Preview) {
    preview.status = Status::Stopped;
    preview.stopped_at = Some(now());
    store.update_preview(preview).await.expect("updates");
}

pub async fn every_field_survives(setting: Setting) {
    let store = setting.store;
    let bare = preview("g", "ann");
    insert(&store, &bare).await;
    assert_eq!(store.preview(bare.id).await.expect("reads"), Some(bare.clone()));

    // Every field differs from the bare row's.
    let full = Preview {
        id: bare.id,
        generation_id: generation_id("g2"),
        project_id: Some("project".into()),
        user_id: user("bob|x@y"),
        user_tier: UserTier::Enterprise,
        status: Status::Failed,
        failure: Some(Failure::new(Stage::Startup, "exited \"1\"", vec!["one".into(), "ü\t".into()])),
        port: Some(65_535),
        base_url: "http://x.example:1/é".into(),
        token_hash: "f".repeat(64),
        token_version: u32::MAX,
        created_at: now() + Duration::from_millis(1001),
        started_at: Some(now() + Duration::from_millis(2002)),
        stopped_at: Some(now() + Duration::from_millis(3003)),
        expires_at: now() + Duration::from_millis(4004),
        container_id: Some("c".repeat(64)),
        container_status: Some(ContainerStatus::Exited),
        log_level: LogLevel::Warning,
        max_log_lines: 321,
        log_storage: Some("file:logs/x".into()),
        image: Some("previewd/app:1".into()),
        network: Some("previewd-n".into()),
        container_port: 1,
        limits: ResourceLimits { memory_mb: 1, cpu: 0.25, storage_mb: 2, pids: 3 },
        startup_timeout_s: 31,
        environment: [("A".to_owned(), "'; DROP TABLE x; --".to_owned())].into(),
        database: DatabaseType::Postgresql,
        health: HealthStatus::Degraded,
        health_path: "/h?x=1".into(),
        health_path_given: true,
        health_interval_s: 7,
        last_health_check: Some(now() + Duration::from_millis(5005)),
        consecutive_failures: 4,
        extensions_used: 2,
        extensions_allowed: 9,
        request_count: 1 << 40,
        error_count: 5,
        avg_response_time: 12.345_678_9,
        paused_by: Some(PausedBy::Idleness),
        idle_timeout_s: Some(u32::MAX),
        parked_until: Some(now() + Duration::from_millis(6006)),
        egress: previewd::domain::Egress::None,
    };
    store.update_preview(&full).await.expect("updates");
    assert_eq!(store.preview(bare.id).await.expect("reads"), Some(full));

    let stranger = preview("g", "ann");
    let error = store.update_preview(&stranger).await.expect_err("is not there");
    assert!(matches!(error, StoreError::UpdatePreview(Fault::NoPreview(id)) if id == stranger.id), "{error}");
}

pub async fn a_second_live_preview_is_not_inserted(setting: Setting) {
    let store = setting.store;
    let mut first = preview("g", "ann");
    insert(&store, &first).await;

    // Being told of the live one goes before being told of a full quota.
    let again = store.insert_preview(&preview("g", "ann"), Some(1), Some(1)).await.expect("decides");
    assert_eq!(again, Insert::Live(Box::new(first.clone())));
    let other = store.insert_preview(&preview("h", "ann"), Some(1), None).await.expect("decides");
    assert_eq!(other, Insert::UserFull { live: 1 });
    let host = store.insert_preview(&preview("g", "bob"), Some(1), Some(1)).await.expect("decides");
    assert_eq!(host, Insert::HostFull { live: 1 });

    end(&store, &mut first).await;
    insert(&store, &preview("g", "ann")).await;
    insert(&store, &preview("g", "bob")).await;
}

pub async fn what_is_parked_is_nobodys_until_it_is_claimed(setting: Setting) {
    let store = setting.store;
    let (ann, g) = (user("ann"), generation_id("g"));
    let mut parked = preview("g", "ann");
    parked.status = Status::Parked;
    parked.parked_until = Some(now() + Duration::from_secs(60));
    assert!(store.insert_parked(&parked).await.expect("decides"));
    assert!(
        !store.insert_parked(&Preview { id: PreviewId::new(), ..parked.clone() }).await.expect("decides")
    );
    assert_eq!(store.live_preview(&g, &ann).await.expect("reads"), None);
    assert_eq!(store.latest_preview(&g, None).await.expect("reads"), None);
    let page = Page { cursor: None, limit: 10 };
    assert!(store.previews(&PreviewFilter::default(), page.clone()).await.expect("lists").items.is_empty());
    assert_eq!(store.live_previews().await.expect("lists"), std::slice::from_ref(&parked));
    // It takes nobody's place, and finds its own place taken.
    let mut first = preview("g", "ann");
    insert(&store, &first).await;
    let claimed = Preview { parked_until: None, status: Status::Paused, ..parked.clone() };
    let refused = store.claim_preview(&claimed, Some(9), Some(9)).await.expect("decides");
    assert_eq!(refused, Insert::Live(Box::new(first.clone())));
    end(&store, &mut first).await;
    insert(&store, &preview("h", "ann")).await;
    let refused = store.claim_preview(&claimed, Some(1), None).await.expect("decides");
    assert_eq!(refused, Insert::UserFull { live: 1 });
    assert_eq!(store.preview(parked.id).await.expect("reads"), Some(parked.clone()), "it waits on");
    assert_eq!(store.claim_preview(&claimed, Some(2), None).await.expect("decides"), Insert::Inserted);
    assert_eq!(store.live_preview(&g, &ann).await.expect("reads"), Some(claimed));
}

pub async fn a_quota_holds_under_concurrent_inserts(setting: Setting) {
    let inserts = (0..50).map(|i| {
        let store = setting.store.clone();
        let preview = preview(&format!("g{i}"), "ann");
        tokio::spawn(async move { store.insert_preview(&preview, Some(3), None).await.expect("decides") })
    });
    let done = futures_util::future::join_all(inserts).await;
    let done: Vec<_> = done.into_iter().map(|one| one.expect("ends")).collect();
    assert_eq!(done.iter().filter(|one| **one == Insert::Inserted).count(), 3);
    assert_eq!(done.iter().filter(|one| **one == Insert::UserFull { live: 3 }).count(), 47);
    assert_eq!(setting.store.live_previews().await.expect("lists").len(), 3);
}

pub async fn one_of_many_inserts_for_the_same_generation_and_user_wins(setting: Setting) {
    let inserts = (0..20).map(|_| {
        let store = setting.store.clone();
        let preview = preview("g", "ann");
        tokio::spawn(async move {
            (preview.id, store.insert_preview(&preview, None, None).await.expect("decides"))
        })
    });
    let done = futures_util::future::join_all(inserts).await;
    let done: Vec<_> = done.into_iter().map(|one| one.expect("ends")).collect();
    let winners: Vec<_> = done.iter().filter(|(_, one)| *one == Insert::Inserted).collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    for (id, one) in &done {
        match one {
            Insert::Inserted => assert_eq!(*id, winner),
            Insert::Live(live) => assert_eq!(live.id, winner),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn the_index_refuses_a_second_live_row_whatever_the_code_does(setting: Setting) {
    let store = setting.store;
    let mut old = preview("g", "ann");
    insert(&store, &old).await;
    end(&store, &mut old).await;
    insert(&store, &preview("g", "ann")).await;

    old.status = Status::Running;
    let error = store.update_preview(&old).await.expect_err("would be the second");
    assert!(matches!(error, StoreError::UpdatePreview(Fault::Database(_))), "{error}");
    assert!(!error.is_busy(), "{error}");
}

pub async fn previews_are_found_by_their_generation_and_user(setting: Setting) {
    let store = setting.store;
    let (ann, bob, g) = (user("ann"), user("bob"), generation_id("g"));
    let mut old = preview("g", "ann");
    insert(&store, &old).await;
    end(&store, &mut old).await;
    let mut live = preview("g", "ann");
    live.created_at += Duration::from_secs(1);
    insert(&store, &live).await;
    let mut bobs = preview("g", "bob");
    bobs.created_at += Duration::from_secs(2);
    insert(&store, &bobs).await;
    end(&store, &mut bobs).await;

    assert_eq!(store.live_preview(&g, &ann).await.expect("reads"), Some(live.clone()));
    assert_eq!(store.live_preview(&g, &bob).await.expect("reads"), None);
    assert_eq!(store.latest_preview(&g, Some(&ann)).await.expect("reads"), Some(live.clone()));
    assert_eq!(store.latest_preview(&g, Some(&bob)).await.expect("reads"), Some(bobs.clone()));
    assert_eq!(store.latest_preview(&g, None).await.expect("reads"), Some(bobs));
    assert_eq!(store.latest_preview(&generation_id("h"), None).await.expect("reads"), None);
    assert_eq!(store.live_previews().await.expect("lists"), [live]);
}

pub async fn lists_filter_and_page(setting: Setting) {
    let store = setting.store;
    let start = now();
    let mut all = Vec::new();
    for i in 0..12_u64 {
        let mut row = preview(&format!("g{i}"), if i % 2 == 0 { "ann" } else { "bob" });
        row.project_id = (i % 3 == 0).then(|| "p".to_owned());
        row.status = if i < 6 { Status::Healthy } else { Status::Launching };
        row.created_at = start + Duration::from_millis(i / 4);
        insert(&store, &row).await;
        all.push(row);
    }
    all.sort_by_key(|row| (row.created_at, row.id.to_string()));
    all.reverse();

    let filters = [
        PreviewFilter::default(),
        PreviewFilter { user: Some(user("ann")), ..PreviewFilter::default() },
        PreviewFilter { status: Some(Status::Healthy), ..PreviewFilter::default() },
        PreviewFilter { project: Some("p".into()), ..PreviewFilter::default() },
        PreviewFilter { user: Some(user("bob")), status: Some(Status::Launching), project: Some("p".into()) },
        PreviewFilter { project: Some("none".into()), ..PreviewFilter::default() },
    ];
    for filter in filters {
        let expected: Vec<_> = all
            .iter()
            .filter(|row| filter.user.as_ref().is_none_or(|user| row.user_id == *user))
            .filter(|row| filter.status.is_none_or(|status| row.status == status))
            .filter(|row| filter.project.is_none() || row.project_id == filter.project)
            .cloned()
            .collect();
        let mut got = Vec::new();
        let mut page = Page::first(5);
        loop {
            let part = store.previews(&filter, page.clone()).await.expect("lists");
            got.extend(part.items);
            match part.next {
                Some(next) => page.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(got, expected, "{filter:?}");
    }
}

pub async fn a_word_that_is_none_is_an_error_that_names_the_row(setting: Setting) {
    let store = &setting.store;
    let row = preview("g", "ann");
    insert(store, &row).await;
    for (set, column) in [
        ("status = 'weird'", "status"),
        ("port = 70000", "port"),
        ("environment_vars = '[]'", "environment_vars"),
        ("created_at = 9223372036854775807", "created_at"),
        ("user_id = ''", "user_id"),
    ] {
        setting.sql(&format!("UPDATE preview_instances SET {set}")).await;
        let error = store.preview(row.id).await.expect_err("cannot be read");
        match error.fault() {
            Some(Fault::Row { table: "preview_instances", id, column: named, .. }) => {
                assert_eq!((id, named.as_str()), (&row.id.to_string(), column));
            }
            other => panic!("{other:?}"),
        }
        store.update_preview(&row).await.expect("repairs");
    }
    assert_eq!(store.preview(row.id).await.expect("reads"), Some(row));
}
