//! Pages of other origins, and what browsers are told about our own answers.

use hyper::Method;

use crate::app::TestApp;
use crate::refusal::refused;

const PAGE: &str = "https://app.example.org";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_origins_may_call_and_read_and_others_may_not() {
    let app = TestApp::with(vec![("CORS_ORIGINS", format!("{PAGE}, http://localhost:5173"))]).await;
    let asking = |origin: &str| {
        app.stranger()
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization,idempotency-key")
    };
    let preflight = asking(PAGE).send(Method::OPTIONS, "/api/v2/generations/x", "").await;
    assert_eq!(preflight.status, 200, "{preflight:?}");
    assert_eq!(preflight.headers["access-control-allow-origin"], PAGE);
    let text = |name: &str| preflight.headers[name].to_str().expect("text").to_ascii_lowercase();
    assert!(text("access-control-allow-methods").contains("put"));
    for name in ["authorization", "content-type", "idempotency-key", "x-preview-token"] {
        assert!(text("access-control-allow-headers").contains(name), "{name}");
    }
    assert!(!preflight.headers.contains_key("access-control-allow-credentials"), "tokens, no cookies");
    let foreign = asking("https://evil.example").send(Method::OPTIONS, "/api/v2/generations/x", "").await;
    assert!(!foreign.headers.contains_key("access-control-allow-origin"), "{foreign:?}");
    let read = app.user("ann").header("origin", PAGE).get("/api/v2/generations").await;
    assert_eq!((read.status, &read.headers["access-control-allow-origin"]), (200, &PAGE.parse().unwrap()));
    assert!(read.headers["access-control-expose-headers"].to_str().unwrap().contains("ratelimit-remaining"));
    // A refusal can be read as well: a page must see why.
    let told = app.stranger().header("origin", PAGE).get("/api/v2/generations").await;
    refused(&told, 401, "token_missing");
    assert_eq!(told.headers["access-control-allow-origin"], PAGE);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_no_page_of_another_origin_may() {
    let app = TestApp::start().await;
    let answer = app.user("ann").header("origin", PAGE).get("/api/v2/generations").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
    let preflight = app.stranger().header("origin", PAGE).header("access-control-request-method", "GET");
    assert_eq!(preflight.send(Method::OPTIONS, "/api/v2/generations", "").await.status, 405);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_answers_tell_browsers_to_be_careful() {
    let app = TestApp::start().await;
    for path in ["/health", "/api/v2/generations", "/nothing", "/docs/", "/openapi.json"] {
        let answer = app.user("ann").get(path).await;
        let is = |name: &str, value: &str| {
            let found = answer.headers.get(name).map(|found| found.to_str().expect("text"));
            assert_eq!(found, Some(value), "{name} of {path}");
        };
        is("x-content-type-options", "nosniff");
        is("x-frame-options", "DENY");
        is("referrer-policy", "no-referrer");
        is("cache-control", "no-store");
        let policy = answer.headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!answer.headers.contains_key("strict-transport-security"), "not without TLS");
    }
    let named = app.stranger().header("x-request-id", "page-7:load").get("/health").await;
    assert_eq!(named.headers["x-request-id"], "page-7:load");
    let odd = app.stranger().header("x-request-id", "a b\"c").get("/health").await;
    assert_eq!(odd.headers["x-request-id"], odd.headers["x-trace-id"]);
    app.finish().await;
}
