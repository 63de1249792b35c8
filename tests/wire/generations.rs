//! Generations: stored once, never changed, listed in stable pages, read and deleted; and the
//! Dockerfile of one with its reasons.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::bad_input::store;
use crate::refusal::refused;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_never_changes() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let body = json!({ "metadata": { "name": "One" }, "files": { "index.html": "one" } });
    let path = "/api/v2/generations/one";
    let created = ann.put(path, &body).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let view = created.json();
    assert_eq!((view["generationId"].as_str(), view["owner"].as_str()), (Some("one"), Some("ann")));
    assert_eq!((view["files"].as_u64(), view["bytes"].as_u64()), (Some(1), Some(3)));
    let again = ann.put(path, &body).await;
    assert_eq!((again.status, again.json()), (200, view.clone()));
    let other = json!({ "metadata": { "name": "Two" }, "files": { "index.html": "one" } });
    refused(&ann.put(path, &other).await, 409, "conflict");
    refused(&app.user("ben").put(path, &body).await, 403, "not_owner");
    assert_eq!(ann.get(path).await.json(), view, "as it was");
    assert_eq!(ann.get("/api/generations/one").await.json(), view, "under the unversioned path");
    assert_eq!(ann.delete(path).await.status, 204);
    refused(&ann.get(path).await, 404, "not_found");
    assert_eq!(ann.put(path, &other).await.status, 201, "the id is free again");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_stable_while_the_list_grows_and_shrinks() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    for number in 0..7 {
        store(&ann, &format!("g{number}")).await;
    }
    store(&app.user("ben"), "bens").await;
    let first = ann.get("/api/v2/generations?limit=3").await.json();
    assert_eq!(ids(&first), ["g6", "g5", "g4"]);
    store(&ann, "newer").await;
    assert_eq!(ann.delete("/api/v2/generations/g4").await.status, 204);
    let cursor = first["nextCursor"].as_str().expect("more").to_owned();
    let second = ann.get(&format!("/api/v2/generations?limit=3&cursor={cursor}")).await.json();
    assert_eq!(ids(&second), ["g3", "g2", "g1"], "neither repeated nor left out");
    let cursor = second["nextCursor"].as_str().expect("more").to_owned();
    let third = ann.get(&format!("/api/v2/generations?limit=3&cursor={cursor}")).await.json();
    assert_eq!((ids(&third), third["nextCursor"].clone()), (vec!["g0".to_owned()], Value::Null));
    app.finish().await;
}

fn ids(page: &Value) -> Vec<String> {
    let list = page["generations"].as_array().expect("a list");
    list.iter().map(|one| one["generationId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dockerfile_comes_as_text_and_with_reasons() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let main = "from fastapi import FastAPI\napp = FastAPI()\n";
    let body = json!({
        "metadata": { "port": 9000 },
        "files": { "app/main.py": main, "requirements.txt": "fastapi==0.115.0\nuvicorn==0.30.0\n" },
    });
    assert_eq!(ann.put("/api/v2/generations/api", &body).await.status, 201);
    let text = ann.get("/api/v2/generations/api/dockerfile").await;
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    assert!(text.text().contains("FROM "), "{}", text.text());
    let plan = ann.get("/api/v2/generations/api/dockerfile?explain=true").await.json();
    assert_eq!((plan["framework"].as_str(), plan["port"].as_u64()), (Some("fastapi"), Some(9000)));
    let decisions = plan["decisions"].as_array().expect("decisions");
    for decision in decisions {
        for member in ["what", "choice", "reason"] {
            assert!(decision[member].as_str().is_some_and(|text| !text.is_empty()), "{decision}");
        }
        assert!(
            ["metadata", "detected", "default"].contains(&decision["source"].as_str().unwrap()),
            "{decision}"
        );
    }
    let of = |what: &str| {
        decisions.iter().find(|one| one["what"] == what).unwrap_or_else(|| panic!("{what}: {plan}"))
    };
    assert_eq!(of("port")["source"], "metadata");
    assert_eq!(of("framework")["source"], "detected");
    let place = of("framework")["file"].as_str().expect("a file");
    assert!(["requirements.txt", "app/main.py"].contains(&place), "{plan}");
    assert!(decisions.iter().any(|one| one["line"].is_u64()), "a line is named: {plan}");
    app.finish().await;
}
