//! Stories of log lines.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use previewd::domain::{LogEntry, LogLevel, LogLine, LogSource, PreviewId};
use previewd::store::Insert;
use serde_json::json;

use crate::{Setting, preview};

fn line(seq: u64) -> LogLine {
    let at = Utc::now() + TimeDelta::nanoseconds(i64::try_from(seq).expect("small"));
    LogEntry::new(at, LogLevel::Info, LogSource::App, format!("line {seq} ü\n\"'")).numbered(seq)
}

async fn inserted(setting: &Setting, generation: &str) -> PreviewId {
    let preview = preview(generation, "ann");
    let inserted = setting.store.insert_preview(&preview, None, None).await.expect("inserts");
    assert_eq!(inserted, Insert::Inserted);
    preview.id
}

fn seqs(lines: &[LogLine]) -> Vec<u64> {
    lines.iter().map(|line| line.seq).collect()
}

pub async fn lines_come_back_as_they_were_and_by_number(setting: Setting) {
    let store = setting.store.clone();
    let (one, other) = (inserted(&setting, "g").await, inserted(&setting, "h").await);
    assert_eq!(store.last_log(one).await.expect("reads"), 0);
    let mut lines: Vec<_> = (1..=600).map(line).collect();
    lines[3].level = LogLevel::Error;
    lines[3].source = LogSource::Request;
    lines[3].metadata = json!({"path": "/ü", "statusCode": 500}).as_object().cloned().map(Box::new);
    lines[3].trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
    let all: Vec<_> = lines.iter().collect();
    store.append_logs(one, &all[..400]).await.expect("appends");
    // A batch whose answer was lost is sent again.
    store.append_logs(one, &all[300..]).await.expect("appends");
    store.append_logs(other, &all[..1]).await.expect("appends");
    store.append_logs(other, &[]).await.expect("appends nothing");

    assert_eq!(store.logs_after(one, 0, 1000).await.expect("reads"), lines, "to the nanosecond");
    assert_eq!(seqs(&store.logs_after(one, 10, 3).await.expect("reads")), [11, 12, 13]);
    assert_eq!(seqs(&store.logs_before(one, 10, 3).await.expect("reads")), [7, 8, 9]);
    assert_eq!(seqs(&store.logs_before(one, u64::MAX, 2).await.expect("reads")), [599, 600]);
    assert_eq!(store.last_log(one).await.expect("reads"), 600);
    store.trim_logs(one, 590).await.expect("trims");
    assert_eq!(seqs(&store.logs_after(one, 0, 1000).await.expect("reads")), (591..=600).collect::<Vec<_>>());
    assert_eq!(store.last_log(other).await.expect("reads"), 1);
    assert!(store.append_logs(PreviewId::new(), &all[..1]).await.is_err(), "of no preview");
}

pub async fn lines_go_by_age_and_by_count(setting: Setting) {
    let store = setting.store.clone();
    let preview = inserted(&setting, "g").await;
    let mut lines: Vec<_> = (1..=100).map(line).collect();
    for old in &mut lines[..30] {
        old.timestamp -= Duration::from_secs(86_400 * 8);
    }
    store.append_logs(preview, &lines.iter().collect::<Vec<_>>()).await.expect("appends");
    let week_ago = Utc::now() - Duration::from_secs(86_400 * 7);
    assert_eq!(store.expire_logs(week_ago, 1000).await.expect("expires"), 30);
    assert_eq!(store.expire_logs(week_ago, 1000).await.expect("expires"), 0);
    assert_eq!(store.expire_logs(week_ago, 50).await.expect("expires"), 20);
    assert_eq!(
        seqs(&store.logs_after(preview, 0, 1000).await.expect("reads")),
        (51..=100).collect::<Vec<_>>()
    );
}
