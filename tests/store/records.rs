//! Stories of events and settings, and of how records end.

use std::time::Duration;

use chrono::Timelike as _;
use previewd::domain::{Event, EventType, Preview, PreviewId, Status};
use previewd::store::{Fault, Insert, Page, Store, StoreError};
use serde_json::json;

use crate::{Setting, now, preview};

fn event(preview: PreviewId, event_type: EventType, data: serde_json::Value) -> Event {
    Event { preview_id: preview, timestamp: now(), event_type, data }
}

async fn insert(store: &Store, preview: &Preview) {
    assert_eq!(store.insert_preview(preview, None, None).await.expect("inserts"), Insert::Inserted);
}

pub async fn events_come_in_the_order_they_were_appended(setting: Setting) {
    let store = setting.store.clone();
    let (one, other) = (preview("g", "ann"), preview("h", "ann"));
    insert(&store, &one).await;
    insert(&store, &other).await;
    let types = [
        EventType::Launched,
        EventType::Building,
        EventType::Started,
        EventType::Healthy,
        EventType::Degraded,
        EventType::Unhealthy,
        EventType::Recovered,
        EventType::Restarted,
        EventType::Extended,
        EventType::Paused,
        EventType::Resumed,
        EventType::Adopted,
        EventType::Expired,
        EventType::Failed,
        EventType::Stopped,
    ];
    let mut appended = Vec::new();
    for (i, event_type) in types.into_iter().enumerate() {
        let mut entry = event(one.id, event_type, json!({"i": i, "text": "ü\n", "none": null}));
        // The clock may go back; the order does not.
        entry.timestamp = entry.timestamp.with_second(59 - i as u32).expect("a second");
        store.append_event(&entry).await.expect("appends");
        store.append_event(&event(other.id, EventType::Started, json!(null))).await.expect("appends");
        appended.push(entry);
    }

    let first = store.events(one.id, Page::first(10)).await.expect("lists");
    let rest = Page { cursor: first.next.clone(), limit: 10 };
    let rest = store.events(one.id, rest).await.expect("lists");
    assert_eq!((first.items.len(), rest.next), (10, None));
    assert_eq!([first.items, rest.items].concat(), appended);

    let stranger = event(PreviewId::new(), EventType::Launched, json!({}));
    let error = store.append_event(&stranger).await.expect_err("has no preview");
    assert!(matches!(error, StoreError::AppendEvent(Fault::Database(_))), "{error}");

    setting.sql("UPDATE preview_events SET event_type = 'weird'").await;
    let error = setting.store.events(one.id, Page::first(1)).await.expect_err("cannot be read");
    match error.fault() {
        Some(Fault::Row { table: "preview_events", column, .. }) => assert_eq!(column, "event_type"),
        other => panic!("{other:?}"),
    }
}

pub async fn of_settings_at_once_the_first_stays(setting: Setting) {
    let store = setting.store;
    assert_eq!(store.setting("instance").await.expect("reads"), None);
    let puts = (0..20).map(|i| {
        let store = store.clone();
        tokio::spawn(async move {
            store.put_setting_if_absent("instance", &format!("value{i}")).await.expect("puts")
        })
    });
    let winners = futures_util::future::join_all(puts).await;
    let winners: Vec<_> = winners.into_iter().map(|one| one.expect("ends")).collect();
    assert!(winners.iter().all(|one| *one == winners[0]), "{winners:?}");
    assert_eq!(store.setting("instance").await.expect("reads").as_ref(), Some(&winners[0]));
    assert_eq!(store.put_setting_if_absent("other", "").await.expect("puts"), "");
}

pub async fn pruning_takes_what_ended_and_all_that_belongs_to_it(setting: Setting) {
    let store = &setting.store;
    let hour = Duration::from_secs(3600);
    let mut rows = Vec::new();
    for (name, status, stopped_at) in [
        ("old", Status::Stopped, Some(now() - 3 * hour)),
        ("recent", Status::Stopped, Some(now() - hour)),
        ("failed", Status::Failed, None),
        ("live", Status::Healthy, None),
    ] {
        let mut row = preview(name, "ann");
        row.created_at = now() - 4 * hour;
        insert(store, &row).await;
        store.append_event(&event(row.id, EventType::Launched, json!({}))).await.expect("appends");
        (row.status, row.stopped_at) = (status, stopped_at);
        store.update_preview(&row).await.expect("updates");
        rows.push(row);
    }

    assert_eq!(store.prune(now() - 2 * hour).await.expect("prunes"), 2);
    assert_eq!(store.prune(now() - 2 * hour).await.expect("prunes"), 0);
    for (row, kept) in rows.iter().zip([false, true, false, true]) {
        assert_eq!(store.preview(row.id).await.expect("reads").is_some(), kept, "{}", row.generation_id);
        let events = store.events(row.id, Page::first(10)).await.expect("lists");
        assert_eq!(events.items.len(), usize::from(kept));
    }
    assert_eq!(setting.number("SELECT count(*) FROM preview_events").await, 2);
}
