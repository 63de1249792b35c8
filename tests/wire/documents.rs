//! What the daemon says of itself: the API's description, its page, metrics and health.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::app::TestApp;
use crate::child::previewd;
use crate::openapi::{document, operations};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_whole_and_what_the_command_prints() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let printed = previewd(&["openapi"]).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    assert_eq!(serde_json::from_str::<Value>(&printed.stdout).expect("JSON"), document);
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1."));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(document["security"], serde_json::json!([{ "bearer": [] }]));
    let mut seen = BTreeSet::new();
    for operation in operations(&app).await {
        let description = &operation.description;
        let id = description["operationId"].as_str().unwrap_or_default().to_owned();
        let unversioned = !operation.path.starts_with("/api/v") && operation.path.starts_with("/api/");
        assert!(!id.is_empty() && (unversioned || seen.insert(id.clone())), "{id}: {operation:?}");
        let responses = description["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{operation:?}");
        assert_eq!(responses["default"]["content"].as_object().map(|kinds| kinds.len()), Some(1));
        for (status, response) in responses {
            assert!(response["description"].is_string(), "{status} of {operation:?}");
            let is_problem = response["content"].to_string().contains("schemas/Problem");
            let kinds: Vec<&String> =
                response["content"].as_object().into_iter().flat_map(|map| map.keys()).collect();
            assert!(!is_problem || kinds == ["application/problem+json"], "{status} of {operation:?}");
        }
        let open = description["security"] == serde_json::json!([{}])
            || description["security"] == serde_json::json!([]);
        assert_eq!(open, operation.is_open(), "{operation:?}");
        for name in operation.path.split('{').skip(1).map(|rest| rest.split('}').next().expect("a name")) {
            let parameters = description["parameters"].as_array().expect("parameters");
            let found = parameters.iter().filter(|one| one["name"] == name && one["in"] == "path").count();
            assert_eq!(found, 1, "{name} of {operation:?}");
        }
    }
    references_lead_somewhere(&document, &document);
    app.finish().await;
}

fn references_lead_somewhere(value: &Value, document: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(place)) = members.get("$ref") {
                let pointer = place.strip_prefix('#').expect("a local reference");
                assert!(document.pointer(pointer).is_some(), "{place} leads nowhere");
            }
            members.values().for_each(|member| references_lead_somewhere(member, document));
        }
        Value::Array(items) => items.iter().for_each(|item| references_lead_somewhere(item, document)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_loads_everything_from_us() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let moved = stranger.get("/docs").await;
    assert!((300..400).contains(&moved.status), "{moved:?}");
    let page = stranger.get("/docs/").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    let links: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| {
            html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap_or_default())
        })
        .collect();
    assert!(links.len() >= 4, "{html}");
    for link in links {
        assert!(!link.contains("//"), "{link} is another's");
        let name = link.trim_start_matches("./").trim_start_matches("/docs/");
        let asset = stranger.get(&format!("/docs/{name}")).await;
        assert_eq!((asset.status, asset.body.is_empty()), (200, false), "{link}");
    }
    let start = stranger.get("/docs/swagger-initializer.js").await.text();
    assert!(start.contains("/openapi.json"), "{start}");
    assert!(!start.contains("://"), "{start}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_keep_the_rules_of_their_format() {
    let app = TestApp::start().await;
    let plain = app.stranger().get("/metrics").await;
    let kind = plain.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4") && !plain.text().contains("# EOF"), "{kind}");
    let scraper = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let answer = app.stranger().header("accept", scraper).get("/metrics").await;
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let families = families(&answer.text());
    for (name, kind) in [
        ("preview_instances_total", "gauge"),
        ("preview_launches", "counter"),
        ("preview_errors", "counter"),
        ("preview_launch_duration_seconds", "histogram"),
        ("preview_request_duration_seconds", "histogram"),
        ("docker_image_build_duration_seconds", "histogram"),
        ("docker_container_startup_duration_seconds", "histogram"),
    ] {
        assert_eq!(families.get(name).map(String::as_str), Some(kind), "{name}");
    }
    app.finish().await;
}

/// The families by name with their type. Panics at the first line that is not as the
/// OpenMetrics text format has it.
pub fn families(text: &str) -> BTreeMap<String, String> {
    let mut families = BTreeMap::<String, String>::new();
    let mut current = String::new();
    let lines: Vec<&str> = text.strip_suffix("# EOF\n").expect("ends with # EOF").lines().collect();
    for line in lines {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "TYPE", name, kind] => {
                assert!(
                    ["counter", "gauge", "histogram", "info", "unknown", "summary"].contains(kind),
                    "{line}"
                );
                assert!(!kind.eq(&"counter") || !name.ends_with("_total"), "{line}");
                assert!(families.insert((*name).to_owned(), (*kind).to_owned()).is_none(), "twice: {line}");
                current = (*name).to_owned();
            }
            ["#", "HELP" | "UNIT", name, text] => {
                assert!(is_name(name) && !text.is_empty(), "{line}");
            }
            ["#", ..] => panic!("{line}"),
            _ => {
                let (name, value) = sample(line);
                let suffix =
                    name.strip_prefix(&current).unwrap_or_else(|| panic!("not of {current}: {line}"));
                let legal: &[&str] = match families[&current].as_str() {
                    "counter" => &["_total", "_created"],
                    "histogram" => &["_bucket", "_sum", "_count", "_created"],
                    "info" => &["_info"],
                    _ => &[""],
                };
                assert!(legal.contains(&suffix), "{line}");
                assert!(value.is_finite() || value.is_infinite(), "{line}");
            }
        }
    }
    // No sample of one family may have the name of another.
    for (name, kind) in &families {
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total", "_created"],
            "histogram" => &["_bucket", "_sum", "_count", "_created"],
            _ => &[],
        };
        for suffix in suffixes {
            assert!(!families.contains_key(&format!("{name}{suffix}")), "{name}{suffix} clashes");
        }
    }
    families
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> (String, f64) {
    let (head, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = match head.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"))),
        None => (head, ""),
    };
    assert!(is_name(name), "{line}");
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (key, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(is_name(key) && !value.trim_end_matches('"').contains(['"', '\n']), "{line}");
    }
    (name.to_owned(), value.replace("+Inf", "inf").parse().unwrap_or_else(|_| panic!("{line}")))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_version_are_open_and_short() {
    let app = TestApp::start().await;
    for path in ["/health", "/healthz", "/liveness"] {
        let answer = app.stranger().get(path).await;
        assert_eq!((answer.status, answer.json()["status"].clone()), (200, "ok".into()), "{path}");
    }
    let version = app.stranger().get("/version").await.json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let ready = app.stranger().get("/readiness").await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    let detailed = app.user("ann").get("/api/v1/health/detailed").await.json();
    assert_eq!((detailed["status"].as_str(), detailed["store"]["backend"].is_string()), (Some("ok"), true));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_names_an_engine_that_is_not_there_and_launches_are_503() {
    let app = TestApp::with(vec![("DOCKER_HOST", "unix:///nonexistent/docker.sock".to_owned())]).await;
    let ready = app.stranger().get("/readiness").await;
    assert_eq!((ready.status, ready.json()["engine"].is_string()), (503, true), "{}", ready.text());
    assert_eq!(app.stranger().get("/health").await.status, 200);
    let ann = app.user("ann");
    crate::bad_input::store(&ann, "waits").await;
    let launch = ann.post("/api/v2/generations/waits/preview/launch", &serde_json::json!({})).await;
    crate::refusal::refused(&launch, 503, "engine_unreachable");
    assert!(launch.headers["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    let mut app = app;
    app.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_api_tells_of_the_second_when_asked_to() {
    let path = "/api/v1/generations/absent/preview/status";
    let app = TestApp::with(vec![("ENABLE_DEPRECATION_WARNINGS", "true".to_owned())]).await;
    for client in [app.user("ann"), app.stranger()] {
        let answer = client.get(path).await;
        assert!(
            answer.headers.contains_key("deprecation") && answer.headers.contains_key("sunset"),
            "{answer:?}"
        );
        assert!(answer.headers["link"].to_str().unwrap().contains("rel=\"successor-version\""));
    }
    assert!(!app.user("ann").get("/api/v2/generations").await.headers.contains_key("deprecation"));
    app.finish().await;
    let app = TestApp::start().await;
    assert!(!app.user("ann").get(path).await.headers.contains_key("deprecation"));
    app.finish().await;
}
