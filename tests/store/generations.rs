//! Stories of generations.

use std::collections::BTreeSet;
use std::time::Duration;

use previewd::domain::Metadata;
use previewd::store::{Fault, Page, Put, StoreError};

use crate::{Setting, generation, generation_id, now, user};

pub async fn a_generation_is_stored_once_and_never_changed(setting: Setting) {
    let store = setting.store;
    let first = generation("g", "ann", "one");
    assert_eq!(store.put_generation(&first).await.expect("puts"), Put::Created);
    assert_eq!(store.put_generation(&first).await.expect("puts"), Put::Identical);
    assert_eq!(store.put_generation(&generation("g", "ann", "two")).await.expect("puts"), Put::Conflict);
    assert_eq!(store.put_generation(&generation("g", "bob", "one")).await.expect("puts"), Put::Foreign);
    assert_eq!(store.put_generation(&generation("g", "bob", "two")).await.expect("puts"), Put::Foreign);

    let kept = store.generation(&first.id).await.expect("reads").expect("is there");
    assert_eq!((kept.owner, kept.files), (first.owner, first.files));
}

pub async fn a_generation_comes_back_as_it_was(setting: Setting) {
    let store = setting.store;
    let mut put = generation("g", "ann", "print('ü')\0\r\n");
    put.metadata = Metadata {
        name: Some("A name".into()),
        port: Some(9000),
        environment: [("A".to_owned(), "b c".to_owned())].into(),
        system_packages: vec!["libpq5".into()],
        ..Metadata::default()
    };
    store.put_generation(&put).await.expect("puts");

    let got = store.generation(&put.id).await.expect("reads").expect("is there");
    assert_eq!(got.metadata, put.metadata);
    assert_eq!(got.files, put.files);
    assert_eq!(got.content_hash, put.content_hash);
    assert_eq!(got.created_at, put.created_at);
    let head = store.generation_head(&put.id).await.expect("reads").expect("is there");
    assert_eq!((head.owner, head.metadata), (put.owner, put.metadata));
    assert_eq!((head.file_count, head.total_bytes), (2, put.files.total_bytes()));
    assert!(store.generation(&generation_id("other")).await.expect("reads").is_none());
}

pub async fn of_equal_puts_at_once_one_creates(setting: Setting) {
    let puts = (0..20).map(|i| {
        let store = setting.store.clone();
        // The last ones differ: they must see a conflict, never overwrite.
        let put = generation("g", "ann", if i < 15 { "same" } else { "other" });
        tokio::spawn(async move { (i < 15, store.put_generation(&put).await.expect("puts")) })
    });
    let done = futures_util::future::join_all(puts).await;
    let done: Vec<_> = done.into_iter().map(|one| one.expect("ends")).collect();
    let created: Vec<_> = done.iter().filter(|(_, put)| *put == Put::Created).collect();
    assert_eq!(created.len(), 1, "{done:?}");
    let winner = created[0].0;
    for (same, put) in &done {
        let expected = if *same == winner { Put::Identical } else { Put::Conflict };
        assert!(*put == Put::Created || *put == expected, "{done:?}");
    }
    assert_eq!(setting.number("SELECT count(*) FROM generation_archives").await, 1);
}

pub async fn equal_content_is_kept_once_and_goes_with_its_last_user(setting: Setting) {
    let store = &setting.store;
    let archives = || setting.number("SELECT count(*) FROM generation_archives");
    for put in [generation("a", "ann", "same"), generation("b", "bob", "same"), generation("c", "ann", "x")] {
        assert_eq!(store.put_generation(&put).await.expect("puts"), Put::Created);
    }
    assert_eq!(archives().await, 2);

    assert!(store.delete_generation(&generation_id("a")).await.expect("deletes"));
    assert!(!store.delete_generation(&generation_id("a")).await.expect("deletes"));
    assert_eq!(archives().await, 2);
    assert!(store.generation(&generation_id("b")).await.expect("reads").is_some());
    assert!(store.delete_generation(&generation_id("b")).await.expect("deletes"));
    assert_eq!(archives().await, 1);
}

pub async fn puts_and_deletes_at_once_leave_no_generation_without_files(setting: Setting) {
    let rounds = (0..6).map(|i| {
        let store = setting.store.clone();
        let put = generation(&format!("g{i}"), "ann", "same");
        tokio::spawn(async move {
            for _ in 0..20 {
                store.put_generation(&put).await.expect("puts");
                store.delete_generation(&put.id).await.expect("deletes");
            }
            if i % 2 == 0 {
                store.put_generation(&put).await.expect("puts");
            }
        })
    });
    for round in futures_util::future::join_all(rounds).await {
        round.expect("ends");
    }
    assert_eq!(setting.number("SELECT count(*) FROM generation_archives").await, 1);
    for i in 0..6 {
        let id = generation_id(&format!("g{i}"));
        let got = setting.store.generation(&id).await.expect("reads");
        assert_eq!(got.is_some(), i % 2 == 0, "{id}");
    }
}

pub async fn pages_are_newest_first_and_stable(setting: Setting) {
    let store = &setting.store;
    let start = now();
    // Pairs share a millisecond, so the order within it must come from the id.
    for i in 0..10_u64 {
        let mut put = generation(&format!("g{i}"), if i == 9 { "bob" } else { "ann" }, "same");
        put.created_at = start + Duration::from_millis(i / 2);
        store.put_generation(&put).await.expect("puts");
    }

    let ann = user("ann");
    let mut page = Page::first(4);
    let mut seen: Vec<String> = Vec::new();
    loop {
        let got = store.generations(Some(&ann), page.clone()).await.expect("lists");
        assert!(got.items.len() <= 4);
        seen.extend(got.items.iter().map(|head| head.id.to_string()));
        // What comes and goes between two pages neither repeats nor hides the others.
        let mut newer = generation(&format!("new{}", seen.len()), "ann", "same");
        newer.created_at = start + Duration::from_secs(1);
        store.put_generation(&newer).await.expect("puts");
        store.delete_generation(&generation_id("g2")).await.expect("deletes");
        match got.next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, ["g8", "g7", "g6", "g5", "g4", "g3", "g1", "g0"]);

    let all = store.generations(None, Page::first(0)).await.expect("lists");
    assert_eq!(all.items.len(), 1, "a limit of 0 counts as 1");
    let all = store.generations(None, Page::first(u32::MAX)).await.expect("lists");
    let ids: BTreeSet<_> = all.items.iter().map(|head| head.id.as_str()).collect();
    assert!(ids.contains("g9") && all.next.is_none());
}

pub async fn damage_is_an_error_that_names_the_row(setting: Setting) {
    let store = &setting.store;
    let put = generation("g", "ann", "x");
    store.put_generation(&put).await.expect("puts");

    setting.sql("UPDATE generation_archives SET files = ''").await;
    let error = store.generation(&put.id).await.expect_err("is damaged");
    assert!(matches!(error.fault(), Some(Fault::Row { table: "generation_archives", .. })), "{error}");

    setting.sql("UPDATE generations SET metadata = '{\"port\": 99999}'").await;
    let error = store.generation_head(&put.id).await.expect_err("is damaged");
    let text = error.to_string();
    assert!(matches!(error, StoreError::ReadGeneration(Fault::Row { .. })), "{text}");
    assert!(text.contains("generations") && text.contains("\"g\"") && text.contains("metadata"), "{text}");
    assert!(!error.is_busy());
}
