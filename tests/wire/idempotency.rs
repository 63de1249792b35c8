//! A call that is repeated with its `Idempotency-Key` does nothing twice.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use hyper::Method;
use serde_json::json;

use crate::app::TestApp;
use crate::http::{Answer, Client};
use crate::refusal::{invalid, refused};

fn keyed(client: &Client, key: &str) -> Client {
    client.clone().header("idempotency-key", key)
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replay").is_some_and(|value| value == "true")
}

const ADDRESS: &str = "/api/v2/generations/once";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_call_gets_the_first_answer_and_nothing_is_done_twice() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let body = json!({ "files": { "index.html": "once" } });
    let first = keyed(&ann, "k-1").put(ADDRESS, &body).await;
    assert_eq!((first.status, is_replay(&first)), (201, false));
    let again = keyed(&ann, "k-1").put(ADDRESS, &body).await;
    assert_eq!((again.status, is_replay(&again)), (201, true), "not 200, as a new call would be");
    assert_eq!(again.body, first.body);
    assert_eq!(again.headers["content-type"], first.headers["content-type"]);
    assert_eq!(ann.put(ADDRESS, &body).await.status, 200, "without a key it is a call like any other");
    // Deleting is told again as well, although it is gone.
    assert_eq!(keyed(&ann, "k-2").delete(ADDRESS).await.status, 204);
    let gone = keyed(&ann, "k-2").delete(ADDRESS).await;
    assert_eq!((gone.status, is_replay(&gone)), (204, true));
    assert_eq!(keyed(&ann, "k-3").delete(ADDRESS).await.status, 404);
    let told = keyed(&ann, "k-3").delete(ADDRESS).await;
    refused(&told, 404, "not_found");
    assert!(is_replay(&told), "a refusal is an answer");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_for_one_call_and_one_user() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let body = json!({ "files": { "index.html": "once" } });
    assert_eq!(keyed(&ann, "k").put(ADDRESS, &body).await.status, 201);
    let other_body = json!({ "files": { "index.html": "twice" } });
    refused(&keyed(&ann, "k").put(ADDRESS, &other_body).await, 422, "idempotency_key_reused");
    let elsewhere = keyed(&ann, "k").put("/api/v2/generations/other", &body).await;
    refused(&elsewhere, 422, "idempotency_key_reused");
    refused(&keyed(&ann, "k").delete(ADDRESS).await, 422, "idempotency_key_reused");
    assert_eq!(ann.get("/api/v2/generations/other").await.status, 404, "nothing was done");
    let ben = keyed(&app.user("ben"), "k").put(ADDRESS, &body).await;
    refused(&ben, 403, "not_owner");
    assert!(!is_replay(&ben));
    for bad in ["", "   ", &"x".repeat(256), "caf\u{e9}"] {
        assert_eq!(invalid(&keyed(&ann, bad).put(ADDRESS, &body).await), "Idempotency-Key", "{bad:?}");
    }
    assert_eq!(keyed(&ann, "k").get(ADDRESS).await.status, 200, "reading needs no key and ignores it");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_calls_at_once_one_acts_and_all_get_its_answer() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let body = json!({ "files": { "index.html": "at once" } });
    for round in 0..5 {
        let address = format!("/api/v2/generations/race-{round}");
        let key = format!("race-{round}");
        let calls = (0..12).map(|_| {
            let (ann, address, body) = (keyed(&ann, &key), address.clone(), body.clone());
            async move { ann.put(&address, &body).await }
        });
        let answers = join_all(calls).await;
        let acted = answers.iter().filter(|answer| !is_replay(answer)).count();
        assert_eq!(acted, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
        assert_eq!(answers.iter().map(|answer| &answer.body).collect::<BTreeSet<_>>().len(), 1);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_outlive_a_restart_and_are_kept_encrypted() {
    let mut app = TestApp::start().await;
    let body = json!({ "metadata": { "name": "a-word-to-look-for" }, "files": { "index.html": "once" } });
    assert_eq!(keyed(&app.user("ann"), "k").put(ADDRESS, &body).await.status, 201);
    app.shutdown().await;
    app.boot().await;
    let again = keyed(&app.user("ann"), "k").put(ADDRESS, &body).await;
    assert_eq!((again.status, is_replay(&again)), (201, true));
    assert!(again.text().contains("a-word-to-look-for"));
    let kept = app.sql("SELECT body FROM idempotency_keys").await;
    assert!(kept.starts_with("v1.") && !kept.contains("a-word-to-look-for"), "{kept}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_and_the_setting_turns_it_off() {
    let app = TestApp::with(vec![("PREVIEW_MAX_GENERATION_MB", "1".to_owned())]).await;
    let ann = keyed(&app.user("ann"), "k");
    let large = vec![b' '; 2 * 1024 * 1024];
    refused(&ann.send(Method::PUT, ADDRESS, large.clone()).await, 413, "too_large");
    let launch = "/api/v2/generations/once/preview/launch";
    refused(&ann.send(Method::POST, launch, large).await, 413, "too_large");
    app.finish().await;
    let app = TestApp::with(vec![("ENABLE_IDEMPOTENCY", "false".to_owned())]).await;
    let ann = keyed(&app.user("ann"), "k");
    let body = json!({ "files": { "index.html": "once" } });
    assert_eq!(ann.put(ADDRESS, &body).await.status, 201);
    let again = ann.put(ADDRESS, &body).await;
    assert_eq!((again.status, is_replay(&again)), (200, false));
    app.finish().await;
}
