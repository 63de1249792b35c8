//! Stories of changed files, and of those who are told of events.

use std::time::Duration;

use chrono::TimeDelta;
use previewd::domain::{
    Attempt, ContentHash, DeliveryState, Event, EventType, FilePath, Patch, Preview, SourceFile, Webhook,
};
use previewd::seal::{Purpose, Seal};
use previewd::store::{Insert, Overlay, OverlayHead, Page, Store};
use previewd::webhooks::{Config, Registration, Webhooks};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Setting, now, preview, user};

async fn insert(store: &Store, preview: &Preview) {
    assert_eq!(store.insert_preview(preview, None, None).await.expect("inserts"), Insert::Inserted);
}

fn overlay(changes: &[(&str, Option<&str>)], hash: &str) -> Overlay {
    let path = |text: &&str| FilePath::parse(text).expect("a path");
    let changes = changes.iter().map(|(name, text)| (path(name), text.map(SourceFile::text)));
    let head = OverlayHead { content_hash: ContentHash::stored(hash.to_owned()), in_place: false };
    Overlay { patch: Patch::new(changes).expect("a patch"), head }
}

pub async fn changed_files_are_kept_until_the_preview_ends(setting: Setting) {
    let store = setting.store.clone();
    let one = preview("g", "ann");
    insert(&store, &one).await;
    assert_eq!(store.overlay(one.id).await.expect("reads"), None);
    let first = overlay(&[("a/b.py", Some("ü\n")), ("gone", None)], "1");
    store.put_overlay(one.id, &first).await.expect("puts");
    assert_eq!(store.overlay(one.id).await.expect("reads").as_ref(), Some(&first));
    store.overlay_in_place(one.id).await.expect("marks");
    assert!(store.overlay_head(one.id).await.expect("reads").expect("there").in_place);
    let second = overlay(&[("gone", None)], "2");
    store.put_overlay(one.id, &second).await.expect("puts");
    assert_eq!(store.overlay(one.id).await.expect("reads").as_ref(), Some(&second));
    assert_eq!(store.overlay_head(one.id).await.expect("reads"), Some(second.head));
    store.forget_overlay(one.id).await.expect("forgets");
    assert_eq!(store.overlay_head(one.id).await.expect("reads"), None);
    assert_eq!(setting.number("SELECT count(*) FROM preview_overlays").await, 0);
}

fn webhook(owner: &str, events: &[EventType], everyone: bool) -> Webhook {
    Webhook {
        id: Uuid::now_v7(),
        owner: user(owner),
        url: "https://hooks.example.org/".into(),
        events: events.to_vec(),
        everyone,
        sealed_secret: "sealed".into(),
        created_at: now(),
    }
}

pub async fn events_wait_for_those_who_want_them_in_order(setting: Setting) {
    let store = setting.store.clone();
    let (hers, his) = (preview("g", "ann"), preview("h", "bob"));
    insert(&store, &hers).await;
    insert(&store, &his).await;
    let picky = webhook("ann", &[EventType::Failed, EventType::Launched], false);
    let all = webhook("operator", &[], true);
    for webhook in [&picky, &all] {
        assert!(store.insert_webhook(webhook, 1).await.expect("inserts"));
    }
    assert!(!store.insert_webhook(&webhook("ann", &[], false), 1).await.expect("inserts"), "one each");
    assert_eq!(store.webhooks(Some(&picky.owner)).await.expect("lists"), std::slice::from_ref(&picky));
    assert_eq!(store.webhook(all.id).await.expect("reads"), Some(all.clone()));
    for (preview, event_type) in [
        (&hers, EventType::Launched),
        (&hers, EventType::Healthy),
        (&his, EventType::Failed),
        (&hers, EventType::Failed),
    ] {
        let event = Event { preview_id: preview.id, timestamp: now(), event_type, data: json!({"a": "ü"}) };
        store.append_event(&event).await.expect("appends");
    }
    store.event_appended().await;
    let later = now() + TimeDelta::minutes(1);
    // The oldest of each; a second one comes when the first is over, and not before its time.
    let due = store.due_deliveries(later, 10, 10).await.expect("lists");
    let said: Vec<_> = due.iter().map(|one| (one.webhook, one.event_type)).collect();
    assert_eq!(due.len(), 2);
    assert!(said.contains(&(picky.id, EventType::Launched)) && said.contains(&(all.id, EventType::Launched)));
    let first = due.iter().find(|one| one.webhook == picky.id).expect("hers");
    assert_eq!(
        (&first.data, &first.sealed_secret, first.attempts),
        (&json!({"a": "ü"}), &"sealed".into(), 0)
    );
    let mut attempt = Attempt {
        state: DeliveryState::Pending,
        attempts: 1,
        status: Some(500),
        problem: Some("it answered 500".into()),
        next_at: later + TimeDelta::minutes(1),
    };
    store.note_attempt(&first.id, picky.id, &attempt).await.expect("notes");
    let due = store.due_deliveries(later, 10, 10).await.expect("lists");
    assert!(due.iter().all(|one| one.webhook == all.id), "hers waits, and what is behind it");
    assert_eq!(store.next_delivery(later).await.expect("reads"), Some(attempt.next_at));
    attempt =
        Attempt { state: DeliveryState::Delivered, attempts: 2, status: Some(204), problem: None, ..attempt };
    store.note_attempt(&first.id, picky.id, &attempt).await.expect("notes");
    let due = store.due_deliveries(later, 10, 10).await.expect("lists");
    let next = due.iter().find(|one| one.webhook == picky.id).expect("the next of hers");
    assert_eq!(next.event_type, EventType::Failed);
    let page = store.deliveries(picky.id, Page::first(1)).await.expect("lists");
    assert_eq!((page.items.len(), page.items[0].state), (1, DeliveryState::Pending));
    let page = Page { cursor: page.next, limit: 1 };
    let page = store.deliveries(picky.id, page).await.expect("lists");
    assert_eq!((page.items[0].status, page.items[0].attempts, page.next), (Some(204), 2, None));
    assert_eq!(store.deliveries(all.id, Page::first(10)).await.expect("lists").items.len(), 4);
    // What it was to be told goes with an address, and with the preview.
    store.delete_webhook(picky.id).await.expect("deletes");
    setting.sql("DELETE FROM preview_instances").await;
    let left = "SELECT count(*) FROM webhook_deliveries";
    if store.backend() == "postgresql" {
        assert_eq!(setting.number(left).await, 0);
    }
}

/// The event that a letter tells, which is taken.
async fn told(address: &TcpListener) -> String {
    let (mut socket, _) = address.accept().await.expect("a connection");
    let mut said = String::new();
    while !said.ends_with('}') {
        let mut piece = [0; 4096];
        let read = socket.read(&mut piece).await.expect("more");
        assert_ne!(read, 0, "{said}");
        said.push_str(std::str::from_utf8(&piece[..read]).expect("ASCII"));
    }
    socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("written");
    let event = said.lines().find_map(|line| line.strip_prefix("x-preview-event: "));
    event.expect("an event").to_owned()
}

pub async fn who_never_answers_delays_nobody_else(setting: Setting) {
    let store = setting.store.clone();
    let (hers, his) = (preview("g", "ann"), preview("h", "bob"));
    insert(&store, &hers).await;
    insert(&store, &his).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let attentive = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (minute, seconds) = (Duration::from_secs(60), Duration::from_secs(20));
    let config = Config { private: true, timeout: minute, ..Config::default() };
    let teller = Webhooks::new(store.clone(), config, Seal::new([1; 32], &[]));
    let addresses = std::iter::repeat_n(("ann", &silent), 20).chain([("bob", &attentive)]);
    for (owner, listener) in addresses {
        let asked = Registration {
            owner: user(owner),
            url: format!("http://{}/", listener.local_addr().expect("an address")),
            events: Vec::new(),
            everyone: false,
            secret: "sixteen characters and more".into(),
        };
        teller.register(asked).await.expect("registers");
    }
    for (preview, event_type) in
        [(&hers, EventType::Launched), (&his, EventType::Launched), (&his, EventType::Healthy)]
    {
        let event = Event { preview_id: preview.id, timestamp: now(), event_type, data: json!({}) };
        store.append_event(&event).await.expect("appends");
    }
    let over = CancellationToken::new();
    let telling = tokio::spawn(teller.run(over.clone()));
    for event in ["launched", "healthy"] {
        let heard = tokio::time::timeout(seconds, told(&attentive)).await;
        assert_eq!(heard.expect("his is told while hers wait"), event);
    }
    let mut held = Vec::new();
    for _ in 0..2 {
        let hanging = tokio::time::timeout(seconds, silent.accept()).await;
        held.push(hanging.expect("hers are tried").expect("a connection"));
    }
    let third = tokio::time::timeout(Duration::from_millis(300), silent.accept()).await;
    assert!(third.is_err(), "two of hers at once");
    over.cancel();
    telling.await.expect("ends");
}

pub async fn an_address_that_takes_nothing_fills_no_disk(setting: Setting) {
    let store = setting.store.clone();
    let one = preview("g", "ann");
    insert(&store, &one).await;
    let all = webhook("ann", &[], false);
    assert!(store.insert_webhook(&all, 1).await.expect("inserts"));
    for _ in 0..1003 {
        let event =
            Event { preview_id: one.id, timestamp: now(), event_type: EventType::Healthy, data: json!({}) };
        store.append_event(&event).await.expect("appends");
    }
    let count = |state: &str| format!("SELECT count(*) FROM webhook_deliveries WHERE state = '{state}'");
    assert_eq!(setting.number(&count("pending")).await, 1000);
    assert_eq!(setting.number(&count("dead")).await, 3);
    // Of what is over, two hundred are kept.
    setting.sql("UPDATE webhook_deliveries SET state = 'delivered' WHERE state = 'pending'").await;
    setting.sql("UPDATE webhook_deliveries SET state = 'pending' WHERE event_id = 1").await;
    let first = store.due_deliveries(now() + TimeDelta::minutes(1), 1, 1).await.expect("lists").remove(0);
    let attempt = Attempt {
        state: DeliveryState::Dead,
        attempts: 8,
        status: None,
        problem: Some("nobody is there".into()),
        next_at: now(),
    };
    store.note_attempt(&first.id, all.id, &attempt).await.expect("notes");
    assert_eq!(setting.number("SELECT count(*) FROM webhook_deliveries").await, 200);
}

pub async fn secrets_of_webhooks_follow_the_keys(setting: Setting) {
    let plain = setting.store.clone();
    let (installation, first, second) = ([1; 32], [2; 32], [3; 32]);
    let former = Seal::new(installation, &[]);
    let mut old = webhook("ann", &[], false);
    old.sealed_secret = former.close(Purpose::WebhookSecret, old.id, "correct horse").expect("sealed");
    let unreadable = webhook("ben", &[], false);
    for webhook in [&old, &unreadable] {
        assert!(plain.insert_webhook(webhook, 1).await.expect("inserts"));
    }
    let opened = async |seal: &Seal| {
        let stored = plain.webhook(old.id).await.expect("reads").expect("is there").sealed_secret;
        seal.open(Purpose::WebhookSecret, old.id, &stored)
    };
    // The keys are others already than the installation's, which alone closed these.
    let named = Seal::new(first, &[]);
    let store = plain.clone().sealed_by(named.clone());
    assert_eq!(opened(&named).await, None);
    assert_eq!(store.adopt_webhook_secrets(&former).await.expect("seals"), 1);
    assert_eq!(opened(&named).await.as_deref(), Some("correct horse"));
    assert_eq!(opened(&former).await, None);
    assert_eq!(store.adopt_webhook_secrets(&former).await.expect("seals"), 0, "once is enough");
    let rotated = plain.clone().sealed_by(Seal::new(second, &[first]));
    assert_eq!(rotated.reseal().await.expect("seals"), 1);
    assert_eq!(opened(&Seal::new(second, &[])).await.as_deref(), Some("correct horse"));
    assert_eq!(opened(&named).await, None);
    let left = plain.webhook(unreadable.id).await.expect("reads").expect("is there");
    assert_eq!(left.sealed_secret, unreadable.sealed_secret, "what nothing opens stays");
}
