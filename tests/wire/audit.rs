//! The audit trail: who did what, for whom, from where, and what came of it.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::bad_input::store;
use crate::http::Client;
use crate::refusal::{invalid, refused};

const AUDIT: &str = "/api/v2/audit";

async fn entries(app: &TestApp, query: &str, wanted: usize) -> Vec<Value> {
    let admin = app.admin();
    until(10, || async {
        let list = admin.get(&format!("{AUDIT}?{query}")).await.json();
        let found = list["entries"].as_array().expect("a list").clone();
        (found.len() >= wanted).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_and_what_is_refused_is_in_the_trail() {
    let app = TestApp::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ann = app.user("ann").header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    store(&ann, "mine").await;
    refused(&app.user("ben").delete("/api/v2/generations/mine").await, 403, "not_owner");
    refused(&app.stranger().delete("/api/v2/generations/mine").await, 401, "token_missing");
    assert_eq!(ann.get("/api/v2/generations/mine").await.status, 200);
    let all = entries(&app, "target=mine", 3).await;
    assert_eq!(all.len(), 3, "reading one's own is not in it: {all:?}");
    let said = |entry: &Value| {
        ["actor", "action", "via", "status"]
            .map(|member| entry[member].to_string().replace('"', ""))
            .join(" ")
    };
    let said: Vec<String> = all.iter().map(said).collect();
    let expected =
        ["null deleteGeneration none 401", "ben deleteGeneration token 403", "ann putGeneration token 201"];
    assert_eq!(said, expected);
    assert_eq!((all[2]["traceId"].as_str(), all[2]["address"].as_str()), (Some(trace), Some("127.0.0.1")));
    assert!(all.iter().all(|entry| entry["timestamp"].is_string()));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acting_for_others_names_both_and_keys_are_named_by_their_id() {
    let app = TestApp::start().await;
    let body = json!({ "name": "platform", "scopes": ["read", "launch", "act"], "user": "shop" });
    let key = app.admin().post("/api/v2/keys", &body).await.json();
    let id = key["id"].as_str().expect("an id");
    let platform = app.stranger().bearer(key["key"].as_str().expect("a key"));
    store(&platform.clone().header("x-on-behalf-of", "ann"), "hers").await;
    let found = entries(&app, "user=ann", 1).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["actor"], &found[0]["onBehalfOf"]), (&json!("shop"), &json!("ann")));
    assert_eq!(found[0]["via"], format!("key:{id}"));
    let made = entries(&app, "action=createKey", 1).await;
    assert_eq!(made[0]["actor"], "operator");
    let everything = entries(&app, "limit=200", 1).await;
    assert!(!json!(everything).to_string().contains(key["key"].as_str().unwrap()), "no key is in it");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_admins_read_it_and_page_by_page() {
    let app = TestApp::start().await;
    refused(&app.user("ann").get(AUDIT).await, 403, "admins_only");
    for n in 0..5 {
        store(&app.user("ann"), &format!("g-{n}")).await;
    }
    entries(&app, "action=putGeneration", 5).await;
    let admin = app.admin();
    let first = admin.get(&format!("{AUDIT}?action=putGeneration&limit=2")).await.json();
    let cursor = first["nextCursor"].as_str().expect("a next page");
    let next = admin.get(&format!("{AUDIT}?action=putGeneration&limit=2&cursor={cursor}")).await.json();
    let targets = |page: &Value| -> Vec<String> {
        page["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["target"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (targets(&first), targets(&next)),
        (vec!["g-4".into(), "g-3".into()], vec!["g-2".into(), "g-1".into()])
    );
    assert_eq!(invalid(&admin.get(&format!("{AUDIT}?cursor=x")).await), "cursor");
    assert_eq!(invalid(&admin.get(&format!("{AUDIT}?who=x")).await), "who");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_opens_a_socket_is_a_socket_and_only_a_preview_token_is_one() {
    let app = TestApp::start().await;
    let upgrading = |to: &str| app.stranger().header("upgrade", to);
    for to in ["x", "websocket"] {
        assert_eq!(upgrading(to).get("/health").await.status, 200);
        refused(&upgrading(to).get("/api/v2/generations/mine?token=x").await, 401, "token_missing");
    }
    let logs = "/api/v2/generations/mine/preview/logs";
    refused(&upgrading("h2c").get(&format!("{logs}?token=x")).await, 401, "token_missing");
    refused(&upgrading("websocket").get(logs).await, 401, "token_missing");
    refused(&upgrading("WebSocket").get(&format!("{logs}?token=x")).await, 401, "token_missing");
    refused(&app.stranger().delete("/api/v2/generations/mine").await, 401, "token_missing");
    // Written in order: with the last, all are there.
    entries(&app, "action=deleteGeneration", 1).await;
    let all = entries(&app, "limit=200", 3).await;
    let foreign = all.iter().filter(|entry| entry["action"] != "listAudit");
    let said: Vec<String> =
        foreign.map(|entry| format!("{} {}", entry["action"], entry["via"]).replace('"', "")).collect();
    assert_eq!(said, ["deleteGeneration none", "getLogs previewToken", "getLogs none"]);
    app.finish().await;
}

/// How often a call is answered with this status before a limit refuses it.
async fn until_limited(client: &Client, status: u16) -> usize {
    let mut times = 0;
    loop {
        let answer = client.delete("/api/v2/generations/none").await;
        if answer.status != status {
            refused(&answer, 429, "rate_limited");
            return times;
        }
        times += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_strangers_are_gathered_and_what_a_limit_refuses_is_not_written() {
    let settings = vec![
        ("PREVIEW_ANONYMOUS_RATE_PER_MINUTE", "10".to_owned()),
        ("PREVIEW_TOKEN_RATE_PER_MINUTE", "10".to_owned()),
    ];
    let mut app = TestApp::with(settings).await;
    let strangers = until_limited(&app.stranger(), 401).await;
    let anns = until_limited(&app.user("ann"), 404).await;
    assert!(strangers >= 10 && anns >= 10, "{strangers} {anns}");
    // What is gathered is written when the daemon ends, too.
    app.shutdown().await;
    app.boot().await;
    let all = entries(&app, "action=deleteGeneration&limit=200", anns + 2).await;
    let (known, unknown): (Vec<_>, Vec<_>) = all.iter().partition(|entry| entry["actor"] == "ann");
    assert!(known.len() == anns && known.iter().all(|entry| entry["status"] == 404), "{known:?}");
    let said: Vec<_> = unknown.iter().map(|entry| (&entry["status"], &entry["times"])).collect();
    assert_eq!(said, [(&json!(401), &json!(strangers - 1)), (&json!(401), &json!(1))]);
    assert_eq!((&unknown[0]["target"], &unknown[1]["target"]), (&Value::Null, &json!("none")));
    assert!(unknown.iter().all(|entry| entry["address"] == "127.0.0.1"), "{unknown:?}");
    app.finish().await;
}
