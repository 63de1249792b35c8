//! Bodies, file maps, ids and queries that are not right: a clear 4xx that names the field.

use hyper::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::http::Client;
use crate::refusal::{invalid, refused};

const PUT: &str = "/api/v2/generations/bad";

fn files(files: Value) -> Value {
    json!({ "files": files })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_maps_that_are_none_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let deep = "d/".repeat(600) + "x";
    let table = [
        (json!({}), "files"),
        (files(json!({})), "files"),
        (files(json!(null)), "files"),
        (files(json!(["a.py"])), "files"),
        (json!({ "files": { "a": "1" }, "extra": 1 }), "extra"),
        (json!({ "metadata": [], "files": { "a": "1" } }), "metadata"),
        (files(json!({ "../a": "1" })), "files[\"../a\"]"),
        (files(json!({ "a/../../b": "1" })), "files[\"a/../../b\"]"),
        (files(json!({ "/etc/passwd": "1" })), "files[\"/etc/passwd\"]"),
        (files(json!({ "a//b": "1" })), "files[\"a//b\"]"),
        (files(json!({ "a/./b": "1" })), "files[\"a/./b\"]"),
        (files(json!({ "": "1" })), "files[\"\"]"),
        (files(json!({ "a/": "1" })), "files[\"a/\"]"),
        (files(json!({ "a\\b": "1" })), "files[\"a\\\\b\"]"),
        (files(json!({ "a\0b": "1" })), "files[\"a\\0b\"]"),
        (files(json!({ "a\nb": "1" })), "files[\"a\\nb\"]"),
        (files(json!({ deep.clone(): "1" })), &format!("files[{deep:?}]")),
        (files(json!({ "a": "1", "a/b": "2" })), "files[\"a/b\"]"),
        (files(json!({ "a": "1", "./a": "2" })), "files[\"a\"]"),
        (files(json!({ "a": 1 })), "files.a"),
        (files(json!({ "a": ["x"] })), "files.a"),
        (files(json!({ "a": null })), "files.a"),
        (files(json!({ "src/a.py": { "content": "x", "colour": 1 } })), "files[\"src/a.py\"].colour"),
        (files(json!({ "a": { "encoding": "utf-8" } })), "files.a.content"),
        (files(json!({ "a": { "content": "x", "encoding": "latin1" } })), "files.a.encoding"),
        (files(json!({ "a": { "content": "%%%", "encoding": "base64" } })), "files[\"a\"].content"),
        (files(json!({ "a": { "content": "x", "mode": "rwx" } })), "files[\"a\"].mode"),
        (files(json!({ "a": { "content": "x", "mode": -1 } })), "files.a.mode"),
        (files(json!({ "a": { "content": "x", "mode": u64::MAX } })), "files.a.mode"),
    ]
    .map(|(body, field)| (body, field.to_owned()));
    for (body, field) in table {
        assert_eq!(invalid(&ann.put(PUT, &body).await), field, "{body}");
    }
    let twice = r#"{"files": {"a.py": "one", "a.py": "two"}}"#;
    assert_eq!(invalid(&ann.send(Method::PUT, PUT, twice).await), "files[\"a.py\"]");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_generation_may_hold_is_too_large() {
    let app = TestApp::with(vec![("PREVIEW_MAX_GENERATION_MB", "1".to_owned())]).await;
    let ann = app.user("ann");
    let most = 1024 * 1024;
    let exact = ann.put("/api/v2/generations/exact", &files(json!({ "a": "x".repeat(most) }))).await;
    assert_eq!(exact.status, 201, "{}", exact.text());
    refused(&ann.put(PUT, &files(json!({ "a": "x".repeat(most + 1) }))).await, 413, "too_large");
    let two = json!({ "a": "x".repeat(most / 2), "b": "x".repeat(most / 2 + 1) });
    refused(&ann.put(PUT, &files(two)).await, 413, "too_large");
    // Past what a body may weigh it is not even read.
    refused(&ann.put(PUT, &files(json!({ "a": "x".repeat(most * 8 / 5) }))).await, 413, "too_large");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_json_are_malformed() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    store(&ann, "whole").await;
    let bodies: [&[u8]; 10] = [
        b"{",
        b"nonsense",
        b"{\"files\": {\"a\": \"x\"}} {}",
        b"{\"files\": NaN}",
        b"{\"files\": 1e999}",
        b"{\"files\": {\"a\": \"\xff\xfe\"}}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"{\"files\": {\"a\": \"\\ud800\"}}",
        b"{'files': {}}",
    ];
    for body in bodies {
        for (method, path) in [
            (Method::PUT, "/api/v2/generations/bad"),
            (Method::POST, "/api/v2/generations/whole/preview/launch"),
            (Method::POST, "/api/v2/generations/whole/preview/extend"),
            (Method::POST, "/api/v1/generations/whole/preview/launch"),
            (Method::POST, "/api/generations/whole/preview/request"),
        ] {
            let answer = ann.send(method, path, body.to_vec()).await;
            // Extend knows its only field, and says so before it meets the end of what is no JSON.
            assert!([400, 422].contains(&answer.status), "{path} {}", answer.text());
            crate::refusal::problem(&answer);
        }
        refused(&ann.send(Method::PUT, PUT, body.to_vec()).await, 400, "malformed");
    }
    let nested = format!("{{\"files\": {{\"a\": {}", "[".repeat(100_000));
    assert_eq!(
        invalid(&ann.send(Method::PUT, PUT, nested).await),
        "files.a",
        "refused before it is read deep"
    );
    refused(&ann.send(Method::PUT, PUT, "").await, 400, "malformed");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn launches_extensions_and_requests_check_every_number_and_field() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    store(&ann, "whole").await;
    let numbers =
        [json!(-1), json!(0), json!(9_223_372_036_854_775_808_u64), json!(1.5), json!("NaN"), json!([])];
    for number in &numbers {
        let table = [
            ("/api/v2/generations/whole/preview/launch", json!({ "wait": number }), "wait"),
            ("/api/v2/generations/whole/preview/extend", json!({ "duration": number }), "duration"),
            ("/api/v1/generations/whole/preview/launch", json!({ "timeout": number }), "timeout"),
        ];
        for (path, body, field) in table {
            assert_eq!(invalid(&ann.post(path, &body).await), field, "{path} {body}");
        }
    }
    let launch = "/api/v2/generations/whole/preview/launch";
    let table = [
        (json!({ "colour": 1 }), "colour"),
        (json!({ "generationId": "another" }), "generationId"),
        (json!({ "generationId": "../x" }), "generationId"),
        (json!({ "resourceTier": "huge" }), "resourceTier"),
        (json!({ "databaseType": "oracle" }), "databaseType"),
        (json!({ "autoMigrateDatabase": "yes" }), "autoMigrateDatabase"),
        (json!({ "projectId": "a b\n" }), "projectId"),
        (json!({ "environment": { "A B": "x" } }), "environment[\"A B\"]"),
        (json!({ "environment": { "A": "x\0" } }), "environment[\"A\"]"),
        (json!({ "wait": 901 }), "wait"),
    ];
    for (body, field) in table {
        assert_eq!(invalid(&ann.post(launch, &body).await), field, "{body}");
    }
    let v1 = "/api/v1/generations/whole/preview/launch";
    assert_eq!(invalid(&ann.post(v1, &json!({ "projectId": "x" })).await), "projectId");
    assert_eq!(invalid(&ann.post(v1, &json!({ "project_id": "$(id)" })).await), "project_id");
    let extend = "/api/v2/generations/whole/preview/extend";
    assert_eq!(invalid(&ann.post(extend, &json!({})).await), "duration");
    assert_eq!(invalid(&ann.post(extend, &json!([60])).await), "");
    assert_eq!(invalid(&ann.post(launch, &json!([])).await), "");
    assert_eq!(invalid(&ann.post(extend, &json!({ "duration": 60, "x": 1 })).await), "x");
    let previews = ann.get("/api/v2/previews").await.json();
    assert_eq!(previews["previews"], json!([]), "nothing of it was launched");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_with_odd_characters_are_refused_whatever_their_encoding() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let long = "x".repeat(101);
    let longest = "x".repeat(5000);
    let odd = [
        "a%20b",
        "%2e%2e",
        "a%2Fb",
        "%00",
        "a%0Ab",
        "a%0d%0aX-Evil:1",
        "%ff",
        "%C3%A9",
        "-a",
        ".a",
        "a..b",
        "a%2525",
        "%24(id)",
        "a;b",
        "a'b",
        "a@b",
        "a*b",
        &long,
        &longest,
    ];
    for id in odd {
        let root = format!("/api/v2/generations/{id}");
        let answers = [
            ann.get(&root).await,
            ann.put(&root, &files(json!({ "a": "x" }))).await,
            ann.delete(&root).await,
            ann.get(&format!("{root}/dockerfile?explain=true")).await,
            ann.get(&format!("{root}/build/logs")).await,
            ann.post(&format!("{root}/preview/launch"), &json!({})).await,
            ann.get(&format!("{root}/preview/status")).await,
            ann.get(&format!("/api/v1/generations/{id}/preview/status")).await,
            ann.get(&format!("/api/generations/{id}/preview/logs/stream")).await,
        ];
        for answer in answers {
            assert_eq!(invalid(&answer), "generationId", "{id}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_are_checked_by_name_and_value() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    store(&ann, "first").await;
    store(&ann, "second").await;
    let of_generations = ann.get("/api/v2/generations?limit=1").await.json();
    let foreign = of_generations["nextCursor"].as_str().expect("a second page").to_owned();
    for list in ["/api/v2/generations", "/api/v2/previews", "/api/generations"] {
        for limit in ["0", "201", "-1", "9223372036854775808", "NaN", "", "1e3", "%00"] {
            assert_eq!(invalid(&ann.get(&format!("{list}?limit={limit}")).await), "limit", "{list} {limit}");
        }
        for cursor in ["x", "", "%00", "%ff", "AAAA", &"A".repeat(4000)] {
            assert_eq!(
                invalid(&ann.get(&format!("{list}?cursor={cursor}")).await),
                "cursor",
                "{list} {cursor}"
            );
        }
        assert_eq!(invalid(&ann.get(&format!("{list}?colour=red")).await), "colour", "{list}");
        assert_eq!(invalid(&ann.get(&format!("{list}?limit=1&limit=2")).await), "limit", "{list}");
    }
    assert_eq!(invalid(&ann.get(&format!("/api/v2/previews?cursor={foreign}")).await), "cursor");
    assert_eq!(invalid(&ann.get("/api/v2/previews?status=asleep").await), "status");
    assert_eq!(invalid(&ann.delete("/api/v2/generations/first?foce=true").await), "foce");
    assert_eq!(invalid(&ann.delete("/api/v2/generations/first?force=maybe").await), "force");
    assert_eq!(invalid(&ann.get("/api/v2/generations/first/dockerfile?explain=2").await), "explain");
    assert_eq!(ann.get("/api/v2/generations/first").await.status, 200, "it was not deleted");
    app.finish().await;
}

pub async fn store(client: &Client, id: &str) {
    let files = json!({ "index.html": format!("<h1>{id}</h1>") });
    let put = client.put(&format!("/api/v2/generations/{id}"), &json!({ "files": files })).await;
    assert_eq!(put.status, 201, "{}", put.text());
}
