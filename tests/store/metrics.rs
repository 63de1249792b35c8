//! Stories of the history of use: written, read in part, thinned out, dropped.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use previewd::domain::{
    ErrorCounts, ErrorKind, Latencies, MetricPoint, Preview, PreviewId, TrafficTotals, coarser,
};
use previewd::store::{Fault, Insert, LastUse, Store, StoreError};
use serde_json::json;

use crate::{Setting, now, preview};

/// A moment at which every step begins, `seconds` after it.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 / 3600 * 3600 + seconds, 0).expect("a time")
}

/// A step of ten seconds with `requests` of so many milliseconds.
fn point(seconds: i64, memory: f64, requests: u64, millis: u64) -> MetricPoint {
    let mut counts = vec![0; Latencies::BUCKETS];
    counts[Latencies::bucket(millis * 1000)] = requests;
    let traffic = TrafficTotals {
        latencies: Latencies::from_counts(counts.into_iter(), requests * millis * 1000),
        errors: ErrorCounts::from_counts(|kind| u64::from(kind == ErrorKind::Timeout && requests > 2)),
        bytes_in: requests,
        bytes_out: requests * 100,
    };
    MetricPoint {
        memory_mb: Some(memory),
        cpu_percent: Some(12.5),
        traffic,
        ..MetricPoint::empty(at(seconds), 10)
    }
}

async fn insert(store: &Store) -> Preview {
    let row = preview(&format!("g{}", PreviewId::new()), "ann");
    assert_eq!(store.insert_preview(&row, None, None).await.expect("inserts"), Insert::Inserted);
    row
}

fn of(preview: &Preview, points: &[MetricPoint]) -> Vec<(PreviewId, MetricPoint)> {
    points.iter().map(|point| (preview.id, point.clone())).collect()
}

pub async fn a_history_comes_back_as_it_was(setting: Setting) {
    let store = &setting.store;
    let (one, other) = (insert(store).await, insert(store).await);
    let quiet = MetricPoint { disk_mb: Some(0.5), ..MetricPoint::empty(at(20), 10) };
    let points = [point(0, 10.0, 3, 20), point(10, 20.0, 1, 900), quiet];
    let gone = preview("gone", "ann");
    let batch = [of(&one, &points), of(&other, &points[..1]), of(&gone, &points)].concat();
    store.record_metrics(&batch, &[]).await.expect("records, but for the one that is gone");
    assert_eq!(store.metrics(one.id, at(0), at(30)).await.expect("reads"), points);
    assert_eq!(store.metrics(one.id, at(10), at(20)).await.expect("reads"), points[1..2]);
    assert_eq!(store.metrics(gone.id, at(0), at(30)).await.expect("reads"), []);
    let kept = setting.number("SELECT count(*) FROM preview_metrics WHERE requests_per_minute = 18").await;
    assert_eq!(kept, 2, "three requests in ten seconds, of either preview");

    setting.sql("UPDATE preview_metrics SET latencies = 'x' WHERE latencies IS NOT NULL").await;
    match store.metrics(one.id, at(0), at(30)).await {
        Err(StoreError::ReadMetrics(Fault::Row { column, .. })) => assert_eq!(column, "latencies"),
        other => panic!("{other:?}"),
    }
}

/// As when the daemon ends in the middle of a step and comes again before it is over.
pub async fn two_halves_of_a_step_are_one(setting: Setting) {
    let store = &setting.store;
    let one = insert(store).await;
    store.record_metrics(&of(&one, &[point(0, 10.0, 3, 20)]), &[]).await.expect("records");
    store.record_metrics(&of(&one, &[point(0, 30.0, 4, 20)]), &[]).await.expect("records");
    let expected = coarser([point(0, 10.0, 3, 20), point(0, 30.0, 4, 20)], 10);
    assert_eq!(expected[0].traffic.requests(), 7);
    assert_same(&store.metrics(one.id, at(0), at(10)).await.expect("reads"), &expected);
    assert_eq!(setting.number("SELECT requests FROM preview_metrics").await, 7);
}

pub async fn an_old_history_grows_coarser_and_loses_no_request(setting: Setting) {
    let store = &setting.store;
    let (one, other) = (insert(store).await, insert(store).await);
    let fine: Vec<MetricPoint> =
        (0..720).map(|i| point(i * 10, i as f64, i as u64 % 5, 1 + i as u64 % 50)).collect();
    store.record_metrics(&[of(&one, &fine), of(&other, &fine)].concat(), &[]).await.expect("records");
    // In the middle of a minute: it stays as it is.
    let aged = store.age_metrics(60, at(3630)).await.expect("ages");
    assert_eq!(aged, 2 * 360);
    let expected = [coarser(fine[..360].to_vec(), 60), fine[360..].to_vec()].concat();
    for preview in [&one, &other] {
        assert_same(&store.metrics(preview.id, at(0), at(7200)).await.expect("reads"), &expected);
    }
    assert_eq!(store.age_metrics(60, at(3630)).await.expect("ages"), 0, "all of it is done");
    store.age_metrics(600, at(7200)).await.expect("ages");
    let whole = coarser(fine, 600);
    assert_same(&store.metrics(one.id, at(0), at(7200)).await.expect("reads"), &whole);
    assert_eq!(store.drop_metrics(at(3600)).await.expect("drops"), 2 * 6);
    assert_same(&store.metrics(one.id, at(0), at(7200)).await.expect("reads"), &whole[6..]);
}

/// Sums in another order may differ in the last digit.
fn assert_same(found: &[MetricPoint], expected: &[MetricPoint]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let (a, b) = (found.memory_mb.expect("measured"), expected.memory_mb.expect("measured"));
        assert!((a - b).abs() < 1e-6, "{a} for {b}");
        let text = |point: &MetricPoint| (point.at, point.step_s, point.traffic.latencies.to_text());
        assert_eq!(text(found), text(expected));
        assert_eq!(found.traffic.errors, expected.traffic.errors);
        assert_eq!(found.traffic.bytes_out, expected.traffic.bytes_out);
    }
}

/// More steps than one transaction takes, so that it ends in the middle of a coarse one.
pub async fn a_long_history_grows_coarser_in_parts(setting: Setting) {
    let store = &setting.store;
    let one = insert(store).await;
    let fine: Vec<MetricPoint> = (0..5_100).map(|i| point(i * 10, 1.0, 1, 1)).collect();
    store.record_metrics(&of(&one, &fine), &[]).await.expect("records");
    assert_eq!(store.age_metrics(600, at(51_000)).await.expect("ages"), 5_100);
    let coarse = store.metrics(one.id, at(0), at(51_000)).await.expect("reads");
    let requests: BTreeMap<_, _> = coarse.iter().map(|point| (point.at, point.traffic.requests())).collect();
    assert_eq!((coarse.len(), requests.len()), (85, 85));
    assert!(requests.values().all(|count| *count == 60), "{requests:?}");
}

pub async fn what_was_used_last_is_in_the_row(setting: Setting) {
    let store = &setting.store;
    let one = insert(store).await;
    let last = LastUse { preview: one.id, at: now(), usage: json!({ "memoryMb": 12.5 }) };
    store.record_metrics(&[], &[last]).await.expect("records");
    // The task that owns the row writes its own columns and no others.
    store.update_preview(&one).await.expect("updates");
    let found = setting
        .number(
            "SELECT count(*) FROM preview_instances
             WHERE resource_usage = '{\"memoryMb\":12.5}' AND last_resource_check IS NOT NULL",
        )
        .await;
    assert_eq!(found, 1);
    store.drop_metrics(now() + Duration::from_secs(1)).await.expect("drops nothing of it");
}
